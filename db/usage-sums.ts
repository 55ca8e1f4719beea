/**
 * The sums of usage rows that rollups and reports are made of, over rows that are in their table and rows that have left for the archive:
 * `archived_usage` keeps the same columns for each archived part, filled by this very text in the transaction that removes the rows.
 */

/** What rows are grouped by, the finest; everything else is a sum over it. */
const GROUPED = [
  "day",
  "model",
  "provider",
  "key_id",
  "kind",
  "state",
  "error_code",
  "usage_source",
  "evidence",
  "fx_micro_rub_per_usd",
] as const;

const IS_CHARGE = "kind IN ('settle', 'late_settle')";
const HAS_HOLD = `hold_micro_rub IS NOT NULL AND ${IS_CHARGE}`;

/** A sum by its column and what one row adds to it. Provider cost is split, since the sum of pico-USD would leave 64 bits. */
const SUMMED: Readonly<Record<string, string>> = {
  requests: "1",
  failed: "state <> 'settled'",
  flagged: "flagged IS NOT NULL",
  attempts: "coalesce(attempts, 0)",
  input_tokens: "coalesce(input_tokens, 0)",
  cache_read_tokens: "coalesce(cache_read_tokens, 0)",
  cache_write_tokens: "coalesce(cache_write_5m_tokens, 0) + coalesce(cache_write_1h_tokens, 0)",
  output_tokens: "coalesce(output_tokens, 0)",
  provider_cost_high: "coalesce(provider_cost_pico_usd, 0) / 1000000000",
  provider_cost_low: "coalesce(provider_cost_pico_usd, 0) % 1000000000",
  cost_micro_rub: "coalesce(cost_micro_rub, 0)",
  charged_micro_rub: "charged_micro_rub",
  held_requests: HAS_HOLD,
  held_micro_rub: `iif(${HAS_HOLD}, hold_micro_rub, 0)`,
  held_cost_micro_rub: `iif(${HAS_HOLD}, coalesce(cost_micro_rub, 0), 0)`,
  above_hold: `${HAS_HOLD} AND coalesce(cost_micro_rub, 0) > hold_micro_rub`,
};
const SUMS = Object.keys(SUMMED);

/** Rows of one account (?1) and the sums of its archived parts, in the same columns. Those after `atMost` (an SQL expression) are left out. */
function facts(atMost: string | null): string {
  const bound = atMost === null ? "" : ` AND at <= ${atMost}`;
  const row = [...GROUPED, ...Object.entries(SUMMED).map(([column, value]) => `${value} AS ${column}`), "at AS last_at"];
  return `SELECT ${row.join(", ")} FROM usage WHERE account_id = ?1${bound}
    UNION ALL SELECT ${[...GROUPED, ...SUMS].join(", ")}, at FROM archived_usage WHERE account_id = ?1${bound}`;
}

/** One account's rows (?1) summed as the trigger of `usage_day` sums them, in the order of its columns. */
export const DAY_SUMS = {
  select: `SELECT ?1, day, model, provider, key_id, sum(requests), sum(failed), sum(input_tokens), sum(cache_read_tokens),
    sum(cache_write_tokens), sum(output_tokens), sum(cost_micro_rub), sum(charged_micro_rub) FROM (${facts(null)})`,
  groupBy: "GROUP BY day, model, provider, key_id",
};

const REPORTED = GROUPED.filter((column) => column !== "day");

/** One account's sums (?1) over rows up to ?2 milliseconds for a report; every sum as text, exact. */
export const REPORT_SUMS = `SELECT ${REPORTED.map((column) => (column === "fx_micro_rub_per_usd" ? `CAST(${column} AS TEXT) AS ${column}` : column)).join(", ")},
  ${SUMS.map((column) => `CAST(sum(${column}) AS TEXT) AS ${column}`).join(", ")}, max(last_at) AS last_at
  FROM (${facts("CAST(?2 AS INTEGER)")}) GROUP BY ${REPORTED.join(", ")} ORDER BY ${REPORTED.join(", ")}`;

/** One account's entries (?1) up to ?2 milliseconds, by kind. */
export const ENTRY_SUMS = `SELECT kind, sum(entries) AS entries, CAST(sum(amount_micro_rub) AS TEXT) AS amount_micro_rub, max(at) AS last_at FROM (
    SELECT kind, at, 1 AS entries, amount_micro_rub FROM entry WHERE account_id = ?1 AND at <= CAST(?2 AS INTEGER)
    UNION ALL SELECT kind, at, entries, amount_micro_rub FROM archived_entry WHERE account_id = ?1 AND at <= CAST(?2 AS INTEGER))
  GROUP BY kind ORDER BY kind`;

const IN_PART = `account_id = ?1 AND seq BETWEEN CAST(?2 AS INTEGER) AND CAST(?3 AS INTEGER)
  AND EXISTS (SELECT 1 FROM archive_part WHERE object_key = ?4)`;

/** Fill the sums of a part from the rows of one account (?1) with numbers ?2 to ?3, once the part is noted under the key ?4. */
export const ARCHIVE_SUMS = [
  `INSERT INTO archived_usage (account_id, part_seq, ${GROUPED.join(", ")}, ${SUMS.join(", ")}, at)
    SELECT ?1, CAST(?2 AS INTEGER), ${GROUPED.join(", ")}, ${Object.values(SUMMED)
      .map((value) => `sum(${value})`)
      .join(", ")}, max(at) FROM usage WHERE ${IN_PART} GROUP BY ${GROUPED.join(", ")}`,
  `INSERT INTO archived_entry (account_id, part_seq, kind, at, entries, amount_micro_rub)
    SELECT ?1, CAST(?2 AS INTEGER), kind, max(at), count(*), sum(amount_micro_rub) FROM entry WHERE ${IN_PART} GROUP BY kind`,
];
