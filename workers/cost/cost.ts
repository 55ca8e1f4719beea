/**
 * workers/cost: tokens and a price snapshot in, money out. Pure arithmetic on bigints; the only room in which anything is rounded,
 * and it is rounded once, upwards, at the very end (contract §5):
 *
 *     cost = ceil( (Σ tokens_i · price_i + fee) · fx · (10000 + bps) / 10^16 )   micro-RUB
 *
 * prices and fee in pico-USD, fx in micro-RUB per USD, bps the markup. The provider's own cost, Σ tokens_i · price_i + fee, is exact.
 */
import { LIMITS } from "../../schema/limits.ts";
import { type MicroRub, microRub, type PicoUsd, picoUsd } from "../../schema/money.ts";
import type { ClassPrices, PriceSnapshot } from "../../schema/price.ts";
import type { Usage } from "../../schema/usage.ts";
import { splitByLargestRemainder } from "./split.ts";

const SCALE = 10n ** 16n;
const BPS = 10_000n;
const COST_MAX = BigInt(Number.MAX_SAFE_INTEGER);

export type CostClass = "input" | "cache_read" | "cache_write_5m" | "cache_write_1h" | "output" | "request";

/** One component of a cost: what was counted, the price it was counted at, and its share of the total. */
export interface CostLine {
  class: CostClass;
  /** Null when the provider did not report this class; such a line adds nothing. */
  tokens: number | null;
  /** The price applied, after the tier and after the stand-in for a class without a price. Pico-USD per token (per request for `request`). */
  pricePicoUsd: bigint;
  providerCostPicoUsd: bigint;
  /** Share of the rounded total by largest remainder: the lines sum to the total exactly. */
  costMicroRub: MicroRub;
}

export interface Cost {
  costMicroRub: MicroRub;
  providerCostPicoUsd: PicoUsd;
  /** Comma-separated reasons why the cost is not simply reported tokens × known prices; null when it is. */
  flagged: string | null;
  /** Input + cache reads + cache writes: what chose the tier. */
  promptTokens: number;
  /** Always input, cache_read, cache_write_5m, cache_write_1h, output, request. */
  lines: CostLine[];
}

/** ⌈numerator / denominator⌉ for a non-negative numerator: the one rounding of the system, in favour of the house. */
export function ceilDiv(numerator: bigint, denominator: bigint): bigint {
  return (numerator + denominator - 1n) / denominator;
}

/** Pico-USD → micro-RUB on the snapshot's fx and markup. Beyond 2^53-1 it stops there, which no balance can pay. */
export function microRubOf(providerCostPicoUsd: bigint, snapshot: PriceSnapshot): { amount: MicroRub; aboveRange: boolean } {
  const amount = ceilDiv(providerCostPicoUsd * BigInt(snapshot.fx_micro_rub_per_usd) * (BPS + BigInt(snapshot.markup_bps)), SCALE);
  return amount > COST_MAX ? { amount: microRub(COST_MAX), aboveRange: true } : { amount: microRub(amount), aboveRange: false };
}

/** The provider's own cost in micro-RUB at the snapshot's fx, without markup and rounded up: the providers' part of a charge. */
export function providerCostMicroRub(providerCostPicoUsd: bigint, snapshot: PriceSnapshot): MicroRub {
  return microRubOf(providerCostPicoUsd, { ...snapshot, markup_bps: 0 }).amount;
}

/** The prices of the highest tier whose threshold the prompt exceeds; the base prices below all of them. */
function pricesAt(snapshot: PriceSnapshot, promptTokens: number): ClassPrices {
  return snapshot.tiers.findLast((tier) => promptTokens > tier.above_prompt_tokens)?.prices ?? snapshot.prices;
}

/** A count the formula can use: a class nobody reported stays null, an impossible one is brought down to the limit. */
function boundedTokens(tokens: number | null): number | null {
  return tokens === null ? null : Math.min(tokens, LIMITS.tokensPerClassMax);
}

function usedClasses(usage: Usage): { class: Exclude<CostClass, "request">; tokens: number | null }[] {
  return [
    { class: "input", tokens: boundedTokens(usage.input_tokens) },
    { class: "cache_read", tokens: boundedTokens(usage.cache_read_tokens) },
    { class: "cache_write_5m", tokens: boundedTokens(usage.cache_write_5m_tokens) },
    { class: "cache_write_1h", tokens: boundedTokens(usage.cache_write_1h_tokens) },
    { class: "output", tokens: boundedTokens(usage.output_tokens) },
  ];
}

function isBeyondLimit(usage: Usage): boolean {
  return Object.values(usage).some((tokens) => tokens !== null && tokens > LIMITS.tokensPerClassMax);
}

/**
 * Cost of one request. Never throws on any `Usage`.
 *
 * Input or output nobody reported adds nothing and is flagged (`input_unknown`, `output_unknown`); an unreported cache class is just
 * absent. A class that was used but has no price is charged at the input price and flagged (`cache_read_unpriced` …), never at zero.
 */
export function costOf(snapshot: PriceSnapshot, usage: Usage): Cost {
  const counted = usedClasses(usage);
  const promptTokens = counted.slice(0, 4).reduce((sum, line) => sum + (line.tokens ?? 0), 0);
  const prices = pricesAt(snapshot, promptTokens);
  const flags: string[] = [];
  if (usage.input_tokens === null) flags.push("input_unknown");
  if (usage.output_tokens === null) flags.push("output_unknown");
  if (isBeyondLimit(usage)) flags.push("tokens_clamped");

  const fee = BigInt(snapshot.request_pico_usd);
  const components = counted.map((line) => {
    const known = prices[line.class];
    if (known === null && (line.tokens ?? 0) > 0) flags.push(`${line.class}_unpriced`);
    const pricePicoUsd = BigInt(known ?? prices.input);
    return {
      class: line.class as CostClass,
      tokens: line.tokens,
      pricePicoUsd,
      providerCostPicoUsd: BigInt(line.tokens ?? 0) * pricePicoUsd,
    };
  });
  components.push({ class: "request", tokens: 1, pricePicoUsd: fee, providerCostPicoUsd: fee });

  const providerCost = components.reduce((sum, line) => sum + line.providerCostPicoUsd, 0n);
  const { amount, aboveRange } = microRubOf(providerCost, snapshot);
  if (aboveRange) flags.push("cost_above_range");
  const shares = splitByLargestRemainder(
    amount,
    components.map((line) => line.providerCostPicoUsd),
  );
  return {
    costMicroRub: amount,
    providerCostPicoUsd: picoUsd(providerCost),
    flagged: flags.length === 0 ? null : flags.join(","),
    promptTokens,
    lines: components.map((line, index) => ({ ...line, costMicroRub: microRub(shares[index] ?? 0n) })),
  };
}

/**
 * Output tokens that `amount` micro-RUB pay for beside the rest of `usage`, whose own output counts nothing; -1 when the rest alone costs
 * more. The counterpart of `costOf`: its cost with so many tokens is within the amount, and with one more it is not.
 */
export function outputTokensFor(snapshot: PriceSnapshot, usage: Usage, amount: bigint): number {
  const { providerCostPicoUsd, promptTokens } = costOf(snapshot, { ...usage, output_tokens: 0 });
  const most = (amount * SCALE) / (BigInt(snapshot.fx_micro_rub_per_usd) * (BPS + BigInt(snapshot.markup_bps)));
  if (most < providerCostPicoUsd) return -1;
  const price = BigInt(pricesAt(snapshot, promptTokens).output);
  const tokens = price === 0n ? BigInt(LIMITS.tokensPerClassMax) : (most - providerCostPicoUsd) / price;
  // Beyond the limit a count is brought down to it, and costs no more.
  return tokens >= BigInt(LIMITS.tokensPerClassMax) ? Number.MAX_SAFE_INTEGER : Number.parseInt(tokens.toString(), 10);
}

function dearest(prices: readonly (string | null)[]): bigint {
  return prices.reduce((best, price) => (price !== null && BigInt(price) > best ? BigInt(price) : best), 0n);
}

/** What a request may use at most, as far as its own text and the caller's cap tell. */
export interface HoldBounds {
  inputTokensMax: number;
  /** Of one choice; null when the caller named no cap, which stands for the model's own. */
  outputTokensMax: number | null;
  choices: number;
  /** Texts that are read one by one, so that each may fill the model's context (an embedding's inputs). Left out: one. */
  inputs?: number;
}

/**
 * The most a request within `bounds` can cost: every prompt token at the dearest input class, every output token at the dearest output
 * price, over all tiers such a prompt can reach. Both counts are first brought down to what the model itself takes and gives.
 */
export function holdOf(snapshot: PriceSnapshot, bounds: HoldBounds): MicroRub {
  const contextTokens = snapshot.context_tokens === null ? LIMITS.tokensPerClassMax : snapshot.context_tokens * (bounds.inputs ?? 1);
  const inputTokens = Math.min(bounds.inputTokensMax, contextTokens, LIMITS.tokensPerClassMax);
  const outputTokens = Math.min(bounds.outputTokensMax ?? snapshot.max_output_tokens, snapshot.max_output_tokens);
  const reachable = [
    snapshot.prices,
    ...snapshot.tiers.filter((tier) => inputTokens > tier.above_prompt_tokens).map((tier) => tier.prices),
  ];
  const inputPrice = dearest(
    reachable.flatMap((prices) => [prices.input, prices.cache_read, prices.cache_write_5m, prices.cache_write_1h]),
  );
  const outputPrice = dearest(reachable.map((prices) => prices.output));
  const outputTotal = BigInt(outputTokens) * BigInt(bounds.choices);
  const providerCost = BigInt(inputTokens) * inputPrice + outputTotal * outputPrice + BigInt(snapshot.request_pico_usd);
  return microRubOf(providerCost, snapshot).amount;
}
