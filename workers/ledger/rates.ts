/** Which rates count a request, and the taking from their buckets: all of them or none. */
import { globMatches } from "../../schema/glob.ts";
import type { AdmitCommand, Refusal, RefusalReason } from "../../schema/ledger.ts";
import { LIMITS } from "../../schema/limits.ts";
import { type AccountLimits, RATE_UNITS, type RateUnit } from "../../schema/rate.ts";
import type { Usage } from "../../schema/usage.ts";
import { giveBack, take } from "./bucket.ts";
import type { Bucket, HoldRow, LimitOwner, NamedRate } from "./state.ts";

/** Why a limit refuses a request, whose it is, and when it would let it through. */
export interface LimitRefusal {
  reason: RefusalReason;
  scope: NonNullable<Refusal["scope"]>;
  /** Which limit, in words; null where the reason says it all. */
  limit: string | null;
  retryAfterSeconds: number;
}

export type LimitOwners = readonly { scope: "key" | "account"; name: string; owner: LimitOwner }[];

interface CountingRate extends NamedRate {
  counts: "requests" | "tokens";
  scope: LimitRefusal["scope"];
  reason: RefusalReason;
  words: string | null;
}

/** Every rate that counts the request: the owners' own, theirs for its model, and those of the configuration. */
function countingRates(owners: LimitOwners, command: AdmitCommand): CountingRate[] {
  const rates = owners.flatMap(({ scope, name, owner }) => ownRates(scope, name, owner.limits, command.model));
  for (const { name, unit, requests, tokens } of command.rates ?? []) {
    const common = { scope: "config", unit, name: `config/${name}` } as const;
    rates.push(...countingRate(requests, { ...common, counts: "requests", words: `${requests} requests per ${unit} for ${name}` }));
    rates.push(...countingRate(tokens, { ...common, counts: "tokens", words: `${tokens} tokens per ${unit} for ${name}` }));
  }
  return rates;
}

function ownRates(scope: "key" | "account", name: string, limits: AccountLimits, model: string): CountingRate[] {
  const common = { scope, unit: "minute", name, words: null } as const;
  const rates = [
    ...countingRate(limits.requests_per_minute, { ...common, counts: "requests" }),
    ...countingRate(limits.tokens_per_minute, { ...common, counts: "tokens" }),
  ];
  for (const rate of limits.per_model ?? []) {
    if (!globMatches(rate.model, model)) continue;
    const ofModel = { ...common, name: `${name}/${rate.model}`, words: `for ${rate.model}` };
    rates.push(...countingRate(rate.requests_per_minute, { ...ofModel, counts: "requests" }));
    rates.push(...countingRate(rate.tokens_per_minute, { ...ofModel, counts: "tokens" }));
  }
  return rates;
}

const REASONS = {
  config: { requests: "request_rate", tokens: "token_rate" },
  key: { requests: "requests_per_minute", tokens: "tokens_per_minute" },
  account: { requests: "requests_per_minute", tokens: "tokens_per_minute" },
} as const;

function countingRate(
  limit: number | null,
  { unit, name, ...facts }: Pick<CountingRate, "counts" | "scope" | "name" | "words"> & { unit: RateUnit },
): CountingRate[] {
  if (limit === null) return [];
  const reason = REASONS[facts.scope][facts.counts];
  return [{ ...facts, limit, period: RATE_UNITS[unit], name: `${name}/${facts.counts}/${unit}`, reason }];
}

export interface TakenRates {
  refusals: LimitRefusal[];
  /** The buckets as they are when nothing refuses. */
  buckets: Map<string, Bucket>;
  /** The rates of tokens among them, to which the request gives back what it does not use. */
  rates: NamedRate[];
}

/** Takes one request and its tokens from every rate that counts it. Buckets that are not there are full. */
export function takeRates(owners: LimitOwners, buckets: ReadonlyMap<string, Bucket>, command: AdmitCommand, now: number): TakenRates {
  const taken: TakenRates = { refusals: [], buckets: new Map(), rates: [] };
  const tokens = { bound: command.tokens_bound, likely: command.tokens_likely ?? command.tokens_bound };
  for (const { name, limit, period, counts, scope, reason, words } of countingRates(owners, command)) {
    const bucket = taken.buckets.get(name) ?? buckets.get(name) ?? null;
    const isCrowded = bucket === null && buckets.size >= LIMITS.rateBucketsPerAccount;
    const result = take(bucket, { limit, period }, counts === "tokens" ? tokens : { bound: 1, likely: 1 }, now);
    if (isCrowded) taken.refusals.push({ reason: "too_many_rates", scope, limit: words, retryAfterSeconds: CROWDED_RETRY_SECONDS });
    else if (!result.ok) taken.refusals.push({ reason, scope, limit: words, retryAfterSeconds: result.retryAfterSeconds });
    else taken.buckets.set(name, result.bucket);
    if (counts === "tokens") taken.rates.push({ name, limit, period });
  }
  return taken;
}

/** Buckets of a minute are let go within one. */
const CROWDED_RETRY_SECONDS = 60;

/** The buckets after a request that used `tokens` has given back the rest of its bound, or paid for what it used beyond it. */
export function trueUpRates(hold: HoldRow, buckets: ReadonlyMap<string, Bucket>, tokens: number, now: number): Map<string, Bucket> {
  const changed = new Map<string, Bucket>();
  if (tokens === hold.tokensBound) return changed;
  for (const { name, ...rate } of hold.rates) {
    const bucket = changed.get(name) ?? buckets.get(name) ?? null;
    changed.set(name, giveBack(bucket, bucket ?? rate, hold.tokensBound - tokens, now));
  }
  return changed;
}

/** Tokens a request really used, as a rate counts them. */
export function usedTokens(usage: Usage): number {
  const { input_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, output_tokens } = usage;
  return [input_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, output_tokens].reduce<number>(
    (sum, tokens) => sum + (tokens ?? 0),
    0,
  );
}
