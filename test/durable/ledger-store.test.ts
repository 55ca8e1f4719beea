/** The ledger on a real object's SQLite in workerd: what Node's SQLite cannot show about bound numbers, large integers, rollback and eviction. */
import { createHash } from "node:crypto";
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { keyLimitsSchema } from "../../schema/key.ts";
import { type Ledger, openLedger } from "../../workers/durable/ledger-store.ts";
import { admitCommand, creditCommand, KEY_HASH, KEY_ID, releaseCommand, settleCommand } from "../ledger/commands.ts";

interface Bindings {
  ACCOUNT: DurableObjectNamespace;
}

const now = Date.UTC(2026, 10, 21, 12, 0, 0);

function open(storage: DurableObjectStorage): Ledger {
  return openLedger(storage, { now: () => now, hash: (text) => createHash("sha256").update(text).digest("hex") });
}

/** A fresh object of the account class; the tests open a ledger of their own in its storage. */
function freshObject(name: string): DurableObjectStub {
  const namespace = (env as unknown as Bindings).ACCOUNT;
  return namespace.get(namespace.idFromName(`ledger-store-test:${name}`));
}

function seeded(storage: DurableObjectStorage, balance: bigint): Ledger {
  const ledger = open(storage);
  ledger.createKey({ key_id: KEY_ID, key_hash: KEY_HASH, name: "first", limits: keyLimitsSchema.parse({}) });
  ledger.credit(creditCommand("opening", balance));
  return ledger;
}

test("amounts near 2^53 are stored as integers and stay exact through hold, settlement and reopening", async () => {
  await runInDurableObject(freshObject("exact"), (_instance, { storage }) => {
    const ledger = seeded(storage, 9_007_199_254_740_991n);
    ledger.admit(admitCommand("r1", 9_007_199_254_740_991n));
    expect(ledger.settle(settleCommand("r1", 9_007_199_254_740_989n))).toMatchObject({ state: "settled", balance_after_micro_rub: "2" });
    expect(open(storage).balance()).toEqual({ balance_micro_rub: "2", held_micro_rub: "0", available_micro_rub: "2" });
    const types = storage.sql
      .exec("SELECT DISTINCT typeof(amount) AS amount, typeof(balance_after) AS balance, typeof(at) AS at FROM entry")
      .toArray();
    expect(types).toEqual([{ amount: "integer", balance: "integer", at: "integer" }]);
    expect(open(storage).verifyChain()).toEqual({ ok: true, checked: 2 });
  });
});

test("a repeat of every command gives the first result and leaves the rows as they are", async () => {
  await runInDurableObject(freshObject("repeat"), (_instance, { storage }) => {
    const ledger = seeded(storage, 1000n);
    expect(ledger.admit(admitCommand("r1", 400))).toEqual(ledger.admit(admitCommand("r1", 400)));
    const settled = ledger.settle(settleCommand("r1", 150));
    expect(ledger.settle(settleCommand("r1", 150))).toEqual({ ...settled, state: "exists" });
    expect(ledger.admit(admitCommand("r1", 400))).toMatchObject({ ok: true, replay: { state: "SETTLED" } });
    expect(ledger.credit(creditCommand("opening", 1000))).toMatchObject({ state: "exists", seq: 1 });
    expect(ledger.facts()).toMatchObject({ seq: 2, count: 2, sum: "850", open_holds: 0, incidents: 0 });
  });
});

test("a settlement that fails between its two writes leaves neither, in the rows or in memory", async () => {
  await runInDurableObject(freshObject("rollback"), (_instance, { storage }) => {
    const ledger = seeded(storage, 1000n);
    ledger.admit(admitCommand("r1", 400));
    storage.sql.exec("CREATE TRIGGER entry_fails BEFORE INSERT ON entry BEGIN SELECT RAISE(ABORT, 'disk is gone'); END");
    expect(() => ledger.settle(settleCommand("r1", 150))).toThrow(/disk is gone/);
    expect(ledger.balance()).toEqual({ balance_micro_rub: "1000", held_micro_rub: "400", available_micro_rub: "600" });
    expect(open(storage).balance()).toEqual(ledger.balance());
    storage.sql.exec("DROP TRIGGER entry_fails");
    expect(ledger.settle(settleCommand("r1", 150))).toMatchObject({ state: "settled", seq: 2 });
  });
});

test("a credit that fails leaves neither an entry nor an incident, in the rows or in memory", async () => {
  await runInDurableObject(freshObject("credit-rollback"), (_instance, { storage }) => {
    const ledger = seeded(storage, 1000n);
    storage.sql.exec("CREATE TRIGGER entry_fails AFTER INSERT ON entry BEGIN SELECT RAISE(ABORT, 'disk is gone'); END");
    expect(() => ledger.credit(creditCommand("payment-1", 500))).toThrow(/disk is gone/);
    storage.sql.exec("DROP TRIGGER entry_fails");
    storage.sql.exec("CREATE TRIGGER incident_fails AFTER INSERT ON incident BEGIN SELECT RAISE(ABORT, 'disk is gone'); END");
    expect(() => ledger.credit(creditCommand("opening", 999))).toThrow(/disk is gone/);
    storage.sql.exec("DROP TRIGGER incident_fails");
    expect(ledger.facts()).toMatchObject({ seq: 1, count: 1, sum: "1000", balance_micro_rub: "1000", incidents: 0 });
    expect(open(storage).facts()).toEqual(ledger.facts());
    expect(ledger.credit(creditCommand("payment-1", 500))).toMatchObject({ state: "credited", seq: 2, balance_after_micro_rub: "1500" });
  });
});

test("every change of money is written inside a transaction", async () => {
  await runInDurableObject(freshObject("transactions"), (_instance, { storage }) => {
    let inside = 0;
    const outside: string[] = [];
    const watched: Parameters<typeof openLedger>[0] = {
      sql: {
        exec: (query, ...bound) => {
          if (inside === 0 && /^\s*(INSERT INTO entry|UPDATE hold)/.test(query)) outside.push(query);
          return storage.sql.exec(query, ...bound);
        },
      },
      transactionSync: (closure) => {
        inside += 1;
        try {
          return storage.transactionSync(closure);
        } finally {
          inside -= 1;
        }
      },
    };
    const ledger = openLedger(watched, { now: () => now, hash: (text) => createHash("sha256").update(text).digest("hex") });
    ledger.createKey({ key_id: KEY_ID, key_hash: KEY_HASH, name: "first", limits: keyLimitsSchema.parse({}) });
    ledger.credit(creditCommand("opening", 1000));
    ledger.credit(creditCommand("back", 10, "refund"));
    for (const id of ["r1", "r2", "r3"]) ledger.admit(admitCommand(id, 100, id === "r3" ? { ttl_ms: 1 } : {}));
    ledger.extend({ request_id: "r1", hold_micro_rub: "200", ttl_ms: 60_000 });
    ledger.settle(settleCommand("r1", 150));
    ledger.release(releaseCommand("r2"));
    expect(outside).toEqual([]);
    expect(ledger.facts()).toMatchObject({ seq: 4, balance_micro_rub: "840" });
  });
});

test("entries cannot be changed, deleted or replaced by plain statements", async () => {
  await runInDurableObject(freshObject("append-only"), (_instance, { storage }) => {
    seeded(storage, 1000n);
    expect(() => storage.sql.exec("UPDATE entry SET amount = 1")).toThrow(/append-only/);
    expect(() => storage.sql.exec("DELETE FROM entry")).toThrow(/append-only/);
  });
});

test("an object that was evicted finds its holds, keys, counters and watermark in its rows", async () => {
  const stub = freshObject("evicted");
  await runInDurableObject(stub, (_instance, { storage }) => {
    const ledger = seeded(storage, 1000n);
    ledger.admit(admitCommand("r1", 400));
    ledger.admit(admitCommand("r2", 100));
    ledger.release(releaseCommand("r2"));
    ledger.markRecorded(1);
  });
  await evictDurableObject(stub);
  await runInDurableObject(stub, (_instance, { storage }) => {
    const ledger = open(storage);
    expect(ledger.facts()).toMatchObject({ seq: 2, recorded_seq: 1, open_holds: 1, balance_micro_rub: "1000", held_micro_rub: "400" });
    expect(ledger.unrecorded("demo", 10, 1_000_000).map((message) => message.seq)).toEqual([2]);
    expect(ledger.nextDeadline()).toBe(now + 60_000);
    expect(ledger.settle(settleCommand("r1", 400))).toMatchObject({ state: "settled", balance_after_micro_rub: "600" });
  });
});

test("200 admissions at once on a balance for 50 give exactly 50 holds", async () => {
  await runInDurableObject(freshObject("parallel"), async (_instance, { storage }) => {
    const ledger = seeded(storage, 5000n);
    const results = await Promise.all(Array.from({ length: 200 }, async (_, index) => ledger.admit(admitCommand(`r${index}`, 100))));
    expect(results.filter((result) => result.ok)).toHaveLength(50);
    expect(ledger.balance()).toMatchObject({ held_micro_rub: "5000", available_micro_rub: "0" });
  });
});
