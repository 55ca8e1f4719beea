/**
 * Entries and usage rows in D1, in as many databases as the shard map names. Inserts are idempotent: a message that comes twice changes
 * nothing, one that contradicts is kept as evidence, one whose row is in the archive already adds nothing.
 */

import { LIMITS } from "../schema/limits.ts";
import { type EntryRow, INSERT_CONFLICTS, INSERT_ENTRIES, INSERT_USAGE } from "./entry-rows.ts";
import { insertSources } from "./entry-source.ts";
import { rebuildRollups } from "./rollups.ts";
import { inOrder, type Run } from "./runs.ts";
import type { UsageShards } from "./usage-shards.ts";

/** Writes rows, each run of `LIMITS.d1RowsPerStatement` in one transaction. Only where a row was there already is it looked whether the two agree. */
export async function insertEntries(shards: UsageShards, rows: readonly EntryRow[]): Promise<void> {
  for (const { database, run } of runsByDatabase(shards, rows)) {
    const entries = JSON.stringify(run.map((row) => row.entry));
    const [inserted] = await database.batch(inserts(database, run, entries));
    if ((inserted?.meta.changes ?? 0) < run.length) await database.prepare(INSERT_CONFLICTS).bind(entries).run();
  }
}

/** The same rows by the database each belongs in, cut to the length of one statement. */
function runsByDatabase(shards: UsageShards, rows: readonly EntryRow[]): { database: D1Database; run: EntryRow[] }[] {
  const byDatabase = new Map<D1Database, EntryRow[]>();
  for (const row of rows) {
    const database = shards.at(String(row.entry["account_id"]), Number(row.entry["at"]));
    const known = byDatabase.get(database);
    if (known === undefined) byDatabase.set(database, [row]);
    else known.push(row);
  }
  return [...byDatabase].flatMap(([database, all]) => runsOf(all).map((run) => ({ database, run })));
}

/** Cut by the number of rows, and by the texts of their calls, which a parameter of D1 must take as well. */
function runsOf(rows: readonly EntryRow[]): EntryRow[][] {
  const runs: EntryRow[][] = [];
  let characters = 0;
  for (const row of rows) {
    const length = String(row.usage?.["legs"] ?? "").length;
    const run = runs.at(-1);
    if (run === undefined || run.length === LIMITS.d1RowsPerStatement || characters + length > LIMITS.d1LegCharacters) {
      runs.push([row]);
      characters = length;
    } else {
      run.push(row);
      characters += length;
    }
  }
  return runs;
}

/**
 * Puts rows back that D1 had and lost: they were counted once already, so the rollups of their days are made from the rows again, in the
 * same transaction. At most `LIMITS.d1RowsPerStatement` rows of one account.
 */
export async function restoreEntries(shards: UsageShards, accountId: string, rows: readonly EntryRow[]): Promise<void> {
  for (const { database, run } of runsByDatabase(shards, rows)) {
    const days = [...new Set(run.flatMap((row) => (row.usage === null ? [] : [String(row.usage["day"])])))];
    const entries = JSON.stringify(run.map((row) => row.entry));
    await database.batch([...inserts(database, run, entries), ...rebuildRollups(database, accountId, days)]);
  }
}

function inserts(database: D1Database, rows: readonly EntryRow[], entries: string): D1PreparedStatement[] {
  const usage = JSON.stringify(rows.flatMap((row) => (row.usage === null ? [] : [row.usage])));
  return [database.prepare(INSERT_ENTRIES).bind(entries), database.prepare(INSERT_USAGE).bind(usage), ...insertSources(database, rows)];
}

const ROW_RUNS = `SELECT r.first_seq, r.last_seq, r.sum, a.prev_hash AS first_prev_hash,
    CAST(a.balance_after_micro_rub - a.amount_micro_rub AS TEXT) AS balance_before, b.hash AS last_hash,
    CAST(b.balance_after_micro_rub AS TEXT) AS balance_after
  FROM (SELECT min(seq) AS first_seq, max(seq) AS last_seq, CAST(sum(amount_micro_rub) AS TEXT) AS sum FROM (
      SELECT seq, amount_micro_rub, seq - row_number() OVER (ORDER BY seq) AS run FROM entry WHERE account_id = ?1 AND seq > ?2)
    GROUP BY run ORDER BY 1 LIMIT ?3) r
  JOIN entry a ON a.account_id = ?1 AND a.seq = r.first_seq JOIN entry b ON b.account_id = ?1 AND b.seq = r.last_seq ORDER BY 1`;
const PART_RUNS = `SELECT first_seq, last_seq, CAST(amount_micro_rub AS TEXT) AS sum, first_prev_hash,
    CAST(balance_before_micro_rub AS TEXT) AS balance_before, last_hash, CAST(balance_after_micro_rub AS TEXT) AS balance_after
  FROM archive_part WHERE account_id = ?1 AND last_seq > ?2 ORDER BY 1 LIMIT ?3`;

/**
 * The runs of an account's entries above `afterSeq`, in order, from rows and archived parts of every database. Where there are more than
 * `LIMITS.runsPerDatabase` of one kind, those above the last one given are unknown and left out.
 */
export async function entryRuns(shards: UsageShards, accountId: string, afterSeq = 0): Promise<Run[]> {
  const read = await Promise.all(
    shards.of(accountId).map(async (database) => {
      const statements = [ROW_RUNS, PART_RUNS].map((sql) => database.prepare(sql).bind(accountId, afterSeq, LIMITS.runsPerDatabase));
      return (await database.batch<Run>(statements)).map((result) => result.results);
    }),
  );
  const lists = read.flat();
  const known = Math.min(
    ...lists.map((runs) => (runs.length < LIMITS.runsPerDatabase ? Number.MAX_SAFE_INTEGER : (runs.at(-1)?.last_seq ?? 0))),
  );
  return inOrder(lists.flat().filter((run) => run.last_seq <= known));
}
