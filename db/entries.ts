/** Entries and usage rows in D1. Inserts are idempotent: a message that comes twice changes nothing, one that contradicts is kept as evidence. */

import { LIMITS } from "../schema/limits.ts";
import { type EntryRow, INSERT_CONFLICTS, INSERT_ENTRIES, INSERT_USAGE } from "./entry-rows.ts";
import { rebuildRollups } from "./rollups.ts";

/** Writes rows, each run of `LIMITS.d1RowsPerStatement` in one transaction. Only where a row was there already is it looked whether the two agree. */
export async function insertEntries(database: D1Database, rows: readonly EntryRow[]): Promise<void> {
  for (let from = 0; from < rows.length; from += LIMITS.d1RowsPerStatement) {
    const run = rows.slice(from, from + LIMITS.d1RowsPerStatement);
    const entries = JSON.stringify(run.map((row) => row.entry));
    const [inserted] = await database.batch(inserts(database, run, entries));
    if ((inserted?.meta.changes ?? 0) < run.length) await database.prepare(INSERT_CONFLICTS).bind(entries).run();
  }
}

/**
 * Puts rows back that D1 had and lost: they were counted once already, so the rollups of their days are made from the rows again, in the
 * same transaction. At most `LIMITS.d1RowsPerStatement` rows of one account.
 */
export async function restoreEntries(database: D1Database, accountId: string, rows: readonly EntryRow[]): Promise<void> {
  const days = [...new Set(rows.flatMap((row) => (row.usage === null ? [] : [String(row.usage["day"])])))];
  const entries = JSON.stringify(rows.map((row) => row.entry));
  await database.batch([...inserts(database, rows, entries), ...rebuildRollups(database, accountId, days)]);
}

function inserts(database: D1Database, rows: readonly EntryRow[], entries: string): D1PreparedStatement[] {
  const usage = JSON.stringify(rows.flatMap((row) => (row.usage === null ? [] : [row.usage])));
  return [database.prepare(INSERT_ENTRIES).bind(entries), database.prepare(INSERT_USAGE).bind(usage)];
}

/** What D1 holds of one account's ledger. `sum` as exact text; `hash` is that of the highest entry. */
export interface StoredFacts {
  seq: number;
  count: number;
  sum: string;
  hash: string;
}

export async function storedFacts(database: D1Database, accountId: string): Promise<StoredFacts> {
  const row = await database
    .prepare(
      `SELECT coalesce(max(seq), 0) AS seq, count(*) AS count, CAST(coalesce(sum(amount_micro_rub), 0) AS TEXT) AS sum,
        coalesce((SELECT hash FROM entry WHERE account_id = ?1 ORDER BY seq DESC LIMIT 1), '') AS hash FROM entry WHERE account_id = ?1`,
    )
    .bind(accountId)
    .first<StoredFacts>();
  return row ?? { seq: 0, count: 0, sum: "0", hash: "" };
}

/** The highest seq up to which no entry is missing. Starts from a seq already known to be complete, so it reads only what is new. */
export async function contiguousSeq(database: D1Database, accountId: string, knownSeq: number): Promise<number> {
  const row = await database
    .prepare(
      `SELECT coalesce(max(seq), ?2) AS through FROM (SELECT seq, row_number() OVER (ORDER BY seq) AS place FROM entry
        WHERE account_id = ?1 AND seq > ?2) WHERE seq = place + ?2`,
    )
    .bind(accountId, knownSeq)
    .first<{ through: number }>();
  return row?.through ?? knownSeq;
}

/** Numbers missing between 1 and `throughSeq`, the lowest first, at most `limit`. */
export async function missingSeqs(database: D1Database, accountId: string, throughSeq: number, limit: number): Promise<number[]> {
  const gaps = await database
    .prepare(
      `SELECT seq + 1 AS first, coalesce(next, ?2 + 1) - 1 AS last FROM (
        SELECT seq, lead(seq) OVER (ORDER BY seq) AS next FROM (SELECT 0 AS seq UNION ALL SELECT seq FROM entry WHERE account_id = ?1 AND seq <= ?2))
        WHERE coalesce(next, ?2 + 1) > seq + 1 ORDER BY seq LIMIT ?3`,
    )
    .bind(accountId, throughSeq, limit)
    .all<{ first: number; last: number }>();
  const missing: number[] = [];
  for (const gap of gaps.results) {
    for (let seq = gap.first; seq <= gap.last && missing.length < limit; seq++) missing.push(seq);
  }
  return missing;
}
