/** How requests end and money moves in one account's ledger: settlement, release, expiry, payments, the chain and the outbox. */
import { describe, expect, test } from "vitest";
import { admitCommand, creditCommand, releaseCommand, settleCommand } from "./commands.ts";
import { ledgerWith } from "./test-ledger.ts";
import { admitResultSchema, endResultSchema, entrySchema, holdSchema, ledgerFactsSchema } from "../../schema/ledger.ts";

describe("the end of a request", () => {
  test("a settlement charges once; its repeat gives the same numbers and changes nothing, also after a restart", () => {
    const { ledger, storage, reopen } = ledgerWith(1000);
    ledger.admit(admitCommand("r1", 400));
    const first = ledger.settle(settleCommand("r1", 250));
    expect(first).toEqual({
      state: "settled",
      hold_state: "SETTLED",
      charged_micro_rub: "250",
      shortfall_micro_rub: "0",
      seq: 2,
      balance_after_micro_rub: "750",
      held_after_micro_rub: "0",
    });
    const before = storage.dump();
    expect(ledger.settle(settleCommand("r1", 250))).toEqual({ ...first, state: "exists" });
    expect(reopen().settle(settleCommand("r1", 250))).toEqual({ ...first, state: "exists" });
    expect(storage.dump()).toBe(before);
  });

  test("other facts under a settled id are an incident and never a second charge", () => {
    const { ledger } = ledgerWith(1000);
    ledger.admit(admitCommand("r1", 400));
    ledger.settle(settleCommand("r1", 250));
    expect(ledger.settle(settleCommand("r1", 251))).toMatchObject({ state: "exists_with_different", charged_micro_rub: "250" });
    expect(ledger.settle(settleCommand("r1", 250, { usage_source: "estimated" }))).toMatchObject({ state: "exists_with_different" });
    expect(ledger.release(releaseCommand("r1"))).toMatchObject({ state: "exists_with_different", charged_micro_rub: "250" });
    expect(ledger.facts()).toMatchObject({ incidents: 3, seq: 2, balance_micro_rub: "750" });
  });

  test("a cost above the hold takes what is available, the rest is the house's loss and raises a flag", () => {
    const { ledger } = ledgerWith(1000);
    ledger.admit(admitCommand("r1", 300));
    ledger.admit(admitCommand("other", 500));
    expect(ledger.settle(settleCommand("r1", 900))).toMatchObject({
      state: "settled",
      charged_micro_rub: "500",
      shortfall_micro_rub: "400",
    });
    expect(ledger.balance()).toEqual({ balance_micro_rub: "500", held_micro_rub: "500", available_micro_rub: "0" });
    expect(JSON.parse(ledger.entriesBySeq([2])[0]?.postings ?? "[]")).toEqual([
      ["customer", "-500"],
      ["revenue", "900"],
      ["house_loss", "-400"],
    ]);
    expect(ledger.facts().incidents).toBe(1);
    expect(ledger.settle(settleCommand("r1", 900))).toMatchObject({
      state: "exists",
      charged_micro_rub: "500",
      shortfall_micro_rub: "400",
    });
  });

  test("a release gives the hold back and leaves one line of amount zero; a repeat for another reason changes nothing", () => {
    const { ledger } = ledgerWith(1000);
    ledger.admit(admitCommand("r1", 400));
    expect(ledger.release(releaseCommand("r1"))).toMatchObject({ state: "released", charged_micro_rub: "0", seq: 2 });
    expect(ledger.release(releaseCommand("r1", "watchdog"))).toMatchObject({ state: "exists", seq: 2 });
    expect(ledger.settle(settleCommand("r1", 10))).toMatchObject({
      state: "exists_with_different",
      hold_state: "RELEASED",
      charged_micro_rub: "0",
    });
    expect(ledger.entries(0, 100).map((entry) => [entry.kind, entry.amount_micro_rub])).toEqual([
      ["credit", "1000"],
      ["release", "0"],
    ]);
    expect(ledger.balance()).toMatchObject({ balance_micro_rub: "1000", held_micro_rub: "0" });
  });

  test("a hold expires at its time and not before; what then settles late is charged once, within what is available", () => {
    const { ledger, clock } = ledgerWith(1000);
    ledger.admit(admitCommand("r1", 400, { ttl_ms: 5000 }));
    expect(ledger.nextDeadline()).toBe(clock.now + 5000);
    expect(ledger.expireDue(10)).toEqual([]);
    expect(ledger.expire("r1", null)).toMatchObject({ state: "not_due", hold_state: "HELD" });
    clock.now += 5000;
    expect(ledger.expireDue(10).map((hold) => hold.request_id)).toEqual(["r1"]);
    expect(ledger.expire("r1", null)).toMatchObject({ state: "expired", charged_micro_rub: "0", held_after_micro_rub: "0" });
    expect(ledger.nextDeadline()).toBeNull();
    ledger.admit(admitCommand("r2", 900));
    expect(ledger.settle(settleCommand("r1", 150))).toMatchObject({
      state: "settled_late",
      charged_micro_rub: "100",
      shortfall_micro_rub: "50",
    });
    expect(ledger.settle(settleCommand("r1", 150))).toMatchObject({
      state: "exists",
      hold_state: "SETTLED_LATE",
      charged_micro_rub: "100",
    });
    expect(ledger.balance()).toEqual({ balance_micro_rub: "900", held_micro_rub: "900", available_micro_rub: "0" });
  });

  test("an end for a request never admitted says so and does nothing", () => {
    const { ledger, storage } = ledgerWith(1000);
    const before = storage.dump();
    expect(ledger.settle(settleCommand("ghost", 1))).toMatchObject({ state: "not_found", hold_state: null, seq: null });
    expect(ledger.release(releaseCommand("ghost"))).toMatchObject({ state: "not_found" });
    expect(ledger.expire("ghost", null)).toMatchObject({ state: "not_found" });
    expect(ledger.extend({ request_id: "ghost", hold_micro_rub: "1", ttl_ms: 1 })).toMatchObject({ state: "not_found" });
    expect(storage.dump()).toBe(before);
  });

  test("an extension is absolute: a repeat grows nothing, and one that cannot be paid leaves the hold as it was", () => {
    const { ledger, clock } = ledgerWith(1000);
    ledger.admit(admitCommand("r1", 400));
    expect(ledger.extend({ request_id: "r1", hold_micro_rub: "700", ttl_ms: 90_000 })).toEqual({
      state: "extended",
      hold_micro_rub: "700",
      expires_at: clock.now + 90_000,
    });
    expect(ledger.extend({ request_id: "r1", hold_micro_rub: "700", ttl_ms: 90_000 })).toMatchObject({ hold_micro_rub: "700" });
    expect(ledger.extend({ request_id: "r1", hold_micro_rub: "1", ttl_ms: 1 })).toEqual({
      state: "extended",
      hold_micro_rub: "700",
      expires_at: clock.now + 90_000,
    });
    expect(ledger.extend({ request_id: "r1", hold_micro_rub: "1001", ttl_ms: 1 })).toMatchObject({
      state: "insufficient",
      hold_micro_rub: "700",
    });
    expect(ledger.balance()).toMatchObject({ held_micro_rub: "700" });
    expect(ledger.nextDeadline()).toBe(clock.now + 90_000);
    ledger.release(releaseCommand("r1"));
    expect(ledger.extend({ request_id: "r1", hold_micro_rub: "1", ttl_ms: 1 })).toMatchObject({ state: "not_held" });
  });
});

describe("money from outside", () => {
  test("a payment id is credited once, ever; another amount under it is refused and reported", () => {
    const { ledger } = ledgerWith(0);
    expect(ledger.credit(creditCommand("pay-1", 500))).toEqual({
      state: "credited",
      seq: 1,
      amount_micro_rub: "500",
      balance_after_micro_rub: "500",
    });
    ledger.credit(creditCommand("pay-2", 1));
    expect(ledger.credit(creditCommand("pay-1", 500))).toEqual({
      state: "exists",
      seq: 1,
      amount_micro_rub: "500",
      balance_after_micro_rub: "500",
    });
    expect(ledger.credit(creditCommand("pay-1", 501))).toMatchObject({ state: "exists_with_different", amount_micro_rub: "500" });
    expect(ledger.credit(creditCommand("pay-1", 500, "refund"))).toMatchObject({ state: "exists_with_different" });
    expect(ledger.credit(creditCommand("pay-1", 500, "adjust"))).toMatchObject({ state: "exists_with_different" });
    expect(ledger.balance().balance_micro_rub).toBe("501");
  });

  test("a refund after the money was spent leaves a debt: nothing is admitted until it is paid", () => {
    const { ledger } = ledgerWith(1000);
    ledger.admit(admitCommand("r1", 800));
    ledger.credit(creditCommand("refund-1", 1200, "refund"));
    expect(ledger.balance()).toEqual({ balance_micro_rub: "-200", held_micro_rub: "800", available_micro_rub: "-1000" });
    expect(ledger.admit(admitCommand("r2", 0))).toMatchObject({ code: "insufficient_balance" });
    expect(ledger.settle(settleCommand("r1", 300))).toMatchObject({ charged_micro_rub: "0", shortfall_micro_rub: "300" });
    ledger.credit(creditCommand("pay-2", 250));
    expect(ledger.admit(admitCommand("r3", 51)).ok).toBe(false);
    expect(ledger.admit(admitCommand("r3", 50)).ok).toBe(true);
  });

  test("amounts stay exact up to 2^53 - 1, and a balance beyond it is refused", () => {
    const { ledger, reopen } = ledgerWith(9_007_199_254_740_990n);
    expect(ledger.credit(creditCommand("p1", 2))).toMatchObject({ state: "out_of_range", seq: null });
    expect(ledger.credit(creditCommand("p2", 1))).toMatchObject({ state: "credited" });
    ledger.admit(admitCommand("r1", 9_007_199_254_740_991n));
    ledger.settle(settleCommand("r1", 9_007_199_254_740_989n));
    expect(reopen().balance().balance_micro_rub).toBe("2");
  });
});

describe("the chain", () => {
  test("verifies from any entry, and names the first that was altered, moved or lost", () => {
    const { ledger, storage } = ledgerWith(1000);
    for (const id of ["r1", "r2", "r3"]) {
      ledger.admit(admitCommand(id, 100));
      ledger.settle(settleCommand(id, 10));
    }
    expect(ledger.verifyChain()).toEqual({ ok: true, checked: 4 });
    expect(ledger.verifyChain(3)).toEqual({ ok: true, checked: 2 });
    storage.tamper("DROP TRIGGER entry_is_not_updated; UPDATE entry SET record = '{}' WHERE seq = 3");
    expect(ledger.verifyChain()).toEqual({ ok: false, seq: 3, reason: "hash does not match its content" });
    storage.tamper("DROP TRIGGER entry_is_not_deleted; DELETE FROM entry WHERE seq = 2");
    expect(ledger.verifyChain()).toEqual({ ok: false, seq: 2, reason: "entry is missing" });
  });

  test("entries can be neither changed nor deleted in the database", () => {
    const { storage } = ledgerWith(1000);
    expect(() => storage.tamper("UPDATE entry SET amount = 1")).toThrow(/append-only/);
    expect(() => storage.tamper("DELETE FROM entry")).toThrow(/append-only/);
    expect(storage.rows("SELECT typeof(amount) AS type FROM entry")).toEqual([{ type: "integer" }]);
  });
});

describe("the outbox", () => {
  test("gives the entries above the watermark in order, within its limits, until they are recorded", () => {
    const { ledger, reopen } = ledgerWith(1000);
    for (const id of ["r1", "r2"]) {
      ledger.admit(admitCommand(id, 100));
      ledger.settle(settleCommand(id, 10));
    }
    const all = ledger.unrecorded("demo", 100, 1_000_000);
    expect(all.map((message) => message.seq)).toEqual([1, 2, 3]);
    expect(ledger.unrecorded("demo", 2, 1_000_000)).toHaveLength(2);
    expect(ledger.unrecorded("demo", 100, 1)).toHaveLength(1);
    ledger.markRecorded(2);
    ledger.markRecorded(1);
    expect(ledger.unrecorded("demo", 100, 1_000_000)).toEqual(all.slice(2));
    ledger.markRecorded(99);
    expect(reopen().unrecorded("demo", 100, 1_000_000)).toEqual([]);
    expect(ledger.facts().recorded_seq).toBe(3);
    expect(ledger.resend("demo", [1, 3, 77])).toEqual([all[0], all[2]]);
  });

  test("a message carries the entry, its facts and the request's record as JSON", () => {
    const { ledger } = ledgerWith(1000);
    ledger.admit(admitCommand("r1", 100));
    ledger.settle(settleCommand("r1", 10));
    const [, message] = ledger.unrecorded("demo", 100, 1_000_000);
    const body = JSON.parse(message?.body ?? "{}") as Record<string, unknown>;
    expect(body).toMatchObject({
      v: 1,
      account_id: "demo",
      seq: 2,
      kind: "settle",
      request_id: "r1",
      amount_micro_rub: "-10",
      record: { id: "r1" },
      postings: [
        ["customer", "-10"],
        ["revenue", "10"],
      ],
      facts: { cost_micro_rub: "10", usage: { output_tokens: 20 } },
    });
    expect(message?.bytes).toBe(Buffer.byteLength(message?.body ?? ""));
  });

  test("facts are counted from the rows, and every shape given out fits its schema", () => {
    const { ledger } = ledgerWith(1000);
    const admitted = ledger.admit(admitCommand("r1", 100));
    expect(ledger.openHolds().map((hold) => holdSchema.parse(hold).request_id)).toEqual(["r1"]);
    const settled = ledger.settle(settleCommand("r1", 10));
    admitResultSchema.parse(admitted);
    endResultSchema.parse(settled);
    for (const entry of ledger.entries(0, 10)) entrySchema.parse(entry);
    expect(ledgerFactsSchema.parse(ledger.facts())).toMatchObject({
      seq: 2,
      count: 2,
      sum: "990",
      balance_micro_rub: "990",
      held_micro_rub: "0",
      open_holds: 0,
    });
    expect(ledger.hold("r1")).toMatchObject({ state: "SETTLED", seq: 2, snapshot: '{"version":"1"}' });
    expect(ledger.hold("ghost")).toBeNull();
  });
});
