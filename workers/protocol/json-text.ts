/**
 * Work on JSON as text: put a member in or take one out, and print values that hold raw slices; reading is in schema/json-slice.ts.
 * Nothing is parsed and printed again, so numbers above 2^53, `1.0`, key order, spacing and unknown members survive.
 *
 * All functions take text that `JSON.parse` accepts; on other text they answer `null` (or the text unchanged) and never throw.
 * Duplicate keys follow `JSON.parse`: the last one wins.
 */
import { COMMA, type JsonPath, locate, OPEN_OBJECT, scanObject, skipSpace } from "../../schema/json-slice.ts";

export { elementSlices, type JsonPath, sliceAt } from "../../schema/json-slice.ts";

/**
 * The text with the member at `path` set to `valueText`: replaced where it stands, else added as the object's last member. Every
 * other character stays. `null` when the parent is not an object of the text (or, for an element, the element is missing).
 */
export function setMember(text: string, path: JsonPath, valueText: string): string | null {
  const key = path.at(-1);
  if (key === undefined) return null;
  const existing = locate(text, path);
  if (existing !== null) return text.slice(0, existing.valueStart) + valueText + text.slice(existing.valueEnd);
  if (typeof key === "number") return null;
  const parent = locate(text, path.slice(0, -1));
  if (parent === null || text.charCodeAt(parent.valueStart) !== OPEN_OBJECT) return null;
  const container = scanObject(text, parent.valueStart, key);
  if (container === null) return null;
  const member = `${JSON.stringify(key)}:${valueText}`;
  if (container.empty) return `${text.slice(0, parent.valueStart + 1)}${member}${text.slice(container.close)}`;
  const lastValueEnd = endBefore(text, container.close);
  return `${text.slice(0, lastValueEnd)},${member}${text.slice(lastValueEnd)}`;
}

/** Index after the last character before `index` that is not space. */
function endBefore(text: string, index: number): number {
  let end = index;
  while (text.charCodeAt(end - 1) <= 32) end -= 1;
  return end;
}

/** The text without the member at `path` (all its duplicates, else an earlier one would come back to life); unchanged when absent. */
export function removeMember(text: string, path: JsonPath): string {
  const key = path.at(-1);
  const parent = locate(text, path.slice(0, -1));
  if (typeof key !== "string" || parent === null || text.charCodeAt(parent.valueStart) !== OPEN_OBJECT) return text;
  const matches = scanObject(text, parent.valueStart, key)?.matches ?? [];
  let result = text;
  for (const span of matches.toReversed()) {
    const after = skipSpace(result, span.valueEnd);
    if (result.charCodeAt(after) === COMMA) {
      result = result.slice(0, span.keyStart) + result.slice(skipSpace(result, after + 1));
    } else {
      const before = endBefore(result, span.keyStart);
      const start = result.charCodeAt(before - 1) === COMMA ? before - 1 : span.keyStart;
      result = result.slice(0, start) + result.slice(span.valueEnd);
    }
  }
  return result;
}

/** JSON text that stands for itself inside a value given to `stringifyWithRaw`. */
export class RawJson {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** `JSON.stringify` that prints `RawJson` verbatim. Undefined members are left out; an undefined element is `null`. */
export function stringifyWithRaw(value: unknown): string {
  return holdsRaw(value) ? printWithRaw(value) : (JSON.stringify(value) ?? "null");
}

function holdsRaw(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (value instanceof RawJson) return true;
  return Array.isArray(value) ? value.some(holdsRaw) : Object.values(value).some(holdsRaw);
}

function printWithRaw(value: unknown): string {
  if (value instanceof RawJson) return value.text;
  if (value === null || value === undefined) return "null";
  if (typeof value !== "object") return JSON.stringify(value) ?? "null";
  if (Array.isArray(value)) return `[${value.map(printWithRaw).join(",")}]`;
  let body = "";
  for (const [key, member] of Object.entries(value)) {
    if (member === undefined) continue;
    body += `${body === "" ? "" : ","}${JSON.stringify(key)}:${printWithRaw(member)}`;
  }
  return `{${body}}`;
}
