/**
 * Closed months leave D1 for the archive: an account's oldest rows, in unbroken parts of one month each, are written to R2, read back,
 * hashed, and only then removed, in the transaction that notes where they went. Whatever fails in between leaves the rows where they
 * were, and the next pass does the same again: an object's name is its content's hash, so nothing is ever written over.
 *
 * Only an account that reconciles without a gap is archived, and only what its ledger knows to be recorded: nothing of a part can be
 * missing, and nothing of it can still be on its way but repeats, which the part itself turns away (db/entry-rows.ts).
 */
import { accountsPage } from "../../db/accounts.ts";
import {
  type ArchivePart,
  oldestEntry,
  partOf,
  partsAfter,
  partsOfMonth,
  putManifest,
  putPart,
  readEntryRows,
  readPart,
  retireRows,
} from "../../db/archive.ts";
import type { EntryRow } from "../../db/entry-rows.ts";
import { usageShards } from "../../db/usage-shards.ts";
import { LIMITS } from "../../schema/limits.ts";
import { monthOf } from "../../schema/shard.ts";
import { reconcileAccount } from "./reconcile.ts";

export interface Archived {
  account_id: string;
  parts: number;
  entries: number;
  months: string[];
  /** Why it stopped before the end; null when nothing older is left in D1. */
  stopped: string | null;
}

export interface ArchiveOrder {
  /** Months before this one. */
  beforeMonth: string;
  now: number;
  /** Most parts to write. */
  partsMax: number;
}

/** The first month that must stay in D1, with `keepMonths` whole ones before the running one. Nothing younger than the grace is ever taken. */
export function firstKeptMonth(now: number, keepMonths: number): string {
  const closed = new Date(now - LIMITS.archiveGraceMilliseconds);
  return monthOf(Date.UTC(closed.getUTCFullYear(), closed.getUTCMonth() - keepMonths, 1));
}

export async function archiveAccount(accountId: string, order: ArchiveOrder, env: Env): Promise<Archived> {
  const archived: Archived = { account_id: accountId, parts: 0, entries: 0, months: [], stopped: null };
  const databases = (await usageShards(env)).of(accountId);
  const old: D1Database[] = [];
  for (const database of databases) if (await hasOlder(database, accountId, order.beforeMonth)) old.push(database);
  if (old.length === 0) return archived;
  const { gaps } = await reconcileAccount(accountId, env);
  if (gaps.length > 0) return { ...archived, stopped: `it does not reconcile: ${gaps.map((gap) => gap.kind).join(", ")}` };
  const { recorded_seq: recordedSeq } = await env.ACCOUNT.get(env.ACCOUNT.idFromName(accountId)).watermark();
  for (const database of old) {
    while (await hasOlder(database, accountId, order.beforeMonth)) {
      if (archived.parts >= order.partsMax) return { ...archived, stopped: "this pass wrote as many parts as it may" };
      const moved = await moveOldest(accountId, { database, recordedSeq, order }, env);
      if (typeof moved === "string") return { ...archived, stopped: moved };
      archived.parts += 1;
      archived.entries += moved.entries;
      if (!archived.months.includes(moved.month)) archived.months.push(moved.month);
    }
  }
  return archived;
}

async function hasOlder(database: D1Database, accountId: string, beforeMonth: string): Promise<boolean> {
  const oldest = await oldestEntry(database, accountId);
  return oldest !== null && monthOf(oldest.at) < beforeMonth;
}

/** Moves one part. Gives it, or why it stayed. */
async function moveOldest(
  accountId: string,
  { database, recordedSeq, order }: { database: D1Database; recordedSeq: number; order: ArchiveOrder },
  env: Env,
): Promise<ArchivePart | string> {
  const oldest = await oldestEntry(database, accountId);
  const page = { fromSeq: oldest?.seq ?? 1, toSeq: recordedSeq, limit: LIMITS.archiveRowsPerPart };
  const rows = unbroken(await readEntryRows(database, accountId, page));
  const [first] = rows;
  if (first === undefined) return "its oldest rows are not yet recorded";
  const { part, lines } = partOf(rows, { month: monthOf(Number(first.entry["at"])), archivedAt: order.now });
  await putPart(env.ARCHIVE, part, lines);
  const stored = await readPart(env.ARCHIVE, part);
  if (!stored.ok) return `${part.object_key} was not read back: ${stored.fault}`;
  await putManifest(env.ARCHIVE, accountId, part.month, [...(await partsOfMonth(database, accountId, part.month)), part]);
  const isRetired = await retireRows(database, part);
  return isRetired ? part : "its rows changed while they were archived";
}

/** The rows from the first on that follow each other and are of one month. */
function unbroken(rows: readonly EntryRow[]): EntryRow[] {
  const [first] = rows;
  if (first === undefined) return [];
  const month = monthOf(Number(first.entry["at"]));
  const end = rows.findIndex(
    (row, index) => Number(row.entry["seq"]) !== Number(first.entry["seq"]) + index || monthOf(Number(row.entry["at"])) !== month,
  );
  return end === -1 ? [...rows] : rows.slice(0, end);
}

/** Every account, as far as one pass may go. An account that fails is reported and holds up no other. */
export async function archiveAll(order: ArchiveOrder, env: Env): Promise<Archived[]> {
  const all: Archived[] = [];
  let left = order.partsMax;
  await eachAccount(env, async (accountId) => {
    const archived = await archiveAccount(accountId, { ...order, partsMax: left }, env).catch((error: unknown) => {
      console.error("an account was not archived", accountId, error);
      return { account_id: accountId, parts: 0, entries: 0, months: [], stopped: "it failed; the log says why" };
    });
    left -= archived.parts;
    if (archived.parts > 0 || archived.stopped !== null) all.push(archived);
  });
  return all;
}

async function eachAccount(env: Env, act: (accountId: string) => Promise<void>): Promise<void> {
  let after = "";
  for (;;) {
    const accounts = await accountsPage(env.DB, after, LIMITS.pageRowsMax);
    for (const { id } of accounts) await act(id);
    after = accounts.at(-1)?.id ?? "";
    if (accounts.length < LIMITS.pageRowsMax) return;
  }
}

export interface VerifiedArchive {
  parts: number;
  entries: number;
  faults: { account_id: string; object_key: string; fault: string }[];
}

/** Reads every part of one account, or of all, and checks that it is what was stored. */
export async function verifyArchive(accountId: string | null, env: Env): Promise<VerifiedArchive> {
  const verified: VerifiedArchive = { parts: 0, entries: 0, faults: [] };
  if (accountId === null) await eachAccount(env, (id) => verifyAccount(id, verified, env));
  else await verifyAccount(accountId, verified, env);
  return verified;
}

async function verifyAccount(accountId: string, verified: VerifiedArchive, env: Env): Promise<void> {
  for (const database of (await usageShards(env)).of(accountId)) {
    let after = 0;
    for (;;) {
      const parts = await partsAfter(database, accountId, after, LIMITS.pageRowsMax);
      for (const part of parts) {
        const read = await readPart(env.ARCHIVE, part);
        verified.parts += 1;
        if (read.ok) verified.entries += read.rows.length;
        else verified.faults.push({ account_id: accountId, object_key: part.object_key, fault: read.fault });
      }
      after = parts.at(-1)?.first_seq ?? 0;
      if (parts.length < LIMITS.pageRowsMax) break;
    }
  }
}
