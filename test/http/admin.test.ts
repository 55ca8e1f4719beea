/** `/admin/*` as an auditor tries it: who may, with what bodies, and that a refusal changes nothing. */
import { beforeAll, describe, expect, test } from "vitest";
import { LIMITS } from "../../schema/limits.ts";
import { expectError } from "./expect-error.ts";
import { type Account, ADMIN_KEY, balanceOf, endings, newAccount, send, type SendInit } from "./gateway.ts";

let account: Account;
beforeAll(async () => {
  account = await newAccount(1_000_000);
});

const CALLS: [method: string, path: string, body?: unknown][] = [
  ["POST", "/admin/accounts", { name: "x" }],
  ["GET", "/admin/accounts"],
  ["GET", "/admin/accounts/demo"],
  ["POST", "/admin/accounts/demo/keys", { name: "x" }],
  ["DELETE", "/admin/keys/key_demo_00000000"],
  ["GET", "/admin/keys/key_demo_00000000"],
  ["PATCH", "/admin/keys/key_demo_00000000", { name: "x" }],
  ["PATCH", "/admin/accounts/demo", { name: "x" }],
  ["POST", "/admin/accounts/demo/webhooks", { url: "https://hooks.shop-of-somebody.com/in", events: ["balance.low"] }],
  ["GET", "/admin/accounts/demo/webhooks"],
  ["PATCH", "/admin/webhooks/wh_x", { enabled: true }],
  ["DELETE", "/admin/webhooks/wh_x"],
  ["GET", "/admin/webhooks/wh_x/deliveries"],
  ["POST", "/admin/webhooks/wh_x/replay", {}],
  ["POST", "/admin/accounts/demo/credits", { amount_micro_rub: 1, reference: "x" }],
  ["GET", "/admin/accounts/demo/ledger"],
  ["POST", "/admin/reconcile", {}],
  ["GET", "/admin/config"],
  ["PUT", "/admin/config", {}],
  ["GET", "/admin/prices"],
  ["PUT", "/admin/prices", {}],
  ["GET", "/admin/prices/versions"],
  ["GET", "/admin/fx"],
  ["POST", "/admin/fx/import", "<ValCurs/>"],
  ["POST", "/admin/rerate", {}],
  ["GET", "/admin/report/facts"],
  ["POST", "/admin/archive", {}],
  ["GET", "/admin/shards"],
  ["PUT", "/admin/shards", { rules: [] }],
  ["GET", "/admin/dead-letters"],
  ["POST", "/admin/dead-letters/replay"],
  ["POST", "/admin/demo"],
  ["GET", "/admin/nothing-here"],
];

describe.each(CALLS)("%s %s", (method, path, body) => {
  const init = (facts: SendInit): SendInit => ({ method, ...(body === undefined ? {} : { body }), ...facts });

  test("without a key, with a wrong one, or with one of another shape is a 401", async () => {
    for (const key of [null, "", "wrong", `${ADMIN_KEY}x`, ADMIN_KEY.slice(0, -1), "ply_live_forged", "null"])
      expectError(await send(path, init({ key })), 401, "invalid_api_key");
  });

  test("with a client's key is a 403, wherever the key is put", async () => {
    expectError(await send(path, init({ key: account.key })), 403, "forbidden");
    for (const header of ["x-api-key", "x-goog-api-key"])
      expectError(await send(path, init({ key: null, headers: { [header]: account.key } })), 403, "forbidden");
    expectError(await send(`${path}?key=${account.key}`, init({ key: null })), 403, "forbidden");
  });
});

test("the admin key works nowhere but on /admin", async () => {
  for (const path of ["/v1/balance", "/v1/usage", "/v1/requests", "/v1/models"]) expectError(await send(path), 401, "invalid_api_key");
  expectError(await send("/v1/chat/completions", { body: { model: "x", messages: [] } }), 401, "invalid_api_key");
});

describe("a credit", () => {
  const path = (id = account.id): string => `/admin/accounts/${id}/credits`;

  const amounts: [what: string, text: string][] = [
    ["a fraction", "1.5"],
    ["a small fraction", "0.000001"],
    ["below zero", "-1"],
    ["zero", "0"],
    ["minus zero", "-0"],
    ["2^53", "9007199254740992"],
    ["2^53 + 1, which no number holds", "9007199254740993"],
    ["far beyond", "1e300"],
    ["beyond every number", "1e999"],
    ["a text", '"100"'],
    ["null", "null"],
    ["true", "true"],
    ["an array", "[100]"],
    ["an object", '{"amount":100}'],
  ];
  test.each(amounts)("of %s is a 400 that names the field, and changes nothing", async (_what, text) => {
    const sent = await send(path(), { body: `{"amount_micro_rub":${text},"reference":"wrong"}` });
    expectError(sent, 400, "invalid_request", "amount_micro_rub");
    expect(await balanceOf(account.id)).toEqual({ balance: 1_000_000, held: 0 });
  });

  const bodies: [what: string, body: string, code: string][] = [
    ["no amount", '{"reference":"x"}', "invalid_request"],
    ["no reference", '{"amount_micro_rub":1}', "invalid_request"],
    ["an empty reference", '{"amount_micro_rub":1,"reference":""}', "invalid_request"],
    ["a reference of 257 characters", JSON.stringify({ amount_micro_rub: 1, reference: "x".repeat(257) }), "invalid_request"],
    ["a field nobody knows", '{"amount_micro_rub":1,"reference":"x","currency":"USD"}', "invalid_request"],
    ["an array", "[]", "invalid_request"],
    ["no body", "", "invalid_json"],
    ["half a body", '{"amount_micro_rub":1,', "invalid_json"],
    ["a nest of 5,000 brackets", `${"[".repeat(5000)}${"]".repeat(5000)}`, "invalid_json"],
    ["NaN", '{"amount_micro_rub":NaN,"reference":"x"}', "invalid_json"],
  ];
  test.each(bodies)("with %s is a 400 and changes nothing", async (_what, body, code) => {
    expectError(await send(path(), { method: "POST", body }), 400, code);
    expect(await balanceOf(account.id)).toEqual({ balance: 1_000_000, held: 0 });
  });

  test("larger than an admin's body may be is a 413, declared or not", async () => {
    const body = JSON.stringify({ amount_micro_rub: 1, reference: "x", padding: "x".repeat(LIMITS.adminBodyBytes) });
    expectError(await send(path(), { body }), 413, "request_too_large");
    expectError(await send("/admin/prices", { method: "PUT", body }), 413, "request_too_large");
    expectError(await send("/admin/config", { method: "PUT", body }), 413, "request_too_large");
  });

  test.each(["application/xml", "multipart/form-data; boundary=x", "text/html", "application/octet-stream", "image/png"])(
    "as %s is a 415",
    async (type) => {
      const headers = { "content-type": type };
      const body = { amount_micro_rub: 1, reference: "typed" };
      expectError(await send(path(), { body, headers }), 415, "unsupported_media_type");
      expectError(await send("/admin/accounts", { body: { name: "x" }, headers }), 415, "unsupported_media_type");
      expectError(await send("/admin/prices", { method: "PUT", body: {}, headers }), 415, "unsupported_media_type");
      expect(await balanceOf(account.id)).toEqual({ balance: 1_000_000, held: 0 });
    },
  );

  test("counts once for each reference, however often and however many at once", async () => {
    const own = await newAccount(0);
    const body = { amount_micro_rub: 500, reference: "pay-1" };
    const answers = await Promise.all(Array.from({ length: 20 }, () => send(path(own.id), { body })));
    expect(answers.map((answer) => answer.status)).toEqual(Array.from({ length: 20 }, () => 200));
    expect(answers.filter((answer) => answer.json?.["state"] === "credited")).toHaveLength(1);
    expect(new Set(answers.map((answer) => answer.json?.["seq"]))).toEqual(new Set([1]));
    expectError(await send(path(own.id), { body: { ...body, amount_micro_rub: 501 } }), 409, "invalid_transition", "reference");
    expect(await balanceOf(own.id)).toEqual({ balance: 500, held: 0 });
    expect((await send(path(own.id), { body: { ...body, reference: "pay-2" } })).json).toMatchObject({
      state: "credited",
      balance_micro_rub: 1000,
    });
  });

  test("that would leave the range of exact amounts is a 409 and changes nothing", async () => {
    const own = await newAccount(0);
    const most = { amount_micro_rub: Number.MAX_SAFE_INTEGER, reference: "most" };
    expect((await send(path(own.id), { body: most })).json).toMatchObject({ balance_micro_rub: Number.MAX_SAFE_INTEGER });
    expectError(await send(path(own.id), { body: { amount_micro_rub: 1, reference: "more" } }), 409, "invalid_transition");
    expect(await balanceOf(own.id)).toEqual({ balance: Number.MAX_SAFE_INTEGER, held: 0 });
  });
});

describe("an account nobody made", () => {
  const ids = ["acc_0000000000000000", "nobody", "demo'; DROP TABLE account; --", "..%2f..", "x".repeat(300), "%00"];
  test.each(ids)("(%s) is a 404 on every call, and none comes to be", async (id) => {
    const name = id.includes("%") ? id : encodeURIComponent(id);
    for (const [method, path, body] of [
      ["GET", "", undefined],
      ["GET", "/ledger", undefined],
      ["POST", "/keys", { name: "x" }],
      ["POST", "/credits", { amount_micro_rub: 5, reference: "x" }],
    ] as const)
      expectError(await send(`/admin/accounts/${name}${path}`, { method, ...(body === undefined ? {} : { body }) }), 404, "not_found");
    expectError(await send(`/admin/keys/${name}`, { method: "DELETE" }), 404, "not_found");
  });

  test("cannot be reconciled", async () => {
    expectError(await send("/admin/reconcile", { body: { account_id: "acc_0000000000000000" } }), 404, "not_found");
    expectError(await send("/admin/reconcile", { body: { account_id: 7 } }), 400, "invalid_request", "account_id");
    expectError(await send("/admin/reconcile", { body: { account: "demo" } }), 400, "invalid_request");
  });
});

describe("a key", () => {
  test.each([
    ["no name", {}],
    ["an empty name", { name: "" }],
    ["a limit of zero", { name: "x", limits: { requests_per_minute: 0 } }],
    ["a limit with a fraction", { name: "x", limits: { spend_micro_rub_per_day: 1.5 } }],
    ["a limit below zero", { name: "x", limits: { parallel_requests: -1 } }],
    ["a limit nobody knows", { name: "x", limits: { requests_per_hour: 5 } }],
    ["a day that is none", { name: "x", limits: { expires_at: "tomorrow" } }],
  ])("with %s is a 400", async (_what, body) => {
    expectError(await send(`/admin/accounts/${account.id}/keys`, { body }), 400, "invalid_request");
  });

  test("that was revoked is refused at once, and revoking it again changes nothing", async () => {
    const own = await newAccount(1000);
    expect((await send("/v1/balance", { key: own.key })).status).toBe(200);
    for (let time = 0; time < 2; time++)
      expect((await send(`/admin/keys/${own.keyId}`, { method: "DELETE" })).json).toEqual({ id: own.keyId, revoked: true });
    expectError(await send("/v1/balance", { key: own.key }), 401, "invalid_api_key");
    expectError(
      await send("/v1/chat/completions", {
        key: own.key,
        body: { model: "openai/gpt-5-mini", messages: [{ role: "user", content: "x" }] },
      }),
      401,
      "invalid_api_key",
    );
    expect(await endings(own.id)).toEqual([]);
  });

  test("of one account shows nothing of another", async () => {
    const stranger = await newAccount(77);
    expect((await send("/v1/balance", { key: stranger.key })).json).toMatchObject({ account_id: stranger.id, balance_micro_rub: 77 });
    expect((await send(`/v1/balance?account_id=${account.id}`, { key: stranger.key })).json).toMatchObject({ account_id: stranger.id });
  });
});

describe("a query", () => {
  test.each(["after_seq=-1", "after_seq=1.5", "after_seq=x", "limit=0", "limit=100000", "limit=1e2", "after_seq=99999999999999999"])(
    "of %s is a 400 that names it",
    async (query) => {
      expectError(await send(`/admin/accounts/${account.id}/ledger?${query}`), 400, "invalid_request", query.slice(0, query.indexOf("=")));
    },
  );
});
