/** Same protocol in and out: the caller's and the provider's own bytes, with only what the gateway must change. */
import type { CanonicalRequest } from "../canonical.ts";
import { removeMember, setMember } from "../json-text.ts";
import type { Frame, RenderTarget } from "../protocol.ts";

/** The caller's body with the provider's model name, and without fields this provider is declared to refuse. */
export function spliceRequest(bodyText: string, _request: CanonicalRequest, target: RenderTarget): string {
  let text = setMember(bodyText, ["model"], JSON.stringify(target.model)) ?? bodyText;
  for (const field of target.quirks.refusedFields ?? []) text = removeMember(text, [field]);
  return text;
}

/** The frame with the cost in its usage object; only `message_delta` carries the final one. Every caller of this wire sees usage. */
export function spliceUsageFrame(
  frame: Frame,
  options: { wantsStreamUsage: boolean; costMicroRub: number | null; final: boolean },
): Uint8Array | null {
  if (frame.data === null || !options.final || options.costMicroRub === null) return frame.bytes;
  const spliced = setMember(frame.data, ["usage", "cost_micro_rub"], String(options.costMicroRub));
  if (spliced === null) return frame.bytes;
  const text = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true }).decode(frame.bytes);
  const at = text.indexOf(frame.data);
  // Data over several lines is not this provider's way; then the frame stays as it is.
  return at === -1 ? frame.bytes : new TextEncoder().encode(text.slice(0, at) + spliced + text.slice(at + frame.data.length));
}

/** The unary body with the cost in its usage object; unchanged when it has none. */
export function spliceUsageBody(bodyText: string, costMicroRub: number): string {
  return setMember(bodyText, ["usage", "cost_micro_rub"], String(costMicroRub)) ?? bodyText;
}
