/** What a key may do: its limits against its counters. Decides only; counters move when, and only when, a request is admitted. */
import { globMatches } from "../../schema/glob.ts";
import type { AdmitCommand, RefusalReason } from "../../schema/ledger.ts";
import { take } from "./bucket.ts";
import type { Bucket, KeyState, Spend } from "./state.ts";

const DAY_MILLISECONDS = 86_400_000;

function dayOf(now: number): string {
  return new Date(now).toISOString().slice(0, 10);
}

function monthOf(now: number): string {
  return new Date(now).toISOString().slice(0, 7);
}

/** A key that was charged nothing yet. */
export const NO_SPEND: Spend = { day: "", dayAmount: 0n, month: "", monthAmount: 0n };

/** The spend as of `now`: a day or month that has passed counts nothing. */
export function spendAt(spend: Spend, now: number): Spend {
  const day = dayOf(now);
  const month = monthOf(now);
  return {
    day,
    dayAmount: spend.day === day ? spend.dayAmount : 0n,
    month,
    monthAmount: spend.month === month ? spend.monthAmount : 0n,
  };
}

/** The spend after a charge at `now`. */
export function spendAfter(spend: Spend, charge: bigint, now: number): Spend {
  const current = spendAt(spend, now);
  return { ...current, dayAmount: current.dayAmount + charge, monthAmount: current.monthAmount + charge };
}

/** Whether the key's charges must be counted at all. */
export function countsSpend(key: KeyState): boolean {
  return key.limits.spend_micro_rub_per_day !== null || key.limits.spend_micro_rub_per_month !== null;
}

function secondsToNextDay(now: number): number {
  return Math.ceil((DAY_MILLISECONDS - (now % DAY_MILLISECONDS)) / 1000);
}

function secondsToNextMonth(now: number): number {
  const date = new Date(now);
  return Math.ceil((Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1) - now) / 1000);
}

/** Null when the key may be used at all; otherwise why not. */
export function keyFault(key: KeyState | null, now: number): RefusalReason | null {
  if (key === null) return "unknown_key";
  if (key.revokedAt !== null) return "revoked_key";
  return key.expiresAt !== null && now >= key.expiresAt ? "expired_key" : null;
}

/** True when the key's list of models has one that matches, or there is no list. */
export function mayUseModel(key: KeyState, model: string): boolean {
  return key.limits.allowed_models?.some((pattern) => globMatches(pattern, model)) ?? true;
}

export type LimitCheck =
  | { ok: true; requestBucket: Bucket | null; tokenBucket: Bucket | null }
  | { ok: false; reason: RefusalReason; retryAfterSeconds: number };

/**
 * Checks every limit and gives the buckets as they will be if the request is admitted; a refused one gives nothing, so no counter
 * has moved. A spend limit counts open holds as if they were charged in full, so parallel requests cannot pass it together.
 */
export function checkLimits(key: KeyState, command: AdmitCommand, now: number): LimitCheck {
  const { limits } = key;
  if (limits.parallel_requests !== null && key.openHolds >= limits.parallel_requests) {
    return { ok: false, reason: "parallel_requests", retryAfterSeconds: 1 };
  }
  let requestBucket = key.requestBucket;
  if (limits.requests_per_minute !== null) {
    const taken = take(key.requestBucket, limits.requests_per_minute, 1, now);
    if (!taken.ok) return { ok: false, reason: "requests_per_minute", retryAfterSeconds: taken.retryAfterSeconds };
    requestBucket = taken.bucket;
  }
  let tokenBucket = key.tokenBucket;
  if (limits.tokens_per_minute !== null) {
    const taken = take(key.tokenBucket, limits.tokens_per_minute, command.tokens_bound, now);
    if (!taken.ok) return { ok: false, reason: "tokens_per_minute", retryAfterSeconds: taken.retryAfterSeconds };
    tokenBucket = taken.bucket;
  }
  const spend = spendAt(key.spend, now);
  const committed = key.heldAmount + BigInt(command.hold_micro_rub);
  if (limits.spend_micro_rub_per_day !== null && spend.dayAmount + committed > BigInt(limits.spend_micro_rub_per_day)) {
    return { ok: false, reason: "spend_per_day", retryAfterSeconds: secondsToNextDay(now) };
  }
  if (limits.spend_micro_rub_per_month !== null && spend.monthAmount + committed > BigInt(limits.spend_micro_rub_per_month)) {
    return { ok: false, reason: "spend_per_month", retryAfterSeconds: secondsToNextMonth(now) };
  }
  return { ok: true, requestBucket, tokenBucket };
}
