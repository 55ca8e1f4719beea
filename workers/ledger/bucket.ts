/**
 * Rates as token buckets. A rate of `limit` in `period` milliseconds counts in units of 1/period: it refills `limit` units each millisecond,
 * so levels are integers and exact. A bucket may go below zero when a request takes more than is there, and is paid off before the next
 * one: over any long time the rate is exact.
 *
 * Buckets are rows, written in the transaction of the hold that took from them, so a restart gives nothing away. A bucket that is full
 * again says nothing and need not be kept.
 */
import type { Bucket, Rate } from "./state.ts";

function fullOf({ limit, period }: Rate): number {
  return limit * period;
}

/** The largest count whose units are exact numbers. */
function bounded(count: number, period: number): number {
  const most = Math.floor(Number.MAX_SAFE_INTEGER / period);
  return Math.max(-most, Math.min(most, count));
}

function refilled(bucket: Bucket | null, rate: Rate, now: number): number {
  const full = fullOf(rate);
  if (bucket === null) return full;
  return Math.min(full, bucket.units + Math.max(0, now - bucket.at) * rate.limit);
}

/** A level that stays an exact number however deep the debt. */
function levelled(units: number): number {
  return Math.max(-Number.MAX_SAFE_INTEGER, units);
}

export type Taken = { ok: true; bucket: Bucket } | { ok: false; retryAfterSeconds: number };

/**
 * Takes `bound`, once `likely` is there (or the bucket is full: a request larger than the whole of it would otherwise wait for ever).
 * What is taken and not there is a debt, which ends when the request gives back what it did not use, or with time. So a rate lets through
 * at most one bucket and one request too many, and a small request is not kept out for a bound that it will not reach.
 */
export function take(bucket: Bucket | null, rate: Rate, tokens: { bound: number; likely: number }, now: number): Taken {
  const units = refilled(bucket, rate, now);
  const needed = Math.min(bounded(Math.min(tokens.likely, tokens.bound), rate.period) * rate.period, fullOf(rate));
  if (units < needed) {
    return { ok: false, retryAfterSeconds: Math.max(1, Math.ceil((needed - units) / rate.limit / 1000)) };
  }
  return { ok: true, bucket: { ...rate, units: levelled(units - bounded(tokens.bound, rate.period) * rate.period), at: now } };
}

/** Corrects a bucket once the true count is known: `tokens` is what was taken less what was used, negative when it was more. */
export function giveBack(bucket: Bucket | null, rate: Rate, tokens: number, now: number): Bucket {
  const units = refilled(bucket, rate, now) + bounded(tokens, rate.period) * rate.period;
  return { limit: rate.limit, period: rate.period, units: levelled(Math.min(fullOf(rate), units)), at: now };
}

/** True for a bucket that says nothing any more. */
export function isFull(bucket: Bucket, now: number): boolean {
  return refilled(bucket, bucket, now) === fullOf(bucket);
}
