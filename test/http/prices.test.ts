/** Prices and exchange rates as dated snapshots: kept, listed, imported, and past requests rated again by them on paper. */
import { env } from "cloudflare:workers";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { refreshRate } from "../../workers/http/admin/exchange-rate.ts";
import { expectError } from "./expect-error.ts";
import { newAccount, send, until } from "./gateway.ts";

const model = { input: "0.25", output: "2", max_output_tokens: 4096 };
function prices(version: string, output = "2"): Record<string, unknown> {
  return {
    version,
    fx: { micro_rub_per_usd: 90_000_000, source: "test", date: "2026-11-01" },
    markup_bps: 1500,
    models: { "openai/gpt-5-mini": { ...model, output } },
  };
}
const put = (body: unknown): ReturnType<typeof send> => send("/admin/prices", { method: "PUT", body });

function xml(date: string, value: string, nominal = "1"): string {
  return `<?xml version="1.0" encoding="windows-1251"?><ValCurs Date="${date}" name="m"><Valute ID="R01235"><CharCode>USD</CharCode><Nominal>${nominal}</Nominal><Value>${value}</Value></Valute></ValCurs>`;
}
const importXml = (body: string, query = ""): ReturnType<typeof send> =>
  send(`/admin/fx/import${query}`, { method: "POST", body, headers: { "content-type": "application/xml; charset=windows-1251" } });

const versionsSchema = z.object({
  versions: z.array(z.looseObject({ number: z.number(), version: z.string() })),
  next_cursor: z.string().nullable(),
});
async function versions(query = ""): Promise<z.infer<typeof versionsSchema>> {
  return versionsSchema.parse((await send(`/admin/prices/versions${query}`)).json);
}

describe("versions of the prices", () => {
  test("are all kept, listed and shown by number or name, and the catalogue before them is number 0", async () => {
    await put(prices("one"));
    await put(prices("two", "4"));
    const all = await versions();
    expect(all.versions.map(({ number, version }) => [number, version])).toMatchObject([
      [2, "two"],
      [1, "one"],
      [0, expect.any(String)],
    ]);
    expect(all.versions[0]).toMatchObject({ fx_micro_rub_per_usd: 90_000_000, fx_date: "2026-11-01", markup_bps: 1500, models: 1 });
    expect((await send("/admin/prices?version=one")).json).toMatchObject({
      version: "one",
      models: { "openai/gpt-5-mini": { output: "2" } },
    });
    expect((await send("/admin/prices?number=2")).json).toMatchObject({ version: "two", models: { "openai/gpt-5-mini": { output: "4" } } });
    expect((await send("/admin/prices?number=0")).json).toMatchObject({ version: all.versions[2]?.version });
    expect((await send(`/admin/prices?version=${all.versions[2]?.version}`)).json).toMatchObject({ version: all.versions[2]?.version });
    expectError(await send("/admin/prices?version=three"), 404, "not_found", "version");
    expectError(await send("/admin/prices?number=99"), 404, "not_found", "version");
    expectError(await send("/admin/prices?number=x"), 400, "invalid_request", "number");
  });

  test("come in pages", async () => {
    const first = await versions("?limit=1");
    expect(first.versions).toHaveLength(1);
    const second = await versions(`?limit=1&cursor=${first.next_cursor}`);
    expect(second.versions[0]?.number).toBe((first.versions[0]?.number ?? 0) - 1);
  });
});

describe("an exchange rate", () => {
  beforeAll(() => put(prices("base")));
  afterEach(() => send("/admin/config", { method: "PUT", body: {} }));

  test("is imported once, as a version of its own with its date, its source and its figures", async () => {
    const imported = await importXml(xml("20.11.2026", "8123,4567", "100"));
    expect(imported.json).toMatchObject({
      state: "imported",
      prices_version: "base+fx.2026-11-20.81234567",
      rate: { date: "2026-11-20", nominal: "100", value: "8123,4567", micro_rub_per_usd: 81_234_567, exact: true },
      warnings: [],
    });
    expect((await send("/admin/prices")).json).toMatchObject({
      version: "base+fx.2026-11-20.81234567",
      fx: { micro_rub_per_usd: 81_234_567, date: "2026-11-20" },
      models: { "openai/gpt-5-mini": { input: "0.25" } },
    });
    const before = await versions();
    expect((await importXml(xml("20.11.2026", "8123,4567", "100"))).json).toMatchObject({ state: "unchanged" });
    expect(await versions()).toEqual(before);
  });

  test("that is older than the one in force is refused, unless it is wanted", async () => {
    expectError(await importXml(xml("19.11.2026", "80,0000")), 409, "invalid_transition");
    expect((await importXml(xml("19.11.2026", "80,0000"), "?allow_older=true")).json).toMatchObject({ state: "imported" });
  });

  test("that moved by more than a tenth is imported with a warning", async () => {
    const moved = await importXml(xml("21.11.2026", "160,0000"));
    expect(moved.json).toMatchObject({ state: "imported", warnings: [expect.stringContaining("10000 basis points")] });
    const corrected = await importXml(xml("21.11.2026", "81,2345"));
    expect(corrected.json).toMatchObject({ state: "imported", rate: { date: "2026-11-21", micro_rub_per_usd: 81_234_500 } });
    const names = (await versions()).versions.map(({ version }) => version);
    expect(new Set(names.filter((name) => name.startsWith("base+fx."))).size).toBe(
      names.filter((name) => name.startsWith("base+fx.")).length,
    );
  });

  test.each([
    ["no rates", "<html></html>", "ValCurs.Date"],
    ["a value in words", xml("22.11.2026", "eighty"), "Valute.Value"],
  ])("from a document with %s is a 400, and the one before it stays in force", async (_what, body, param) => {
    const before = await versions();
    expectError(await importXml(body), 400, "invalid_request", param);
    expect(await versions()).toEqual(before);
  });

  test("without a body is fetched from the configured address, by hand and by the cron job", async () => {
    expectError(await send("/admin/fx/import", { method: "POST" }), 400, "invalid_request", "fx.url");
    await send("/admin/config", { method: "PUT", body: { fx: { url: "https://bank.test/XML_daily.asp" } } });
    let answer = (): Response => new Response("no", { status: 503 });
    const bank = { fetch: async () => answer() } as unknown as Fetcher;
    const before = await versions();
    await refreshRate({ ...env, UPSTREAM: bank }, Date.UTC(2026, 10, 22));
    expect(await versions()).toEqual(before);
    answer = () => new Response(xml("22.11.2026", "82,0000"));
    await refreshRate({ ...env, UPSTREAM: bank }, Date.UTC(2026, 10, 22));
    await refreshRate({ ...env, UPSTREAM: bank }, Date.UTC(2026, 10, 22));
    expect((await send("/admin/prices")).json).toMatchObject({
      fx: { micro_rub_per_usd: 82_000_000, source: expect.stringContaining("bank.test") },
    });
    expect((await versions()).versions).toHaveLength(before.versions.length + 1);
  });

  test("that is stale is a gauge and, where the configuration says so, refuses requests until a newer one comes", async () => {
    const account = await newAccount(10_000_000);
    const ask = { key: account.key, body: { model: "openai/gpt-5-mini", messages: [{ role: "user", content: "hi" }] } };
    await put({ ...prices("old"), fx: { micro_rub_per_usd: 90_000_000, source: "test", date: "2020-01-01" } });
    expect((await send("/admin/fx")).json).toMatchObject({ stale: true, date: "2020-01-01", policy: { max_age_days: 14, stale: "warn" } });
    expect((await send("/v1/chat/completions", ask)).status).toBe(200);
    await send("/admin/config", { method: "PUT", body: { fx: { stale: "refuse", max_age_days: 3 } } });
    expectError(await send("/v1/chat/completions", ask), 503, "overloaded");
    const metrics = await until("the metrics", async () => {
      const { text } = await send("/metrics");
      return /^plyrum_fx_stale 1$/m.test(text) ? text : null;
    });
    expect(metrics).toMatch(/^plyrum_fx_age_days \d{4,}$/m);
    const today = new Date(Date.now()).toISOString().slice(0, 10).split("-").toReversed().join(".");
    await importXml(xml(today, "90,0000"));
    expect((await send("/v1/chat/completions", ask)).status).toBe(200);
  });
});

describe("rating again", () => {
  test("says what past requests would have cost by other prices, and changes nothing", async () => {
    await put(prices("rate-1"));
    const account = await newAccount(10_000_000);
    const body = { model: "openai/gpt-5-mini", messages: [{ role: "user", content: "hi" }] };
    for (let time = 0; time < 2; time++) await send("/v1/chat/completions", { key: account.key, body });
    const usage = async (): Promise<unknown> => (await send("/v1/usage", { key: account.key })).json;
    const rows = await until("the rows", async () => {
      const found = z.looseObject({ rows: z.array(z.looseObject({ cost_micro_rub: z.number() })) }).parse(await usage()).rows;
      return found.length === 2 ? found : null;
    });
    const before = await usage();
    const old = rows.reduce((sum, row) => sum + row.cost_micro_rub, 0);
    const order = { from: "2020-01-01", to: "2099-01-01", account_id: account.id };
    const same = await send("/admin/rerate", { body: { ...order, prices: { version: "rate-1" } } });
    expect(same.json).toMatchObject({
      prices_version: "rate-1",
      rows: 2,
      totals: { requests: 2, old_cost_micro_rub: old, new_cost_micro_rub: old, difference_micro_rub: 0, unpriced_requests: 0 },
      groups: [{ account_id: account.id, model: "openai/gpt-5-mini", requests: 2 }],
      next_cursor: null,
    });
    const free = { ...prices("free"), models: { "openai/gpt-5-mini": { ...model, input: "0", output: "0" } } };
    const dearer = await send("/admin/rerate", { body: { ...order, prices: { document: free } } });
    expect(dearer.json).toMatchObject({ totals: { old_cost_micro_rub: old, new_cost_micro_rub: 0, difference_micro_rub: -old } });
    const other = { ...prices("other"), models: { "else/*": model } };
    expect((await send("/admin/rerate", { body: { ...order, prices: { document: other } } })).json).toMatchObject({
      totals: { requests: 0, new_cost_micro_rub: 0, unpriced_requests: 2, unpriced_old_cost_micro_rub: old },
    });
    const everybody = await send("/admin/rerate", { body: { from: order.from, to: order.to, prices: { number: 1 } } });
    expect(z.looseObject({ rows: z.number() }).parse(everybody.json).rows).toBeGreaterThanOrEqual(2);
    expect(await usage()).toEqual(before);
  });

  test.each([
    ["no range", { prices: { number: 0 } }, null],
    ["no prices", { from: "2026-01-01", to: "2026-01-02" }, "prices"],
    ["a day that is none", { from: "2026-02-30", to: "2026-03-01", prices: { number: 0 } }, "from"],
    ["a document that is wrong", { from: "2026-01-01", to: "2026-01-02", prices: { document: {} } }, "prices.document.version"],
    ["a cursor that is none", { from: "2026-01-01", to: "2026-01-02", prices: { number: 0 }, cursor: "x" }, "cursor"],
  ])("with %s is a 400", async (_what, body, param) => {
    expectError(await send("/admin/rerate", { body }), 400, "invalid_request", param ?? undefined);
  });

  test("by a version nobody stored is a 404", async () => {
    expectError(
      await send("/admin/rerate", { body: { from: "2026-01-01", to: "2026-01-02", prices: { version: "nope" } } }),
      404,
      "not_found",
    );
  });
});
