/** Same protocol in and out: the caller's and the provider's own bytes, with only what the gateway must change. */
import type { CanonicalRequest } from "../canonical.ts";
import { withPayload } from "../event-stream.ts";
import { removeMember, setMember } from "../json-text.ts";
import type { Frame, RenderTarget } from "../protocol.ts";

/** The caller's body with the model's output cap where the caller named none, and without fields this provider is declared to refuse. */
export function spliceRequest(bodyText: string, request: CanonicalRequest, target: RenderTarget): string {
  let text = bodyText;
  if (request.maxOutputTokens === null && target.maxOutputTokens > 0) {
    const cap = String(target.maxOutputTokens);
    text = setMember(text, ["inferenceConfig", "maxTokens"], cap) ?? setMember(text, ["inferenceConfig"], `{"maxTokens":${cap}}`) ?? text;
  }
  for (const field of target.quirks.refusedFields ?? []) text = removeMember(text, [field]);
  return text;
}

/** The frame with the cost in its usage object, under the same headers and new checksums. Every caller of this wire sees usage. */
export function spliceUsageFrame(
  frame: Frame,
  options: { wantsStreamUsage: boolean; costMicroRub: number | null; final: boolean },
): Uint8Array | null {
  if (frame.data === null || !options.final || options.costMicroRub === null) return frame.bytes;
  const spliced = setMember(frame.data, ["usage", "cost_micro_rub"], String(options.costMicroRub));
  return spliced === null ? frame.bytes : withPayload(frame.bytes, spliced);
}

/** The unary body with the cost in its usage object; unchanged when it has none. */
export function spliceUsageBody(bodyText: string, costMicroRub: number): string {
  return setMember(bodyText, ["usage", "cost_micro_rub"], String(costMicroRub)) ?? bodyText;
}
