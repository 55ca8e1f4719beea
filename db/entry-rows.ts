/** The rows of `entry` and `usage` as JSON that SQL reads, and the statements that insert them. Idempotent: a row that comes twice changes nothing. */

/** One row of `entry` and, for a finished request, one of `usage` (with `entry_hash` beside its columns), as JSON that SQL reads; integers are decimal text. */
export interface EntryRow {
  entry: Record<string, string | number | null>;
  usage: Record<string, string | number | null> | null;
  /** The texts its hash covers beside its columns (db/entry-source.ts); left out where they are not known. */
  source?: Record<string, string | number | null>;
}

const ENTRY_TEXT = ["account_id", "kind", "request_id", "external_id", "postings", "prev_hash", "hash"] as const;
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
  "legs",
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
  "hold_micro_rub",
  "attempts",
  "ttft_ms",
  "duration_ms",
  "at",
] as const;
const USAGE_REAL = ["output_tokens_per_second"] as const;

/** `INSERT … SELECT` of a JSON array of objects: one bound parameter for any number of rows, integers exact through CAST. */
function insertFromJson(
  table: string,
  text: readonly string[],
  integers: readonly string[],
  reals: readonly string[],
  only = "true",
): string {
  const columns = [...text, ...integers, ...reals];
  const values = [
    ...text.map((column) => `value ->> '${column}'`),
    ...integers.map((column) => `CAST(value ->> '${column}' AS INTEGER)`),
    ...reals.map((column) => `CAST(value ->> '${column}' AS REAL)`),
  ];
  return `INSERT INTO ${table} (${columns.join(", ")}) SELECT ${values.join(", ")} FROM json_each(?1) WHERE ${only} ON CONFLICT DO NOTHING`;
}

/**
 * Not what an archived part holds already: a message that comes after its row has left would be counted again. The part that could hold
 * it is the last one that begins at or before it.
 */
export const INSERT_ENTRIES = insertFromJson(
  "entry",
  ENTRY_TEXT,
  ENTRY_INTEGER,
  [],
  `coalesce((SELECT p.last_seq FROM archive_part p WHERE p.account_id = value ->> 'account_id'
    AND p.first_seq <= CAST(value ->> 'seq' AS INTEGER) ORDER BY p.first_seq DESC LIMIT 1), 0) < CAST(value ->> 'seq' AS INTEGER)`,
);
/** Only beside the entry it belongs to: the row of a message that contradicts the stored entry counts nowhere. */
export const INSERT_USAGE = insertFromJson(
  "usage",
  USAGE_TEXT,
  USAGE_INTEGER,
  USAGE_REAL,
  `EXISTS (SELECT 1 FROM entry e WHERE e.account_id = value ->> 'account_id' AND e.seq = CAST(value ->> 'seq' AS INTEGER)
    AND e.hash = value ->> 'entry_hash')`,
);
export const INSERT_CONFLICTS = `INSERT INTO entry_conflict (account_id, seq, hash, known_hash)
  SELECT e.account_id, e.seq, value ->> 'hash', e.hash FROM json_each(?1)
  JOIN entry e ON e.account_id = value ->> 'account_id' AND e.seq = CAST(value ->> 'seq' AS INTEGER) AND e.hash <> value ->> 'hash'
  WHERE true ON CONFLICT DO NOTHING`;

/** Columns as an `EntryRow` has them: integers as text, so that none loses a digit on its way through JSON. */
function selected(table: string, text: readonly string[], integers: readonly string[], reals: readonly string[]): string {
  const plain = [...text, ...reals].map((column) => `${table}.${column} AS ${table}_${column}`);
  return [...plain, ...integers.map((column) => `CAST(${table}.${column} AS TEXT) AS ${table}_${column}`)].join(", ");
}

/** The rows of one account (?1) with numbers from ?2 to ?3, as `entryRowOf` reads them; the lowest ?4 of them. */
export const SELECT_ENTRY_ROWS = `SELECT ${selected("entry", ENTRY_TEXT, ENTRY_INTEGER, [])}, ${selected("usage", USAGE_TEXT, USAGE_INTEGER, USAGE_REAL)}
  FROM entry LEFT JOIN usage ON usage.account_id = entry.account_id AND usage.seq = entry.seq
  WHERE entry.account_id = ?1 AND entry.seq BETWEEN CAST(?2 AS INTEGER) AND CAST(?3 AS INTEGER) ORDER BY entry.seq LIMIT CAST(?4 AS INTEGER)`;

type Value = string | number | null;

/** One row of `SELECT_ENTRY_ROWS`. Columns are in one order, so equal rows give equal JSON. */
export function entryRowOf(row: Readonly<Record<string, Value>>): EntryRow {
  const picked = (table: string, columns: readonly string[]): Record<string, Value> =>
    Object.fromEntries(columns.map((column) => [column, row[`${table}_${column}`] ?? null]));
  const entry = picked("entry", [...ENTRY_TEXT, ...ENTRY_INTEGER]);
  if (row["usage_account_id"] === null) return { entry, usage: null };
  return { entry, usage: { ...picked("usage", [...USAGE_TEXT, ...USAGE_INTEGER, ...USAGE_REAL]), entry_hash: entry["hash"] ?? null } };
}

const INTEGERS: ReadonlySet<string> = new Set(USAGE_INTEGER);

/** A usage row in the types that reading it from its table gives. */
export function usageValues(usage: Readonly<Record<string, Value>>): Record<string, Value> {
  return Object.fromEntries(
    Object.entries(usage).map(([column, value]) => [column, INTEGERS.has(column) && value !== null ? Number(value) : value]),
  );
}
