// data table: defects planted on purpose. A simulator that does not find each of them proves nothing by finding none.
import type { Mutation } from "./product.ts";

export interface Mutant {
  name: string;
  mutations: readonly Mutation[];
}

function mutant(name: string, file: string, from: string, to: string): Mutant {
  return { name, mutations: [{ file, from, to }] };
}

const ADMIT = "workers/ledger/admit.ts";
const FINISH = "workers/ledger/finish.ts";
const CREDIT = "workers/ledger/credit.ts";
const TRUE_UP = "workers/ledger/true-up.ts";
const STORE = "workers/durable/ledger-store.ts";
const ACCOUNT = "workers/durable/account.ts";

export const MUTANTS: readonly Mutant[] = [
  mutant("admission ignores the balance", ADMIT, "if (needed > available) {", "if (needed > available && needed < 0n) {"),
  mutant(
    "admission looks at the balance and not at what is available",
    ADMIT,
    "const available = availableOf(account);",
    "const available = account.balance;",
  ),
  mutant("an Idempotency-Key is not looked up", ADMIT, "if (view.idempotent !== null) {", "if (view.idempotent !== null && now < 0) {"),
  mutant(
    "want of balance is not remembered under its Idempotency-Key",
    ADMIT,
    "const row = idempotencyRow(key, command, { needed, available }, now);",
    "const row = idempotencyRow(key, { ...command, idempotency_key: null }, { needed, available }, now);",
  ),
  mutant("a frozen ledger admits", ADMIT, "if (view.frozen) return", "if (view.frozen && now < 0) return"),
  mutant(
    "a released request is charged when its settlement comes after all",
    FINISH,
    'if (hold.state === "EXPIRED") return charged',
    'if (hold.state === "EXPIRED" || hold.state === "RELEASED") return charged',
  ),
  mutant("a charge goes beyond hold and available", FINISH, "const charge = cost < bounded ? cost : bounded;", "const charge = cost;"),
  mutant(
    "a late settlement counts the hold that has expired",
    FINISH,
    "return charged(view, hold, command, availableOf(account), now, hash);",
    "return charged(view, hold, command, hold.amount + availableOf(account), now, hash);",
  ),
  mutant(
    "other facts under a settled request are no incident",
    FINISH,
    "const same = endedEntry(view, hold).facts === detail;",
    "const same = endedEntry(view, hold).facts !== null;",
  ),
  mutant(
    "what is released stays held",
    FINISH,
    "held: view.account.held - hold.amount,\n      facts: JSON.stringify",
    "held: view.account.held,\n      facts: JSON.stringify",
  ),
  mutant("a payment is booked each time it is told of", CREDIT, "if (existing !== null) {", "if (existing !== null && existing.seq < 0) {"),
  mutant(
    "a chargeback adds to the balance",
    CREDIT,
    'command.kind === "refund" || command.kind === "chargeback"',
    'command.kind === "refund"',
  ),
  mutant(
    "a payment's fee is the customer's",
    CREDIT,
    '["customer", amount],\n    [COUNTERPART[command.kind], fee - amount],',
    '["customer", amount - fee],\n    [COUNTERPART[command.kind], fee + fee - amount],',
  ),
  mutant(
    "a true-up charges the whole cost again",
    TRUE_UP,
    "postings: difference(wanted, postingsOf(ended)),",
    "postings: difference(wanted, []),",
  ),
  mutant("a true-up takes the balance below zero", TRUE_UP, "const charge = cost < payable ? cost : payable;", "const charge = cost;"),
  mutant(
    "costs are computed in floating point",
    "workers/cost/cost.ts",
    "return (numerator + denominator - 1n) / denominator;",
    "return BigInt(Math.ceil(Number(numerator) / Number(denominator)));",
  ),
  mutant(
    "a class without a price is free",
    "workers/cost/cost.ts",
    "const pricePicoUsd = BigInt(known ?? prices.input);",
    'const pricePicoUsd = BigInt(known ?? "0");',
  ),
  mutant(
    "the hash leaves out the amount",
    "workers/ledger/entry.ts",
    "    entry.external_id,\n    entry.amount_micro_rub,\n",
    "    entry.external_id,\n",
  ),
  mutant(
    "a settlement's writes are no transaction",
    STORE,
    "this.#storage.transactionSync(() => {\n      this.#rows.endHold(before, writes.hold);",
    "((step: () => void) => step())(() => {\n      this.#rows.endHold(before, writes.hold);",
  ),
  mutant(
    "an extension is remembered and not written",
    STORE,
    "this.#storage.transactionSync(() => this.#rows.growHold(writes.hold));",
    "void this.#storage;",
  ),
  mutant(
    "a restart forgets the open holds",
    "workers/durable/ledger-memory.ts",
    "for (const hold of rows.openHolds()) this.opened({",
    "for (const hold of rows.openHolds().slice(1)) this.opened({",
  ),
  mutant(
    "a parallel request does not come back when it ends",
    "workers/durable/ledger-keys.ts",
    "key.openHolds -= 1;",
    "key.openHolds -= 0;",
  ),
  mutant("the alarm is armed only when nothing is open", ACCOUNT, "if (busy) this.clock", "if (!busy) this.clock"),
  mutant(
    "the alarm expires nothing",
    ACCOUNT,
    "if (this.book.frozen === null) await expireHolds",
    "if (this.book.frozen !== null) await expireHolds",
  ),
  mutant(
    "a restored object does not ask D1",
    "workers/durable/restore-check.ts",
    "if (own === undefined) this",
    "if (own === undefined && stored.seq < 0) this",
  ),
  mutant(
    "an object writes before it has asked D1",
    "workers/durable/ledger-object.ts",
    "this.current = () => this.restoreCheck.asked().then(this.awake);",
    "this.current = async () => this.awake();",
  ),
  mutant(
    "a replay does not count what was spent",
    "workers/durable/ledger-replay.ts",
    "const spends = spend === null ? new Map()",
    "const spends = spend === null || spend.charge > 0n ? new Map()",
  ),
  mutant("the watermark passes over gaps", "db/runs.ts", "if (run.first_seq > through + 1) return through;", ""),
  {
    name: "a row that comes again is replaced, and counted again",
    mutations: [
      { file: "db/entry-rows.ts", from: "return `INSERT INTO ${table} (", to: "return `INSERT OR REPLACE INTO ${table} (" },
      { file: "db/entry-rows.ts", from: "WHERE ${only} ON CONFLICT DO NOTHING`;", to: "WHERE ${only}`;" },
    ],
  },
  mutant("a message that comes twice is an error", "db/entry-rows.ts", "WHERE ${only} ON CONFLICT DO NOTHING`;", "WHERE ${only}`;"),
];
