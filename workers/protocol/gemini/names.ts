/** The two spellings of this wire's fields: callers send `systemInstruction` and `system_instruction` alike. */
import { isObject } from "../../../schema/json.ts";
import { type JsonPath, sliceAt } from "../json-text.ts";

/** Members that hold the caller's own names, or another language: their inside is never respelled. */
const FOREIGN: ReadonlySet<string> = new Set(
  "args response parameters parametersJsonSchema responseSchema responseJsonSchema labels".split(" "),
);

function camelName(name: string): string {
  return name.includes("_") ? name.replaceAll(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase()) : name;
}

function snakeName(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** A parsed value with every field of the wire in camelCase. Where both spellings are given, the last one counts, as upstream. */
export function camelCased(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(camelCased);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => {
      const name = camelName(key);
      return [name, FOREIGN.has(name) ? member : camelCased(member)];
    }),
  );
}

/** Source text of the value at a camelCase path, whichever way the caller spells it. A single element stands for a list of one. */
export function sourceAt(text: string, path: JsonPath): string | null {
  let found: string | null = text;
  for (const step of path) {
    if (found === null) return null;
    if (typeof step === "number") found = found.startsWith("[") ? sliceAt(found, [step]) : step === 0 ? found : null;
    else found = sliceAt(found, [step]) ?? (/[A-Z]/.test(step) ? sliceAt(found, [snakeName(step)]) : null);
  }
  return found;
}
