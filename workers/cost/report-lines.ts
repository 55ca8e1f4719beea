/** Lines of the cost report: sums of requests by one dimension, whose amounts add up to the total to the last micro-RUB. Pure. */
import { microRub, toJsonNumber } from "../../schema/money.ts";
import type { UsageSums } from "../../schema/report.ts";
import { ceilDiv } from "./cost.ts";
import { splitByLargestRemainder } from "./split.ts";

const GIGA = 1_000_000_000n;
/** Pico-USD times micro-RUB per USD are 10^12 of a micro-RUB. */
const PER_MICRO_RUB = 10n ** 12n;
const BPS = 10_000n;

const COUNTED = [
  "requests",
  "failed",
  "flagged",
  "attempts",
  "input_tokens",
  "cache_read_tokens",
  "cache_write_tokens",
  "output_tokens",
  "cost_micro_rub",
  "charged_micro_rub",
] as const;
type Counted = (typeof COUNTED)[number];

/** Sums in progress. `providerValue` is the provider cost at each request's own rate, in 10^12 of a micro-RUB: exact. */
interface Sums extends Record<Counted, bigint> {
  providerPicoUsd: bigint;
  providerValue: bigint;
}

export interface ReportLine extends Record<Counted, number> {
  name: string;
  /** As exact text: it may leave the range of JSON's numbers. */
  provider_cost_pico_usd: string;
  provider_cost_micro_rub: number;
  /** What the balance could not cover: borne by the house. */
  uncovered_micro_rub: number;
  /** Charged less provider cost. */
  margin_micro_rub: number;
  /** The margin in ten-thousandths of the provider cost, rounded down; null where there is none. */
  margin_bps: number | null;
}

/** A sum as JSON shows it. Throws above 2^53-1, which is nine thousand million RUB. */
export function shown(value: bigint): number {
  return toJsonNumber(microRub(value));
}

function emptySums(): Sums {
  const zeros = Object.fromEntries(COUNTED.map((column) => [column, 0n])) as Record<Counted, bigint>;
  return { ...zeros, providerPicoUsd: 0n, providerValue: 0n };
}

function add(sums: Sums, row: UsageSums): void {
  for (const column of COUNTED) sums[column] += BigInt(row[column]);
  const picoUsd = BigInt(row.provider_cost_high) * GIGA + BigInt(row.provider_cost_low);
  sums.providerPicoUsd += picoUsd;
  sums.providerValue += picoUsd * BigInt(row.fx_micro_rub_per_usd);
}

function lineOf(name: string, sums: Sums, providerMicroRub: bigint): ReportLine {
  const margin = sums.charged_micro_rub - providerMicroRub;
  const counts = Object.fromEntries(COUNTED.map((column) => [column, shown(sums[column])])) as Record<Counted, number>;
  return {
    name,
    ...counts,
    provider_cost_pico_usd: sums.providerPicoUsd.toString(),
    provider_cost_micro_rub: shown(providerMicroRub),
    uncovered_micro_rub: shown(sums.cost_micro_rub - sums.charged_micro_rub),
    margin_micro_rub: shown(margin),
    margin_bps: providerMicroRub === 0n ? null : shown(floorDiv(margin * BPS, providerMicroRub)),
  };
}

function floorDiv(numerator: bigint, denominator: bigint): bigint {
  return -ceilDivSigned(-numerator, denominator);
}

function ceilDivSigned(numerator: bigint, denominator: bigint): bigint {
  return numerator > 0n ? ceilDiv(numerator, denominator) : numerator / denominator;
}

/** A row of sums with the account it belongs to. */
export interface AccountRow extends UsageSums {
  account_id: string;
}

export function totalLine(rows: readonly AccountRow[]): ReportLine {
  const sums = emptySums();
  for (const row of rows) add(sums, row);
  return lineOf("total", sums, ceilDiv(sums.providerValue, PER_MICRO_RUB));
}

/** One line a name, in the order of names. The provider cost of the total, rounded up once, is split over the lines by largest remainder. */
export function linesBy(rows: readonly AccountRow[], nameOf: (row: AccountRow) => string): ReportLine[] {
  const byName = new Map<string, Sums>();
  for (const row of rows) {
    const sums = byName.get(nameOf(row)) ?? emptySums();
    add(sums, row);
    byName.set(nameOf(row), sums);
  }
  const named = [...byName].toSorted(([left], [right]) => (left < right ? -1 : 1));
  const values = named.map(([, sums]) => sums.providerValue);
  const total = ceilDiv(
    values.reduce((sum, value) => sum + value, 0n),
    PER_MICRO_RUB,
  );
  const shares = splitByLargestRemainder(total, values);
  return named.map(([name, sums], index) => lineOf(name, sums, shares[index] ?? 0n));
}
