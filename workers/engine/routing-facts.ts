/** What the router reads of a request: the words, the shape, what it needs, what each target would lose of it, and the conversation it belongs to. */
import { LIMITS } from "../../schema/limits.ts";
import type { PlanAttempt } from "../../schema/plan.ts";
import type { PriceSnapshot } from "../../schema/price.ts";
import type { LossCounts } from "../../schema/routing.ts";
import { costOf } from "../cost/cost.ts";
import { estimateInputTokens } from "../cost/estimate.ts";
import type { Block, CanonicalRequest, MediaSource, Turn } from "../protocol/canonical.ts";
import { PROTOCOLS } from "../protocol/index.ts";
import { measurePrompt } from "../protocol/measure.ts";
import { hasForeignState, withStateOf } from "../protocol/opaque-state.ts";
import type { PromptFacts } from "../routing/classify-prompt.ts";
import type { RequestNeeds } from "../routing/rank-candidates.ts";
import type { SpokenTurn } from "../routing/router-prompt.ts";

/** What an answer is expected to have where nobody knows: for comparing prices, never for a charge. */
const OUTPUT_TOKENS_EXPECTED = 600;

function textOf({ blocks }: Turn): string {
  return blocks.flatMap((block) => (block.type === "text" ? [block.text] : [])).join("\n");
}

function isAsked(turn: Turn): boolean {
  return turn.role === "user" && textOf(turn).trim() !== "";
}

/** All of a text of the usual length, the beginning and the end of one that is longer. */
function endsOf(text: string): string {
  const half = LIMITS.classifiedCharacters / 2;
  return text.length <= 2 * half ? text : `${text.slice(0, half)}\n${text.slice(-half)}`;
}

/** The words and the shape. What is asked now is the last thing a person wrote; tools' results are none of it. */
export function promptFactsOf(request: CanonicalRequest): PromptFacts {
  const { turns, tools, reasoning, responseFormat } = request;
  const measure = measurePrompt(request);
  return {
    text: endsOf(textOf(turns.findLast(isAsked) ?? turns.at(-1) ?? { role: "user", name: null, blocks: [] })),
    characters: measure.text_bytes,
    turns: turns.filter(({ role }) => role === "user" || role === "assistant").length,
    images: measure.images,
    tools: tools.length,
    structured: responseFormat !== null && responseFormat.kind !== "text",
    reasoning: reasoning !== null && reasoning.mode !== "disabled" && !["none", "minimal", "low"].includes(reasoning.effort ?? ""),
  };
}

/** The beginning of a conversation, which all its turns share: its instructions and the first thing that was asked. */
export function beginningOf({ turns }: CanonicalRequest): string {
  const first = turns.findIndex(isAsked);
  const instructions = turns.filter(({ role }, index) => (role === "system" || role === "developer") && (first === -1 || index < first));
  return JSON.stringify([...instructions, ...turns.slice(first, first + 1)].map((turn) => [turn.role, textOf(turn)]));
}

/** What people and the model said, without instructions, tools and empty turns. */
export function spokenTurns({ turns }: CanonicalRequest): SpokenTurn[] {
  return turns.flatMap((turn) => {
    const content = textOf(turn);
    const { role } = turn;
    return (role === "user" || role === "assistant") && content.trim() !== "" ? [{ role, content }] : [];
  });
}

export function needsOf(request: CanonicalRequest): RequestNeeds {
  const { turns, tools, responseFormat, maxOutputTokens } = request;
  const blocks = turns.flatMap((turn) => turn.blocks.flatMap((block) => (block.type === "tool-result" ? block.content : [block])));
  return {
    media: [...new Set(blocks.flatMap(({ type }) => (type === "image" || type === "audio" || type === "file" ? [type] : [])))],
    tools: tools.length > 0,
    structured: responseFormat?.kind === "json-schema",
    inputTokens: estimateInputTokens(measurePrompt(request)),
    outputTokens: maxOutputTokens ?? OUTPUT_TOKENS_EXPECTED,
  };
}

/** Tokens of everything before the last turn: what a provider that answered this conversation may have cached. */
export function earlierTokens(request: CanonicalRequest): number {
  return request.turns.length < 2 ? 0 : estimateInputTokens(measurePrompt({ ...request, turns: request.turns.slice(0, -1) }));
}

/** The likely price of a request, where `cachedTokens` of its prompt are already with the provider. Pico-USD. */
export function expectedPrice(snapshot: PriceSnapshot, { inputTokens, outputTokens }: RequestNeeds, cachedTokens: number): bigint {
  const cached = snapshot.prices.cache_read === null ? 0 : Math.min(cachedTokens, inputTokens);
  return costOf(snapshot, {
    input_tokens: inputTokens - cached,
    cache_read_tokens: cached,
    cache_write_5m_tokens: null,
    cache_write_1h_tokens: null,
    output_tokens: Math.min(outputTokens, OUTPUT_TOKENS_EXPECTED),
    reasoning_tokens: null,
  }).providerCostPicoUsd;
}

const NOTHING_LOST: LossCounts = { content: 0, hint: 0, approximation: 0 };

/**
 * Counts what targets could not carry of one request. The target's own renderer says it, on a copy whose texts and media are cut short:
 * losses hang on what there is, not on how long it is. Targets of one format and one set of quirks share the count.
 */
export function lossCounter(request: CanonicalRequest): (attempt: PlanAttempt, outputTokensMax: number) => LossCounts {
  const light = lightened(request);
  const isForeign = hasForeignState(request);
  const known = new Map<string, LossCounts>();
  return (attempt, outputTokensMax) => {
    if (attempt.protocol === request.protocol && !isForeign) return NOTHING_LOST;
    const key = `${attempt.protocol} ${JSON.stringify(attempt.quirks)} ${hasPatterns(attempt) ? attempt.model : ""}`;
    const counted = known.get(key) ?? countLosses(light, attempt, outputTokensMax);
    known.set(key, counted);
    return counted;
  };
}

/** Whether what this target takes depends on the model's name. */
function hasPatterns({ quirks }: PlanAttempt): boolean {
  return quirks.modelFamilies !== undefined || "reasoningModelPattern" in quirks;
}

function countLosses(light: CanonicalRequest, attempt: PlanAttempt, maxOutputTokens: number): LossCounts {
  const target = { model: attempt.model, quirks: attempt.quirks, maxOutputTokens };
  const { losses } = PROTOCOLS[attempt.protocol].renderRequest(withStateOf(light, attempt.protocol), target);
  const count = (kind: keyof LossCounts): number => losses.filter((loss) => loss.class === kind).length;
  return { content: count("content"), hint: count("hint"), approximation: count("approximation") };
}

const TEXT_KEPT = 64;

function lightened(request: CanonicalRequest): CanonicalRequest {
  return { ...request, turns: request.turns.map((turn) => ({ ...turn, blocks: turn.blocks.map(lightBlock) })) };
}

function lightBlock(block: Block): Block {
  switch (block.type) {
    case "text":
      return { ...block, text: block.text.slice(0, TEXT_KEPT).toWellFormed() };
    case "image":
    case "file":
    case "audio":
      return { ...block, source: lightSource(block.source) };
    case "tool-result":
      return { ...block, content: block.content.map(lightBlock) };
    case "refusal":
    case "reasoning":
    case "tool-call":
    case "opaque":
      return block;
  }
}

function lightSource(source: MediaSource): MediaSource {
  return source.kind === "base64" ? { ...source, data: source.data.slice(0, TEXT_KEPT) } : source;
}
