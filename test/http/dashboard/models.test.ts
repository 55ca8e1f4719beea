/** Models with their prices in roubles, and the simulator: the same numbers as a charge has, to the last micro-rouble. */
import { beforeAll, describe, expect, test } from "vitest";
import { priceDocumentSchema } from "../../../schema/price.ts";
import { costOf } from "../../../workers/cost/cost.ts";
import { priceSnapshot } from "../../../workers/cost/price.ts";
import { send } from "../gateway.ts";
import { type Insider, newOwner } from "./browser.ts";

let owner: Insider;
beforeAll(async () => {
  owner = await newOwner();
});

async function page(query: string): Promise<string> {
  const seen = await owner.browser.get(`/app/${owner.organisation}/models${query}`);
  expect(seen.status).toBe(200);
  return seen.html;
}

function slugs(html: string): string[] {
  return [...html.matchAll(/<div class="mono breaks">([^<]+)<\/div>/g)].map((match) => match[1] ?? "");
}

describe("the list of models", () => {
  test("has a price per million tokens after exchange rate and markup, exactly", async () => {
    await send("/admin/prices", {
      method: "PUT",
      body: {
        version: "test",
        fx: { micro_rub_per_usd: 91_234_567, source: "test", date: "2026-11-21" },
        markup_bps: 1_234,
        models: {
          "openai/gpt-5": { input: "1.25", output: "10", cache_read: "0.125", max_output_tokens: 1000 },
          "openai/gpt-5-mini": { input: "0.25", output: "2" },
          "openai/gpt-4.1": { input: "0.000001", output: "8" },
        },
      },
    });
    const html = await page("?q=gpt-5&order=input");
    expect(slugs(html)).toEqual(["openai/gpt-5-mini", "openai/gpt-5"]);
    // 1.25 · 91.234567 · 1.1234 = 128.1161407…, rounded up at the sixth decimal.
    expect(html).toContain("₽128.116141");
    expect(html).toContain("₽12.811615");
    expect(await page("?q=4.1")).toContain("₽0.000103");
  });

  test("is narrowed by every word, by provider and by what a model can do; what makes no sense counts as left out", async () => {
    expect(slugs(await page("?q=mini+5&order=nonsense&page=-3"))).toEqual(["openai/gpt-5-mini"]);
    expect(slugs(await page("?provider=nobody"))).toEqual([]);
    expect(slugs(await page("?can=embeddings"))).toEqual([]);
    expect(slugs(await page("?can=tools&order=output"))).toEqual(["openai/gpt-5-mini", "openai/gpt-4.1", "openai/gpt-5"]);
    expect(await page("?q=%3Cscript%3E")).toContain("No model fits");
  });

  test("says how a provider does once it was asked", async () => {
    expect(await page("?q=mini")).not.toContain(">well<");
    const created = (await send(`/admin/accounts/${owner.accountId}/keys`, { body: { name: "k" } })).json;
    await send(`/admin/accounts/${owner.accountId}/credits`, { body: { amount_micro_rub: 1_000_000_000, reference: "r" } });
    const body = { model: "openai/gpt-5-mini", stream: true, messages: [{ role: "user", content: "Hello" }] };
    expect((await send("/v1/chat/completions", { body, key: String(created?.["key"]) })).status).toBe(200);
    expect(await page("?q=mini")).toContain(">well<");
  });
});

describe("the simulator", () => {
  test("gives what a charge of the same usage would be, with every number of its formula", async () => {
    const document = priceDocumentSchema.parse((await send("/admin/prices")).json);
    const snapshot = priceSnapshot(document, "openai/gpt-5");
    if (snapshot === null) throw new Error("the model has a price");
    const usage = {
      input_tokens: 12_345,
      cache_read_tokens: 678,
      cache_write_5m_tokens: 0,
      cache_write_1h_tokens: null,
      output_tokens: 901,
      reasoning_tokens: null,
    };
    const cost = costOf(snapshot, usage).costMicroRub;
    const html = await page("/cost?model=openai/gpt-5&input=12345&cached=678&output=901&count=7");
    const formula = /<p class="mono breaks formula" data-formula[^>]*>([^<]+)</.exec(html)?.[1] ?? "";
    expect(formula).toBe(`⌈ (12345 × 1250000 + 678 × 125000 + 901 × 10000000) × 91234567 × 11234 ÷ 10¹⁶ ⌉ = ${cost} µ₽`);
    const said = (12_345n * 1_250_000n + 678n * 125_000n + 901n * 10_000_000n) * 91_234_567n * 11_234n;
    expect(cost).toBe(said / 10n ** 16n + 1n);
    expect(html).toContain(`${new Intl.NumberFormat("en-GB").format(cost * 7n)} µ₽`);
  });

  test("lists the cheapest models for the same usage, and refuses one that is not there", async () => {
    expect(await page("/cost?model=openai/gpt-5")).toMatch(/The same on other models[\s\S]*gpt-5-mini[\s\S]*gpt-4\.1[\s\S]*gpt-5</);
    expect(await page("/cost?model=openai/none&input=abc&count=-1")).toContain("There is no such model here");
  });
});
