/**
 * The order in which models are tried for one request. Who cannot serve it comes last and says why; who would lose something of it comes
 * after who would not; only then do health, price, speed and the operator's wishes decide. Pure: all facts are arguments.
 */
import type { DifficultyLevel, Health, LossCounts, Prefer, RankedCandidate } from "../../schema/routing.ts";

export interface CandidateFacts {
  /** Catalogue slug. */
  model: string;
  /** What the model takes; null is unknown. */
  input: readonly string[] | null;
  /** Whether it answers with text; null is unknown. */
  answersText: boolean | null;
  /** Why the caller may not use it; null when it may. */
  forbidden?: string | null;
  tools: boolean | null;
  structuredOutput: boolean | null;
  contextTokens: number | null;
  /** Expected price of this request; null when it has no price. */
  expectedPicoUsd: bigint | null;
  /** Price of a token of output, which stands in for strength where nothing else is known of it. Nothing is known of what is free. */
  outputPicoUsd: bigint | null;
  health: Health;
  /** Time to the first token lately, in milliseconds; null is unknown. */
  latencyMilliseconds: number | null;
  losses: LossCounts;
}

/** What the request needs of whoever serves it. */
export interface RequestNeeds {
  media: readonly ("image" | "audio" | "file")[];
  tools: boolean;
  structured: boolean;
  /** Likely tokens of the prompt, and the most the answer may have. */
  inputTokens: number;
  outputTokens: number;
}

/**
 * How candidates that serve the request equally well are ordered: as they were listed (`none`), by expected price, by speed, or by what the
 * difficulty of the prompt is worth.
 */
export type RankPolicy = { by: Prefer } | { by: "difficulty"; level: DifficultyLevel };

interface Judged {
  facts: CandidateFacts;
  position: number;
  excluded: string | null;
  unknown: number;
  reasons: string[];
}

export interface Ranking {
  needs: RequestNeeds;
  policy: RankPolicy;
  /** Goes before its equals in health and losses: the model of the conversation so far, or the configuration's default. */
  favourite?: string | null;
  /** Equal candidates are shared out over conversations, and each conversation always gets the same. */
  conversation?: string;
}

/** The candidates in order. Models that an operator listed are trusted with what is not known of them; any other comes after those that are known. */
export function rankCandidates(
  candidates: readonly CandidateFacts[],
  { needs, policy, favourite = null, conversation = "" }: Ranking,
): RankedCandidate[] {
  const judged = candidates.map((facts, position) => judge(facts, position, needs));
  const allDown = judged.every(({ facts, excluded }) => excluded !== null || facts.health === "down");
  for (const each of judged) {
    // With nobody else left, one that is down is still the best there is.
    if (each.facts.health === "down" && each.excluded === null && !allDown) each.excluded = "is down";
  }
  const compare = comparison(
    policy,
    judged.map(({ facts }) => facts),
  );
  const isFavourite = ({ facts }: Judged): number => Number(facts.model !== favourite);
  return judged
    .toSorted(
      (left, right) =>
        Number(left.excluded !== null) - Number(right.excluded !== null) ||
        lossClass(left.facts.losses) - lossClass(right.facts.losses) ||
        healthClass(left.facts.health) - healthClass(right.facts.health) ||
        isFavourite(left) - isFavourite(right) ||
        (policy.by === "difficulty" ? left.unknown - right.unknown : 0) ||
        compare(left.facts, right.facts) ||
        (policy.by === "none" ? left.position - right.position : 0) ||
        drawn(conversation, right.facts.model) - drawn(conversation, left.facts.model) ||
        left.position - right.position,
    )
    .map(({ facts, excluded, reasons }) => ({
      model: facts.model,
      excluded,
      reasons,
      expected_pico_usd: facts.expectedPicoUsd?.toString() ?? null,
      latency_ms: facts.latencyMilliseconds,
      health: facts.health,
      losses: facts.losses,
    }));
}

/** Rendezvous hashing: the number that a conversation draws for a model. A model that goes moves only the conversations it had. */
function drawn(conversation: string, model: string): number {
  let hash = 0x811c9dc5;
  for (const text of [conversation, model]) {
    for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
    hash = Math.imul(hash ^ 0xff, 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return (hash ^ (hash >>> 13)) >>> 0;
}

function judge(facts: CandidateFacts, position: number, needs: RequestNeeds): Judged {
  const lacks: string[] = [];
  const doubts: string[] = [];
  const need = (what: string, has: boolean | null): void => {
    if (has === false) lacks.push(what);
    if (has === null) doubts.push(what);
  };
  need("answer in text", facts.answersText);
  for (const medium of new Set(needs.media)) need(`take ${medium} input`, facts.input === null ? null : facts.input.includes(medium));
  if (needs.tools) need("call tools", facts.tools);
  if (needs.structured) need("answer in a given structure", facts.structuredOutput);
  const wanted = needs.inputTokens + needs.outputTokens;
  if (facts.contextTokens !== null && needs.inputTokens >= facts.contextTokens) {
    lacks.push(`hold a prompt of about ${needs.inputTokens} tokens (its context is ${facts.contextTokens})`);
  }
  const reasons = [
    ...doubts.map((what) => `it is not known whether it can ${what}`),
    ...(facts.contextTokens !== null && wanted > facts.contextTokens ? ["its context may end before the answer does"] : []),
    ...lossReasons(facts.losses),
    ...(facts.health === "degraded" ? ["it has failed lately"] : []),
  ];
  const cannot = lacks.length > 0 ? `cannot ${lacks.join(", ")}` : null;
  const excluded = facts.forbidden ?? cannot ?? (facts.expectedPicoUsd === null ? "has no price" : null);
  return { facts, position, excluded, unknown: doubts.length, reasons };
}

function lossReasons({ content, hint }: LossCounts): string[] {
  return [
    ...(content === 0 ? [] : [`its format would lose content of the request (${content})`]),
    ...(hint === 0 ? [] : [`its format would lose hints of the request (${hint})`]),
  ];
}

/** Content lost is worse than a hint lost; what is merely done another way counts for nothing. */
function lossClass({ content, hint }: LossCounts): number {
  if (content > 0) return 2;
  return hint > 0 ? 1 : 0;
}

function healthClass(health: Health): number {
  if (health === "down") return 2;
  return health === "degraded" ? 1 : 0;
}

type Comparison = (left: CandidateFacts, right: CandidateFacts) => number;

function byAmount(left: bigint | number | null, right: bigint | number | null): number {
  if (left === null || right === null) return Number(left === null) - Number(right === null);
  return left < right ? -1 : left > right ? 1 : 0;
}

const cheaper: Comparison = (left, right) => byAmount(left.expectedPicoUsd, right.expectedPicoUsd);
const faster: Comparison = (left, right) => byAmount(left.latencyMilliseconds, right.latencyMilliseconds);

const BY_PREFERENCE: Readonly<Record<Prefer, Comparison>> = { cheapest: cheaper, fastest: faster, none: () => 0 };

function comparison(policy: RankPolicy, all: readonly CandidateFacts[]): Comparison {
  if (policy.by !== "difficulty") return BY_PREFERENCE[policy.by];
  if (policy.level === "easy") return cheaper;
  const wanted = outputPriceFor(policy.level, all);
  const distance = ({ outputPicoUsd }: CandidateFacts): bigint | null =>
    outputPicoUsd === null || outputPicoUsd === 0n ? null : outputPicoUsd > wanted ? outputPicoUsd - wanted : wanted - outputPicoUsd;
  return (left, right) => byAmount(distance(left), distance(right)) || cheaper(left, right);
}

/**
 * The price class a prompt is worth: the upper quarter's for a hard one, the middle for one of medium difficulty. Price stands in for
 * strength, which no list of ours knows; an operator who knows better names models in `routing_preferences`.
 */
function outputPriceFor(level: DifficultyLevel, all: readonly CandidateFacts[]): bigint {
  const prices = all
    .flatMap(({ outputPicoUsd }) => (outputPicoUsd === null || outputPicoUsd === 0n ? [] : [outputPicoUsd]))
    .toSorted((left, right) => byAmount(left, right));
  const share = level === "hard" ? 0.75 : 0.5;
  return prices[Math.min(prices.length - 1, Math.floor(prices.length * share))] ?? 0n;
}
