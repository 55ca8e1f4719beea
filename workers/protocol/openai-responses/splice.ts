/** Same protocol in and out: the caller's and the provider's own bytes, with only what the gateway must change. */
import { isObject, parseJson } from "../../../schema/json.ts";
import type { CanonicalRequest } from "../canonical.ts";
import { elementSlices, removeMember, setMember } from "../json-text.ts";
import type { Frame, RenderTarget } from "../protocol.ts";
import { frameWithCost } from "../splice-usage.ts";
import { isOwnItemId, OWN_ID_MARK } from "./item-id.ts";

/**
 * The caller's body with the provider's model name, the model's output cap where the caller named none, without fields this provider is
 * declared to refuse, and without ids of ours. All else stays byte for byte.
 */
export function spliceRequest(bodyText: string, request: CanonicalRequest, target: RenderTarget): string {
  let text = setMember(bodyText, ["model"], JSON.stringify(target.model)) ?? bodyText;
  if (request.maxOutputTokens === null && target.maxOutputTokens > 0) {
    text = setMember(text, ["max_output_tokens"], String(target.maxOutputTokens)) ?? text;
  }
  for (const field of target.quirks.refusedFields ?? []) text = removeMember(text, [field]);
  return bodyText.includes(OWN_ID_MARK) ? withoutOwnIds(text) : text;
}

/**
 * Items of an earlier answer that another wire gave carry ids which the gateway made up and the provider would look for in vain. Such
 * an item goes without its id; reasoning goes altogether, since the provider takes only its own.
 */
function withoutOwnIds(text: string): string {
  const items = elementSlices(text, ["input"]);
  const kept = items.flatMap((item) => {
    const parsed = parseJson(item);
    if (!parsed.ok || !isObject(parsed.value) || !isOwnItemId(parsed.value["id"])) return [item];
    return parsed.value["type"] === "reasoning" ? [] : [removeMember(item, ["id"])];
  });
  return items.length === 0 ? text : (setMember(text, ["input"], `[${kept.join(",")}]`) ?? text);
}

/** The frame with the cost in its usage object; only the terminal event carries one. Every caller of this wire sees usage. */
export function spliceUsageFrame(
  frame: Frame,
  options: { wantsStreamUsage: boolean; costMicroRub: number | null; final: boolean },
): Uint8Array | null {
  return options.final ? frameWithCost(frame, ["response", "usage"], options.costMicroRub) : frame.bytes;
}

/** The unary body with the cost in its usage object; unchanged when it has none. */
export function spliceUsageBody(bodyText: string, costMicroRub: number): string {
  return setMember(bodyText, ["usage", "cost_micro_rub"], String(costMicroRub)) ?? bodyText;
}
