/** The rollups of `usage_day` against the rows they sum: the same sums the trigger keeps, as one query over the rows. */

/** One account's rows (?1) summed as the trigger sums them, in the order of `usage_day`'s columns. */
const SUMS = `SELECT account_id, day, model, provider, key_id, count(*), sum(state <> 'settled'), sum(coalesce(input_tokens, 0)),
  sum(coalesce(cache_read_tokens, 0)), sum(coalesce(cache_write_5m_tokens, 0) + coalesce(cache_write_1h_tokens, 0)),
  sum(coalesce(output_tokens, 0)), sum(coalesce(cost_micro_rub, 0)), sum(charged_micro_rub) FROM usage WHERE account_id = ?1`;
const GROUPED = "GROUP BY account_id, day, model, provider, key_id";
const STORED = "SELECT * FROM usage_day WHERE account_id = ?1";
const OF_DAYS = "day IN (SELECT value FROM json_each(?2))";

/** The statements that make the rollups of these days from their rows again; run them in one batch. */
export function rebuildRollups(database: D1Database, accountId: string, days: readonly string[]): D1PreparedStatement[] {
  const named = JSON.stringify(days);
  return [
    database.prepare(`DELETE FROM usage_day WHERE account_id = ?1 AND ${OF_DAYS}`).bind(accountId, named),
    database.prepare(`INSERT INTO usage_day ${SUMS} AND ${OF_DAYS} ${GROUPED}`).bind(accountId, named),
  ];
}

/** Days whose rollups are not the sums of their rows, at most ?2 of them. */
export const WRONG_ROLLUPS = `SELECT DISTINCT day FROM (
  SELECT * FROM (${SUMS} ${GROUPED} EXCEPT ${STORED}) UNION ALL SELECT * FROM (${STORED} EXCEPT ${SUMS} ${GROUPED})) ORDER BY day LIMIT ?2`;
