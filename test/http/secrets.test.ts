/** No secret of the deployment is in any answer: not in a page, a header, an error, a metric, a request's view or an event. */
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { type Account, newAccount, send, type SendInit, type Sent } from "./gateway.ts";

const CREDENTIAL = String(Reflect.get(env, "OPENAI_API_KEY"));
const WRITTEN = "written-out-credential";
const SECRETS = { key_secret: env.PLYRUM_KEY_SECRET, admin_key: env.PLYRUM_ADMIN_KEY, provider: CREDENTIAL, written: WRITTEN };

let account: Account;
const CONFIG = { model_providers: [{ model: "acme/*", base_url: "http://offline.test/v1", access_key: WRITTEN }] };

beforeAll(async () => {
  account = await newAccount(10_000_000);
  await send("/admin/config", { method: "PUT", body: CONFIG });
});

function expectNoSecret(sent: Sent): void {
  const all = `${[...sent.headers].join("\n")}\n${sent.text}`;
  const found = Object.entries(SECRETS).flatMap(([name, secret]) => (all.includes(secret) ? [name] : []));
  expect(found).toEqual([]);
}

const descriptionSchema = z.object({ paths: z.record(z.string(), z.record(z.string(), z.unknown())) });

/** Every operation of the description, with a path that leads somewhere. */
async function operations(): Promise<{ method: string; path: string }[]> {
  const { paths } = descriptionSchema.parse((await send("/openapi.json", { key: null })).json);
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => ({ method: method.toUpperCase(), path: path.replace("{id}", account.id) })),
  );
}

test("the secrets looked for are not empty", () => {
  expect(Object.values(SECRETS).every((secret) => secret.length > 10)).toBe(true);
});

test("every operation of the description answers without one, to everybody, whatever it is sent", async () => {
  const all = await operations();
  expect(all.length).toBeGreaterThan(25);
  const bodies = [undefined, "{", "[]", "{}", '{"model":"openai/gpt-5-mini","messages":[{"role":"user","content":"hi"}]}', '{"name":7}'];
  for (const { method, path } of all) {
    for (const body of method === "GET" || method === "DELETE" ? [undefined] : bodies) {
      for (const key of [null, account.key, undefined]) {
        const init: SendInit = { method, ...(body === undefined ? {} : { body }), ...(key === undefined ? {} : { key }) };
        expectNoSecret(await send(path, init));
      }
    }
  }
});

test.each(["/metrics", "/openapi.json", "/docs", "/healthz", "/", "/nothing", "/admin", "/v1/../admin/config", "/.dev.vars", "/.env"])(
  "%s has none",
  async (path) => {
    expectNoSecret(await send(path, { key: null }));
    expectNoSecret(await send(path));
  },
);

describe("a completion", () => {
  const ask = (commands: string, stream: boolean, model = "openai/gpt-5-mini"): unknown => ({
    model: `${model}${commands === "" ? "" : `@${commands}`}`,
    stream,
    messages: [{ role: "user", content: "hi" }],
  });
  const faults = [
    "",
    "status=401",
    "status=403",
    "status=400",
    "status=429",
    "status=500",
    "html",
    "garbage",
    "error200",
    "refuse",
    "error_at=1",
    "cut=2",
  ];

  test.each(faults)("that goes like %j shows none: in its answer, its view, its events, the usage", async (fault) => {
    for (const stream of [true, false]) {
      const sent = await send("/v1/chat/completions", { key: account.key, body: ask(fault, stream) });
      expectNoSecret(sent);
      const id = sent.headers.get("x-plyrum-request-id") ?? "";
      for (const path of [`/v1/requests/${id}`, `/v1/requests/${id}/events`, "/v1/requests", "/v1/usage", "/v1/usage/export?format=jsonl"])
        expectNoSecret(await send(path, { key: account.key }));
    }
  });

  test("at a provider of the configuration shows none either", async () => {
    await send("/admin/config", { method: "PUT", body: CONFIG });
    await send("/admin/prices", {
      method: "PUT",
      body: {
        version: "acme",
        fx: { micro_rub_per_usd: 90_000_000, source: "test", date: "2026-11-21" },
        markup_bps: 0,
        models: { "acme/*": { input: "1", output: "1", max_output_tokens: 100 } },
      },
    });
    const sent = await send("/v1/chat/completions", { key: account.key, body: ask("", false, "acme/one") });
    expect(sent.status).toBe(200);
    expectNoSecret(sent);
    expectNoSecret(await send(`/v1/requests/${sent.headers.get("x-plyrum-request-id") ?? ""}`, { key: account.key }));
    expectNoSecret(await send(`/admin/accounts/${account.id}/ledger`));
  });

  test("leaves none in a stored row", async () => {
    const tables = await env.DB.prepare(
      "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf%' ESCAPE '\\' AND name <> 'document'",
    ).all<{ name: string }>();
    for (const { name } of tables.results) {
      const { results } = await env.DB.prepare(`SELECT * FROM ${name}`).all();
      const text = JSON.stringify(results);
      expect([name, ...Object.values(SECRETS).filter((secret) => text.includes(secret))]).toEqual([name]);
      expect(text).not.toContain(account.key);
    }
  });
});
