/**
 * What D1 keeps so that an account's ledger can be made whole again: beside each late entry the texts its hash covers, and the question
 * how far D1 has a ledger at all, which tells a ledger that was restored to an earlier time.
 */
import { LIMITS } from "../schema/limits.ts";
import { parseWith } from "../schema/json.ts";
import { type Entry, entrySchema } from "../schema/ledger.ts";
import { z } from "zod";
import type { EntryRow } from "./entry-rows.ts";
import { usageShards } from "./usage-shards.ts";

interface Bindings {
  DB: D1Database;
}

/** Beside the entry it belongs to only: the texts of a message that contradicts the stored entry are not its own. */
const INSERT_SOURCES = `INSERT INTO entry_source (account_id, seq, at, facts, record)
  SELECT value ->> 'account_id', CAST(value ->> 'seq' AS INTEGER), CAST(value ->> 'at' AS INTEGER), value ->> 'facts', value ->> 'record'
  FROM json_each(?1) WHERE EXISTS (SELECT 1 FROM entry e WHERE e.account_id = value ->> 'account_id'
    AND e.seq = CAST(value ->> 'seq' AS INTEGER) AND e.hash = value ->> 'hash') ON CONFLICT DO NOTHING`;

/** The statements that keep the texts of these entries, each with a parameter D1 takes; for the batch that inserts the entries, after them. */
export function insertSources(database: D1Database, rows: readonly EntryRow[]): D1PreparedStatement[] {
  const statements: D1PreparedStatement[] = [];
  let run: string[] = [];
  let characters = 0;
  const flush = (): void => {
    if (run.length > 0) statements.push(database.prepare(INSERT_SOURCES).bind(`[${run.join(",")}]`));
    run = [];
    characters = 0;
  };
  for (const { source } of rows) {
    if (source === undefined) continue;
    const text = JSON.stringify(source);
    if (characters + text.length > LIMITS.d1SourceCharacters) flush();
    run.push(text);
    characters += text.length;
  }
  flush();
  return statements;
}

const LAST = `SELECT seq, hash FROM (
  SELECT * FROM (SELECT seq, hash FROM entry WHERE account_id = ?1 ORDER BY seq DESC LIMIT 1) UNION ALL
  SELECT * FROM (SELECT last_seq, last_hash FROM archive_part WHERE account_id = ?1 ORDER BY first_seq DESC LIMIT 1)) ORDER BY seq DESC LIMIT 1`;

/** The highest entry of an account that D1 or the archive has; null when there is none. */
export async function lastStoredEntry(env: Bindings, accountId: string): Promise<{ seq: number; hash: string } | null> {
  const shards = await usageShards(env);
  const found = await Promise.all(
    shards.of(accountId).map((database) => database.prepare(LAST).bind(accountId).first<{ seq: number; hash: string }>()),
  );
  return found.reduce((last, each) => (each !== null && (last === null || each.seq > last.seq) ? each : last), null);
}

const PAGE = `SELECT json_object('seq', e.seq, 'kind', e.kind, 'request_id', e.request_id, 'external_id', e.external_id,
    'amount_micro_rub', CAST(e.amount_micro_rub AS TEXT), 'postings', e.postings,
    'balance_after_micro_rub', CAST(e.balance_after_micro_rub AS TEXT), 'held_after_micro_rub', CAST(e.held_after_micro_rub AS TEXT),
    'at', e.at, 'facts', s.facts, 'record', s.record, 'prev_hash', e.prev_hash, 'hash', e.hash) AS entry
  FROM entry e JOIN entry_source s ON s.account_id = e.account_id AND s.seq = e.seq
  WHERE e.account_id = ?1 AND e.seq >= CAST(?2 AS INTEGER) ORDER BY e.seq LIMIT CAST(?3 AS INTEGER)`;
const rowSchema = z.object({ entry: z.string() });

/**
 * Whole entries from `fromSeq` on, by number, at most `limit`; those whose texts are kept. Whether they follow each other is for their
 * hashes to say.
 */
export async function storedEntries(env: Bindings, accountId: string, fromSeq: number, limit: number): Promise<Entry[]> {
  const shards = await usageShards(env);
  const pages = await Promise.all(
    shards.of(accountId).map((database) => database.prepare(PAGE).bind(accountId, String(fromSeq), String(limit)).all()),
  );
  const entries = pages.flatMap((page) => page.results.map(readRow));
  return entries.toSorted((left, right) => left.seq - right.seq).slice(0, limit);
}

function readRow(row: unknown): Entry {
  const entry = parseWith(entrySchema, rowSchema.parse(row).entry);
  if (!entry.ok) throw new Error(`an entry of D1 is unreadable: ${entry.message} at ${entry.path ?? "the root"}`);
  return entry.value;
}

/** Removes an account's texts of before `before`, oldest first, a bounded number at a time. */
export async function pruneSources(env: Bindings, accountId: string, before: number): Promise<void> {
  const shards = await usageShards(env);
  for (const database of shards.of(accountId)) {
    await database
      .prepare(
        `DELETE FROM entry_source WHERE account_id = ?1 AND at < CAST(?2 AS INTEGER) AND seq IN
          (SELECT seq FROM entry_source WHERE account_id = ?1 ORDER BY seq LIMIT CAST(?3 AS INTEGER))`,
      )
      .bind(accountId, String(before), String(LIMITS.reconcileRowsPerPass))
      .run();
  }
}
