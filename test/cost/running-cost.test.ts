/** How far an amount reaches into an answer, and what a cut one is charged by. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { PriceSnapshot } from "../../schema/price.ts";
import { UNKNOWN_USAGE, type Usage } from "../../schema/usage.ts";
import { costOf, holdOf, outputTokensFor } from "../../workers/cost/cost.ts";
import { boundInputTokens } from "../../workers/cost/estimate.ts";
import { parsePriceDocument, priceSnapshot } from "../../workers/cost/price.ts";
import { cutUsage, hasPassed, reachOf, type RunningAnswer, runningCost } from "../../workers/cost/running-cost.ts";

function snapshotOf(price: object): PriceSnapshot {
  const document = parsePriceDocument({
    version: "t",
    fx: { micro_rub_per_usd: 81_234_567, source: "test", date: "2026-11-21" },
    markup_bps: 1_500,
    models: { "p/m": price },
  });
  const snapshot = document.ok ? priceSnapshot(document.value, "p/m") : null;
  if (snapshot === null) throw new Error("no snapshot");
  return snapshot;
}

const TIERED = snapshotOf({
  input: "1.25",
  output: "10",
  cache_read: "0.125",
  request: "0.01",
  above: [{ prompt_tokens: 2000, input: "2.5", output: "15" }],
});
const MEASURE = { text_bytes: 4000, blocks: 3, images: 0, file_bytes: 0, files_unsized: 0 };

function answer(facts: Partial<Usage>, outputCharacters: number): RunningAnswer {
  return { reported: { ...UNKNOWN_USAGE, ...facts }, inputMeasure: MEASURE, outputCharacters };
}

describe("how far an amount reaches", () => {
  test("is exactly the last number of output tokens that costs no more", () => {
    const tokens = fc.integer({ min: 0, max: 5000 });
    fc.assert(
      fc.property(tokens, tokens, fc.bigInt({ min: 0n, max: 20_000_000n }), (input_tokens, cache_read_tokens, amount) => {
        const usage: Usage = { ...UNKNOWN_USAGE, input_tokens, cache_read_tokens };
        const reached = outputTokensFor(TIERED, usage, amount);
        const cost = (output_tokens: number): bigint => costOf(TIERED, { ...usage, output_tokens }).costMicroRub;
        if (reached === -1) expect(cost(0)).toBeGreaterThan(amount);
        else expect(cost(reached)).toBeLessThanOrEqual(amount);
        expect(cost(reached + 1)).toBeGreaterThan(amount);
      }),
      { seed: 3 },
    );
  });

  test("has no end where output costs nothing", () => {
    expect(outputTokensFor(snapshotOf({ input: "1", output: "0" }), { ...UNKNOWN_USAGE, input_tokens: 1 }, 1_000_000n)).toBe(
      Number.MAX_SAFE_INTEGER,
    );
  });
});

describe("a running answer", () => {
  test("that keeps its cap is never found to have passed its hold, whatever its text is like up to six characters a token", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3000 }), fc.integer({ min: 1, max: 6 }), fc.boolean(), (cap, charactersPerToken, reported) => {
        const hold = holdOf(TIERED, { inputTokensMax: boundInputTokens(MEASURE), outputTokensMax: cap, choices: 1 });
        const running = answer(reported ? { input_tokens: boundInputTokens(MEASURE), output_tokens: 1 } : {}, cap * charactersPerToken);
        expect(hasPassed(running, reachOf(TIERED, running, hold))).toBe(false);
      }),
      { seed: 5 },
    );
  });

  test("that passes its cap, or whose prompt turns out larger than all that was held, is found", () => {
    const hold = holdOf(TIERED, { inputTokensMax: boundInputTokens(MEASURE), outputTokensMax: 100, choices: 1 });
    const endless = answer({}, 20_000);
    expect(hasPassed(endless, reachOf(TIERED, endless, hold))).toBe(true);
    const vast = answer({ input_tokens: 1_000_000, output_tokens: 1 }, 0);
    expect(reachOf(TIERED, vast, hold)).toEqual({ outputTokens: -1 });
    expect(hasPassed(vast, reachOf(TIERED, vast, hold))).toBe(true);
    const told = answer({ input_tokens: 10, output_tokens: 9_000 }, 10);
    expect(hasPassed(told, reachOf(TIERED, told, hold))).toBe(true);
  });

  test("that is cut is charged for no more than was paid for, and for no less than the provider reported", () => {
    const hold = holdOf(TIERED, { inputTokensMax: boundInputTokens(MEASURE), outputTokensMax: 100, choices: 1 });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 100_000 }), (characters) => {
        const running = answer({}, characters);
        const usage = cutUsage(running, reachOf(TIERED, running, hold));
        expect(costOf(TIERED, usage).costMicroRub).toBeLessThanOrEqual(hold);
        expect(usage.output_tokens).toBeLessThanOrEqual(Math.floor(characters / 6));
      }),
      { seed: 9 },
    );
    const vast = answer({ input_tokens: 1_000_000, output_tokens: 7 }, 6000);
    expect(cutUsage(vast, reachOf(TIERED, vast, hold))).toMatchObject({ input_tokens: 1_000_000, output_tokens: 7 });
  });

  test("costs more with more tokens", () => {
    const running = answer({}, 600);
    expect(runningCost(TIERED, running, 1)).toBeGreaterThan(runningCost(TIERED, running, 0));
    expect(runningCost(TIERED, running, 0)).toBe(costOf(TIERED, { ...UNKNOWN_USAGE, input_tokens: 1012, output_tokens: 100 }).costMicroRub);
  });
});
