/**
 * One account's ledger under watch: each of its commands is foretold by the auditor and compared with what it answered, and after each the
 * rows themselves are read and compared with the auditor's books (research/billing.md §6.1, I1 to I11).
 */
import { entryHash, postingsOf } from "../audit/chain.ts";
import { Auditor, type Expected, type Fields, fieldsOf, type ModelEntry, samePostings } from "./auditor.ts";
import { independentCost } from "./cost-check.ts";
import type { ObjectHost } from "./object-host.ts";
import type { Schedule } from "./schedule.ts";
import { Crash } from "./storage.ts";
import { answerOf } from "./answers.ts";

/** What was done to a ledger, in order: for running it again elsewhere. */
export interface Executed {
  at: number;
  method: string;
  parameters: readonly unknown[];
}

export interface BooksWiring {
  host: ObjectHost;
  schedule: Schedule;
  violated: (invariant: string, detail: string) => void;
  /** What the upstream of a request really reported; null where it reported nothing. */
  truth: (requestId: string) => Fields | null;
  counted: (what: string) => void;
  /** What was paid under a reference of a payment; null when nothing was. */
  paid: (reference: string) => bigint | null;
  /** The ledger was told that D1 has everything up to this entry. */
  recorded: (seq: number) => void;
}

const COMMANDS = ["admit", "settle", "release", "expire", "extend", "credit", "trueUp"];
const NEW_ENTRIES = `SELECT seq, kind, request_id, external_id, CAST(amount AS TEXT) AS amount, postings, CAST(balance_after AS TEXT) AS balance_after,
  CAST(held_after AS TEXT) AS held_after, at, facts, record, prev_hash, hash,
  typeof(amount) || typeof(balance_after) || typeof(held_after) || typeof(at) AS types FROM entry WHERE seq > ? ORDER BY seq`;
const SUMS = `SELECT count(*) AS entries, coalesce(max(seq), 0) AS seq, CAST(coalesce(sum(amount), 0) AS TEXT) AS sum,
  (SELECT CAST(coalesce(sum(amount), 0) AS TEXT) FROM hold WHERE state = 'HELD') AS held,
  (SELECT count(*) FROM hold WHERE state = 'HELD') AS open, (SELECT count(*) FROM incident) AS incidents FROM entry`;
const RANGE = 9_007_199_254_740_991n;

export class Books {
  readonly auditor = new Auditor();
  readonly log: Executed[] = [];
  /** Hash of each entry, by its seq from 1. */
  readonly hashes: string[] = [];
  /** The sum of each account's postings over all entries that were read. */
  readonly house = new Map<string, bigint>();
  /** False: what is done to the ledger is neither foretold nor checked. */
  isWatching = true;
  readonly #wiring: BooksWiring;
  readonly #charges = new Set<string>();
  #changesSeen = -1;

  constructor(wiring: BooksWiring) {
    this.#wiring = wiring;
  }

  /** Puts the watch on a ledger that was opened. */
  watch(ledger: object): object {
    this.log.push({ at: this.#now(), method: "open", parameters: [] });
    for (const method of [...COMMANDS, "markRecorded", "createKey"]) {
      const original: unknown = Reflect.get(ledger, method);
      if (typeof original !== "function") throw new Error(`the ledger has no ${method}`);
      const run = (parameters: unknown[]): unknown => Reflect.apply(original, ledger, parameters);
      const value = (...parameters: unknown[]): unknown => this.#watched(method, parameters, run, ledger);
      Reflect.defineProperty(ledger, method, { value });
    }
    return ledger;
  }

  #now(): number {
    return this.#wiring.schedule.now + this.#wiring.schedule.skew;
  }

  #watched(method: string, parameters: unknown[], run: (parameters: unknown[]) => unknown, ledger: object): unknown {
    const at = this.#now();
    if (!this.isWatching) return run(parameters);
    if (method === "markRecorded" || method === "createKey") {
      const done = run(parameters);
      if (method === "markRecorded") this.#wiring.recorded(Number(parameters[0]));
      this.log.push({ at, method, parameters });
      return done;
    }
    const { statements } = this.#wiring.host;
    const command = method === "expire" ? { request_id: parameters[0] } : fieldsOf(parameters[0]);
    const expected = this.auditor.expect(method, command, at);
    const changes = statements.changes();
    let result: unknown;
    try {
      result = run(parameters);
    } catch (error) {
      this.#failed(error, { method, command, expected, at, parameters });
      throw error;
    }
    this.#compare(method, expected, answerOf(method, result), command);
    const isRepeat = expected.change === null && expected.incidents === 0;
    if (isRepeat) this.#wiring.counted("checked I11");
    if (isRepeat && statements.changes() !== changes) {
      this.#violated("I11", `${method} changed rows although it was to change nothing: ${JSON.stringify(command)}`);
    }
    this.#apply(expected, { at, method, parameters });
    this.check(ledger);
    return result;
  }

  #compare(method: string, expected: Expected, answer: string, command: Fields): void {
    this.#wiring.counted(
      `${method} ${answer
        .split(" ")
        .slice(0, answer.startsWith("no ") ? 2 : 1)
        .join(" ")}`,
    );
    if (answer === expected.answer) return;
    this.#violated("answer", `${method} answered "${answer}" instead of "${expected.answer}" to ${JSON.stringify(command)}`);
  }

  #apply(expected: Expected, executed: Executed): void {
    expected.change?.();
    this.auditor.incidents += expected.incidents;
    this.log.push(executed);
  }

  /** A command that threw: the object died in it (all or nothing), it was refused for now, or something is wrong. */
  #failed(error: unknown, command: Executed & { command: Fields; expected: Expected }): void {
    const message = error instanceof Error ? error.message : String(error);
    if (error instanceof Crash) {
      const isDone = this.#isCommitted(command);
      this.#wiring.counted(`crash ${isDone ? "after" : "before"} the commit of ${command.method}`);
      const incidents = Number(this.#wiring.host.statements.one("SELECT count(*) AS n FROM incident")["n"]);
      if (isDone && command.expected.change !== null) this.#apply({ ...command.expected, incidents: 0 }, command);
      if (incidents < this.auditor.incidents || incidents > this.auditor.incidents + command.expected.incidents) {
        this.#violated("I16", `${incidents} incidents after a crash in ${command.method}`);
      }
      this.auditor.incidents = incidents;
      this.check(null);
      return;
    }
    if (message.includes("stale")) return;
    if (message.includes("frozen") && command.expected.answer === "frozen") return;
    this.#violated("threw", `${command.method} threw ${message}`);
  }

  /** Whether the rows have what a command that died was to do. */
  #isCommitted({ method, command, expected, at }: Executed & { command: Fields; expected: Expected }): boolean {
    const { statements } = this.#wiring.host;
    const id = String(command["request_id"]);
    if (method === "admit") {
      const found =
        expected.answer === "held"
          ? statements.all("SELECT 1 FROM hold WHERE request_id = ? AND state = 'HELD'", id)
          : statements.all("SELECT 1 FROM idempotency WHERE request_id = ? AND at = ?", id, String(at));
      return found.length > 0;
    }
    if (method === "extend") {
      const hold = statements.one("SELECT CAST(amount AS TEXT) AS amount, expires_at FROM hold WHERE request_id = ?", id);
      return expected.answer === `extended ${String(hold["amount"])} ${String(hold["expires_at"])}`;
    }
    return Number(statements.one("SELECT coalesce(max(seq), 0) AS seq FROM entry")["seq"]) > this.auditor.entries.length;
  }

  /** After a step: whatever changed rows, by a command or not, left them as the auditor has them. */
  checkStep(): void {
    if (this.isWatching && this.#wiring.host.statements.changes() !== this.#changesSeen) this.check(null);
  }

  /** Reads the rows and compares them with the auditor's books. `ledger`: also what it says from memory. */
  check(ledger: object | null): void {
    const { statements } = this.#wiring.host;
    this.#changesSeen = statements.changes();
    this.#wiring.counted("checked I1 I2 I6");
    const { auditor } = this;
    for (const row of statements.all(NEW_ENTRIES, this.hashes.length)) this.#checkEntry(row);
    const sums = statements.one(SUMS);
    const seen = [sums["entries"], sums["seq"], sums["sum"], sums["held"], sums["open"], sums["incidents"]].join(" ");
    const open = auditor.openOf(null).length;
    const wanted = [auditor.entries.length, auditor.entries.length, auditor.balance, auditor.held, open, auditor.incidents].join(" ");
    if (seen !== wanted) this.#violated("I1 I2 I6", `entries, last seq, sum, held, open, incidents are ${seen} instead of ${wanted}`);
    if (ledger === null) return;
    this.#wiring.counted("checked I3");
    const balance: unknown = Reflect.get(ledger, "balance");
    if (typeof balance !== "function") throw new Error("the ledger has no balance");
    const said = fieldsOf(Reflect.apply(balance, ledger, []));
    const memory = [said["balance_micro_rub"], said["held_micro_rub"], said["available_micro_rub"]].join(" ");
    const truth = [auditor.balance, auditor.held, auditor.available].join(" ");
    if (memory !== truth) this.#violated("I3", `balance, held, available in memory are ${memory} instead of ${truth}`);
  }

  #checkEntry(row: Fields): void {
    const seq = Number(row["seq"]);
    const expected = this.auditor.entries[seq - 1];
    if (expected === undefined) {
      this.#violated("I16", `entry ${seq} (${String(row["kind"])} of ${String(row["request_id"])}) is nobody's`);
      this.hashes[seq - 1] = String(row["hash"]);
      return;
    }
    this.#wiring.counted("checked I4 I5 I6 I10 I16");
    const hash = entryHash(row, this.hashes[seq - 2] ?? "");
    if (row["prev_hash"] !== (this.hashes[seq - 2] ?? "") || row["hash"] !== hash)
      this.#violated("I6", `entry ${seq} is not the next link`);
    if (row["types"] !== "integerintegerintegerinteger") this.#violated("I5", `entry ${seq} has ${String(row["types"])}`);
    if (BigInt(String(row["amount"])) > RANGE || BigInt(String(row["amount"])) < -RANGE)
      this.#violated("I5", `entry ${seq} is out of range`);
    const difference = entryDifference(row, expected);
    if (difference !== null) this.#violated("I10", `entry ${seq}: ${difference}`);
    this.hashes[seq - 1] = String(row["hash"]);
    this.#checkPayment(expected, seq);
    this.#checkHouse(row, seq);
    this.#checkCharge(row, expected, seq);
  }

  /** Credited is what a payment that succeeded has brought, and nothing else. */
  #checkPayment({ kind, external, amount }: ModelEntry, seq: number): void {
    if (kind !== "credit") return;
    this.#wiring.counted("checked I17");
    if (this.#wiring.paid(external ?? "") !== amount)
      this.#violated("I17", `entry ${seq} credits what was not paid under ${external ?? ""}`);
  }

  #checkHouse(row: Fields, seq: number): void {
    const postings = postingsOf(row);
    for (const [name, amount] of postings) this.house.set(name, (this.house.get(name) ?? 0n) + amount);
    const sum = [...this.house.values()].reduce((all, amount) => all + amount, 0n);
    if (sum !== 0n) this.#violated("I4", `all accounts sum to ${sum} after entry ${seq}`);
    if ((this.house.get("customer") ?? 0n) !== this.auditor.balance && seq === this.auditor.entries.length) {
      this.#violated("I4", `the customer's postings are not the balance after entry ${seq}`);
    }
  }

  /** A charge: once a request, by the formula on the prices of its admission, and of the usage that was really reported. */
  #checkCharge(row: Fields, expected: ModelEntry, seq: number): void {
    const kind = String(row["kind"]);
    if (kind !== "settle" && kind !== "late_settle" && kind !== "true_up") return;
    this.#wiring.counted("checked I7 I9 I23");
    const id = String(row["request_id"]);
    const once = `${kind === "true_up" ? kind : "charge"} ${id}`;
    if (this.#charges.has(once)) this.#violated("I7", `a second ${once} is entry ${seq}`);
    this.#charges.add(once);
    const facts = expected.facts ?? {};
    const hold = this.auditor.holds.get(id);
    const { cost, provider } = independentCost(hold?.snapshot ?? "{}", fieldsOf(facts["usage"]));
    if (facts["cost_micro_rub"] !== String(cost) || facts["provider_cost_micro_rub"] !== String(provider)) {
      this.#violated("I9 I23", `entry ${seq} costs ${String(facts["cost_micro_rub"])}, by the formula ${cost}`);
    }
    const truth = this.#wiring.truth(id);
    if (kind === "true_up" || truth === null || facts["usage_source"] === "estimated") return;
    this.#wiring.counted("checked I18");
    if (JSON.stringify(truth) !== JSON.stringify(facts["usage"]))
      this.#violated("I18", `entry ${seq} is not of the usage that was reported`);
  }

  #violated(invariant: string, detail: string): void {
    this.#wiring.violated(invariant, `${this.#wiring.host.name}: ${detail}`);
  }
}

function entryDifference(row: Fields, expected: ModelEntry): string | null {
  const seen = [row["kind"], row["request_id"], row["external_id"], row["amount"], row["balance_after"], row["held_after"], row["at"]];
  const wanted = [
    expected.kind,
    expected.request,
    expected.external,
    expected.amount,
    expected.balanceAfter,
    expected.heldAfter,
    expected.at,
  ];
  if (seen.map(String).join(" ") !== wanted.map(String).join(" "))
    return `${seen.map(String).join(" ")} instead of ${wanted.map(String).join(" ")}`;
  if (!samePostings(postingsOf(row), expected.postings)) return `postings ${String(row["postings"])}`;
  const facts = row["facts"] === null ? null : JSON.stringify(JSON.parse(String(row["facts"])));
  return facts === (expected.facts === null ? null : JSON.stringify(expected.facts)) ? null : `facts ${String(row["facts"])}`;
}
