/** Token counts as providers write them, read with distrust. */
import { isObject } from "../../schema/json.ts";

/** First of the named members that is a count; a member that is present and no count is noted. Null: nobody said. */
export function countOf(object: unknown, names: readonly string[], faults: string[]): number | null {
  if (!isObject(object)) return null;
  for (const name of names) {
    const value = object[name];
    if (value === null || value === undefined) continue;
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
    faults.push(`${name} is ${typeof value === "number" ? value : typeof value}`);
  }
  return null;
}
