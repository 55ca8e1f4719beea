/**
 * Per-minute limits as token buckets. Levels are integers in units of 1/60000 token; a bucket may go below zero when a request turns
 * out larger than it said, and is then paid off before the next one: over any long time the rate is exact.
 *
 * Buckets live in memory. After a restart each starts full and the admissions of the last minute, which are rows, are taken from it
 * again: at worst a key gets back what it used in the minute before the oldest of them.
 */
import type { Bucket } from "./state.ts";

const UNITS_PER_TOKEN = 60_000;
const TOKENS_MAX = 1_000_000_000;

function refilled(bucket: Bucket | null, limitPerMinute: number, now: number): number {
  const full = limitPerMinute * UNITS_PER_TOKEN;
  if (bucket === null) return full;
  return Math.min(full, bucket.units + Math.max(0, now - bucket.at) * limitPerMinute);
}

export type Taken = { ok: true; bucket: Bucket } | { ok: false; retryAfterSeconds: number };

/**
 * Takes `tokens`. A request larger than the whole bucket is let through when the bucket is full, and leaves it in debt:
 * refusing it would be refusing it for ever.
 */
export function take(bucket: Bucket | null, limitPerMinute: number, tokens: number, now: number): Taken {
  const units = refilled(bucket, limitPerMinute, now);
  const cost = Math.min(tokens, TOKENS_MAX) * UNITS_PER_TOKEN;
  const needed = Math.min(cost, limitPerMinute * UNITS_PER_TOKEN);
  if (units < needed) {
    return { ok: false, retryAfterSeconds: Math.max(1, Math.ceil((needed - units) / limitPerMinute / 1000)) };
  }
  return { ok: true, bucket: { units: units - cost, at: now } };
}

/** Corrects a bucket once the true count is known: `tokens` is bound - actual, negative when it was more than the bound. */
export function giveBack(bucket: Bucket, limitPerMinute: number, tokens: number, now: number): Bucket {
  const full = limitPerMinute * UNITS_PER_TOKEN;
  const bounded = Math.max(-TOKENS_MAX, Math.min(TOKENS_MAX, tokens));
  return { units: Math.min(full, refilled(bucket, limitPerMinute, now) + bounded * UNITS_PER_TOKEN), at: now };
}

/** Takes without asking: what a restart replays from the rows of admitted requests. */
export function replayTake(bucket: Bucket | null, limitPerMinute: number, tokens: number, at: number): Bucket {
  return { units: refilled(bucket, limitPerMinute, at) - Math.min(tokens, TOKENS_MAX) * UNITS_PER_TOKEN, at };
}
