/** Tool arguments for wires that send them as a JSON object and not as text. */
import { isObject, parseJson } from "../../schema/json.ts";
import { RawJson } from "./json-text.ts";

/** Whether arguments say that there are none: nothing, or `null`. On every wire that is an empty object. */
export function isNoInput(argumentsText: string): boolean {
  const trimmed = argumentsText.trim();
  return trimmed === "" || trimmed === "null";
}

/** Arguments as an object, raw text kept. Nothing and `null` are `{}`; text that is no object is kept, wrapped, never dropped. */
export function inputObject(argumentsText: string): { raw: RawJson; isWrapped: boolean } {
  const trimmed = argumentsText.trim();
  if (isNoInput(trimmed)) return { raw: new RawJson("{}"), isWrapped: false };
  const parsed = parseJson(trimmed);
  if (parsed.ok && isObject(parsed.value)) return { raw: new RawJson(trimmed), isWrapped: false };
  return { raw: new RawJson(JSON.stringify({ _raw: argumentsText })), isWrapped: true };
}
