/** A ledger that was restored to an earlier time: it notices, takes nothing, is put back entry by entry, and goes on. */
import { describe, expect, test } from "vitest";
import type { Entry } from "../../schema/ledger.ts";
import { admitCommand, chargeFacts, creditCommand, releaseCommand, settleCommand } from "./commands.ts";
import { ledgerWith, type TestLedger } from "./test-ledger.ts";

const SNAPSHOT = { version: "7" };

/** What every life of the ledger has in common: an opening credit, and two requests that are still open. */
function early(): TestLedger {
  const made = ledgerWith(10_000, { spend_micro_rub_per_day: 5_000, parallel_requests: 3 });
  made.ledger.admit(admitCommand("open", 400));
  made.ledger.admit(admitCommand("freed", 300));
  return made;
}

function record(id: string): string {
  return JSON.stringify({ id, key_id: "key_demo_00000001", model: "acme/large", lane: "lane-1", snapshot: SNAPSHOT });
}

/** The life that was lost: the two end, a third is admitted and charged, one expires and is settled late, money comes and goes. */
function later(): { entries: Entry[]; whole: TestLedger } {
  const whole = early();
  const { ledger, clock } = whole;
  ledger.settle(settleCommand("open", 350));
  ledger.release(releaseCommand("freed"));
  ledger.admit(admitCommand("third", 900));
  ledger.settle({ request_id: "third", facts: chargeFacts(800), record: record("third") });
  ledger.admit(admitCommand("late", 500, { ttl_ms: 1 }));
  clock.now += 10;
  ledger.expire("late", null);
  ledger.settle({ request_id: "late", facts: chargeFacts(450), record: record("late") });
  ledger.trueUp({ request_id: "third", facts: chargeFacts(700) });
  ledger.credit(creditCommand("payment", 2_000));
  ledger.credit(creditCommand("back", 1_500, "chargeback"));
  return { entries: ledger.entries(0, 100), whole };
}

describe("a ledger that was restored to an earlier time", () => {
  test("freezes when it hears that D1 has more, and then admits, books and ends nothing, also after a restart", () => {
    const { ledger, reopen } = early();
    ledger.markRecorded(9);
    expect(ledger.frozen).toMatchObject({ reason: "d1_ahead", d1_seq: 9 });
    expect(ledger.facts()).toMatchObject({ recorded_seq: 1, incidents: 1 });
    for (const each of [ledger, reopen()]) {
      expect(each.admit(admitCommand("r9", 10))).toMatchObject({ ok: false, reason: "account_frozen", code: "overloaded" });
      expect(each.credit(creditCommand("p9", 10))).toMatchObject({ state: "frozen", seq: null });
      expect(each.trueUp({ request_id: "open", facts: chargeFacts(5) })).toMatchObject({ state: "frozen" });
      expect(() => each.settle(settleCommand("open", 350))).toThrow(/frozen/);
      expect(() => each.release(releaseCommand("open"))).toThrow(/frozen/);
      expect(() => each.extend({ request_id: "open", hold_micro_rub: "500", ttl_ms: 60_000 })).toThrow(/frozen/);
      expect(each.facts()).toMatchObject({ seq: 1, open_holds: 2 });
    }
  });

  test("has every entry, balance, hold and spend again after the replay, word for word", () => {
    const { entries, whole } = later();
    const { ledger, reopen, clock } = early();
    clock.now = whole.clock.now;
    ledger.freeze({ reason: "d1_ahead", d1_seq: entries.length });
    expect(ledger.thaw(false)).toBe(false);
    expect(ledger.replay(entries)).toEqual({ applied: entries.length - 1, seq: entries.length, fault: null });
    expect(ledger.replay(entries)).toEqual({ applied: 0, seq: entries.length, fault: null });
    expect(ledger.thaw(false)).toBe(true);
    for (const each of [ledger, reopen()]) {
      expect(each.entries(0, 100)).toEqual(entries);
      expect(each.verifyChain()).toEqual({ ok: true, checked: entries.length });
      expect(each.facts()).toMatchObject({ balance_micro_rub: "9000", held_micro_rub: "0", open_holds: 0, frozen: null });
      for (const id of ["open", "freed", "third", "late"]) expect(each.hold(id)?.state).toBe(whole.ledger.hold(id)?.state);
      // 350 + 800 + 450 were charged today, and 100 given back.
      expect(each.admit(admitCommand("beyond", 3_501))).toMatchObject({ ok: false, reason: "spend_per_day" });
      expect(each.settle(settleCommand("open", 350))).toMatchObject({ state: "exists", charged_micro_rub: "350" });
      expect(each.credit(creditCommand("payment", 2_000))).toMatchObject({ state: "exists" });
    }
    expect(ledger.admit(admitCommand("next", 3_500))).toMatchObject({ ok: true });
    expect(ledger.settle(settleCommand("next", 60))).toMatchObject({ state: "settled", seq: entries.length + 1 });
  });

  test("remembers of a request that it never saw admitted what the record of its end says", () => {
    const { entries } = later();
    const { ledger } = early();
    ledger.freeze({ reason: "operator", d1_seq: 0 });
    const expired = entries.findIndex((entry) => entry.kind === "expire");
    ledger.replay(entries.slice(0, expired + 1));
    expect(ledger.hold("late")).toMatchObject({ state: "EXPIRED", key_id: "" });
    ledger.replay(entries);
    expect(ledger.hold("late")).toMatchObject({ state: "SETTLED_LATE", key_id: "key_demo_00000001", lane: "lane-1" });
    expect(ledger.hold("third")).toMatchObject({
      state: "SETTLED",
      hold_micro_rub: "0",
      key_id: "key_demo_00000001",
      lane: "lane-1",
      snapshot: JSON.stringify(SNAPSHOT),
    });
  });

  test("takes no entries while it is not frozen", () => {
    const { entries } = later();
    const { ledger } = early();
    expect(ledger.replay(entries)).toMatchObject({ applied: 0, fault: { reason: "the ledger is not frozen" } });
    expect(ledger.facts().seq).toBe(1);
  });

  const wrong: [what: string, change: (entry: Entry) => Entry][] = [
    ["an amount", (entry) => ({ ...entry, amount_micro_rub: "-1" })],
    ["a balance", (entry) => ({ ...entry, balance_after_micro_rub: "9999" })],
    ["facts", (entry) => ({ ...entry, facts: "{}" })],
    ["a hash", (entry) => ({ ...entry, hash: "0".repeat(64) })],
    ["postings", (entry) => ({ ...entry, postings: '[["customer","-350"],["revenue","351"]]' })],
  ];
  test.each(wrong)("takes nothing from an entry on whose %s was changed, and stays frozen", (_what, change) => {
    const { entries } = later();
    const { ledger } = early();
    ledger.freeze({ reason: "d1_ahead", d1_seq: entries.length });
    const forged = entries.map((entry) => (entry.seq === 3 ? change(entry) : entry));
    expect(ledger.replay(forged)).toMatchObject({ applied: 1, seq: 2, fault: { seq: 3 } });
    expect(ledger.thaw(false)).toBe(false);
    expect(ledger.verifyChain()).toEqual({ ok: true, checked: 2 });
    expect(ledger.thaw(true)).toBe(true);
    expect(ledger.admit(admitCommand("next", 100))).toMatchObject({ ok: true });
  });

  test("with a gap before them takes no entries", () => {
    const { entries } = later();
    const { ledger } = early();
    ledger.freeze({ reason: "d1_ahead", d1_seq: entries.length });
    expect(ledger.replay(entries.slice(2))).toMatchObject({ applied: 0, seq: 1, fault: { seq: 2, reason: expect.any(String) } });
  });

  test("that has written other entries meanwhile says where the two part, and goes on only when it is told to", () => {
    const { entries } = later();
    const { ledger, reopen } = early();
    ledger.settle(settleCommand("open", 351));
    ledger.freeze({ reason: "diverged", d1_seq: entries.length });
    expect(ledger.replay(entries)).toEqual({ applied: 0, seq: 2, fault: { seq: 2, reason: "the ledger has another entry here" } });
    expect(ledger.thaw(false)).toBe(false);
    expect(ledger.thaw(true)).toBe(true);
    for (const each of [ledger, reopen()]) {
      each.markRecorded(entries.length);
      each.freeze({ reason: "diverged", d1_seq: entries.length });
      expect(each.frozen).toBeNull();
    }
    expect(ledger.freeze({ reason: "d1_ahead", d1_seq: entries.length + 1 })).toMatchObject({ d1_seq: entries.length + 1 });
  });
});
