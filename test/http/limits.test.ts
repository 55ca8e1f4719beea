/** Limits as an operator sets them and as a caller meets them, over HTTP: on keys, on accounts, and in the configuration. */
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { expectError } from "./expect-error.ts";
import { type Account, balanceOf, endings, newAccount, send, type Sent } from "./gateway.ts";

const MODEL = "openai/gpt-5-mini@tokens=5";

let account: Account;
beforeEach(async () => {
  account = await newAccount(1_000_000_000);
});

function ask(key: string, headers: Record<string, string> = {}, model = MODEL): Promise<Sent> {
  return send("/v1/chat/completions", { key, headers, body: { model, max_tokens: 10, messages: [{ role: "user", content: "hi" }] } });
}

async function statuses(count: number, key: string, headers: Record<string, string> = {}): Promise<number[]> {
  return (await Promise.all(Array.from({ length: count }, () => ask(key, headers)))).map(({ status }) => status).toSorted();
}

const patch = (path: string, body: unknown): Promise<Sent> => send(path, { method: "PATCH", body });
const patchKey = (limits: unknown, facts: object = {}): Promise<Sent> => patch(`/admin/keys/${account.keyId}`, { limits, ...facts });
const patchAccount = (body: unknown): Promise<Sent> => patch(`/admin/accounts/${account.id}`, body);

describe("PATCH /admin/keys/:id", () => {
  test("changes what it names, shows it, and is in force for the next request", async () => {
    expect(await statuses(3, account.key)).toEqual([200, 200, 200]);
    const changed = await patchKey(
      { requests_per_minute: 2, per_model: [{ model: "openai/*", tokens_per_minute: 1_000_000 }] },
      { name: "renamed" },
    );
    expect(changed.json).toMatchObject({
      key_id: account.keyId,
      name: "renamed",
      limits: { requests_per_minute: 2, parallel_requests: null },
    });
    expect((await send(`/admin/keys/${account.keyId}`)).json).toEqual(changed.json);
    expect((await send(`/admin/accounts/${account.id}`)).json).toMatchObject({
      keys: [{ name: "renamed", limits: { requests_per_minute: 2 } }],
    });
    expect(await statuses(5, account.key)).toEqual([200, 200, 429, 429, 429]);
    const refused = await ask(account.key);
    expectError(refused, 429, "rate_limited");
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(25);
    expect(Number(refused.headers.get("retry-after"))).toBeLessThanOrEqual(30);
    expect((await patchKey({ requests_per_minute: null })).json).toMatchObject({ limits: { requests_per_minute: null } });
    expect(await statuses(3, account.key)).toEqual([200, 200, 200]);
  });

  test("a refused request holds nothing and leaves no entry, and the free routes stay free", async () => {
    await patchKey({ requests_per_minute: 1 });
    expect(await statuses(6, account.key)).toEqual([200, 429, 429, 429, 429, 429]);
    expect((await balanceOf(account.id)).held).toBe(0);
    expect(await endings(account.id)).toHaveLength(1);
    for (const path of ["/v1/models", "/v1/balance", "/v1/usage"]) expect((await send(path, { key: account.key })).status).toBe(200);
  });

  const wrong: [what: string, body: unknown, param: string][] = [
    ["a limit below one", { limits: { requests_per_minute: 0 } }, "limits.requests_per_minute"],
    ["a limit that is a text", { limits: { tokens_per_minute: "5" } }, "limits.tokens_per_minute"],
    ["a fraction", { limits: { spend_micro_rub_per_day: 1.5 } }, "limits.spend_micro_rub_per_day"],
    ["a model rate without a model", { limits: { per_model: [{ requests_per_minute: 1 }] } }, "limits.per_model.0.model"],
  ];
  test.each(wrong)("with %s is a 400 that names the field, and changes nothing", async (_what, body, param) => {
    expectError(await patch(`/admin/keys/${account.keyId}`, body), 400, "invalid_request", param);
    expect((await send(`/admin/keys/${account.keyId}`)).json).toMatchObject({ name: "first", limits: { requests_per_minute: null } });
  });

  test("an unknown field is a 400, and a key nobody has is a 404", async () => {
    expectError(await patchKey({ requests_per_hour: 1 }), 400, "invalid_request");
    for (const id of ["key_demo_99999999", "nonsense", account.id]) {
      expectError(await patch(`/admin/keys/${id}`, { name: "x" }), 404, "not_found");
      expectError(await send(`/admin/keys/${id}`), 404, "not_found");
    }
  });
});

describe("PATCH /admin/accounts/:id", () => {
  test("limits all keys of the account together, and says whose limit it was", async () => {
    const second = (await send(`/admin/accounts/${account.id}/keys`, { body: { name: "second" } })).json;
    const changed = await patchAccount({ name: "new name", limits: { requests_per_minute: 3 }, low_balance_micro_rub: 5 });
    expect(changed.json).toMatchObject({ id: account.id, name: "new name", low_balance_micro_rub: 5, limits: { requests_per_minute: 3 } });
    expect((await send(`/admin/accounts/${account.id}`)).json).toEqual(changed.json);
    expect([...(await statuses(2, account.key)), ...(await statuses(3, String(second?.["key"])))]).toEqual([200, 200, 200, 429, 429]);
    expect((await ask(account.key)).text).toContain("The account's requests per minute are used up.");
    expect((await patchAccount({ low_balance_micro_rub: null })).json).toMatchObject({ low_balance_micro_rub: null, name: "new name" });
  });

  test("to models keeps every key to them", async () => {
    await patchAccount({ limits: { allowed_models: ["openai/gpt-5-nano"] } });
    expectError(await ask(account.key), 403, "forbidden", "model");
    expect((await ask(account.key, {}, "openai/gpt-5-nano")).status).toBe(200);
  });

  test("of nobody is a 404", async () => {
    expectError(await patch("/admin/accounts/acc_nobody00000", { name: "x" }), 404, "not_found");
  });
});

describe("ratelimits of the configuration", () => {
  afterAll(() => send("/admin/config", { method: "PUT", body: {} }));

  const rates = [
    { model: "openai/*", selector: { key: "x-user-id", value: "*" }, limit: { requests: 2, unit: "hour" } },
    { model: "openai/gpt-5-mini", selector: { key: "x-org-id", value: "acme" }, limit: { tokens: 100_000, requests: 3, unit: "day" } },
  ];

  test("count each value of a header for itself, a named value alone, and nobody without the header", async () => {
    expect((await send("/admin/config", { method: "PUT", body: { ratelimits: rates } })).json).toMatchObject({ warnings: [] });
    expect(await statuses(3, account.key, { "x-user-id": "1" })).toEqual([200, 200, 429]);
    expect(await statuses(3, account.key, { "X-User-Id": "2" })).toEqual([200, 200, 429]);
    expect(await statuses(4, account.key, { "x-org-id": "acme" })).toEqual([200, 200, 200, 429]);
    expect(await statuses(4, account.key, { "x-org-id": "other" })).toEqual([200, 200, 200, 200]);
    expect(await statuses(4, account.key)).toEqual([200, 200, 200, 200]);
    const refused = await ask(account.key, { "x-user-id": "1" });
    expectError(refused, 429, "rate_limited");
    expect(refused.text).toContain("2 requests per hour for openai/* with x-user-id: 1");
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(1700);
  });

  test("count every account for itself", async () => {
    await send("/admin/config", { method: "PUT", body: { ratelimits: rates } });
    const other = await newAccount(1_000_000_000);
    expect(await statuses(3, account.key, { "x-user-id": "1" })).toEqual([200, 200, 429]);
    expect(await statuses(3, other.key, { "x-user-id": "1" })).toEqual([200, 200, 429]);
  });

  test.each([
    ["neither tokens nor requests", { model: "*", limit: { unit: "hour" } }],
    ["a unit nobody knows", { model: "*", limit: { tokens: 1, unit: "fortnight" } }],
    ["a header that is none", { model: "*", selector: { key: "x user", value: "*" }, limit: { tokens: 1, unit: "hour" } }],
  ])("with %s is a 400", async (_what, rate) => {
    expectError(await send("/admin/config", { method: "PUT", body: { ratelimits: [rate] } }), 400, "invalid_request");
  });
});
