/** `GET /v1/requests/:id` over a request's whole life, past what its lane keeps. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeAll, expect, test } from "vitest";
import { expectError } from "./expect-error.ts";
import { type Account, newAccount, send, until } from "./gateway.ts";

let account: Account;
beforeAll(async () => {
  account = await newAccount(10_000_000);
});

/** Runs one completion and waits for D1 to have it. Gives its id. */
async function recorded(commands: string, stream: boolean): Promise<string> {
  const body = { model: `openai/gpt-5-mini${commands}`, stream, messages: [{ role: "user", content: "hi" }] };
  const id = (await send("/v1/chat/completions", { key: account.key, body })).headers.get("x-plyrum-request-id") ?? "";
  await until("D1 has it", async () => {
    await send("/admin/reconcile", { body: { account_id: account.id } });
    const found = await env.DB.prepare("SELECT 1 FROM usage WHERE request_id = ?").bind(id).first();
    return found === null ? null : true;
  });
  return id;
}

/** What the lane does when the retention of its requests has passed. */
async function forget(): Promise<void> {
  const stub = env.ACCOUNT.get(env.ACCOUNT.idFromName(account.id));
  await runInDurableObject(stub, (_instance, { storage }) => storage.sql.exec("DELETE FROM request").toArray());
}

test("a settled request is shown from its usage row when its lane no longer has it, with the same numbers", async () => {
  const id = await recorded("", true);
  const before = (await send(`/v1/requests/${id}`, { key: account.key })).json ?? {};
  await forget();
  const after = (await send(`/v1/requests/${id}`, { key: account.key })).json;
  expect(after).toEqual({ ...before, state: "recorded", plan: null, attempts: [], lifecycle: [] });
  expect(after).toMatchObject({ settlement: "settled", usage_source: "provider", usage: { cache_write_5m_tokens: null } });
});

test("a failed request that cost nothing is shown so too", async () => {
  const id = await recorded("@status=500", false);
  await forget();
  expect((await send(`/v1/requests/${id}`, { key: account.key })).json).toMatchObject({
    id,
    state: "failed",
    settlement: "released",
    usage: null,
    usage_source: null,
    cost_micro_rub: null,
    charged_micro_rub: 0,
    error: { code: "provider_error" },
  });
});

test("a stranger's key finds neither, before or after", async () => {
  const stranger = await newAccount(0);
  const id = await recorded("", false);
  expectError(await send(`/v1/requests/${id}`, { key: stranger.key }), 404, "request_not_found");
  await forget();
  expectError(await send(`/v1/requests/${id}`, { key: stranger.key }), 404, "request_not_found");
});

test.each([
  "x",
  "req_",
  "req_00000000000000000000000_0",
  "req_00000000000000000000000_zz",
  "req_00000000000000000000000_0'--",
  "%00",
  "x".repeat(2000),
])("an id that is none (%s) is a 404", async (id) => {
  expectError(await send(`/v1/requests/${id}`, { key: account.key }), 404, "request_not_found");
  expectError(await send(`/v1/requests/${id}/events`, { key: account.key }), 404, "request_not_found");
});

test.each(["-1", "1.5", "1e300", "NaN", "Infinity", "x"])("a Last-Event-ID of %s is no more than a beginning", async (last) => {
  const id = await recorded("", false);
  const sent = await send(`/v1/requests/${id}/events`, { key: account.key, headers: { "last-event-id": last } });
  expect([sent.status, /^id: 1$/m.test(sent.text)]).toEqual([200, true]);
});
