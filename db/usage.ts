/** Pages of usage, requests and rollups. Every query names the index it walks; cursors are the last row's own key. */

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

const SUMS = [
  "requests",
  "failed",
  "input_tokens",
  "cache_read_tokens",
  "cache_write_tokens",
  "output_tokens",
  "cost_micro_rub",
  "charged_micro_rub",
]
  .map((column) => `coalesce(sum(${column}), 0) AS ${column}`)
  .join(", ");

/** Rollups by one dimension, from `usage_day` alone; names above `afterName`, ascending. */
export async function usageGroups(
  database: D1Database,
  filter: UsageFilter,
  page: { by: GroupBy; afterName: string; limit: number },
): Promise<GroupRow[]> {
  const column = GROUPS[page.by];
  const result = await database
    .prepare(
      `SELECT ${column} AS name, ${SUMS} FROM usage_day WHERE account_id = ?1 AND day BETWEEN ?2 AND ?3 AND ${column} > ?4
        GROUP BY ${column} ORDER BY ${column} LIMIT ?5`,
    )
    .bind(filter.accountId, filter.fromDay, filter.toDay, page.afterName, page.limit)
    .all<GroupRow>();
  return result.results;
}

export async function usageTotals(database: D1Database, filter: UsageFilter): Promise<Omit<GroupRow, "name">> {
  const row = await database
    .prepare(`SELECT ${SUMS} FROM usage_day WHERE account_id = ?1 AND day BETWEEN ?2 AND ?3`)
    .bind(filter.accountId, filter.fromDay, filter.toDay)
    .first<Omit<GroupRow, "name">>();
  if (row === null) throw new Error("an aggregate gave no row");
  return row;
}

export interface UsageRow {
  seq: number;
  request_id: string;
  key_id: string;
  protocol: string;
  model: string;
  provider: string;
  stream: number;
  state: string;
  error_code: string | null;
  input_tokens: number | null;
  cache_read_tokens: number | null;
  cache_write_5m_tokens: number | null;
  cache_write_1h_tokens: number | null;
  output_tokens: number | null;
  reasoning_tokens: number | null;
  usage_source: string | null;
  price_version: string;
  cost_micro_rub: number | null;
  charged_micro_rub: number;
  flagged: string | null;
  finish_reason: string | null;
  ttft_ms: number | null;
  duration_ms: number;
  evidence: string;
  at: number;
}

const ROW_COLUMNS = `seq, request_id, key_id, protocol, model, provider, stream, state, error_code, input_tokens, cache_read_tokens,
  cache_write_5m_tokens, cache_write_1h_tokens, output_tokens, reasoning_tokens, usage_source, price_version, cost_micro_rub, charged_micro_rub,
  flagged, finish_reason, ttft_ms, duration_ms, evidence, at`;

/** Single requests in the range, the newest first, with `seq` below `beforeSeq`. Walks the primary key. */
export async function usageRows(
  database: D1Database,
  filter: UsageFilter,
  page: { beforeSeq: number; limit: number },
): Promise<UsageRow[]> {
  const result = await database
    .prepare(`SELECT ${ROW_COLUMNS} FROM usage WHERE account_id = ?1 AND seq < ?4 AND day BETWEEN ?2 AND ?3 ORDER BY seq DESC LIMIT ?5`)
    .bind(filter.accountId, filter.fromDay, filter.toDay, page.beforeSeq, page.limit)
    .all<UsageRow>();
  return result.results;
}

export interface RecordedRequest extends UsageRow {
  /** Kind of the entry that ended it. */
  kind: string;
  output_tokens_per_second: number | null;
}

/** One finished request by its id; null when the account has none. Walks `usage_request`. */
export async function usageOfRequest(database: D1Database, accountId: string, requestId: string): Promise<RecordedRequest | null> {
  return database
    .prepare(`SELECT ${ROW_COLUMNS}, kind, output_tokens_per_second FROM usage WHERE account_id = ?1 AND request_id = ?2`)
    .bind(accountId, requestId)
    .first<RecordedRequest>();
}

/** Sums over all accounts by model and provider, for the metrics page. */
export async function usageByModel(
  database: D1Database,
  limit: number,
): Promise<(Omit<GroupRow, "name"> & { model: string; provider: string })[]> {
  const result = await database
    .prepare(`SELECT model, provider, ${SUMS} FROM usage_day GROUP BY model, provider ORDER BY model LIMIT ?1`)
    .bind(limit)
    .all<Omit<GroupRow, "name"> & { model: string; provider: string }>();
  return result.results;
}
