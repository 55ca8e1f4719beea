/** How long to wait before the same address is tried again: the provider's own word where it gave one, else doubling with full jitter. */
import { LIMITS } from "../../schema/limits.ts";

export interface BackoffInput {
  /** 1 after the first failure. */
  failures: number;
  /** What the provider asked for, in seconds; null when it asked for nothing. */
  retryAfterSeconds: number | null;
  /** In [0, 1). */
  random: number;
}

/**
 * Milliseconds to wait; null: longer than a waiting caller should be kept, so the next candidate is asked instead. Full jitter
 * spreads the callers of one failure evenly, which empties a queue soonest.
 */
export function backoffMilliseconds({ failures, retryAfterSeconds, random }: BackoffInput): number | null {
  if (retryAfterSeconds !== null) {
    const asked = Math.ceil(retryAfterSeconds * 1000);
    return asked > LIMITS.retryWaitMilliseconds ? null : asked;
  }
  const ceiling = Math.min(LIMITS.retryBaseMilliseconds * 2 ** (failures - 1), LIMITS.retryWaitMilliseconds);
  return Math.floor(random * ceiling);
}
