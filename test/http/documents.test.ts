/** `/admin/prices` and `/admin/config`: a document that is refused leaves the one before it in force, whole. */
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { expectError } from "./expect-error.ts";
import { newAccount, send } from "./gateway.ts";

const priced = {
  version: "test-1",
  fx: { micro_rub_per_usd: 90_000_000, source: "test", date: "2026-11-21" },
  markup_bps: 1500,
  models: { "openai/gpt-5-mini": { input: "0.25", output: "2", cache_read: "0.025", max_output_tokens: 4096 } },
};
const model = priced.models["openai/gpt-5-mini"];

async function stored(): Promise<unknown[]> {
  return (await env.DB.prepare("SELECT kind, number, body FROM document ORDER BY kind, number").all()).results;
}

describe("a price document", () => {
  beforeAll(async () => {
    await send("/admin/prices", { method: "PUT", body: priced });
  });

  const wrong: [what: string, body: unknown][] = [
    ["nothing", {}],
    ["null", null],
    ["an array", []],
    ["a text", '"prices"'],
    ["no version", { ...priced, version: undefined }],
    ["a price that is a number", { ...priced, models: { "openai/x": { ...model, input: 0.25 } } }],
    ["a price below zero", { ...priced, models: { "openai/x": { ...model, input: "-1" } } }],
    ["a price with an exponent", { ...priced, models: { "openai/x": { ...model, input: "1e-3" } } }],
    ["a price with seven decimals", { ...priced, models: { "openai/x": { ...model, output: "0.0000001" } } }],
    ["a price above every price", { ...priced, models: { "openai/x": { ...model, output: "10000.01" } } }],
    ["a price with a comma", { ...priced, models: { "openai/x": { ...model, output: "1,5" } } }],
    ["no output price", { ...priced, models: { "openai/x": { input: "1" } } }],
    ["a class nobody knows", { ...priced, models: { "openai/x": { ...model, smell: "1" } } }],
    ["two tiers at one length", { ...priced, models: { "openai/x": { ...model, above: [{ prompt_tokens: 5 }, { prompt_tokens: 5 }] } } }],
    ["an fx rate of zero", { ...priced, fx: { ...priced.fx, micro_rub_per_usd: 0 } }],
    ["an fx rate with a fraction", { ...priced, fx: { ...priced.fx, micro_rub_per_usd: 90.5 } }],
    ["a day that is none", { ...priced, fx: { ...priced.fx, date: "yesterday" } }],
    ["a markup below zero", { ...priced, markup_bps: -1 }],
    ["a key nobody knows", { ...priced, discount: 5 }],
  ];
  test.each(wrong)("with %s is a 400, and the one before it stays in force", async (_what, body) => {
    const before = await stored();
    expectError(
      await send("/admin/prices", { method: "PUT", body: typeof body === "string" ? body : JSON.stringify(body) }),
      400,
      "invalid_request",
    );
    expect(await stored()).toEqual(before);
    expect((await send("/admin/prices")).json).toMatchObject({ version: "test-1", models: { "openai/gpt-5-mini": { input: "0.25" } } });
  });

  test("that is no JSON is a 400 too", async () => {
    const before = await stored();
    expectError(await send("/admin/prices", { method: "PUT", body: "{prices" }), 400, "invalid_json");
    expect(await stored()).toEqual(before);
  });

  test("that is good is in force at once, and the one before it is kept", async () => {
    const next = { ...priced, version: "test-2", models: { "openai/gpt-5-mini": { ...model, input: "0.5" } } };
    expect((await send("/admin/prices", { method: "PUT", body: next })).json).toMatchObject({ version: "test-2" });
    expect((await send("/admin/prices")).json).toMatchObject({ version: "test-2", models: { "openai/gpt-5-mini": { input: "0.5" } } });
    const versions = z.array(z.looseObject({ kind: z.string(), body: z.string() })).parse(await stored());
    expect(versions.filter((row) => row.kind === "prices").map((row) => /"version":"(\S+?)"/.exec(row.body)?.[1])).toEqual([
      "test-1",
      "test-2",
    ]);
    await send("/admin/prices", { method: "PUT", body: priced });
  });

  test("prices a request that is under way by the document of its hold", async () => {
    const account = await newAccount(10_000_000);
    const ask = { model: "openai/gpt-5-mini@tokens=100,ttft=300", messages: [{ role: "user", content: "hi" }] };
    const running = send("/v1/chat/completions", { key: account.key, body: ask });
    await new Promise((resolve) => setTimeout(resolve, 100));
    await send("/admin/prices", {
      method: "PUT",
      body: { ...priced, version: "dear", models: { "openai/gpt-5-mini": { ...model, output: "2000" } } },
    });
    const first = await running;
    await send("/admin/prices", { method: "PUT", body: priced });
    const second = await send("/v1/chat/completions", { key: account.key, body: ask });
    expect(first.headers.get("x-plyrum-cost-micro-rub")).toBe(second.headers.get("x-plyrum-cost-micro-rub"));
    expect((await send(`/v1/requests/${first.headers.get("x-plyrum-request-id") ?? ""}`, { key: account.key })).json).toMatchObject({
      price_version: "test-1",
    });
  });
});

describe("a configuration", () => {
  const good = { version: "v1", model_aliases: { fast: { target: "openai/gpt-5-mini" } } };
  beforeAll(async () => {
    await send("/admin/config", { method: "PUT", body: good });
  });

  const wrong: [what: string, body: unknown][] = [
    ["null", null],
    ["an array", []],
    ["providers that are no list", { model_providers: {} }],
    ["a provider without a model", { model_providers: [{ access_key: "$X" }] }],
    ["an address that is none", { model_providers: [{ model: "acme/*", base_url: "not an address" }] }],
    ["an alias without a target", { model_aliases: { fast: {} } }],
    ["an alias to nothing", { model_aliases: { fast: { target: "" } } }],
    [
      "a hidden credential nobody gave",
      { model_providers: [{ model: "acme/*", base_url: "http://offline.test/v1", access_key: "(hidden)" }] },
    ],
  ];
  test.each(wrong)("with %s is a 400, and the one before it stays in force", async (_what, body) => {
    const before = await stored();
    expectError(await send("/admin/config", { method: "PUT", body: JSON.stringify(body) }), 400, "invalid_request");
    expect(await stored()).toEqual(before);
    expect((await send("/admin/config")).json).toEqual(good);
  });

  test("keeps a key that nothing acts on, names it in a warning, and warns of no other", async () => {
    const body = { ...good, model_fallbacks: {}, fx: { max_age_days: 3 }, telemetry: { level: 1 } };
    const put = await send("/admin/config", { method: "PUT", body });
    expect(put.json).toMatchObject({ warnings: ['"telemetry" is kept, but nothing acts on it yet'] });
    expect((await send("/admin/config")).json).toMatchObject({ telemetry: { level: 1 } });
    await send("/admin/config", { method: "PUT", body: good });
  });

  test("is listed with every earlier one, which can be read by its number and shows no credential", async () => {
    await send("/admin/config", { method: "PUT", body: { ...good, version: "v7", other: { api_key: "a-secret" } } });
    const put = await send("/admin/config", { method: "PUT", body: good });
    const { number } = z.looseObject({ number: z.number() }).parse(put.json);
    const page = await send("/admin/config/versions?limit=2");
    expect(page.json).toMatchObject({ versions: [{ number }, { number: number - 1 }], next_cursor: String(number - 1) });
    const earlier = await send(`/admin/config?number=${number - 1}`);
    expect(earlier.json).toMatchObject({ version: "v7", other: { api_key: "(hidden)" } });
    expectError(await send(`/admin/config?number=${number + 1}`), 404, "not_found");
  });

  test("may name a provider by Plano's older key, with further headers, and says of each of its keys why nothing acts on it", async () => {
    const provider = { model: "acme/*", provider_interface: "openai", base_url: "http://offline.test/v1", access_key: "$X" };
    const put = await send("/admin/config", {
      method: "PUT",
      body: { llm_providers: [{ ...provider, headers: { "User-Agent": "x" }, passthrough_auth: true }], listeners: [], tracing: { a: 1 } },
    });
    expect(put.json).toMatchObject({ config: { model_providers: [{ model: "acme/*" }] } });
    const { warnings } = z.looseObject({ warnings: z.array(z.string()) }).parse(put.json);
    expect(warnings.map((warning) => warning.split('"')[1]).toSorted()).toEqual([
      "listeners",
      "model_providers[].passthrough_auth",
      "tracing",
    ]);
    await send("/admin/config", { method: "PUT", body: good });
  });

  test.each(["Authorization", "x-api-key", "cookie", "x-goog-api-key", "content-length", "bad name"])(
    "takes no further header %j: it would be shown, or is not the operator's to write",
    async (name) => {
      const provider = { model: "acme/*", base_url: "http://offline.test/v1", headers: { [name]: "x" } };
      expectError(await send("/admin/config", { method: "PUT", body: { model_providers: [provider] } }), 400, "invalid_request");
    },
  );

  test("keeps a credential that is written out, and shows it to nobody", async () => {
    const secret = "written-out-credential";
    const provider = { model: "acme/*", provider_interface: "openai", base_url: "http://offline.test/v1", access_key: secret };
    const nested = { routing: { model: "x", access_key: secret }, other: [{ access_key: "$NAMED" }] };
    const put = await send("/admin/config", { method: "PUT", body: { ...good, ...nested, model_providers: [provider] } });
    const got = await send("/admin/config");
    for (const sent of [put, got]) {
      expect(sent.status).toBe(200);
      expect(sent.text).not.toContain(secret);
      expect(sent.text).toContain("(hidden)");
      expect(sent.text).toContain("$NAMED");
    }
    // Given back as it was shown, it still has its credential.
    expect((await send("/admin/config", { method: "PUT", body: { ...got.json, version: "v2" } })).status).toBe(200);
    const [last] = (await stored()).filter((row) => z.looseObject({ kind: z.string() }).parse(row).kind === "config").slice(-1);
    expect(z.looseObject({ body: z.string() }).parse(last).body).toContain(`"access_key":"${secret}"`);
  });
});
