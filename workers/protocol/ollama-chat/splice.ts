/** Same protocol in and out: the caller's and the provider's own bytes, with only what the gateway must change. */
import type { CanonicalRequest } from "../canonical.ts";
import { removeMember, setMember } from "../json-text.ts";
import type { Frame, RenderTarget } from "../protocol.ts";
import { frameWithCost } from "../splice-usage.ts";

/**
 * The caller's body with the provider's model name, and the model's output cap where the caller named none (or "no cap" by a number below
 * one), and without fields this provider is declared to refuse.
 */
export function spliceRequest(bodyText: string, request: CanonicalRequest, target: RenderTarget): string {
  let text = setMember(bodyText, ["model"], JSON.stringify(target.model)) ?? bodyText;
  if (request.maxOutputTokens === null && target.maxOutputTokens > 0) {
    const cap = String(target.maxOutputTokens);
    text = setMember(text, ["options", "num_predict"], cap) ?? setMember(text, ["options"], `{"num_predict":${cap}}`) ?? text;
  }
  for (const field of target.quirks.refusedFields ?? []) text = removeMember(text, [field]);
  return text;
}

/** The last line with the cost beside its counts, its line end kept. Every caller of this wire sees usage. */
export function spliceUsageFrame(
  frame: Frame,
  options: { wantsStreamUsage: boolean; costMicroRub: number | null; final: boolean },
): Uint8Array | null {
  return options.final ? frameWithCost(frame, [], options.costMicroRub) : frame.bytes;
}

export function spliceUsageBody(bodyText: string, costMicroRub: number): string {
  return setMember(bodyText, ["cost_micro_rub"], String(costMicroRub)) ?? bodyText;
}
