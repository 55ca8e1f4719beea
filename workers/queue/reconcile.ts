/**
 * Reconciliation: every account's ledger against D1. A gap is mended by sending the entries again; a contradiction (D1 ahead, another
 * hash or sum) is reported and never mended silently, since somebody must know why (research/billing.md §3.7).
 */
import { accountsPage } from "../../db/accounts.ts";
import { contiguousSeq, insertEntries, missingSeqs, storedFacts, type StoredFacts } from "../../db/entries.ts";
import { parseWith } from "../../schema/json.ts";
import type { LedgerFacts } from "../../schema/ledger.ts";
import { LIMITS } from "../../schema/limits.ts";
import { usageMessageSchema } from "../../schema/message.ts";
import { entryRow } from "./entry-row.ts";

export interface Gap {
  /** `missing`: D1 lacks entries. `d1_ahead`, `sum_differs`, `hash_differs`: D1 contradicts the ledger. `held_open`: holds at rest. */
  kind: "missing" | "d1_ahead" | "sum_differs" | "hash_differs" | "chain_broken";
  seqs: number[];
  detail: string;
}

export interface Reconciled {
  account_id: string;
  ledger: {
    seq: number;
    sum: string;
    hash: string;
    balance_micro_rub: number;
    held_micro_rub: number;
    open_holds: number;
    incidents: number;
  };
  d1: StoredFacts;
  gaps: Gap[];
  repaired: number;
}

/** What is wrong between the two, apart from plain gaps. Pure. */
export function contradictions(ledger: LedgerFacts, d1: StoredFacts): Gap[] {
  const gaps: Gap[] = [];
  if (d1.seq > ledger.seq) gaps.push({ kind: "d1_ahead", seqs: [], detail: `D1 has ${d1.seq}, the ledger ${ledger.seq}` });
  const isWhole = d1.seq === ledger.seq && d1.count === ledger.count;
  if (isWhole && d1.sum !== ledger.sum)
    gaps.push({ kind: "sum_differs", seqs: [], detail: `D1 sums to ${d1.sum}, the ledger to ${ledger.sum}` });
  if (isWhole && d1.hash !== ledger.hash)
    gaps.push({ kind: "hash_differs", seqs: [d1.seq], detail: "the last entry has another hash in D1" });
  if (ledger.sum !== ledger.balance_micro_rub)
    gaps.push({ kind: "chain_broken", seqs: [], detail: "the balance is not the sum of the entries" });
  return gaps;
}

/** Compares one account, mends what is missing, and says what was found. */
export async function reconcileAccount(accountId: string, env: Env): Promise<Reconciled> {
  const account = env.ACCOUNT.get(env.ACCOUNT.idFromName(accountId));
  await account.kick();
  const ledger = await account.facts();
  const missing = await missingSeqs(env.DB, accountId, ledger.seq, LIMITS.reconcileRowsPerPass);
  const repaired = missing.length === 0 ? 0 : await mend(accountId, missing, env);
  const through = await contiguousSeq(env.DB, accountId, ledger.recorded_seq);
  if (through > ledger.recorded_seq) await account.recorded(through);
  const d1 = await storedFacts(env.DB, accountId);
  const found: Gap[] =
    missing.length === 0 ? [] : [{ kind: "missing", seqs: missing.slice(0, 100), detail: `${missing.length} entries were not in D1` }];
  return {
    account_id: accountId,
    ledger: {
      seq: ledger.seq,
      sum: ledger.sum,
      hash: ledger.hash,
      balance_micro_rub: Number(ledger.balance_micro_rub),
      held_micro_rub: Number(ledger.held_micro_rub),
      open_holds: ledger.open_holds,
      incidents: ledger.incidents,
    },
    d1,
    gaps: [...found, ...contradictions(await account.facts(), d1)],
    repaired,
  };
}

/** Writes missing entries from the ledger itself, by the same insert as the consumer: idempotent, and done when the caller reads the answer. */
async function mend(accountId: string, seqs: readonly number[], env: Env): Promise<number> {
  const account = env.ACCOUNT.get(env.ACCOUNT.idFromName(accountId));
  let repaired = 0;
  for (let from = 0; from < seqs.length; from += LIMITS.outboxRowsPerBatch) {
    const bodies = await account.messages(seqs.slice(from, from + LIMITS.outboxRowsPerBatch));
    const rows = bodies.flatMap((body) => {
      const parsed = parseWith(usageMessageSchema, body);
      return parsed.ok ? [entryRow(parsed.value)] : [];
    });
    await insertEntries(env.DB, rows);
    repaired += rows.length;
  }
  return repaired;
}

/** Every account, page by page. */
export async function reconcileAll(env: Env): Promise<Reconciled[]> {
  const all: Reconciled[] = [];
  let after = "";
  for (;;) {
    const accounts = await accountsPage(env.DB, after, LIMITS.pageRowsMax);
    for (const { id } of accounts) all.push(await reconcileAccount(id, env));
    after = accounts.at(-1)?.id ?? "";
    if (accounts.length < LIMITS.pageRowsMax) return all;
  }
}
