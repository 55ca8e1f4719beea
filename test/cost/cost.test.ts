/** The one formula: against vectors made by an independent rational implementation, and its laws over random inputs. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { modelPriceSchema, type PriceSnapshot } from "../../schema/price.ts";
import { UNKNOWN_USAGE, type Usage } from "../../schema/usage.ts";
import { type CostVector, costVectorsText } from "../../scripts/cost-vectors.ts";
import { ceilDiv, costOf, holdOf } from "../../workers/cost/cost.ts";
import { parsePriceDocument, priceSnapshot } from "../../workers/cost/price.ts";

function snapshotOf(fx: number, markup: number, price: unknown): PriceSnapshot {
  const document = parsePriceDocument({
    version: "t",
    fx: { micro_rub_per_usd: fx, source: "test", date: "2026-11-21" },
    markup_bps: markup,
    models: { "p/m": price },
  });
  if (!document.ok) throw new Error(`${document.path}: ${document.message}`);
  const snapshot = priceSnapshot(document.value, "p/m");
  if (snapshot === null) throw new Error("no snapshot");
  return snapshot;
}

const file = join(import.meta.dirname, "../vectors/cost.json");
const vectors = (JSON.parse(readFileSync(file, "utf8")) as { vectors: CostVector[] }).vectors;

describe("cost vectors", () => {
  test("the file holds at least 300 vectors and is what its script writes", () => {
    expect(vectors.length).toBeGreaterThanOrEqual(300);
    expect(JSON.parse(readFileSync(file, "utf8"))).toEqual(JSON.parse(costVectorsText()));
  });

  test("every vector's cost, provider cost and flags come out exactly", () => {
    for (const vector of vectors) {
      const cost = costOf(snapshotOf(vector.fx_micro_rub_per_usd, vector.markup_bps, vector.price), vector.usage);
      expect(
        {
          cost_micro_rub: cost.costMicroRub.toString(),
          provider_cost_pico_usd: cost.providerCostPicoUsd.toString(),
          flagged: cost.flagged,
        },
        vector.name,
      ).toEqual(vector.expected);
    }
  });

  test("the lines of every vector sum to its cost, and their provider costs to its provider cost", () => {
    for (const vector of vectors) {
      const cost = costOf(snapshotOf(vector.fx_micro_rub_per_usd, vector.markup_bps, vector.price), vector.usage);
      expect(
        cost.lines.reduce((sum, line) => sum + line.costMicroRub, 0n),
        vector.name,
      ).toBe(BigInt(cost.costMicroRub));
      expect(
        cost.lines.reduce((sum, line) => sum + line.providerCostPicoUsd, 0n),
        vector.name,
      ).toBe(BigInt(cost.providerCostPicoUsd));
    }
  });

  test("stored lines, fx and markup reproduce the cost without the snapshot", () => {
    for (const vector of vectors) {
      const cost = costOf(snapshotOf(vector.fx_micro_rub_per_usd, vector.markup_bps, vector.price), vector.usage);
      if (cost.flagged?.includes("cost_above_range")) continue;
      const provider = cost.lines.reduce((sum, line) => sum + BigInt(line.tokens ?? 0) * line.pricePicoUsd, 0n);
      const again = ceilDiv(provider * BigInt(vector.fx_micro_rub_per_usd) * BigInt(10_000 + vector.markup_bps), 10n ** 16n);
      expect(again, vector.name).toBe(BigInt(cost.costMicroRub));
    }
  });
});

const tokens = fc.integer({ min: 0, max: 2_000_000 });
const usageOf: fc.Arbitrary<Usage> = fc.record({
  input_tokens: tokens,
  cache_read_tokens: fc.option(tokens),
  cache_write_5m_tokens: fc.option(tokens),
  cache_write_1h_tokens: fc.option(tokens),
  output_tokens: tokens,
  reasoning_tokens: fc.constant(null),
});
const decimal = fc.oneof(
  fc.constantFrom("0", "0.15", "2.50", "10", "0.000001", "3"),
  fc
    .integer({ min: 0, max: 99_999_999 })
    .map((millionths) => `${Math.floor(millionths / 1e6)}.${String(millionths % 1e6).padStart(6, "0")}`),
);
const priced = fc.record({
  input: decimal,
  output: decimal,
  cache_read: fc.option(decimal),
  cache_write_5m: fc.option(decimal),
  cache_write_1h: fc.option(decimal),
});
const fxOf = fc.integer({ min: 1, max: 200_000_000 });
const markupOf = fc.integer({ min: 0, max: 20_000 });

describe("cost laws", () => {
  test("more tokens of any class, a higher price, fx or markup never make a request cheaper", () => {
    fc.assert(
      fc.property(priced, usageOf, fxOf, markupOf, fc.nat(100_000), (price, usage, fx, markup, extra) => {
        const before = costOf(snapshotOf(fx, markup, price), usage).costMicroRub;
        const dearer = {
          ...price,
          output: `${Number(price.output.split(".")[0]) + 1}${price.output.includes(".") ? `.${price.output.split(".")[1]}` : ""}`,
        };
        expect(
          costOf(snapshotOf(fx, markup, price), { ...usage, output_tokens: (usage.output_tokens ?? 0) + extra }).costMicroRub >= before,
        ).toBe(true);
        expect(
          costOf(snapshotOf(fx, markup, price), { ...usage, cache_read_tokens: (usage.cache_read_tokens ?? 0) + extra }).costMicroRub >=
            before,
        ).toBe(true);
        expect(costOf(snapshotOf(fx + extra, markup, price), usage).costMicroRub >= before).toBe(true);
        expect(costOf(snapshotOf(fx, markup + extra, price), usage).costMicroRub >= before).toBe(true);
        expect(costOf(snapshotOf(fx, markup, dearer), usage).costMicroRub >= before).toBe(true);
      }),
      { seed: 1 },
    );
  });

  test("splitting one request in two costs the same or one micro-RUB more", () => {
    fc.assert(
      fc.property(priced, fxOf, markupOf, tokens, tokens, tokens, tokens, (price, fx, markup, a, b, c, d) => {
        const snapshot = snapshotOf(fx, markup, price);
        const cost = (input: number, output: number): bigint =>
          costOf(snapshot, { ...UNKNOWN_USAGE, input_tokens: input, output_tokens: output }).costMicroRub;
        const whole = cost(a + c, b + d);
        const parts = cost(a, b) + cost(c, d);
        expect(whole <= parts && parts <= whole + 1n).toBe(true);
      }),
      { seed: 2 },
    );
  });

  test("k equal requests cost within k micro-RUB of one k-fold request", () => {
    fc.assert(
      fc.property(
        priced,
        fxOf,
        markupOf,
        fc.nat(50_000),
        fc.nat(50_000),
        fc.integer({ min: 1, max: 100 }),
        (price, fx, markup, input, output, k) => {
          const snapshot = snapshotOf(fx, markup, price);
          const one = costOf(snapshot, { ...UNKNOWN_USAGE, input_tokens: input, output_tokens: output }).costMicroRub;
          const all = costOf(snapshot, { ...UNKNOWN_USAGE, input_tokens: input * k, output_tokens: output * k }).costMicroRub;
          expect(one * BigInt(k) - all >= 0n && one * BigInt(k) - all < BigInt(k)).toBe(true);
        },
      ),
      { seed: 3 },
    );
  });

  test("one token at any price above zero costs at least one micro-RUB", () => {
    const cost = costOf(snapshotOf(1, 0, { input: "0.000001", output: "0" }), { ...UNKNOWN_USAGE, input_tokens: 1, output_tokens: 0 });
    expect(cost.costMicroRub).toBe(1n);
  });

  test("a hold covers every usage within its bounds, whatever the classes and the tier", () => {
    const price = fc.tuple(priced, decimal, decimal, fc.integer({ min: 1, max: 1_000_000 })).map(([base, input, output, from]) => ({
      ...base,
      max_output_tokens: 1_000_000_000,
      above: [{ prompt_tokens: from, input, output }],
    }));
    fc.assert(
      fc.property(price, usageOf, fxOf, markupOf, fc.integer({ min: 1, max: 4 }), (tiered, usage, fx, markup, choices) => {
        const snapshot = snapshotOf(fx, markup, tiered);
        const cost = costOf(snapshot, { ...usage, output_tokens: (usage.output_tokens ?? 0) * choices });
        const hold = holdOf(snapshot, { inputTokensMax: cost.promptTokens, outputTokensMax: usage.output_tokens, choices });
        expect(hold >= cost.costMicroRub).toBe(true);
      }),
      { seed: 4 },
    );
  });

  test("a hold is bounded by what the model takes and gives, and stands for the model's cap when the caller names none", () => {
    const snapshot = snapshotOf(90_000_000, 0, { input: "1", output: "2", context_tokens: 1000, max_output_tokens: 100 });
    const full = holdOf(snapshot, { inputTokensMax: 1000, outputTokensMax: 100, choices: 1 });
    expect(holdOf(snapshot, { inputTokensMax: 32_000_000, outputTokensMax: 9_000_000_000, choices: 1 })).toBe(full);
    expect(holdOf(snapshot, { inputTokensMax: 1000, outputTokensMax: null, choices: 1 })).toBe(full);
    expect(holdOf(snapshot, { inputTokensMax: 1000, outputTokensMax: 100, choices: 3 }) > full).toBe(true);
  });

  test("a hold for many texts that are read one by one lets each of them fill the context", () => {
    const snapshot = snapshotOf(90_000_000, 0, { input: "1", output: "0", context_tokens: 1000, max_output_tokens: 1 });
    const hold = (inputTokensMax: number, inputs: number): bigint =>
      holdOf(snapshot, { inputTokensMax, outputTokensMax: 0, choices: 1, inputs });
    expect(hold(5000, 3)).toBe(hold(3000, 3));
    expect(hold(5000, 5)).toBe(hold(1000, 1) * 5n);
  });

  test("an absurd token count is priced at the limit and flagged, not thrown", () => {
    const cost = costOf(snapshotOf(90_000_000, 0, { input: "1", output: "2" }), {
      ...UNKNOWN_USAGE,
      input_tokens: Number.MAX_SAFE_INTEGER,
      output_tokens: 0,
    });
    expect(cost.flagged).toBe("tokens_clamped");
    expect(cost.providerCostPicoUsd).toBe(100_000_000n * 1_000_000n);
  });

  test("reasoning tokens are part of the output and cost nothing again", () => {
    const snapshot = snapshotOf(90_000_000, 1500, { input: "1", output: "2" });
    const used = { ...UNKNOWN_USAGE, input_tokens: 10, output_tokens: 100 };
    expect(costOf(snapshot, { ...used, reasoning_tokens: 80 }).costMicroRub).toBe(costOf(snapshot, used).costMicroRub);
  });

  test("a price left out of the document is unknown, never zero", () => {
    expect(modelPriceSchema.parse({ input: "1", output: "2" }).cache_read).toBeNull();
  });
});
