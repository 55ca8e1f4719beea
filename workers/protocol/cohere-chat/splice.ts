/** Same protocol in and out: the caller's and the provider's own bytes, with only what the gateway must change. */
import type { CanonicalRequest } from "../canonical.ts";
import { removeMember, setMember } from "../json-text.ts";
import type { Frame, RenderTarget } from "../protocol.ts";
import { frameWithCost } from "../splice-usage.ts";

/** The caller's body with the provider's model name, the output cap where none was named, and without fields this provider refuses. */
export function spliceRequest(bodyText: string, request: CanonicalRequest, target: RenderTarget): string {
  let text = setMember(bodyText, ["model"], JSON.stringify(target.model)) ?? bodyText;
  if (request.maxOutputTokens === null) text = setMember(text, ["max_tokens"], String(target.maxOutputTokens)) ?? text;
  for (const field of target.quirks.refusedFields ?? []) text = removeMember(text, [field]);
  return text;
}

/** The frame with the cost in its usage object; only `message-end` has one. */
export function spliceUsageFrame(frame: Frame, options: { costMicroRub: number | null }): Uint8Array | null {
  return frameWithCost(frame, ["delta", "usage"], options.costMicroRub);
}

/** The unary body with the cost in its usage object; unchanged when it has none. */
export function spliceUsageBody(bodyText: string, costMicroRub: number): string {
  return setMember(bodyText, ["usage", "cost_micro_rub"], String(costMicroRub)) ?? bodyText;
}
