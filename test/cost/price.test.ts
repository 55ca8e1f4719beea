/** The price document as administrators write it: what is accepted, which key prices a model, and exactness. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { PriceDocument } from "../../schema/price.ts";
import { parsePriceDocument, picoUsdPerToken, priceSnapshot } from "../../workers/cost/price.ts";

const fx = { micro_rub_per_usd: 90_000_000, source: "test", date: "2026-11-21" };

function document(models: Record<string, unknown>): PriceDocument {
  const parsed = parsePriceDocument({ version: "2026-11-21", fx, markup_bps: 1500, models });
  if (!parsed.ok) throw new Error(`${parsed.path}: ${parsed.message}`);
  return parsed.value;
}

describe("price document", () => {
  test("the contract's own example is accepted as it stands", () => {
    const example = document({
      "openai/gpt-5": {
        input: "1.25",
        cache_read: "0.125",
        cache_write_5m: null,
        cache_write_1h: null,
        output: "10",
        request: "0",
        context_tokens: 400_000,
        max_output_tokens: 128_000,
        above: [{ prompt_tokens: 200_000, input: "2.5", output: "15" }],
      },
      "openai/*": { input: "1", output: "2", cache_read: "0.1", max_output_tokens: 4096 },
    });
    expect(priceSnapshot(example, "openai/gpt-5")?.prices.input).toBe("1250000");
    expect(priceSnapshot(example, "openai/gpt-5")?.tiers[0]?.prices).toEqual({
      input: "2500000",
      cache_read: "125000",
      cache_write_5m: null,
      cache_write_1h: null,
      output: "15000000",
    });
    expect(priceSnapshot(example, "openai/anything")?.price_key).toBe("openai/*");
  });

  test.each(["1e3", "-1", "+1", "1.", ".5", "1,5", "0x10", " 1", "", "1.0000001", "10001", "NaN", "١"])(
    "the price %j is refused",
    (price) => {
      const parsed = parsePriceDocument({ version: "1", fx, markup_bps: 0, models: { m: { input: price, output: "1" } } });
      expect(parsed).toMatchObject({ ok: false, path: "models.m.input" });
    },
  );

  test.each([
    ["a number for a price", { input: 1.25, output: "1" }],
    ["a key nobody knows", { input: "1", output: "1", inptu: "1" }],
    ["no output price", { input: "1" }],
    [
      "two tiers at one length",
      {
        input: "1",
        output: "1",
        above: [
          { prompt_tokens: 5, input: "2" },
          { prompt_tokens: 5, input: "3" },
        ],
      },
    ],
  ])("%s is refused", (_name, price) => {
    expect(parsePriceDocument({ version: "1", fx, markup_bps: 0, models: { m: price } }).ok).toBe(false);
  });

  test("decimal text becomes an integer without passing through a float", () => {
    expect(picoUsdPerToken("0.000003")).toBe(3n);
    expect(picoUsdPerToken("2.00")).toBe(2_000_000n);
    expect(picoUsdPerToken("9007.199255")).toBe(9_007_199_255n);
    expect(() => picoUsdPerToken("0.0000001")).toThrow(RangeError);
  });

  test("the exact slug wins over any glob, then the longest glob, then none", () => {
    const prices = { input: "1", output: "1" };
    const models = document({ "a/b": prices, "a/*": prices, "a/b*": prices, "*": prices });
    expect(priceSnapshot(models, "a/b")?.price_key).toBe("a/b");
    expect(priceSnapshot(models, "a/bc")?.price_key).toBe("a/b*");
    expect(priceSnapshot(models, "a/c/d")?.price_key).toBe("a/*");
    expect(priceSnapshot(models, "z")?.price_key).toBe("*");
    expect(priceSnapshot(document({ "a/*": prices }), "b/c")).toBeNull();
  });

  test("names from the prototype price nothing", () => {
    expect(priceSnapshot(document({ "a/b": { input: "1", output: "1" } }), "constructor")).toBeNull();
    expect(priceSnapshot(document({ "a/b": { input: "1", output: "1" } }), "__proto__")).toBeNull();
  });

  test("tiers given in any order are used in rising order", () => {
    const models = document({
      m: {
        input: "1",
        output: "1",
        above: [
          { prompt_tokens: 500, input: "3" },
          { prompt_tokens: 100, input: "2" },
        ],
      },
    });
    expect(priceSnapshot(models, "m")?.tiers.map((tier) => [tier.above_prompt_tokens, tier.prices.input])).toEqual([
      [100, "2000000"],
      [500, "3000000"],
    ]);
  });

  test("the default catalogue is valid, has globs for free servers only and prices the models the documentation uses", () => {
    const text = readFileSync(join(import.meta.dirname, "../../workers/cost/catalogue.json"), "utf8");
    const parsed = parsePriceDocument(JSON.parse(text));
    if (!parsed.ok) throw new Error(`${parsed.path}: ${parsed.message}`);
    for (const [key, price] of Object.entries(parsed.value.models)) {
      if (key.includes("*")) expect([key, price.input, price.output, price.request]).toEqual([key, "0", "0", "0"]);
    }
    for (const slug of [
      "openai/gpt-5",
      "openai/gpt-5-mini",
      "anthropic/claude-sonnet-4-5",
      "anthropic/claude-haiku-4-5",
      "groq/llama-3.3-70b-versatile",
      "mistral/mistral-small-latest",
      "deepseek/deepseek-chat",
      "deepseek/deepseek-reasoner",
      "xai/grok-4",
      "openrouter/openai/gpt-5-mini",
    ]) {
      expect(priceSnapshot(parsed.value, slug), slug).not.toBeNull();
    }
    expect(priceSnapshot(parsed.value, "openai/some-new-model")).toBeNull();
  });
});
