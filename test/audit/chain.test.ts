/** The auditor's own reading of a ledger: what it accepts from the product, and what it says of books that were touched. */
import { describe, expect, test } from "vitest";
import { ChainReader, entryHash, type Fields } from "../../scripts/audit/chain.ts";
import { AuditPrinter } from "../../scripts/audit/report.ts";
import type { Entry } from "../../schema/ledger.ts";
import { admitCommand, chargeFacts, creditCommand, releaseCommand, settleCommand } from "../ledger/commands.ts";
import { ledgerWith } from "../ledger/test-ledger.ts";

/** A ledger with an entry of every kind but an expiry; its rows as the auditor reads them. */
function ledgerRows(): Fields[] {
  const { ledger } = ledgerWith(10_000);
  for (const id of ["r1", "r2", "r3"]) ledger.admit(admitCommand(id, 500));
  ledger.settle(settleCommand("r1", 350, { provider_cost_micro_rub: "200" }));
  ledger.release(releaseCommand("r2"));
  ledger.settle(settleCommand("r3", 20_000, { provider_cost_micro_rub: "15000" }));
  ledger.trueUp({ request_id: "r1", facts: chargeFacts(300) });
  ledger.credit({ ...creditCommand("payment", 2_000), fee_micro_rub: "40" });
  ledger.credit(creditCommand("back", 1_500, "refund"));
  ledger.credit(creditCommand("taken", 2_500, "chargeback"));
  ledger.credit(creditCommand("grace", 10, "adjust"));
  return ledger.entries(0, 100).map(rowOf);
}

function rowOf(entry: Entry): Fields {
  const { amount_micro_rub: amount, balance_after_micro_rub: after, held_after_micro_rub: held, ...others } = entry;
  return { ...others, amount, balance_after: after, held_after: held };
}

function read(rows: readonly Fields[]): ChainReader {
  const chain = new ChainReader();
  for (const row of rows) chain.read(row);
  return chain;
}

describe("the chain of a ledger", () => {
  test("is right as the product wrote it, with debt, loss, fees and corrections; all accounts sum to zero", () => {
    const chain = read(ledgerRows());
    expect(chain.findings).toEqual([]);
    expect(chain.seq).toBe(9);
    expect(Object.fromEntries(chain.house)).toEqual({
      customer: chain.balance,
      adjustment: -10n,
      fees: -40n,
      house_loss: -10_350n,
      payment_clearing: -7_960n,
      provider_cost: 15_000n,
      revenue: 5_300n,
    });
    expect(chain.balance).toBe(-1_940n);
    expect([...chain.house.values()].reduce((sum, amount) => sum + amount, 0n)).toBe(0n);
  });

  const touched: [what: string, change: (rows: Fields[]) => Fields[], finding: RegExp][] = [
    ["an amount", (rows) => rows.with(1, { ...rows[1], amount: "-1" }), /entry 2 has another hash/],
    ["a record", (rows) => rows.with(2, { ...rows[2], record: '{"id":"r9"}' }), /entry 3 has another hash/],
    ["facts", (rows) => rows.with(1, { ...rows[1], facts: "{}" }), /entry 2 has another hash/],
    ["a time", (rows) => rows.with(1, { ...rows[1], at: 7 }), /entry 2 has another hash/],
    ["a link", (rows) => rows.with(4, { ...rows[4], prev_hash: "0".repeat(64) }), /entry 5 does not follow/],
    ["an entry that is missing", (rows) => rows.toSpliced(3, 1), /entry 4 is missing/],
    ["two entries the other way round", (rows) => [...rows.slice(0, 3), ...rows.slice(3, 5).toReversed(), ...rows.slice(5)], /is missing/],
    ["a beginning that is missing", (rows) => rows.slice(1), /entry 1 is missing/],
  ];
  test.each(touched)("with %s that was changed is wrong, and says where", (_what, change, finding) => {
    expect(read(change(ledgerRows())).findings.join("; ")).toMatch(finding);
  });

  /** An entry whose hash is right, whatever else is wrong with it. */
  function hashed(row: Fields): Fields {
    const whole = { request_id: null, external_id: null, held_after: "0", at: 7, facts: null, record: null, prev_hash: "", ...row };
    return { ...whole, hash: entryHash(whole, String(whole.prev_hash)) };
  }

  const SALE = '[["customer","-5"],["revenue","5"]]';
  const forged: [what: string, row: Fields, finding: string][] = [
    ["does not sum to zero", { postings: '[["customer","-5"],["revenue","6"]]' }, "the postings of entry 1 sum to 1"],
    ["has another amount", { amount: "-6", balance_after: "-6" }, "entry 1 has another amount than its customer's posting"],
    ["has another balance", { balance_after: "95" }, "the balance after entry 1 is not the sum of the entries"],
  ];
  test.each(forged)("with a hash that is right over an entry that %s is wrong", (_what, row, finding) => {
    const right = { seq: 1, kind: "adjust", amount: "-5", balance_after: "-5", postings: SALE };
    expect(read([hashed(right)]).findings).toEqual([]);
    expect(read([hashed({ ...right, ...row })]).findings).toEqual([finding]);
  });

  test("with a request that is charged twice is wrong although every hash is right", () => {
    const charge = { kind: "settle", request_id: "r1", amount: "-5", postings: SALE };
    const one = hashed({ ...charge, seq: 1, balance_after: "-5" });
    const two = hashed({ ...charge, seq: 2, balance_after: "-10", prev_hash: one["hash"] });
    expect(read([one, two]).findings).toEqual(["entry 2 is a second charge of r1"]);
  });
});

test("an audit names every finding, sums all accounts of all ledgers, and is right only when nothing was found", () => {
  const said: string[] = [];
  const account = { state: "active", heldMicroRub: 0n, openHolds: 0, incidents: 0, notInD1: 0, findings: [] };
  const right = new AuditPrinter((line) => said.push(line));
  right.add({ ...account, account: "acc_right", chain: read(ledgerRows()) });
  expect(right.close()).toBe(true);
  expect(said.join("\n")).toContain("1 accounts, 9 entries: the books are right");
  const wrong = new AuditPrinter((line) => said.push(line));
  wrong.add({ ...account, account: "acc_wrong", chain: read(ledgerRows().toSpliced(3, 1)) });
  expect(wrong.close()).toBe(false);
  expect(said.join("\n")).toMatch(/WRONG acc_wrong: .*\n {6}entry 4 is missing/);
});
