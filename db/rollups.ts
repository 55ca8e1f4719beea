/** The rollups of `usage_day` against the rows they sum: the same sums the trigger keeps, as one query over the rows and archived parts. */
import { DAY_SUMS } from "./usage-sums.ts";

const STORED = "SELECT * FROM usage_day WHERE account_id = ?1";
const OF_DAYS = "day IN (SELECT value FROM json_each(?2))";
const ALL_SUMS = `${DAY_SUMS.select} ${DAY_SUMS.groupBy}`;

/** The statements that make the rollups of these days from their rows again; run them in one batch. */
export function rebuildRollups(database: D1Database, accountId: string, days: readonly string[]): D1PreparedStatement[] {
  const named = JSON.stringify(days);
  return [
    database.prepare(`DELETE FROM usage_day WHERE account_id = ?1 AND ${OF_DAYS}`).bind(accountId, named),
    database.prepare(`INSERT INTO usage_day ${DAY_SUMS.select} WHERE ${OF_DAYS} ${DAY_SUMS.groupBy}`).bind(accountId, named),
  ];
}

/** Days whose rollups are not the sums of their rows, at most ?2 of them. */
export const WRONG_ROLLUPS = `SELECT DISTINCT day FROM (
  SELECT * FROM (${ALL_SUMS} EXCEPT ${STORED}) UNION ALL SELECT * FROM (${STORED} EXCEPT ${ALL_SUMS})) ORDER BY day LIMIT ?2`;
