/**
 * Reconciliation: every account's ledger against D1. What D1 lacks is put back from the ledger; a contradiction (D1 ahead, another hash
 * or sum, a row that does not follow the one before) is reported and never mended silently, since somebody must know why
 * (research/billing.md §3.7). What is called D1 here are all its databases and the parts of closed months that left them for the archive.
 */
import { accountsPage } from "../../db/accounts.ts";
import { type Audit, auditRows, seqsWithoutUsage } from "../../db/audit.ts";
import { entryRuns, insertEntries, restoreEntries } from "../../db/entries.ts";
import { completeThrough, factsOf, missingIn, type Run, type StoredFacts, unchainedBetween } from "../../db/runs.ts";
import { type UsageShards, usageShards } from "../../db/usage-shards.ts";
import { parseWith } from "../../schema/json.ts";
import type { LedgerFacts } from "../../schema/ledger.ts";
import { LIMITS } from "../../schema/limits.ts";
import { usageMessageSchema } from "../../schema/message.ts";
import { announceEntries } from "./announce.ts";
import { type AppliedEntry, entryRow } from "./entry-row.ts";

export interface Gap {
  /**
   * Mended: `missing` (D1 lacked entries), `usage_missing` (charges without a usage row), unless `unreadable` names them too.
   * Reported only: `d1_ahead`, `sum_differs`, `hash_differs`, `chain_broken`, `conflict` (a message contradicted a stored row),
   * `usage_differs`, `rollup_differs`, `unreadable` (the ledger's own message cannot be applied), `unreachable` (the account did not answer).
   */
  kind:
    | "missing"
    | "usage_missing"
    | "d1_ahead"
    | "sum_differs"
    | "hash_differs"
    | "chain_broken"
    | "conflict"
    | "usage_differs"
    | "rollup_differs"
    | "unreadable"
    | "unreachable";
  seqs: number[];
  detail: string;
}

export interface Reconciled {
  account_id: string;
  /** Null when the account did not answer. */
  ledger: {
    seq: number;
    sum: string;
    hash: string;
    balance_micro_rub: number;
    held_micro_rub: number;
    open_holds: number;
    incidents: number;
  } | null;
  d1: StoredFacts | null;
  gaps: Gap[];
  repaired: number;
}

/** Whether somebody must look: everything but what was mended. */
export function isContradiction(gap: Gap): boolean {
  return gap.kind !== "missing" && gap.kind !== "usage_missing";
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

/** What is wrong inside D1. Pure. */
export function auditGaps(audit: Audit, runs: readonly Run[]): Gap[] {
  const unchained = [...audit.unchained, ...unchainedBetween(runs)];
  const gaps: Gap[] = [
    { kind: "conflict", seqs: audit.conflicts, detail: "a message came with another hash than the stored row has" },
    { kind: "chain_broken", seqs: unchained, detail: "these rows of D1 do not follow the rows before them" },
    { kind: "usage_differs", seqs: audit.usageDiffers, detail: "the usage row has another amount than the entry" },
  ];
  const found = gaps.filter((gap) => gap.seqs.length > 0);
  if (audit.wrongDays.length > 0)
    found.push({ kind: "rollup_differs", seqs: [], detail: `not the sums of their rows: ${audit.wrongDays.join(", ")}` });
  return found;
}

/** Compares one account, mends what D1 lacks, and says what was found. */
export async function reconcileAccount(accountId: string, env: Env): Promise<Reconciled> {
  const account = env.ACCOUNT.get(env.ACCOUNT.idFromName(accountId));
  const shards = await usageShards(env);
  await account.kick();
  const ledger = await account.facts();
  const missing = missingIn(await entryRuns(shards, accountId), ledger.seq, LIMITS.reconcileRowsPerPass);
  const unused = await seqsWithoutUsage(shards.of(accountId), accountId, LIMITS.auditRows);
  // What was confirmed once and is gone was counted in the rollups already; what never arrived was not.
  const isLost = (seq: number): boolean => seq <= ledger.recorded_seq;
  const fresh = await putBack({ accountId, seqs: missing.filter((seq) => !isLost(seq)), lost: false }, shards, env);
  const lost = await putBack({ accountId, seqs: [...missing.filter(isLost), ...unused], lost: true }, shards, env);
  const runs = await entryRuns(shards, accountId);
  const through = completeThrough(runs, ledger.recorded_seq);
  if (through > ledger.recorded_seq) await account.recorded(through);
  const audit = await auditRows(shards.of(accountId), accountId, LIMITS.auditRows);
  const d1 = factsOf(runs);
  const now = await account.facts();
  // A ledger that was restored to an earlier time must append nothing before it is whole again (restore.ts).
  if (d1.seq > now.seq) await account.freeze({ reason: "d1_ahead", d1_seq: d1.seq });
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
    gaps: [
      ...foundGap("missing", missing, "entries were not in D1"),
      ...foundGap("usage_missing", unused, "charges had no usage row"),
      ...foundGap("unreadable", [...fresh.unreadable, ...lost.unreadable], "entries of the ledger make no row of D1"),
      ...auditGaps(audit, runs),
      ...contradictions(now, d1),
    ],
    repaired: fresh.repaired + lost.repaired,
  };
}

function foundGap(kind: Gap["kind"], seqs: readonly number[], what: string): Gap[] {
  return seqs.length === 0 ? [] : [{ kind, seqs: seqs.slice(0, LIMITS.auditRows), detail: `${seqs.length} ${what}` }];
}

/** Writes entries from the ledger itself, as the consumer would: idempotent, and done when the caller reads the answer. */
async function putBack(
  { accountId, seqs, lost }: { accountId: string; seqs: readonly number[]; lost: boolean },
  shards: UsageShards,
  env: Env,
): Promise<{ repaired: number; unreadable: number[] }> {
  const account = env.ACCOUNT.get(env.ACCOUNT.idFromName(accountId));
  const unreadable: number[] = [];
  for (let from = 0; from < seqs.length; from += LIMITS.outboxRowsPerBatch) {
    const wanted = seqs.slice(from, from + LIMITS.outboxRowsPerBatch);
    const rows = (await account.messages(wanted)).flatMap(readEntry);
    // What was lost had been announced.
    if (!lost) await announceEntries(rows, shards, env);
    if (lost) await restoreEntries(shards, accountId, rows);
    else await insertEntries(shards, rows);
    const whole = new Set(rows.filter((row) => row.fault === null).map((row) => row.entry["seq"]));
    unreadable.push(...wanted.filter((seq) => !whole.has(seq)));
  }
  return { repaired: seqs.length - unreadable.length, unreadable };
}

function readEntry(body: string): AppliedEntry[] {
  const parsed = parseWith(usageMessageSchema, body);
  return parsed.ok ? [entryRow(parsed.value)] : [];
}

/** Every account, page by page. One that cannot be reconciled is reported and holds up no other. */
export async function reconcileAll(env: Env): Promise<Reconciled[]> {
  const all: Reconciled[] = [];
  let after = "";
  for (;;) {
    const accounts = await accountsPage(env.DB, after, LIMITS.pageRowsMax);
    for (const { id } of accounts) {
      all.push(
        await reconcileAccount(id, env).catch((error: unknown) => {
          console.error("an account was not reconciled", id, error);
          const gap: Gap = { kind: "unreachable", seqs: [], detail: "the account could not be compared; the log says why" };
          return { account_id: id, ledger: null, d1: null, gaps: [gap], repaired: 0 };
        }),
      );
    }
    after = accounts.at(-1)?.id ?? "";
    if (accounts.length < LIMITS.pageRowsMax) return all;
  }
}
