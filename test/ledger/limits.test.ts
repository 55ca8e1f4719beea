/** Limits of keys, of the account they share, and of the configuration: what they let through, when they say to come back, and what they leave behind. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type KeyLimits, keyLimitsSchema } from "../../schema/key.ts";
import type { AdmitCommand, AdmitResult } from "../../schema/ledger.ts";
import { LIMITS } from "../../schema/limits.ts";
import type { Ledger } from "../../workers/durable/ledger-store.ts";
import { admitCommand, KEY_ID, releaseCommand, settleCommand } from "./commands.ts";
import { ledgerWith, type TestLedger } from "./test-ledger.ts";

const SECOND_KEY = "hash-of-the-second-key";
const RICH = 1_000_000_000;

/** A second key of the same account. */
function addKey(ledger: Ledger, limits: Partial<KeyLimits> = {}): void {
  ledger.createKey({ key_id: "key_demo_00000002", key_hash: SECOND_KEY, name: "second", limits: keyLimitsSchema.parse(limits) });
}

function admitted(ledger: Ledger, count: number, prefix: string, facts: Partial<AdmitCommand> = {}): number {
  return Array.from({ length: count }, (_, index) => ledger.admit(admitCommand(`${prefix}${index}`, 1, facts))).filter(({ ok }) => ok)
    .length;
}

function waitOf(result: AdmitResult): number {
  return result.ok ? 0 : (result.retry_after_seconds ?? -1);
}

describe("rates of an account", () => {
  test("are shared by all its keys, beside each key's own", () => {
    const { ledger } = ledgerWith(RICH, { requests_per_minute: 7 });
    addKey(ledger);
    ledger.limits.changeAccount({ requests_per_minute: 10 });
    expect(admitted(ledger, 20, "a")).toBe(7);
    expect(admitted(ledger, 20, "b", { key_hash: SECOND_KEY })).toBe(3);
    expect(ledger.admit(admitCommand("c", 1, { key_hash: SECOND_KEY }))).toMatchObject({
      code: "rate_limited",
      reason: "requests_per_minute",
      scope: "account",
      key_id: "key_demo_00000002",
      retry_after_seconds: 6,
    });
  });

  test("of parallel requests and of spend hold for all keys together", () => {
    const { ledger } = ledgerWith(RICH);
    addKey(ledger);
    ledger.limits.changeAccount({ parallel_requests: 3, spend_micro_rub_per_day: 1000 });
    expect(ledger.admit(admitCommand("a", 400)).ok).toBe(true);
    expect(ledger.admit(admitCommand("b", 400, { key_hash: SECOND_KEY })).ok).toBe(true);
    expect(ledger.admit(admitCommand("c", 201))).toMatchObject({ reason: "spend_per_day", scope: "account", retry_after_seconds: 1 });
    expect(ledger.admit(admitCommand("c", 200)).ok).toBe(true);
    expect(ledger.admit(admitCommand("d", 0))).toMatchObject({ reason: "parallel_requests", scope: "account" });
    for (const id of ["a", "b", "c"]) ledger.settle(settleCommand(id, 200));
    expect(ledger.limits.account()).toMatchObject({ spent_today_micro_rub: "600", spent_month_micro_rub: "600" });
    expect(ledger.admit(admitCommand("e", 401))).toMatchObject({ reason: "spend_per_day", retry_after_seconds: 43_200 });
  });

  test("of models are a list that each key's own list can only narrow", () => {
    const { ledger } = ledgerWith(RICH, { allowed_models: ["acme/*", "other/small"] });
    ledger.limits.changeAccount({ allowed_models: ["acme/*"] });
    expect(ledger.admit(admitCommand("a", 1)).ok).toBe(true);
    expect(ledger.admit(admitCommand("b", 1, { model: "other/small" }))).toMatchObject({ code: "forbidden", scope: "account" });
    expect(ledger.admit(admitCommand("c", 1, { model: "third/x" }))).toMatchObject({ code: "forbidden", scope: "key" });
  });
});

describe("rates of models", () => {
  test("count together what their glob names, and nothing else", () => {
    const { ledger } = ledgerWith(RICH, {
      per_model: [
        { model: "acme/*", requests_per_minute: 3, tokens_per_minute: null },
        { model: "acme/large", requests_per_minute: 2, tokens_per_minute: null },
      ],
    });
    expect(admitted(ledger, 5, "large")).toBe(2);
    expect(ledger.admit(admitCommand("x", 1))).toMatchObject({ limit: "for acme/large", scope: "key", retry_after_seconds: 30 });
    expect(admitted(ledger, 5, "small", { model: "acme/small" })).toBe(1);
    expect(admitted(ledger, 5, "other", { model: "other/small" })).toBe(5);
  });

  test("of an account count the tokens of all keys", () => {
    const { ledger } = ledgerWith(RICH);
    addKey(ledger);
    ledger.limits.changeAccount({ per_model: [{ model: "*", requests_per_minute: null, tokens_per_minute: 1000 }] });
    expect(admitted(ledger, 20, "a", { tokens_bound: 100, key_hash: SECOND_KEY })).toBe(10);
    expect(admitted(ledger, 20, "b", { tokens_bound: 100 })).toBe(0);
    ledger.settle(settleCommand("a0", 1));
    expect(admitted(ledger, 20, "c", { tokens_bound: 70 })).toBe(1);
  });
});

describe("rates of the configuration", () => {
  const rate = (name: string, facts: object): Partial<AdmitCommand> => ({
    rates: [{ name, unit: "hour", requests: null, tokens: null, ...facts }],
  });

  test("give each header value a count of its own", () => {
    const { ledger } = ledgerWith(RICH);
    expect(admitted(ledger, 5, "a", rate("acme/* with x-user: 1", { requests: 2 }))).toBe(2);
    expect(admitted(ledger, 5, "b", rate("acme/* with x-user: 2", { requests: 2 }))).toBe(2);
    expect(ledger.admit(admitCommand("c", 1, rate("acme/* with x-user: 1", { requests: 2 })))).toMatchObject({
      reason: "request_rate",
      scope: "config",
      limit: "2 requests per hour for acme/* with x-user: 1",
      retry_after_seconds: 1800,
    });
  });

  test("count tokens by the hour and by the day exactly", () => {
    const { ledger, clock } = ledgerWith(RICH);
    const daily = rate("d", { unit: "day", tokens: LIMITS.rateMax });
    expect(ledger.admit(admitCommand("a", 1, { ...daily, tokens_bound: LIMITS.rateMax - 1 })).ok).toBe(true);
    expect(ledger.admit(admitCommand("b", 1, { ...daily, tokens_bound: 2 }))).toMatchObject({
      reason: "token_rate",
      retry_after_seconds: 1,
    });
    clock.now += 1;
    expect(ledger.admit(admitCommand("b", 1, { ...daily, tokens_bound: 2 })).ok).toBe(true);
  });
});

describe("a bound that a request will not reach", () => {
  test("does not keep small requests out, and its debt is forgiven when they end", () => {
    const { ledger } = ledgerWith(RICH, { tokens_per_minute: 1000 });
    // One at a time, each bound by far more than the rate, none using more than thirty tokens.
    let used = 0;
    for (let index = 0; index < 60; index++) {
      if (!ledger.admit(admitCommand(`r${index}`, 1, { tokens_bound: 17_000, tokens_likely: 30 })).ok) break;
      ledger.settle(settleCommand(`r${index}`, 1));
      used += 30;
    }
    expect(used).toBe(990);
  });

  test("lets at most one request too many begin at once", () => {
    const { ledger } = ledgerWith(RICH, { tokens_per_minute: 1000 });
    expect(admitted(ledger, 200, "r", { tokens_bound: 600, tokens_likely: 50 })).toBe(2);
  });

  test("is a debt to be paid off when the request used even more", () => {
    const { ledger, clock } = ledgerWith(RICH, { tokens_per_minute: 60 });
    ledger.admit(admitCommand("r", 1, { tokens_bound: 10 }));
    ledger.settle(settleCommand("r", 1, { usage: { ...settleCommand("r", 1).facts.usage, input_tokens: 0, output_tokens: 120 } }));
    expect(ledger.admit(admitCommand("s", 1, { tokens_bound: 1 }))).toMatchObject({ retry_after_seconds: 61 });
    clock.now += 61_000;
    expect(ledger.admit(admitCommand("s", 1, { tokens_bound: 1 })).ok).toBe(true);
  });
});

/** Traffic that meets every limit: who asks, for how much, when, and how it ends. */
const traffic = fc.array(
  fc.record({
    wait: fc.oneof({ weight: 12, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.integer({ min: 1, max: 20_000 }) }),
    second: fc.boolean(),
    model: fc.constantFrom("acme/large", "acme/small", "other/x"),
    bound: fc.integer({ min: 0, max: 120 }),
    end: fc.constantFrom("settle", "release", "open"),
    restart: fc.boolean(),
  }),
  { minLength: 1, maxLength: 60, size: "max" },
);

function limitedLedger(): TestLedger {
  const subject = ledgerWith(RICH, { requests_per_minute: 20, tokens_per_minute: 300, parallel_requests: 6, spend_micro_rub_per_day: 60 });
  addKey(subject.ledger, { per_model: [{ model: "acme/*", requests_per_minute: 11, tokens_per_minute: 200 }] });
  subject.ledger.limits.changeAccount({
    requests_per_minute: 30,
    tokens_per_minute: 500,
    spend_micro_rub_per_month: 90,
    parallel_requests: 9,
  });
  return subject;
}

function commandOf(index: number, step: { second: boolean; model: string; bound: number }): AdmitCommand {
  const rates = [{ name: "all", unit: "second" as const, requests: 4, tokens: null }];
  const facts = { model: step.model, tokens_bound: step.bound, rates, ttl_ms: 3_600_000 };
  return admitCommand(`r${index}`, 2, step.second ? { ...facts, key_hash: SECOND_KEY } : facts);
}

describe("under any traffic", () => {
  test("a refusal changes no row and no counter, and a restart is not noticed", () => {
    fc.assert(
      fc.property(traffic, (steps) => {
        const subject = limitedLedger();
        const { clock, storage } = subject;
        let restarted = subject.ledger;
        const twin = limitedLedger();
        for (const [index, step] of steps.entries()) {
          clock.now += step.wait;
          twin.clock.now = clock.now;
          if (step.restart) restarted = subject.reopen();
          const before = storage.dump();
          const result = restarted.admit(commandOf(index, step));
          expect(result).toEqual(twin.ledger.admit(commandOf(index, step)));
          if (!result.ok) expect(storage.dump()).toBe(before);
          else if (step.end !== "open") {
            for (const ledger of [restarted, twin.ledger])
              if (step.end === "settle") ledger.settle(settleCommand(`r${index}`, 1));
              else ledger.release(releaseCommand(`r${index}`));
          }
        }
        expect(restarted.keys()).toEqual(twin.ledger.keys());
        expect(restarted.limits.account()).toEqual(twin.ledger.limits.account());
      }),
      { numRuns: 50, seed: 7 },
    );
  });

  test("whoever waits as long as a refusal says is admitted, and a second less is too soon", () => {
    let waited = 0;
    fc.assert(
      fc.property(traffic, (steps) => {
        const subject = limitedLedger();
        const { ledger, clock } = subject;
        for (const [index, step] of steps.entries()) {
          clock.now += step.wait;
          const result = ledger.admit(commandOf(index, step));
          if (result.ok) {
            ledger.settle(settleCommand(`r${index}`, 1));
            continue;
          }
          const seconds = waitOf(result);
          const refusedAt = clock.now;
          if (seconds > 1) {
            clock.now = refusedAt + seconds * 1000 - 1001;
            expect(ledger.admit(commandOf(index, step)).ok).toBe(false);
          }
          clock.now = refusedAt + seconds * 1000;
          expect(ledger.admit(commandOf(index, step))).toMatchObject({ ok: true });
          ledger.settle(settleCommand(`r${index}`, 1));
          waited += 1;
        }
      }),
      { numRuns: 100, seed: 11 },
    );
    expect(waited).toBeGreaterThan(100);
  });

  test("no stretch of time sees more than a full bucket and what refilled in it", () => {
    const { ledger, clock } = ledgerWith(RICH, { requests_per_minute: 60, tokens_per_minute: 6000 });
    const seen: { at: number; tokens: number }[] = [];
    let state = 1;
    const random = (below: number): number => (state = (state * 48_271) % 2_147_483_647) % below;
    for (let index = 0; index < 3000; index++) {
      clock.now += random(400);
      const tokens = 10 + random(150);
      if (ledger.admit(admitCommand(`r${index}`, 1, { tokens_bound: tokens })).ok) {
        seen.push({ at: clock.now, tokens });
        ledger.settle(
          settleCommand(`r${index}`, 1, { usage: { ...settleCommand("", 1).facts.usage, input_tokens: 0, output_tokens: tokens } }),
        );
      }
    }
    for (let from = 0; from < seen.length; from += 7) {
      let tokens = 0;
      for (let to = from; to < seen.length; to++) {
        tokens += seen[to]?.tokens ?? 0;
        const elapsed = (seen[to]?.at ?? 0) - (seen[from]?.at ?? 0);
        expect(to - from + 1).toBeLessThanOrEqual(60 + elapsed / 1000);
        expect(tokens).toBeLessThanOrEqual(6000 + elapsed / 10);
      }
    }
    const first = seen[0]?.at ?? 0;
    const minutes = (clock.now - first) / 60_000;
    const all = seen.reduce((sum, each) => sum + each.tokens, 0);
    expect(Math.max(all / (6000 * (minutes + 1)), seen.length / (60 * (minutes + 1)))).toBeGreaterThan(0.99);
  });
});

describe("changing limits", () => {
  test("of a key keeps what is left out, takes away what is null, and counts for the next request", () => {
    const { ledger, reopen } = ledgerWith(RICH, { requests_per_minute: 1, parallel_requests: 5 });
    ledger.admit(admitCommand("a", 1));
    expect(ledger.admit(admitCommand("b", 1)).ok).toBe(false);
    const changed = ledger.limits.changeKey({ key_id: KEY_ID, name: "renamed", limits: { requests_per_minute: null } });
    expect(changed).toMatchObject({ name: "renamed", limits: { requests_per_minute: null, parallel_requests: 5 } });
    expect(ledger.admit(admitCommand("b", 1)).ok).toBe(true);
    expect(ledger.limits.changeKey({ key_id: "key_demo_99999999", limits: {} })).toBeNull();
    expect(reopen().keys()[0]).toMatchObject({ name: "renamed", limits: { requests_per_minute: null, parallel_requests: 5 } });
  });

  test("to a spend limit counts what the key and the account were charged before", () => {
    const { ledger, clock, reopen } = ledgerWith(RICH);
    addKey(ledger);
    clock.now = Date.UTC(2026, 10, 30, 23, 0, 0);
    const charge = (id: string, amount: number, facts: Partial<AdmitCommand> = {}): void => {
      ledger.admit(admitCommand(id, amount, facts));
      ledger.settle(settleCommand(id, amount));
    };
    charge("november", 7);
    clock.now += 2 * 3_600_000;
    charge("first", 100);
    charge("other", 40, { key_hash: SECOND_KEY });
    clock.now += 86_400_000;
    charge("second", 20);
    const limits = { spend_micro_rub_per_day: 30, spend_micro_rub_per_month: 1000 };
    expect(ledger.limits.changeKey({ key_id: KEY_ID, limits })).toMatchObject({
      spent_today_micro_rub: "20",
      spent_month_micro_rub: "120",
    });
    expect(ledger.limits.changeAccount(limits)).toMatchObject({ spent_today_micro_rub: "20", spent_month_micro_rub: "160" });
    expect(ledger.admit(admitCommand("x", 11))).toMatchObject({ reason: "spend_per_day", scope: "key" });
    charge("third", 10);
    expect(reopen().limits.account()).toMatchObject({ limits, spent_today_micro_rub: "30", spent_month_micro_rub: "170" });
  });
});

describe("growing a hold", () => {
  test("takes what there is, if it is enough, and never more than a spend limit leaves", () => {
    const { ledger } = ledgerWith(1000, { spend_micro_rub_per_day: 900 });
    ledger.admit(admitCommand("a", 100));
    const grow = (hold: number, least?: number): object =>
      ledger.extend({
        request_id: "a",
        hold_micro_rub: String(hold),
        ttl_ms: 1000,
        ...(least === undefined ? {} : { least_micro_rub: String(least) }),
      });
    expect(grow(2000)).toMatchObject({ state: "over_limit", hold_micro_rub: "100" });
    expect(grow(2000, 901)).toMatchObject({ state: "over_limit", hold_micro_rub: "100" });
    expect(grow(500)).toMatchObject({ state: "extended", hold_micro_rub: "500" });
    expect(grow(2000, 501)).toMatchObject({ state: "extended", hold_micro_rub: "900" });
    expect(grow(2000, 901)).toMatchObject({ state: "over_limit", hold_micro_rub: "900" });
    expect(ledger.balance()).toEqual({ balance_micro_rub: "1000", held_micro_rub: "900", available_micro_rub: "100" });
  });
});
