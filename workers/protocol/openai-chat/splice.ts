/** Same protocol in and out: the caller's and the provider's own bytes, with only what the gateway must change. */
import { isObject, parseJson } from "../../../schema/json.ts";
import type { CanonicalRequest } from "../canonical.ts";
import { removeMember, setMember, sliceAt } from "../json-text.ts";
import type { Frame, Quirks, RenderTarget } from "../protocol.ts";

/**
 * The caller's body with the provider's model name, usage asked for in streams, the model's output cap where the caller named none,
 * and without fields this provider is declared to refuse. All else stays byte for byte.
 */
export function spliceRequest(bodyText: string, request: CanonicalRequest, target: RenderTarget): string {
  const { quirks } = target;
  let text = setMember(bodyText, ["model"], JSON.stringify(target.model)) ?? bodyText;
  if (request.stream && quirks.streamOptions !== false && sliceAt(text, ["stream_options", "include_usage"]) !== "true") {
    text =
      setMember(text, ["stream_options", "include_usage"], "true") ?? setMember(text, ["stream_options"], '{"include_usage":true}') ?? text;
  }
  if (request.maxOutputTokens === null && target.maxOutputTokens > 0) {
    text = setMember(text, [quirks.maxTokensField ?? "max_tokens"], String(target.maxOutputTokens)) ?? text;
  } else if (quirks.maxTokensField !== "max_completion_tokens") text = withKnownCap(text, request.maxOutputTokens, quirks);
  for (const field of quirks.refusedFields ?? []) text = removeMember(text, [field]);
  return text;
}

/**
 * A cap by its newer name only is no cap at a provider that knows the older one, and more would be written than was held for: there it goes
 * by the older name. Where nobody declared what is known, it goes by both.
 */
function withKnownCap(text: string, cap: number | null, quirks: Quirks): string {
  const older = sliceAt(text, ["max_tokens"]);
  if (cap === null || (older !== null && older !== "null")) return text;
  const capped = setMember(text, ["max_tokens"], String(cap)) ?? text;
  return quirks.maxTokensField === undefined ? capped : removeMember(capped, ["max_completion_tokens"]);
}

/** Where a chunk or body keeps the usage object that callers read. */
const USAGE_PATHS: readonly (readonly string[])[] = [["usage"], ["x_groq", "usage"]];

/** The JSON text with the cost inside its usage object; null when it holds none. */
function withCost(json: string, costMicroRub: number): string | null {
  for (const path of USAGE_PATHS) {
    const spliced = setMember(json, [...path, "cost_micro_rub"], String(costMicroRub));
    if (spliced !== null) return spliced;
  }
  return null;
}

/** A chunk that only carries usage: the one the gateway asked for on its own behalf. */
function isUsageOnly(data: string): boolean {
  const parsed = parseJson(data);
  if (!parsed.ok || !isObject(parsed.value)) return false;
  const { choices, usage, prompt_filter_results: filters } = parsed.value;
  return Array.isArray(choices) && choices.length === 0 && isObject(usage) && filters === undefined;
}

/**
 * The frame's bytes for the caller; null when the frame is to be left out. Usage that came inside a content chunk stays for a
 * caller that did not ask, since the provider sends it unasked.
 */
export function spliceUsageFrame(
  frame: Frame,
  options: { wantsStreamUsage: boolean; costMicroRub: number | null; final: boolean },
): Uint8Array | null {
  if (frame.data === null) return frame.bytes;
  if (!options.wantsStreamUsage) return isUsageOnly(frame.data) ? null : frame.bytes;
  if (!options.final || options.costMicroRub === null) return frame.bytes;
  const spliced = withCost(frame.data, options.costMicroRub);
  if (spliced === null) return frame.bytes;
  return new TextEncoder().encode(replaceData(frame, frame.data, spliced));
}

/** The frame's text with its data exchanged, its other lines and line ends kept. Data of several lines comes back on one. */
function replaceData(frame: Frame, before: string, after: string): string {
  const text = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true }).decode(frame.bytes);
  const at = text.indexOf(before);
  if (at !== -1) return text.slice(0, at) + after + text.slice(at + before.length);
  const lineEnd = text.includes("\r\n") ? "\r\n" : text.includes("\n") ? "\n" : "\r";
  const kept = text.split(/\r\n|\n|\r/).filter((line) => line !== "" && !/^data(:|$)/.test(line));
  return `${[...kept, `data: ${after.replace(/[\r\n]+/g, " ")}`].join(lineEnd)}${lineEnd}${lineEnd}`;
}

/** The unary body with the cost in its usage object; unchanged when it has none. */
export function spliceUsageBody(bodyText: string, costMicroRub: number): string {
  return withCost(bodyText, costMicroRub) ?? bodyText;
}
