/** Receivers of events as an operator manages them: which addresses are taken, what is shown, and what a change does. */
import { beforeAll, describe, expect, test } from "vitest";
import { LIMITS } from "../../schema/limits.ts";
import { expectError } from "./expect-error.ts";
import { type Account, newAccount, send, type Sent } from "./gateway.ts";

let account: Account;
beforeAll(async () => {
  account = await newAccount(1000);
});

const create = (body: unknown, id = account.id): Promise<Sent> => send(`/admin/accounts/${id}/webhooks`, { body });
const GOOD = { url: "https://hooks.shop-of-somebody.com/in", events: ["request.settled"] };

describe("an address", () => {
  test.each([
    "http://hooks.shop-of-somebody.com/in",
    "ftp://hooks.shop-of-somebody.com/in",
    "https://user:secret@hooks.shop-of-somebody.com/",
    "https://hooks.shop-of-somebody.com:8443/",
    "https://10.0.0.1/",
    "https://192.168.1.1/",
    "https://169.254.169.254/latest/meta-data",
    "https://0x0a000001/",
    "https://2130706433.5/",
    "https://[fd00::1]/",
    "https://8.8.8.8/",
    "https://router.local/",
    "https://vault.internal/",
    "https://kubernetes.default.svc/",
    "https://intranet/",
    "file:///etc/passwd",
    "not an address",
    "",
    `https://hooks.shop-of-somebody.com/${"x".repeat(LIMITS.webhookUrlCharacters)}`,
  ])("%s is not taken, when registered or when changed", async (url) => {
    expectError(await create({ ...GOOD, url }), 400, "invalid_request", "url");
    const id = String((await create(GOOD)).json?.["id"]);
    expectError(await send(`/admin/webhooks/${id}`, { method: "PATCH", body: { url } }), 400, "invalid_request", "url");
    expect((await send(`/admin/webhooks/${id}`, { method: "DELETE" })).status).toBe(200);
  });
});

describe("a receiver", () => {
  test("is shown with its secret once, and never again", async () => {
    const created = (await create({ ...GOOD, events: ["balance.low", "balance.low", "request.settled"] })).json;
    expect(created).toMatchObject({
      account_id: account.id,
      url: GOOD.url,
      events: ["balance.low", "request.settled"],
      disabled_reason: null,
    });
    const secret = String(created?.["secret"]);
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    const other = String((await create(GOOD)).json?.["secret"]);
    expect(other).not.toBe(secret);
    const listed = await send(`/admin/accounts/${account.id}/webhooks`);
    expect(listed.json?.["webhooks"]).toHaveLength(2);
    const changed = await send(`/admin/webhooks/${String(created?.["id"])}`, { method: "PATCH", body: { events: ["balance.updated"] } });
    expect(changed.json).toMatchObject({ url: GOOD.url, events: ["balance.updated"] });
    for (const shown of [listed, changed]) expect(shown.text).not.toContain("whsec_");
  });

  test("is turned off and on by hand, and takes no replay while it is off", async () => {
    const id = String((await create(GOOD)).json?.["id"]);
    const off = await send(`/admin/webhooks/${id}`, { method: "PATCH", body: { enabled: false } });
    expect(off.json).toMatchObject({ disabled_reason: "operator" });
    expectError(await send(`/admin/webhooks/${id}/replay`, { body: {} }), 409, "invalid_transition");
    const on = await send(`/admin/webhooks/${id}`, { method: "PATCH", body: { enabled: true } });
    expect(on.json).toMatchObject({ disabled_reason: null, disabled_at: null });
    expect((await send(`/admin/webhooks/${id}/replay`, { body: {} })).json).toEqual({ replayed: 0 });
    expect((await send(`/admin/webhooks/${id}/deliveries`)).json).toEqual({ deliveries: [], next_cursor: null });
  });

  test("of events nobody sends, of none, or with fields nobody knows is a 400", async () => {
    for (const events of [[], ["balance.risen"], "request.settled"]) expectError(await create({ ...GOOD, events }), 400, "invalid_request");
    expectError(await create({ ...GOOD, secret: "mine" }), 400, "invalid_request");
    expectError(await create(GOOD, "acc_nobody00000"), 404, "not_found");
  });

  test("that nobody made is a 404 for every call", async () => {
    const path = "/admin/webhooks/wh_nobody";
    expectError(await send(path, { method: "PATCH", body: {} }), 404, "not_found");
    expectError(await send(path, { method: "DELETE" }), 404, "not_found");
    expectError(await send(`${path}/deliveries`), 404, "not_found");
    expectError(await send(`${path}/replay`, { body: {} }), 404, "not_found");
  });

  test("can be had so many times and no more", async () => {
    const crowded = await newAccount(0);
    for (let index = 0; index < LIMITS.webhooksPerAccount; index++) expect((await create(GOOD, crowded.id)).status).toBe(200);
    expectError(await create(GOOD, crowded.id), 409, "invalid_transition");
  });
});
