/** Single fields of a JSON body, with numbers exactly as they are written. */
import { parseWith } from "../../schema/json.ts";
import { type JsonPath, sliceAt } from "../../schema/json-slice.ts";
import { z } from "zod";

const textSchema = z.string();

/** The string's content, or the digits of a number as they stand; null when there is neither. `text` is valid JSON. */
export function scalarAt(text: string, path: JsonPath): string | null {
  const slice = sliceAt(text, path);
  if (slice === null) return null;
  if (slice.startsWith('"')) {
    const parsed = parseWith(textSchema, slice);
    return parsed.ok ? parsed.value : null;
  }
  return /^-?\d/.test(slice) ? slice : null;
}
