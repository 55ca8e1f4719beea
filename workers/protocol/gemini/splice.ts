/** Same protocol in and out: the caller's and the provider's own bytes, with only what the gateway must change. The model is in the address. */
import type { CanonicalRequest } from "../canonical.ts";
import { removeMember, setMember, sliceAt } from "../json-text.ts";
import type { Frame, RenderTarget } from "../protocol.ts";
import { frameWithCost } from "../splice-usage.ts";

const USAGE = "usageMetadata";

/** The caller's body with the model's output cap where the caller named none. A model named in the body too becomes the provider's. */
export function spliceRequest(bodyText: string, request: CanonicalRequest, target: RenderTarget): string {
  let text = bodyText;
  if (sliceAt(text, ["model"]) !== null) text = setMember(text, ["model"], JSON.stringify(`models/${target.model}`)) ?? text;
  if (request.maxOutputTokens === null && target.maxOutputTokens > 0) text = withCap(text, String(target.maxOutputTokens));
  for (const field of target.quirks.refusedFields ?? []) text = removeMember(text, [field]);
  return text;
}

/** The cap beside the caller's own settings, in whichever spelling the caller writes them. */
function withCap(text: string, cap: string): string {
  const isSnake = sliceAt(text, ["generation_config"]) !== null;
  const path = isSnake ? ["generation_config", "max_output_tokens"] : ["generationConfig", "maxOutputTokens"];
  const spliced = setMember(text, path, cap);
  if (spliced !== null) return spliced;
  return setMember(text, path.slice(0, 1), `{${JSON.stringify(path[1])}:${cap}}`) ?? text;
}

/** The frame with the cost in its usage. Every caller of this wire sees usage. */
export function spliceUsageFrame(
  frame: Frame,
  options: { wantsStreamUsage: boolean; costMicroRub: number | null; final: boolean },
): Uint8Array | null {
  return frameWithCost(frame, [USAGE], options.final ? options.costMicroRub : null);
}

/** The unary body with the cost in its usage; unchanged when it has none. */
export function spliceUsageBody(bodyText: string, costMicroRub: number): string {
  return setMember(bodyText, [USAGE, "cost_micro_rub"], String(costMicroRub)) ?? bodyText;
}
