/** The circuit breaker step by step. */
import { describe, expect, test } from "vitest";
import { LIMITS } from "../../schema/limits.ts";
import { type Breaker, CLOSED_BREAKER, enter, leave } from "../../workers/runtime/breaker.ts";

function failed(times: number, now = 0, from: Breaker = CLOSED_BREAKER): Breaker {
  let breaker = from;
  for (let time = 0; time < times; time++) breaker = leave(breaker, "unhealthy", now);
  return breaker;
}

describe("a circuit breaker", () => {
  test("stays closed below its number of failures, and a success forgets them", () => {
    const almost = failed(LIMITS.breakerFailures - 1);
    expect(enter(almost, 0).passes).toBe(true);
    expect(leave(almost, "well", 0)).toEqual(CLOSED_BREAKER);
  });

  test("opens at its number of failures in a row and lets nothing pass before the pause is over", () => {
    const open = failed(LIMITS.breakerFailures, 1_000);
    expect(open.state).toBe("open");
    expect(enter(open, 1_000 + LIMITS.breakerPauseMilliseconds - 1).passes).toBe(false);
    expect(enter(open, 1_000 + LIMITS.breakerPauseMilliseconds).passes).toBe(true);
  });

  test("lets one trial pass at a time, and closes when it ends well", () => {
    const open = failed(LIMITS.breakerFailures, 0);
    const trial = enter(open, LIMITS.breakerPauseMilliseconds);
    expect(trial).toMatchObject({ passes: true, breaker: { state: "half-open" } });
    expect(enter(trial.breaker, LIMITS.breakerPauseMilliseconds + 1).passes).toBe(false);
    expect(leave(trial.breaker, "well", 0)).toEqual(CLOSED_BREAKER);
  });

  test("pauses twice as long after each failed trial, up to a bound", () => {
    let breaker = failed(LIMITS.breakerFailures, 0);
    let now = 0;
    const pauses: number[] = [];
    for (let round = 0; round < 12; round++) {
      pauses.push(breaker.retryAt - now);
      now = breaker.retryAt;
      breaker = leave(enter(breaker, now).breaker, "unhealthy", now);
    }
    expect(pauses.slice(0, 3)).toEqual([1, 2, 4].map((times) => times * LIMITS.breakerPauseMilliseconds));
    expect(Math.max(...pauses)).toBe(LIMITS.breakerPauseMillisecondsMax);
  });

  test("does not wait for ever for a trial that nobody ends", () => {
    const trial = enter(failed(LIMITS.breakerFailures, 0), LIMITS.breakerPauseMilliseconds).breaker;
    expect(enter(trial, LIMITS.breakerPauseMilliseconds + LIMITS.breakerTrialMilliseconds).passes).toBe(true);
  });

  test("is neither opened nor closed by a caller's own fault, which only ends the trial", () => {
    const trial = enter(failed(LIMITS.breakerFailures, 0), LIMITS.breakerPauseMilliseconds).breaker;
    const after = leave(trial, "neither", LIMITS.breakerPauseMilliseconds);
    expect(after.state).toBe("half-open");
    expect(enter(after, LIMITS.breakerPauseMilliseconds).passes).toBe(true);
  });
});

test("calls that were under way when it opened are no further openings", () => {
  let breaker = CLOSED_BREAKER;
  for (let failures = 0; failures < LIMITS.breakerFailures; failures++) breaker = leave(breaker, "unhealthy", 1_000);
  const opened = breaker;
  for (const ended of ["unhealthy", "neither", "unhealthy"] as const) breaker = leave(breaker, ended, 1_500);
  expect(breaker).toEqual(opened);
  expect(enter(breaker, 1_000 + LIMITS.breakerPauseMilliseconds).passes).toBe(true);
});
