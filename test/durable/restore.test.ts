/**
 * The runbook on real objects and a real D1: an object that is put back to an earlier time, or lost altogether, and a database that is put
 * back, each made whole by `POST /admin/accounts/:id/restore` and nothing else.
 */
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import type { Entry } from "../../schema/ledger.ts";
import { hashText } from "../../workers/http/authenticate.ts";
import { usageMessage } from "../db/usage-message.ts";
import { type Account, newAccount, send } from "../http/gateway.ts";
import { admitCommand, chargeFacts } from "../ledger/commands.ts";
import { accountStub, reconciled } from "./envelope.ts";

const OPENING = 100_000;
const TABLES = ["entry", "entry_source", "usage", "usage_day"];

/** An account with five requests that were charged; all of it is in D1. */
async function busyAccount(): Promise<Account> {
  const account = await newAccount(OPENING);
  for (const number of [1, 2, 3, 4, 5]) await charge(account, `req_restored_${number}`, 100 * number);
  expect(await reconciled(account)).toMatchObject({ accounts: [{ gaps: [], repaired: 0, d1: { seq: 6, count: 6 } }] });
  return account;
}

async function charge(account: Account, id: string, cost: number): Promise<void> {
  const facts = { key_hash: hashText(account.key), lane: "lane-9", ttl_ms: 600_000 };
  expect(await accountStub(account).admit(admitCommand(id, 1_000, facts))).toMatchObject({ ok: true });
  const record = JSON.stringify({ ...usageMessage(1).record, request_id: id, key_id: account.keyId, cost_micro_rub: String(cost) });
  expect(await accountStub(account).settle({ request_id: id, facts: chargeFacts(cost), record })).toMatchObject({ state: "settled" });
}

function entriesOf(account: Account): Promise<Entry[]> {
  return accountStub(account).ledger(0, 100);
}

/** What point-in-time recovery does: the rows are those of when `seq` was the last entry, and the object starts again. */
async function putBack(account: Account, seq: number): Promise<void> {
  await runInDurableObject(accountStub(account), (_instance, { storage }) => {
    storage.sql.exec("DROP TRIGGER entry_is_not_deleted");
    storage.sql.exec(`DELETE FROM hold WHERE seq > ${seq + 1}`);
    // The request that ended next was open then.
    storage.sql.exec(`UPDATE hold SET state = 'HELD', seq = NULL WHERE seq = ${seq + 1}`);
    storage.sql.exec(`DELETE FROM entry WHERE seq > ${seq}`);
    storage.sql.exec(`UPDATE recorded SET seq = ${seq}`);
    storage.sql.exec("DELETE FROM key_spend");
  });
  await evictDurableObject(accountStub(account));
}

async function restore(account: Account, body?: unknown): Promise<Record<string, unknown> | null> {
  return (await send(`/admin/accounts/${account.id}/restore`, { method: "POST", ...(body === undefined ? {} : { body }) })).json;
}

const refusedSchema = z.looseObject({ error: z.looseObject({ code: z.string() }) });

/** What callers see of a frozen account: nothing is admitted, and money waits with whoever brings it. */
async function expectFrozen(account: Account): Promise<void> {
  // The very first call that an object sees after it was put back may be this one.
  const paid = await send(`/admin/accounts/${account.id}/credits`, { body: { amount_micro_rub: 5, reference: "while-frozen" } });
  const asked = await send("/v1/chat/completions", {
    key: account.key,
    body: { model: "openai/gpt-5-mini", messages: [{ role: "user", content: "Is anybody there?" }] },
  });
  for (const { status, json } of [asked, paid]) {
    expect([status, refusedSchema.parse(json).error.code]).toEqual([503, "overloaded"]);
  }
}

async function expectAtWork(account: Account): Promise<void> {
  await charge(account, "req_afterwards", 60);
  expect(await accountStub(account).verifyChain()).toMatchObject({ ok: true });
  expect(await reconciled(account)).toMatchObject({ accounts: [{ gaps: [] }] });
  const audit = await send(`/admin/accounts/${account.id}/audit`);
  expect(audit.json).toMatchObject({ chain: { ok: true }, missing: [], gaps: [] });
}

describe("an object that was put back to an earlier time", () => {
  test("takes nothing until it is restored, and then has every entry word for word and goes on", async () => {
    const account = await busyAccount();
    const before = await entriesOf(account);
    await putBack(account, 3);
    await expectFrozen(account);
    expect(await accountStub(account).facts()).toMatchObject({ seq: 3, frozen: { reason: "d1_ahead", d1_seq: 6 } });
    expect(await restore(account)).toMatchObject({ state: "whole", replayed: 3, fault: null, frozen: null, reconciled: { gaps: [] } });
    expect(await entriesOf(account)).toEqual(before);
    expect(await accountStub(account).facts()).toMatchObject({ seq: 6, open_holds: 0, held_micro_rub: "0", balance_micro_rub: "98500" });
    expect(await restore(account)).toMatchObject({ state: "whole", replayed: 0 });
    await expectAtWork(account);
  });

  test("whose D1 has not the true texts of what it lacks stays frozen and names the entry, until it is told to go on without", async () => {
    const account = await busyAccount();
    await putBack(account, 3);
    await env.DB.prepare("UPDATE entry_source SET facts = '{}' WHERE account_id = ? AND seq = 5").bind(account.id).run();
    expect(await restore(account)).toMatchObject({ state: "frozen", replayed: 1, fault: { seq: 5 } });
    await expectFrozen(account);
    expect(await restore(account, { force: true })).toMatchObject({ state: "whole", frozen: null });
    for (const life of ["this", "the next"]) {
      await charge(account, `req_of_${life}_life`, 60);
      expect(await reconciled(account)).toMatchObject({ accounts: [{ gaps: expect.arrayContaining([expect.anything()]) }] });
      expect(await accountStub(account).facts()).toMatchObject({ frozen: null });
      await evictDurableObject(accountStub(account));
    }
    expect(await accountStub(account).verifyChain()).toEqual({ ok: true, checked: 6 });
  });

  test("and wrote other entries than D1 has says where the two part", async () => {
    const account = await busyAccount();
    await env.DB.prepare("UPDATE entry SET hash = 'another' WHERE account_id = ? AND seq = 6").bind(account.id).run();
    await evictDurableObject(accountStub(account));
    await expectFrozen(account);
    expect(await accountStub(account).facts()).toMatchObject({ seq: 6, frozen: { reason: "diverged" } });
    expect(await restore(account)).toMatchObject({ state: "frozen", fault: { seq: 6 } });
  });
});

test("an object that was lost altogether is made again from D1, and serves as soon as it has a key", async () => {
  const account = await busyAccount();
  const before = await entriesOf(account);
  await runInDurableObject(accountStub(account), (_instance, { storage }) => storage.deleteAll());
  await evictDurableObject(accountStub(account));
  expect(await restore(account)).toMatchObject({ state: "whole", replayed: 6, frozen: null });
  expect(await entriesOf(account)).toEqual(before);
  expect(await accountStub(account).hold("req_restored_4")).toMatchObject({ state: "SETTLED", key_id: account.keyId });
  const key = String((await send(`/admin/accounts/${account.id}/keys`, { body: { name: "second" } })).json?.["key"]);
  await expectAtWork({ ...account, key });
});

test("a database that lost an account is filled up from its ledger: entries, usage, rollups and the account itself", async () => {
  const account = await busyAccount();
  const count = async (): Promise<unknown[]> => {
    const tables = ["entry", "entry_source", "usage", "usage_day"].map(
      (table) => `SELECT count(*) AS n FROM ${table} WHERE account_id = ?`,
    );
    const found = await env.DB.batch<{ n: number }>(tables.map((query) => env.DB.prepare(query).bind(account.id)));
    return found.map(({ results }) => results[0]?.n);
  };
  const before = await count();
  expect(before).toEqual([6, 6, 5, 1]);
  const deleted = await env.DB.batch(TABLES.map((table) => env.DB.prepare(`DELETE FROM ${table} WHERE account_id = ?`).bind(account.id)));
  await env.DB.prepare("DELETE FROM account WHERE id = ?").bind(account.id).run();
  expect(deleted.map(({ meta }) => meta.changes)).toEqual(before);
  expect(await restore(account)).toMatchObject({ state: "whole", replayed: 0, reconciled: { gaps: expect.any(Array) } });
  expect(await count()).toEqual(before);
  await expectAtWork(account);
});

test("an account that an operator froze takes nothing until it is restored", async () => {
  const account = await busyAccount();
  expect((await send(`/admin/accounts/${account.id}/freeze`, { method: "POST" })).json).toMatchObject({ frozen: { reason: "operator" } });
  await expectFrozen(account);
  expect(await restore(account)).toMatchObject({ state: "whole", replayed: 0 });
  await expectAtWork(account);
});
