/**
 * The circuit breaker of one address, as a pure step over its state. Closed: calls pass, failures in a row are counted. Open: nothing
 * passes until a pause has gone by, which doubles with each opening. Half open: one call at a time is the trial.
 */
import { LIMITS } from "../../schema/limits.ts";

export interface Breaker {
  state: "closed" | "open" | "half-open";
  /** Failures in a row while closed. */
  failures: number;
  /** Openings since the last success. */
  openings: number;
  /** When an open breaker lets a trial pass, epoch milliseconds. */
  retryAt: number;
  /** A trial is under way since then; null when none is. */
  trialSince: number | null;
}

export const CLOSED_BREAKER: Breaker = { state: "closed", failures: 0, openings: 0, retryAt: 0, trialSince: null };

/** Asks whether a call may pass now; the state given back has the trial noted. */
export function enter(breaker: Breaker, now: number): { passes: boolean; breaker: Breaker } {
  if (breaker.state === "closed") return { passes: true, breaker };
  // A trial whose end nobody reported (its object died) does not keep the address shut for ever.
  const isOnTrial = breaker.trialSince !== null && now - breaker.trialSince < LIMITS.breakerTrialMilliseconds;
  if (now < breaker.retryAt || isOnTrial) return { passes: false, breaker };
  return { passes: true, breaker: { ...breaker, state: "half-open", trialSince: now } };
}

/** Notes how a call ended. */
export function leave(breaker: Breaker, ended: "well" | "unhealthy" | "neither", now: number): Breaker {
  if (ended === "well") return CLOSED_BREAKER;
  // A call of before the opening: what it says is known.
  if (breaker.state === "open") return breaker;
  if (ended === "neither") return { ...breaker, trialSince: null };
  const failures = breaker.failures + 1;
  if (breaker.state === "closed" && failures < LIMITS.breakerFailures) return { ...breaker, failures };
  const pause = Math.min(LIMITS.breakerPauseMilliseconds * 2 ** breaker.openings, LIMITS.breakerPauseMillisecondsMax);
  return { state: "open", failures, openings: breaker.openings + 1, retryAt: now + pause, trialSince: null };
}
