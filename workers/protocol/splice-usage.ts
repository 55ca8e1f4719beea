/** Puts the cost beside a wire's own usage fields in a frame that is passed on, and changes nothing else of it. */
import { type JsonPath, setMember } from "./json-text.ts";
import type { Frame } from "./protocol.ts";

/**
 * The frame's bytes with `cost_micro_rub` added to the object at `usagePath`. Untouched where there is no cost, no such object, or data over several
 * lines.
 */
export function frameWithCost(frame: Frame, usagePath: JsonPath, costMicroRub: number | null): Uint8Array {
  if (frame.data === null || costMicroRub === null) return frame.bytes;
  const spliced = setMember(frame.data, [...usagePath, "cost_micro_rub"], String(costMicroRub));
  if (spliced === null) return frame.bytes;
  const text = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true }).decode(frame.bytes);
  const at = text.indexOf(frame.data);
  return at === -1 ? frame.bytes : new TextEncoder().encode(text.slice(0, at) + spliced + text.slice(at + frame.data.length));
}
