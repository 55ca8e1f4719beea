/** Correcting a charge after the end of a request: once, from absolute facts, and never beyond what the customer has. */
import { describe, expect, test } from "vitest";
import type { TrueUpCommand } from "../../schema/ledger.ts";
import type { Ledger } from "../../workers/durable/ledger-store.ts";
import { admitCommand, chargeFacts, creditCommand, releaseCommand, settleCommand } from "./commands.ts";
import { ledgerWith, type TestLedger } from "./test-ledger.ts";

function trueUp(requestId: string, cost: number, providerCost = 0): TrueUpCommand {
  return { request_id: requestId, facts: chargeFacts(cost, { provider_cost_micro_rub: String(providerCost) }) };
}

/** A ledger whose request "r1" held 400 and was charged by an estimate of 250. */
function estimated(balance = 1000): TestLedger {
  const made = ledgerWith(balance);
  made.ledger.admit(admitCommand("r1", 400));
  made.ledger.settle(settleCommand("r1", 250, { usage_source: "estimated", provider_cost_micro_rub: "200" }));
  return made;
}

function sums(ledger: Ledger): Record<string, string> {
  return ledger.postingSums();
}

describe("a true-up", () => {
  test("to a lower cost gives the difference back, in an entry of its own, and all accounts then are those of the true cost", () => {
    const { ledger } = estimated();
    expect(ledger.trueUp(trueUp("r1", 180, 150))).toEqual({
      state: "trued_up",
      seq: 3,
      amount_micro_rub: "70",
      balance_after_micro_rub: "820",
    });
    expect(ledger.entries(0, 9).map((entry) => [entry.kind, entry.amount_micro_rub])).toEqual([
      ["credit", "1000"],
      ["settle", "-250"],
      ["true_up", "70"],
    ]);
    expect(sums(ledger)).toEqual({ customer: "820", payment_clearing: "-1000", provider_cost: "150", revenue: "30" });
    expect(ledger.verifyChain()).toEqual({ ok: true, checked: 3 });
  });

  test("to a higher cost takes what is available and books the rest as the house's loss, never as the customer's debt", () => {
    const { ledger } = estimated();
    ledger.admit(admitCommand("other", 700));
    expect(ledger.trueUp(trueUp("r1", 900, 800))).toMatchObject({ state: "trued_up", amount_micro_rub: "-50" });
    expect(ledger.balance()).toEqual({ balance_micro_rub: "700", held_micro_rub: "700", available_micro_rub: "0" });
    expect(sums(ledger)).toEqual({ customer: "700", house_loss: "-600", payment_clearing: "-1000", provider_cost: "800", revenue: "100" });
    expect(ledger.facts().incidents).toBe(1);
  });

  test("takes a loss back that was booked before, as far as it is paid now", () => {
    const { ledger } = ledgerWith(100);
    ledger.admit(admitCommand("r1", 100));
    ledger.settle(settleCommand("r1", 300));
    ledger.credit(creditCommand("later", 500));
    expect(ledger.trueUp(trueUp("r1", 320))).toMatchObject({ amount_micro_rub: "-220", balance_after_micro_rub: "280" });
    expect(sums(ledger)).toEqual({ customer: "280", house_loss: "0", payment_clearing: "-600", revenue: "320" });
  });

  test("is done once: a repeat gives the first answer, other facts change nothing and leave an incident, also after a restart", () => {
    const { ledger, storage, reopen } = estimated();
    const first = ledger.trueUp(trueUp("r1", 180));
    const before = storage.dump();
    expect(ledger.trueUp(trueUp("r1", 180))).toEqual({ ...first, state: "exists" });
    expect(reopen().trueUp(trueUp("r1", 180))).toEqual({ ...first, state: "exists" });
    expect(storage.dump()).toBe(before);
    expect(reopen().trueUp(trueUp("r1", 181))).toEqual({ ...first, state: "exists_with_different" });
    expect(reopen().facts()).toMatchObject({ seq: 3, incidents: 1, balance_micro_rub: "820" });
  });

  test("charges a request that was released and is billed by its provider after all", () => {
    const { ledger } = ledgerWith(1000);
    ledger.admit(admitCommand("r1", 400));
    ledger.release(releaseCommand("r1"));
    expect(ledger.trueUp(trueUp("r1", 40, 30))).toMatchObject({ state: "trued_up", amount_micro_rub: "-40" });
    expect(ledger.settle(settleCommand("r1", 40))).toMatchObject({ state: "exists_with_different", balance_after_micro_rub: "1000" });
    expect(ledger.balance().balance_micro_rub).toBe("960");
  });

  test("is not for a request that is open, has expired, or is unknown", () => {
    const { ledger, clock } = ledgerWith(1000);
    ledger.admit(admitCommand("r1", 400, { ttl_ms: 5000 }));
    expect(ledger.trueUp(trueUp("r1", 10))).toMatchObject({ state: "not_settled", seq: null });
    clock.now += 5000;
    ledger.expire("r1", null);
    expect(ledger.trueUp(trueUp("r1", 10))).toMatchObject({ state: "not_settled" });
    expect(ledger.trueUp(trueUp("nobody", 10))).toMatchObject({ state: "not_found" });
    expect(ledger.settle(settleCommand("r1", 10))).toMatchObject({ state: "settled_late" });
    expect(ledger.trueUp(trueUp("r1", 15))).toMatchObject({ state: "trued_up", amount_micro_rub: "-5" });
    expect(ledger.facts()).toMatchObject({ seq: 4, balance_micro_rub: "985", incidents: 0 });
  });

  test("moves the key's spend of the day with it", () => {
    const { ledger, reopen } = ledgerWith(1000, { spend_micro_rub_per_day: 500 });
    ledger.admit(admitCommand("r1", 450));
    ledger.settle(settleCommand("r1", 450));
    expect(ledger.admit(admitCommand("r2", 100))).toMatchObject({ ok: false, reason: "spend_per_day" });
    ledger.trueUp(trueUp("r1", 150));
    for (const each of [ledger, reopen()])
      expect(each.admit(admitCommand("r3", 351))).toMatchObject({ ok: false, reason: "spend_per_day" });
    expect(ledger.admit(admitCommand("r3", 350))).toMatchObject({ ok: true });
  });
});
