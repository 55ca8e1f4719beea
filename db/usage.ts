/** Sums of usage from the rollups alone, added up over every database that keeps some. Cursors are names. */

export interface UsageFilter {
  accountId: string;
  /** UTC days, inclusive. */
  fromDay: string;
  toDay: string;
}

export const GROUPS = { day: "day", model: "model", provider: "provider", key: "key_id" } as const;
export type GroupBy = keyof typeof GROUPS;

export interface GroupRow {
  name: string;
  requests: number;
  failed: number;
  input_tokens: number;
  cache_read_tokens: number;
  cache_write_tokens: number;
  output_tokens: number;
  cost_micro_rub: number;
  charged_micro_rub: number;
}

type Sums = Omit<GroupRow, "name">;

const COLUMNS = [
  "requests",
  "failed",
  "input_tokens",
  "cache_read_tokens",
  "cache_write_tokens",
  "output_tokens",
  "cost_micro_rub",
  "charged_micro_rub",
] as const satisfies readonly (keyof Sums)[];
const SUMS = COLUMNS.map((column) => `coalesce(sum(${column}), 0) AS ${column}`).join(", ");

/** Rows of several databases as one list: those that `keyOf` names alike become one, in the order of their names. */
function added<T extends Sums>(lists: readonly (readonly T[])[], keyOf: (row: T) => string): T[] {
  const byKey = new Map<string, T>();
  for (const row of lists.flat()) {
    const before = byKey.get(keyOf(row));
    if (before === undefined) byKey.set(keyOf(row), { ...row });
    else for (const column of COLUMNS) before[column] += row[column];
  }
  return [...byKey].toSorted(([left], [right]) => (left < right ? -1 : left > right ? 1 : 0)).map(([, row]) => row);
}

/** By one dimension: names above `afterName`, ascending. The first names of all are among the first of each database. */
export async function usageGroups(
  databases: readonly D1Database[],
  filter: UsageFilter,
  page: { by: GroupBy; afterName: string; limit: number },
): Promise<GroupRow[]> {
  const column = GROUPS[page.by];
  const sql = `SELECT ${column} AS name, ${SUMS} FROM usage_day WHERE account_id = ?1 AND day BETWEEN ?2 AND ?3 AND ${column} > ?4
    GROUP BY ${column} ORDER BY ${column} LIMIT ?5`;
  const results = await Promise.all(
    databases.map((database) =>
      database.prepare(sql).bind(filter.accountId, filter.fromDay, filter.toDay, page.afterName, page.limit).all<GroupRow>(),
    ),
  );
  const lists = results.map((result) => result.results);
  return added(lists, (row) => row.name).slice(0, page.limit);
}

export async function usageTotals(databases: readonly D1Database[], filter: UsageFilter): Promise<Sums> {
  const sql = `SELECT ${SUMS} FROM usage_day WHERE account_id = ?1 AND day BETWEEN ?2 AND ?3`;
  const results = await Promise.all(
    databases.map((database) => database.prepare(sql).bind(filter.accountId, filter.fromDay, filter.toDay).all<Sums>()),
  );
  const [totals] = added(
    results.map((result) => result.results),
    () => "",
  );
  if (totals === undefined) throw new Error("an aggregate gave no row");
  return totals;
}

/** Sums over all accounts by model and provider, for the metrics page. */
export async function usageByModel(
  databases: readonly D1Database[],
  limit: number,
): Promise<(Sums & { model: string; provider: string })[]> {
  const sql = `SELECT model, provider, ${SUMS} FROM usage_day GROUP BY model, provider ORDER BY model, provider LIMIT ?1`;
  const results = await Promise.all(
    databases.map((database) => database.prepare(sql).bind(limit).all<Sums & { model: string; provider: string }>()),
  );
  return added(
    results.map((result) => result.results),
    (row) => `${row.model}\n${row.provider}`,
  ).slice(0, limit);
}
