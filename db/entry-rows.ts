/** The rows of `entry` and `usage` as JSON that SQL reads, and the statements that insert them. Idempotent: a row that comes twice changes nothing. */

/** One row of `entry` and, for a finished request, one of `usage` (with `entry_hash` beside its columns), as JSON that SQL reads; integers are decimal text. */
export interface EntryRow {
  entry: Record<string, string | number | null>;
  usage: Record<string, string | number | null> | null;
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

export const INSERT_ENTRIES = insertFromJson("entry", ENTRY_TEXT, ENTRY_INTEGER, []);
/** Only beside the entry it belongs to: the row of a message that contradicts the stored entry counts nowhere. */
export const INSERT_USAGE = insertFromJson(
  "usage",
  USAGE_TEXT,
  USAGE_INTEGER,
  ["output_tokens_per_second"],
  `EXISTS (SELECT 1 FROM entry e WHERE e.account_id = value ->> 'account_id' AND e.seq = CAST(value ->> 'seq' AS INTEGER)
    AND e.hash = value ->> 'entry_hash')`,
);
export const INSERT_CONFLICTS = `INSERT INTO entry_conflict (account_id, seq, hash, known_hash)
  SELECT e.account_id, e.seq, value ->> 'hash', e.hash FROM json_each(?1)
  JOIN entry e ON e.account_id = value ->> 'account_id' AND e.seq = CAST(value ->> 'seq' AS INTEGER) AND e.hash <> value ->> 'hash'
  WHERE true ON CONFLICT DO NOTHING`;
