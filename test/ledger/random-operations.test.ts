/**
 * Random sequences of every operation, repeats, restarts and storage failures included, against an independent auditor. After each
 * step: same result, same balances, and the ledger's invariants hold on the rows themselves.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { openLedger, type Ledger } from "../../workers/durable/ledger-store.ts";
import { Auditor, type Operation } from "./auditor.ts";
import { admitCommand, creditCommand, releaseCommand, settleCommand } from "./commands.ts";
import { ledgerWith, type TestLedger } from "./test-ledger.ts";
import { sha256 } from "./fake-storage.ts";

const id = fc.integer({ min: 0, max: 5 });
const amount = fc.oneof(
  { weight: 5, arbitrary: fc.integer({ min: 0, max: 1000 }) },
  { weight: 1, arbitrary: fc.constantFrom(0, 1, 999_999, 9_007_199_254_740) },
);
const positive = fc.oneof(
  { weight: 5, arbitrary: fc.integer({ min: 1, max: 3000 }) },
  { weight: 1, arbitrary: fc.constantFrom(1, 9_007_199_254_740) },
);
const steps: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("admit" as const), id, hold: amount, ttl: fc.integer({ min: 1, max: 3000 }) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("settle" as const), id, cost: amount }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("release" as const), id }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("expire" as const), id }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("extend" as const), id, hold: amount }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("credit" as const), id, amount: positive }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("refund" as const), id, amount: positive }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("wait" as const), milliseconds: fc.integer({ min: 1, max: 4000 }) }) },
  { weight: 1, arbitrary: fc.constant({ kind: "restart" as const }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("crash" as const), after: fc.integer({ min: 0, max: 3 }) }) },
);

/** Runs one operation on the ledger; the result in the auditor's words. */
function run(ledger: Ledger, operation: Operation): string {
  switch (operation.kind) {
    case "admit": {
      const result = ledger.admit(admitCommand(`r${operation.id}`, operation.hold, { ttl_ms: operation.ttl }));
      if (!result.ok) return result.reason === "insufficient_balance" ? "insufficient" : result.reason;
      return result.replay === null ? "admitted" : "replay";
    }
    case "settle": {
      const result = ledger.settle(settleCommand(`r${operation.id}`, operation.cost));
      return result.state === "not_found" ? "not_found" : `${result.state} ${result.charged_micro_rub}`;
    }
    case "release":
    case "expire": {
      const requestId = `r${operation.id}`;
      const result = operation.kind === "release" ? ledger.release(releaseCommand(requestId)) : ledger.expire(requestId, null);
      return result.state === "not_found" || result.state === "not_due" ? result.state : `${result.state} ${result.charged_micro_rub}`;
    }
    case "extend": {
      const result = ledger.extend({ request_id: `r${operation.id}`, hold_micro_rub: String(operation.hold), ttl_ms: 1000 });
      return result.state === "extended" ? `extended ${result.hold_micro_rub}` : result.state;
    }
    case "credit":
    case "refund":
      return ledger.credit(creditCommand(`p${operation.id}`, operation.amount, operation.kind)).state;
    case "wait":
    case "restart":
    case "crash":
      return "";
  }
}

function checkInvariants(subject: TestLedger, ledger: Ledger, auditor: Auditor): void {
  expect(ledger.balance()).toEqual({
    balance_micro_rub: auditor.balance.toString(),
    held_micro_rub: auditor.held.toString(),
    available_micro_rub: auditor.available.toString(),
  });
  const facts = ledger.facts();
  expect(facts).toMatchObject({ seq: auditor.entries, count: auditor.entries, sum: auditor.balance.toString() });
  expect(ledger.verifyChain()).toEqual({ ok: true, checked: auditor.entries });
  const rows = (query: string): unknown[] => subject.storage.rows(query);
  expect(rows("SELECT 1 FROM entry WHERE typeof(amount) <> 'integer' OR typeof(at) <> 'integer'")).toEqual([]);
  expect(rows("SELECT request_id FROM entry WHERE kind IN ('settle', 'late_settle') GROUP BY request_id HAVING COUNT(*) > 1")).toEqual([]);
  expect(
    rows(
      "SELECT 1 FROM entry, json_each(entry.postings) AS posting GROUP BY entry.seq HAVING SUM(CAST(posting.value ->> 1 AS INTEGER)) <> 0",
    ),
  ).toEqual([]);
  expect(rows("SELECT 1 FROM hold WHERE state = 'HELD'")).toHaveLength(facts.open_holds);
}

/** Everything the ledger answers from memory, to compare with one opened afresh on the same rows. */
function memoryOf(ledger: Ledger): string {
  return JSON.stringify([
    ledger.balance(),
    ledger.facts(),
    ledger.openHolds(),
    ledger.nextDeadline(),
    ledger.keys(),
    ledger.expireDue(100),
  ]);
}

/** All rows but those a repeat or a failure may leave: incidents, and price snapshots that no hold names yet. */
function moneyRows(subject: TestLedger): string {
  return subject.storage.dump().replace(/^\["(hold_snapshot|incident)".*$/gm, "");
}

/** Runs an operation, letting a statement of it fail first when `failAfter` says so: the failure must leave nothing, so it is tried again. */
function runThroughFailure(
  subject: TestLedger,
  ledger: Ledger,
  operation: Operation,
  failAfter: number | null,
  count: (what: string) => void,
): string {
  const before = moneyRows(subject);
  subject.storage.failAfter = failAfter;
  try {
    return run(ledger, operation);
  } catch (error) {
    expect(String(error)).toContain("injected storage failure");
    count(`${operation.kind} failed`);
    expect(moneyRows(subject)).toBe(before);
    return run(ledger, operation);
  } finally {
    subject.storage.failAfter = null;
  }
}

test("any sequence of operations, restarts and storage failures gives what the auditor expects, and repeats change nothing", () => {
  const seen = new Map<string, number>();
  const count = (what: string): number => seen.set(what, (seen.get(what) ?? 0) + 1).size;
  fc.assert(
    fc.property(fc.array(steps, { minLength: 1, maxLength: 50, size: "max" }), (operations) => {
      const subject = ledgerWith(0, { parallel_requests: 100, spend_micro_rub_per_day: Number.MAX_SAFE_INTEGER });
      const auditor = new Auditor(subject.clock.now);
      let { ledger } = subject;
      ledger.credit(creditCommand("p100", 2000));
      auditor.apply({ kind: "credit", id: 100, amount: 2000 });
      let failAfter: number | null = null;
      for (const operation of operations) {
        if (operation.kind === "restart") ledger = subject.reopen();
        if (operation.kind === "wait") subject.clock.now += operation.milliseconds;
        if (operation.kind === "crash") {
          failAfter = operation.after;
          continue;
        }
        const result = runThroughFailure(subject, ledger, operation, failAfter, count);
        count(`${operation.kind} ${result.split(" ")[0]}`);
        failAfter = null;
        expect(result, JSON.stringify(operation)).toBe(auditor.apply(operation));
        checkInvariants(subject, ledger, auditor);
        const rows = moneyRows(subject);
        run(ledger, operation);
        expect(moneyRows(subject)).toBe(rows);
        expect(memoryOf(ledger)).toBe(memoryOf(openLedger(subject.storage, { now: () => subject.clock.now, hash: sha256 })));
      }
    }),
    { numRuns: 200, seed: 42 },
  );
  // A generator that never reaches a state proves nothing about it.
  const reached = [
    "admit admitted",
    "admit insufficient",
    "admit replay",
    "settle settled",
    "settle settled_late",
    "settle exists_with_different",
    "settle failed",
    "release released",
    "release exists",
    "release exists_with_different",
    "release failed",
    "expire expired",
    "expire not_due",
    "expire failed",
    "extend extended",
    "extend insufficient",
    "credit credited",
    "credit exists_with_different",
    "refund credited",
  ];
  expect(reached.filter((what) => (seen.get(what) ?? 0) < 5)).toEqual([]);
}, 120_000);
