/** Appending to the chain: the one place where an entry is made, its postings are checked and its hash is taken. */
import { parseWith } from "../../schema/json.ts";
import { type AccountName, type Entry, type EntryKind, postingsSchema } from "../../schema/ledger.ts";
import type { AccountState, Appended, HashText } from "./state.ts";

/** Account and signed micro-RUB. */
export type Posting = readonly [AccountName, bigint];

export interface EntryDraft {
  kind: EntryKind;
  requestId: string | null;
  externalId: string | null;
  /** Double entry: sums to zero; the customer's posting is the entry's amount. */
  postings: readonly Posting[];
  /** Held after this entry. */
  held: bigint;
  facts: string | null;
  record: string | null;
}

/** The text an entry's hash covers, after the previous hash: every field, in a fixed order. */
export function canonicalText(entry: Omit<Entry, "hash">): string {
  return JSON.stringify([
    entry.seq,
    entry.kind,
    entry.request_id,
    entry.external_id,
    entry.amount_micro_rub,
    entry.postings,
    entry.balance_after_micro_rub,
    entry.held_after_micro_rub,
    entry.at,
    entry.facts,
    entry.record,
  ]);
}

/** `hash = H(prev_hash | canonical text)`. */
export function entryHash(entry: Omit<Entry, "hash">, hash: HashText): string {
  return hash(`${entry.prev_hash}|${canonicalText(entry)}`);
}

/** Postings as an entry stores them. */
export function postingsText(postings: readonly Posting[]): string {
  return JSON.stringify(postings.map(([name, posting]) => [name, posting.toString()]));
}

/** The stored postings of an entry of ours; anything else in their place is a defect. */
export function postingsOf(entry: Entry): Posting[] {
  const postings = parseWith(postingsSchema, entry.postings);
  if (!postings.ok) throw new Error(`postings of entry ${entry.seq} are not readable`);
  return postings.value.map(([name, amount]) => [name, BigInt(amount)]);
}

/** Why an entry's postings cannot be right; null when they can. */
function postingsFault(entry: Entry): string | null {
  const postings = parseWith(postingsSchema, entry.postings);
  if (!postings.ok) return "postings are not readable";
  let sum = 0n;
  let amount = 0n;
  for (const [name, posting] of postings.value) {
    sum += BigInt(posting);
    if (name === "customer") amount += BigInt(posting);
  }
  if (sum !== 0n) return "postings do not sum to zero";
  return amount === BigInt(entry.amount_micro_rub) ? null : "amount is not the customer's posting";
}

/** Makes the next entry. Throws when the postings do not sum to zero: that is a defect here, never bad input. */
export function appendEntry(account: AccountState, draft: EntryDraft, now: number, hash: HashText): Appended {
  let sum = 0n;
  let amount = 0n;
  for (const [name, posting] of draft.postings) {
    sum += posting;
    if (name === "customer") amount += posting;
  }
  if (sum !== 0n) throw new Error(`postings of ${draft.kind} sum to ${sum}`);
  const balance = account.balance + amount;
  const body: Omit<Entry, "hash"> = {
    seq: account.seq + 1,
    kind: draft.kind,
    request_id: draft.requestId,
    external_id: draft.externalId,
    amount_micro_rub: amount.toString(),
    postings: postingsText(draft.postings),
    balance_after_micro_rub: balance.toString(),
    held_after_micro_rub: draft.held.toString(),
    at: now,
    facts: draft.facts,
    record: draft.record,
    prev_hash: account.headHash,
  };
  const entry: Entry = { ...body, hash: entryHash(body, hash) };
  return { entry, account: { balance, held: draft.held, seq: entry.seq, headHash: entry.hash } };
}

export type ChainCheck = { ok: true; checked: number } | { ok: false; seq: number; reason: string };

/** What the chain says just before the first entry that is checked. */
export interface ChainStart {
  seq: number;
  hash: string;
  balance: bigint;
}

/** Checks a run of entries after `start`: dense, linked, hashed, balanced. Names the first that is wrong. */
export function checkChain(entries: Iterable<Entry>, start: ChainStart, hash: HashText): ChainCheck {
  let { seq, balance } = start;
  let previous = start.hash;
  let checked = 0;
  for (const entry of entries) {
    seq += 1;
    balance += BigInt(entry.amount_micro_rub);
    if (entry.seq !== seq) return { ok: false, seq, reason: "entry is missing" };
    if (entry.prev_hash !== previous) return { ok: false, seq, reason: "does not follow the entry before it" };
    if (entryHash(entry, hash) !== entry.hash) return { ok: false, seq, reason: "hash does not match its content" };
    if (BigInt(entry.balance_after_micro_rub) !== balance) return { ok: false, seq, reason: "balance is not the sum of the entries" };
    const fault = postingsFault(entry);
    if (fault !== null) return { ok: false, seq, reason: fault };
    previous = entry.hash;
    checked += 1;
  }
  return { ok: true, checked };
}
