/**
 * The cost of one request that is several calls: each at its own prices, the exact sum of all rounded up once, and every call's share of
 * that by largest remainder. The calls were planned at one moment, so exchange rate and markup are the same for all.
 */
import { type MicroRub, microRub, type PicoUsd, picoUsd } from "../../schema/money.ts";
import type { ClassPrices, PriceSnapshot } from "../../schema/price.ts";
import type { Usage } from "../../schema/usage.ts";
import { costOf, microRubOf } from "./cost.ts";
import { splitByLargestRemainder } from "./split.ts";

export interface PricedLeg {
  snapshot: PriceSnapshot;
  /** Null: nothing is owed for it, not even the fee of a request. */
  usage: Usage | null;
}

export interface LegCost {
  /** As applied, after the tier; a class without a price has that of the input. */
  prices: ClassPrices;
  requestPicoUsd: bigint;
  providerCostPicoUsd: bigint;
  /** Share of the whole: the shares sum to it. */
  costMicroRub: MicroRub;
}

export interface CostOfLegs {
  costMicroRub: MicroRub;
  providerCostPicoUsd: PicoUsd;
  /** Comma-separated reasons, each once; null when there is none. */
  flagged: string | null;
  legs: LegCost[];
}

/** What 64 bits hold, with room: beyond it no provider's invoice goes. */
const PROVIDER_COST_MAX = 9_000_000_000_000_000_000n;

/** Throws when the legs were priced at different rates, which no plan does. `legs`: at least one. */
export function costOfLegs(legs: readonly PricedLeg[]): CostOfLegs {
  const [first] = legs;
  if (first === undefined) throw new Error("a request of no calls has no cost");
  const { fx_micro_rub_per_usd: fx, markup_bps: markup } = first.snapshot;
  if (legs.some(({ snapshot }) => snapshot.fx_micro_rub_per_usd !== fx || snapshot.markup_bps !== markup))
    throw new Error("the calls of one request were priced at different rates");
  const nothing: Usage = {
    input_tokens: 0,
    cache_read_tokens: null,
    cache_write_5m_tokens: null,
    cache_write_1h_tokens: null,
    output_tokens: 0,
    reasoning_tokens: null,
  };
  const costs = legs.map(({ snapshot, usage }) => ({ cost: costOf(snapshot, usage ?? nothing), owed: usage !== null }));
  const exact = costs.map(({ cost, owed }) => (owed ? cost.providerCostPicoUsd : 0n));
  const sum = exact.reduce<bigint>((total, part) => total + part, 0n);
  const providerCost = sum > PROVIDER_COST_MAX ? PROVIDER_COST_MAX : sum;
  const { amount, aboveRange } = microRubOf(providerCost, first.snapshot);
  const flags = costs.flatMap(({ cost, owed }) => (owed && cost.flagged !== null ? cost.flagged.split(",") : []));
  if (aboveRange || sum > PROVIDER_COST_MAX) flags.push("cost_above_range");
  const shares = splitByLargestRemainder(amount, exact);
  return {
    costMicroRub: amount,
    providerCostPicoUsd: picoUsd(providerCost),
    flagged: flags.length === 0 ? null : [...new Set(flags)].join(","),
    legs: costs.map(({ cost }, index) => ({
      prices: appliedPrices(cost.lines),
      requestPicoUsd: cost.lines.find((line) => line.class === "request")?.pricePicoUsd ?? 0n,
      providerCostPicoUsd: exact[index] ?? 0n,
      costMicroRub: microRub(shares[index] ?? 0n),
    })),
  };
}

function appliedPrices(lines: readonly { class: string; pricePicoUsd: bigint }[]): ClassPrices {
  const price = (name: keyof ClassPrices): string => (lines.find((line) => line.class === name)?.pricePicoUsd ?? 0n).toString();
  return {
    input: price("input"),
    cache_read: price("cache_read"),
    cache_write_5m: price("cache_write_5m"),
    cache_write_1h: price("cache_write_1h"),
    output: price("output"),
  };
}
