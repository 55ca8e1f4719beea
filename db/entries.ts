/** Entries and usage rows in D1. Inserts are idempotent: a message that comes twice changes nothing, one that contradicts is kept as evidence. */

/** One row of `entry` and, for a finished request, one of `usage`, as JSON that SQL reads; integers are decimal text. */
export interface EntryRow {
  entry: Record<string, string | number | null>;
  usage: Record<string, string | number | null> | null;
}

const ENTRY_TEXT = ["account_id", "kind", "request_id", "external_id", "postings", "facts", "prev_hash", "hash"] as const;
const ENTRY_INTEGER = ["seq", "amount_micro_rub", "balance_after_micro_rub", "held_after_micro_rub", "at"] as const;
const USAGE_TEXT = [
  "account_id",
  "request_id",
  "kind",
  "key_id",
  "protocol",
  "upstream_protocol",
  "model",
  "provider",
  "state",
  "error_code",
  "usage_source",
  "price_version",
  "flagged",
  "finish_reason",
  "evidence",
  "day",
  "record",
] as const;
const USAGE_INTEGER = [
  "seq",
  "stream",
  "input_tokens",
  "cache_read_tokens",
  "cache_write_5m_tokens",
  "cache_write_1h_tokens",
  "output_tokens",
  "reasoning_tokens",
  "input_pico_usd",
  "cache_read_pico_usd",
  "cache_write_5m_pico_usd",
  "cache_write_1h_pico_usd",
  "output_pico_usd",
  "request_pico_usd",
  "fx_micro_rub_per_usd",
  "markup_bps",
  "provider_cost_pico_usd",
  "cost_micro_rub",
  "charged_micro_rub",
  "ttft_ms",
  "duration_ms",
  "at",
] as const;

/** `INSERT … SELECT` of a JSON array of objects: one bound parameter for any number of rows, integers exact through CAST. */
function insertFromJson(table: string, text: readonly string[], integers: readonly string[], reals: readonly string[]): string {
  const columns = [...text, ...integers, ...reals];
  const values = [
    ...text.map((column) => `value ->> '${column}'`),
    ...integers.map((column) => `CAST(value ->> '${column}' AS INTEGER)`),
    ...reals.map((column) => `CAST(value ->> '${column}' AS REAL)`),
  ];
  return `INSERT INTO ${table} (${columns.join(", ")}) SELECT ${values.join(", ")} FROM json_each(?1) WHERE true ON CONFLICT DO NOTHING`;
}

export const INSERT_ENTRIES = insertFromJson("entry", ENTRY_TEXT, ENTRY_INTEGER, []);
export const INSERT_USAGE = insertFromJson("usage", USAGE_TEXT, USAGE_INTEGER, ["output_tokens_per_second"]);
export const INSERT_CONFLICTS = `INSERT INTO entry_conflict (account_id, seq, hash, known_hash)
  SELECT e.account_id, e.seq, value ->> 'hash', e.hash FROM json_each(?1)
  JOIN entry e ON e.account_id = value ->> 'account_id' AND e.seq = CAST(value ->> 'seq' AS INTEGER) AND e.hash <> value ->> 'hash'
  WHERE true ON CONFLICT DO NOTHING`;

/** Writes a batch in one transaction: all of it or nothing. */
export async function insertEntries(database: D1Database, rows: readonly EntryRow[]): Promise<void> {
  const entries = JSON.stringify(rows.map((row) => row.entry));
  const usage = JSON.stringify(rows.flatMap((row) => (row.usage === null ? [] : [row.usage])));
  await database.batch([
    database.prepare(INSERT_ENTRIES).bind(entries),
    database.prepare(INSERT_CONFLICTS).bind(entries),
    database.prepare(INSERT_USAGE).bind(usage),
  ]);
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
