/**
 * An account's entries checked by an auditor's own hand: dense, linked, hashed, summed, each entry's postings zero. Nothing here is the
 * product's; what a hash covers is said once more.
 */
import { createHash } from "node:crypto";

export type Fields = Readonly<Record<string, unknown>>;

/** One entry as it is stored: amounts as exact text, `postings`, `facts` and `record` as the very text the hash covers. */
export const HASHED = [
  "seq",
  "kind",
  "request_id",
  "external_id",
  "amount",
  "postings",
  "balance_after",
  "held_after",
  "at",
  "facts",
  "record",
] as const;

/** SHA-256 of the previous hash, a bar, and the fields above as a JSON list. */
export function entryHash(row: Fields, previous: string): string {
  return createHash("sha256")
    .update(`${previous}|${JSON.stringify(HASHED.map((name) => row[name]))}`)
    .digest("hex");
}

/** Amounts by account, without zeros. */
export function summed(postings: readonly (readonly [string, bigint])[]): Map<string, bigint> {
  const sums = new Map<string, bigint>();
  for (const [name, amount] of postings) sums.set(name, (sums.get(name) ?? 0n) + amount);
  for (const [name, amount] of sums) if (amount === 0n) sums.delete(name);
  return sums;
}

export function postingsOf(row: Fields): Map<string, bigint> {
  const parsed: unknown = JSON.parse(String(row["postings"]));
  if (!Array.isArray(parsed)) throw new Error("postings are no list");
  return summed(
    parsed.map((each: unknown): [string, bigint] => (Array.isArray(each) ? [String(each[0]), BigInt(String(each[1]))] : ["", 1n])),
  );
}

/** A ledger read from its first entry to its last. */
export class ChainReader {
  seq = 0;
  hash = "";
  balance = 0n;
  /** Sum of the postings of each account. */
  readonly house = new Map<string, bigint>();
  /** What is wrong, the first few. */
  readonly findings: string[] = [];
  readonly #charged = new Set<string>();

  read(row: Fields): void {
    this.seq += 1;
    const seq = Number(row["seq"]);
    if (seq !== this.seq) this.#found(`entry ${this.seq} is missing`);
    if (row["prev_hash"] !== this.hash) this.#found(`entry ${seq} does not follow the entry before it`);
    if (entryHash(row, String(row["prev_hash"])) !== row["hash"]) this.#found(`entry ${seq} has another hash than its content`);
    const postings = postingsOf(row);
    let sum = 0n;
    for (const [name, amount] of postings) {
      sum += amount;
      this.house.set(name, (this.house.get(name) ?? 0n) + amount);
    }
    if (sum !== 0n) this.#found(`the postings of entry ${seq} sum to ${sum}`);
    if ((postings.get("customer") ?? 0n) !== BigInt(String(row["amount"])))
      this.#found(`entry ${seq} has another amount than its customer's posting`);
    this.balance += BigInt(String(row["amount"]));
    if (this.balance !== BigInt(String(row["balance_after"]))) this.#found(`the balance after entry ${seq} is not the sum of the entries`);
    this.#countCharge(row, seq);
    this.seq = seq;
    this.hash = String(row["hash"]);
  }

  /** A request is charged once, and trued up once. */
  #countCharge(row: Fields, seq: number): void {
    const kind = String(row["kind"]);
    if (kind !== "settle" && kind !== "late_settle" && kind !== "true_up") return;
    const charge = `${kind === "true_up" ? kind : "charge"} of ${String(row["request_id"])}`;
    if (this.#charged.has(charge)) this.#found(`entry ${seq} is a second ${charge}`);
    this.#charged.add(charge);
  }

  #found(what: string): void {
    if (this.findings.length < 20) this.findings.push(what);
  }
}
