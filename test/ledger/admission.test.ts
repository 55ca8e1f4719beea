/** Admission to one account's ledger: balance, keys, limits and idempotency, as a customer meets them. */
import { describe, expect, test } from "vitest";
import { admitCommand, creditCommand, KEY_HASH, KEY_ID, releaseCommand, settleCommand } from "./commands.ts";
import { ledgerWith } from "./test-ledger.ts";
import { keyLimitsSchema } from "../../schema/key.ts";

describe("admission", () => {
  test("holds the amount, so that balance stays and available falls", () => {
    const { ledger } = ledgerWith(1000);
    expect(ledger.admit(admitCommand("r1", 400))).toEqual({ ok: true, key_id: KEY_ID, replay: null });
    expect(ledger.balance()).toEqual({ balance_micro_rub: "1000", held_micro_rub: "400", available_micro_rub: "600" });
  });

  test("runs exactly the affordable ones of 200 requests on a balance for 50, and held returns to 0", () => {
    const { ledger } = ledgerWith(5000);
    const results = Array.from({ length: 200 }, (_, index) => ledger.admit(admitCommand(`r${index}`, 100)));
    expect(results.filter((result) => result.ok)).toHaveLength(50);
    for (const result of results.slice(50))
      expect(result).toMatchObject({ ok: false, code: "insufficient_balance", needed_micro_rub: "100", available_micro_rub: "0" });
    for (let index = 0; index < 50; index++) ledger.settle(settleCommand(`r${index}`, 100));
    expect(ledger.balance()).toEqual({ balance_micro_rub: "0", held_micro_rub: "0", available_micro_rub: "0" });
  });

  test("repeated with the same id and facts holds once", () => {
    const { ledger, storage } = ledgerWith(1000);
    const first = ledger.admit(admitCommand("r1", 400));
    const before = storage.dump();
    expect(ledger.admit(admitCommand("r1", 400))).toEqual(first);
    expect(storage.dump()).toBe(before);
  });

  test("of an id that was used for something else is refused, in memory and from the rows", () => {
    const { ledger } = ledgerWith(1000);
    ledger.admit(admitCommand("r1", 400));
    expect(ledger.admit(admitCommand("r1", 400, { body_hash: "other" }))).toMatchObject({ ok: false, reason: "request_id_reused" });
    ledger.release(releaseCommand("r1"));
    expect(ledger.admit(admitCommand("r1", 400, { body_hash: "other" }))).toMatchObject({ ok: false, reason: "request_id_reused" });
    expect(ledger.balance().held_micro_rub).toBe("0");
  });

  test("of an id whose request has ended points at that request and holds nothing", () => {
    const { ledger } = ledgerWith(1000);
    ledger.admit(admitCommand("r1", 400));
    ledger.settle(settleCommand("r1", 10));
    expect(ledger.admit(admitCommand("r1", 400))).toMatchObject({ ok: true, replay: { request_id: "r1", state: "SETTLED" } });
    expect(ledger.balance().held_micro_rub).toBe("0");
  });

  test("writes one row, and a settlement writes two", () => {
    const { ledger, storage } = ledgerWith(1000);
    ledger.admit(admitCommand("warm", 1));
    const start = storage.statements;
    ledger.admit(admitCommand("r1", 1));
    expect(storage.statements - start).toBe(1);
    ledger.settle(settleCommand("r1", 1));
    expect(storage.statements - start).toBe(3);
  });
});

describe("keys", () => {
  test("unknown, revoked and expired keys are refused, and what they started still settles", () => {
    const { ledger, clock } = ledgerWith(1000, { expires_at: "2026-11-21T13:00:00Z" });
    expect(ledger.admit(admitCommand("r0", 1, { key_hash: "nobody" }))).toMatchObject({ code: "invalid_api_key", reason: "unknown_key" });
    ledger.createKey({ key_id: "key_demo_00000002", key_hash: "hash-of-the-second", name: "second", limits: keyLimitsSchema.parse({}) });
    ledger.admit(admitCommand("r1", 100, { key_hash: "hash-of-the-second" }));
    expect(ledger.revokeKey("key_demo_00000002")).toBe(true);
    expect(ledger.revokeKey("key_demo_00000002")).toBe(true);
    expect(ledger.revokeKey("key_demo_99999999")).toBe(false);
    expect(ledger.admit(admitCommand("r2", 1, { key_hash: "hash-of-the-second" }))).toMatchObject({
      code: "invalid_api_key",
      reason: "revoked_key",
    });
    expect(ledger.settle(settleCommand("r1", 40))).toMatchObject({ state: "settled", charged_micro_rub: "40" });
    expect(ledger.keyIdOfHash(KEY_HASH)).toBe(KEY_ID);
    clock.now = Date.UTC(2026, 10, 21, 13, 0, 0);
    expect(ledger.admit(admitCommand("r3", 1))).toMatchObject({ code: "invalid_api_key", reason: "expired_key" });
    expect(ledger.keyIdOfHash(KEY_HASH)).toBeNull();
  });

  test("a revocation outlives a restart", () => {
    const { ledger, reopen } = ledgerWith(1000);
    ledger.revokeKey(KEY_ID);
    expect(reopen().admit(admitCommand("r1", 1))).toMatchObject({ reason: "revoked_key" });
  });

  test("a key created twice is one key; the same id with other facts is not accepted", () => {
    const { ledger } = ledgerWith(0);
    const command = { key_id: KEY_ID, key_hash: KEY_HASH, name: "first", limits: keyLimitsSchema.parse({}) };
    expect(ledger.createKey(command)).toBe("exists");
    expect(ledger.createKey({ ...command, key_hash: "another-hash-entirely" })).toBe("exists_with_different");
    expect(ledger.keys()).toHaveLength(1);
  });

  test("only models on the key's list are admitted", () => {
    const { ledger } = ledgerWith(1000, { allowed_models: ["acme/*", "other/small"] });
    expect(ledger.admit(admitCommand("r1", 1)).ok).toBe(true);
    expect(ledger.admit(admitCommand("r2", 1, { model: "other/large" }))).toMatchObject({ code: "forbidden", reason: "model_not_allowed" });
    expect(ledger.admit(admitCommand("r3", 1, { model: "other/small" })).ok).toBe(true);
  });
});

describe("limits", () => {
  test("requests per minute refill at their rate, and a refused request uses none", () => {
    const { ledger, clock } = ledgerWith(1_000_000, { requests_per_minute: 6 });
    const admitted = (count: number, prefix: string): number =>
      Array.from({ length: count }, (_, index) => ledger.admit(admitCommand(`${prefix}${index}`, 1))).filter((result) => result.ok).length;
    expect(admitted(20, "a")).toBe(6);
    expect(ledger.admit(admitCommand("x", 1))).toMatchObject({
      code: "rate_limited",
      reason: "requests_per_minute",
      retry_after_seconds: 10,
    });
    clock.now += 10_000;
    expect(admitted(5, "b")).toBe(1);
    clock.now += 3_600_000;
    expect(admitted(20, "c")).toBe(6);
  });

  test("a refusal for want of balance gives back the request and tokens it would have used", () => {
    const { ledger } = ledgerWith(100, { requests_per_minute: 1, tokens_per_minute: 100 });
    expect(ledger.admit(admitCommand("r1", 101))).toMatchObject({ code: "insufficient_balance" });
    expect(ledger.admit(admitCommand("r2", 100)).ok).toBe(true);
  });

  test("tokens per minute are taken at the bound and corrected to the true count at settlement", () => {
    const { ledger } = ledgerWith(1_000_000, { tokens_per_minute: 1000 });
    expect(ledger.admit(admitCommand("r1", 1, { tokens_bound: 900 })).ok).toBe(true);
    expect(ledger.admit(admitCommand("r2", 1, { tokens_bound: 200 }))).toMatchObject({
      reason: "tokens_per_minute",
      retry_after_seconds: 6,
    });
    ledger.settle(settleCommand("r1", 1));
    expect(ledger.admit(admitCommand("r3", 1, { tokens_bound: 970 })).ok).toBe(true);
    expect(ledger.admit(admitCommand("r4", 1, { tokens_bound: 1 })).ok).toBe(false);
  });

  test("over ten minutes a tokens-per-minute limit lets through its rate within 1 % beyond the first full bucket", () => {
    const { ledger, clock } = ledgerWith(1_000_000, { tokens_per_minute: 6000 });
    let used = 0;
    for (let step = 0; step < 6000; step++) {
      clock.now += 100;
      if (ledger.admit(admitCommand(`r${step}`, 1, { tokens_bound: 90 })).ok) {
        ledger.settle(settleCommand(`r${step}`, 1));
        used += 30;
      }
    }
    expect(used).toBeGreaterThan(60_000 * 0.99);
    expect(used).toBeLessThanOrEqual(66_000 * 1.01);
  });

  test("a request larger than the whole token bucket waits for a full one and leaves it in debt, rather than never running", () => {
    const { ledger, clock } = ledgerWith(1_000_000, { tokens_per_minute: 60 });
    expect(ledger.admit(admitCommand("big", 1, { tokens_bound: 180 })).ok).toBe(true);
    clock.now += 60_000;
    expect(ledger.admit(admitCommand("next", 1, { tokens_bound: 1 })).ok).toBe(false);
    clock.now += 61_000;
    expect(ledger.admit(admitCommand("next", 1, { tokens_bound: 1 })).ok).toBe(true);
  });

  test("parallel requests count what is open, and come back however the request ends", () => {
    const { ledger, clock } = ledgerWith(1000, { parallel_requests: 2 });
    ledger.admit(admitCommand("r1", 1));
    ledger.admit(admitCommand("r2", 1));
    expect(ledger.admit(admitCommand("r3", 1))).toMatchObject({ code: "rate_limited", reason: "parallel_requests" });
    ledger.release(releaseCommand("r1"));
    expect(ledger.admit(admitCommand("r3", 1)).ok).toBe(true);
    clock.now += 60_000;
    ledger.expire("r2", null);
    ledger.settle(settleCommand("r3", 1));
    expect(ledger.admit(admitCommand("r4", 1)).ok).toBe(true);
    expect(ledger.admit(admitCommand("r5", 1)).ok).toBe(true);
    expect(ledger.admit(admitCommand("r6", 1)).ok).toBe(false);
  });

  test("a day's spend counts open holds, so parallel requests cannot pass it together, and starts anew at midnight UTC", () => {
    const { ledger, clock } = ledgerWith(10_000, { spend_micro_rub_per_day: 1000 });
    const results = Array.from({ length: 200 }, (_, index) => ledger.admit(admitCommand(`r${index}`, 100)).ok);
    expect(results.filter(Boolean)).toHaveLength(10);
    for (let index = 0; index < 10; index++) ledger.settle(settleCommand(`r${index}`, 60));
    expect(ledger.keys()[0]?.spent_today_micro_rub).toBe("600");
    expect(ledger.admit(admitCommand("big", 401))).toMatchObject({
      code: "rate_limited",
      reason: "spend_per_day",
      retry_after_seconds: 43_200,
    });
    expect(ledger.admit(admitCommand("fits", 400)).ok).toBe(true);
    ledger.release(releaseCommand("fits"));
    clock.now += 12 * 3_600_000;
    expect(ledger.admit(admitCommand("tomorrow", 1000)).ok).toBe(true);
  });

  test("a month's spend goes on over midnight and ends with the month", () => {
    const { ledger, clock } = ledgerWith(10_000, { spend_micro_rub_per_month: 1000 });
    ledger.admit(admitCommand("r1", 900));
    ledger.settle(settleCommand("r1", 900));
    clock.now += 24 * 3_600_000;
    expect(ledger.admit(admitCommand("r2", 101))).toMatchObject({ reason: "spend_per_month", retry_after_seconds: 8.5 * 86_400 });
    clock.now = Date.UTC(2026, 11, 1);
    expect(ledger.admit(admitCommand("r2", 101)).ok).toBe(true);
  });

  test("limits remember across a restart: spend, parallel requests and rates alike", () => {
    const { ledger, clock, reopen } = ledgerWith(10_000, { spend_micro_rub_per_day: 1000, parallel_requests: 3, requests_per_minute: 6 });
    for (const id of ["r1", "r2", "r3"]) ledger.admit(admitCommand(id, 100));
    ledger.settle(settleCommand("r1", 100));
    clock.now += 10_000;
    const again = reopen();
    expect(again.keys()[0]?.spent_today_micro_rub).toBe("100");
    const results = ["s1", "s2"].map((id) => again.admit(admitCommand(id, 1)));
    expect(results.map((result) => result.ok)).toEqual([true, false]);
    expect(results[1]).toMatchObject({ reason: "parallel_requests" });
    for (const id of ["r2", "r3", "s1"]) again.release(releaseCommand(id));
    const rest = Array.from({ length: 6 }, (_, index) => again.admit(admitCommand(`t${index}`, 1))).filter((result) => result.ok);
    for (const id of ["t0", "t1", "t2"]) again.release(releaseCommand(id));
    expect(rest).toHaveLength(3);
    expect(again.admit(admitCommand("u", 1))).toMatchObject({ reason: "requests_per_minute" });
  });
});

describe("idempotency keys", () => {
  const keyed = { idempotency_key: "order-7" };

  test("the same key and body waits while running, then points at the first request; another body is a mismatch", () => {
    const { ledger } = ledgerWith(1000);
    expect(ledger.admit(admitCommand("r1", 100, keyed)).ok).toBe(true);
    expect(ledger.admit(admitCommand("r2", 100, keyed))).toMatchObject({ code: "request_in_progress", request_id: "r1" });
    expect(ledger.admit(admitCommand("r3", 100, { ...keyed, body_hash: "other" }))).toMatchObject({
      code: "idempotency_mismatch",
      request_id: "r1",
    });
    ledger.settle(settleCommand("r1", 30));
    expect(ledger.admit(admitCommand("r4", 100, keyed))).toEqual({
      ok: true,
      key_id: KEY_ID,
      replay: { request_id: "r1", state: "SETTLED", lane: "demo:0" },
    });
    expect(ledger.balance()).toMatchObject({ balance_micro_rub: "970", held_micro_rub: "0" });
  });

  test("want of balance stays the answer of its key after a top-up, and a new key is a new attempt", () => {
    const { ledger, reopen } = ledgerWith(10);
    const first = ledger.admit(admitCommand("r1", 100, keyed));
    expect(first).toMatchObject({ code: "insufficient_balance", needed_micro_rub: "100", available_micro_rub: "10" });
    ledger.credit(creditCommand("p1", 1000));
    expect(ledger.admit(admitCommand("r2", 100, keyed))).toEqual(first);
    expect(reopen().admit(admitCommand("r3", 100, keyed))).toEqual(first);
    expect(ledger.admit(admitCommand("r4", 100, { idempotency_key: "order-8" })).ok).toBe(true);
  });

  test("a rate limit is not remembered: the retry it asks for may succeed", () => {
    const { ledger, clock } = ledgerWith(1000, { requests_per_minute: 1 });
    ledger.admit(admitCommand("r1", 1));
    expect(ledger.admit(admitCommand("r2", 1, keyed))).toMatchObject({ code: "rate_limited" });
    clock.now += 60_000;
    expect(ledger.admit(admitCommand("r3", 1, keyed))).toMatchObject({ ok: true, replay: null });
  });

  test("two keys of one account do not share them, and a day later they are forgotten", () => {
    const { ledger, clock } = ledgerWith(1000);
    ledger.createKey({ key_id: "key_demo_00000002", key_hash: "hash-of-the-second", name: "second", limits: keyLimitsSchema.parse({}) });
    ledger.admit(admitCommand("r1", 1, keyed));
    expect(ledger.admit(admitCommand("r2", 1, { ...keyed, key_hash: "hash-of-the-second" }))).toMatchObject({ ok: true, replay: null });
    ledger.settle(settleCommand("r1", 1));
    clock.now += 24 * 3_600_000 + 1;
    expect(ledger.admit(admitCommand("r3", 1, keyed))).toMatchObject({ ok: true, replay: null });
    expect(ledger.admit(admitCommand("r4", 1, keyed))).toMatchObject({ code: "request_in_progress", request_id: "r3" });
  });
});
