/**
 * The cost formula once more, from the contract and by nobody's code but this, and what must be true of any cost (research/billing.md
 * §6.1, I18 to I23). Prices in pico-USD a token, fx in micro-RUB a USD.
 */
import type { Fields } from "./auditor.ts";
import { fieldsOf } from "./auditor.ts";
import type { PriceSnapshot } from "../../schema/price.ts";
import type { Usage } from "../../schema/usage.ts";
import type { Product } from "./product.ts";

const CLASSES = ["input", "cache_read", "cache_write_5m", "cache_write_1h", "output"] as const;

function tokensOf(usage: Fields, name: string): bigint {
  const tokens = usage[`${name}_tokens`];
  return BigInt(typeof tokens === "number" ? tokens : 0);
}

function up(numerator: bigint, denominator: bigint): bigint {
  return numerator / denominator + (numerator % denominator === 0n ? 0n : 1n);
}

/** What a usage costs on a snapshot (its JSON text), and what of that is the provider's; micro-RUB. */
export function independentCost(snapshotText: string, usage: Fields): { cost: bigint; provider: bigint } {
  const snapshot = fieldsOf(JSON.parse(snapshotText));
  const prices = fieldsOf(snapshot["prices"]);
  let sum = BigInt(String(snapshot["request_pico_usd"]));
  for (const name of CLASSES) sum += tokensOf(usage, name) * BigInt(String(prices[name] ?? prices["input"]));
  const fx = BigInt(String(snapshot["fx_micro_rub_per_usd"]));
  const markup = BigInt(Number(snapshot["markup_bps"]));
  return { cost: up(sum * fx * (10_000n + markup), 10n ** 16n), provider: up(sum * fx, 10n ** 12n) };
}

function plus(usage: Usage, more: number): Usage {
  return { ...usage, output_tokens: (usage.output_tokens ?? 0) + more };
}

/** Which law of costs the product breaks at this usage; null when it keeps them all. */
export function brokenCostLaw(product: Product, snapshot: PriceSnapshot, usage: Usage): string | null {
  const costOf = (each: Usage, prices: PriceSnapshot = snapshot): bigint => product.costOf(prices, each).costMicroRub;
  const cost = costOf(usage);
  const dearer = { ...snapshot, markup_bps: snapshot.markup_bps + 1 };
  const fx = { ...snapshot, fx_micro_rub_per_usd: String(BigInt(snapshot.fx_micro_rub_per_usd) + 1n) };
  if (costOf(plus(usage, 1)) < cost || costOf(usage, dearer) < cost || costOf(usage, fx) < cost)
    return "I20 cost falls when something grows";
  const feeless = { ...snapshot, request_pico_usd: "0" };
  const split = Math.floor((usage.output_tokens ?? 0) / 3);
  const [left, right] = [plus(usage, -split), { ...usage, input_tokens: 0, cache_read_tokens: 0, output_tokens: split }];
  const [whole, parts] = [costOf(usage, feeless), costOf(left, feeless) + costOf(right, feeless)];
  if (parts < whole || parts > whole + 1n) return "I21 parts cost less than the whole, or more than one unit above it";
  const tenfold: Usage = {
    ...usage,
    input_tokens: (usage.input_tokens ?? 0) * 10,
    cache_read_tokens: (usage.cache_read_tokens ?? 0) * 10,
    output_tokens: (usage.output_tokens ?? 0) * 10,
  };
  const difference = whole * 10n - costOf(tenfold, feeless);
  if (difference < 0n || difference > 10n) return "I22 ten requests are not within ten units of one tenfold request";
  return brokenSplit(product, cost, usage);
}

/** A total divided by weights: nothing is lost, each part is within one unit of its share, and equal weights in another order get the same. */
function brokenSplit(product: Product, total: bigint, usage: Usage): string | null {
  const weights = [usage.input_tokens, usage.cache_read_tokens, usage.output_tokens].map((tokens) => BigInt(tokens ?? 0));
  const parts = product.splitByLargestRemainder(total, weights);
  const sum = weights.reduce((all, weight) => all + weight, 0n);
  if (parts.reduce((all, part) => all + part, 0n) !== total) return "I19 a split does not sum to its total";
  if (sum === 0n) return null;
  const isFar = parts.some((part, index) => {
    const off = part * sum - total * (weights[index] ?? 0n);
    return off >= sum || off <= -sum;
  });
  return isFar ? "I19 a part of a split is a unit or more from its share" : null;
}
