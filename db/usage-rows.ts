/**
 * Single requests, the newest first, wherever their rows are: in one database, in several, in archived parts of closed months. A row is in
 * exactly one place, so a page is the highest numbers of all places; cursors are the last row's own number.
 */
import { z } from "zod";
import { checkWith } from "../schema/json.ts";
import { type ArchivePart, partsBefore, partWith, readPart } from "./archive.ts";
import { type EntryRow, usageValues } from "./entry-rows.ts";
import type { UsageFilter } from "./usage.ts";

const text = z.string();
const count = z.number().int();

const usageRowSchema = z.object({
  seq: count,
  request_id: text,
  key_id: text,
  protocol: text,
  model: text,
  provider: text,
  stream: count,
  state: text,
  error_code: text.nullable(),
  input_tokens: count.nullable(),
  cache_read_tokens: count.nullable(),
  cache_write_5m_tokens: count.nullable(),
  cache_write_1h_tokens: count.nullable(),
  output_tokens: count.nullable(),
  reasoning_tokens: count.nullable(),
  usage_source: text.nullable(),
  price_version: text,
  cost_micro_rub: count.nullable(),
  charged_micro_rub: count,
  flagged: text.nullable(),
  finish_reason: text.nullable(),
  ttft_ms: count.nullable(),
  duration_ms: count,
  evidence: text,
  at: count,
});
export type UsageRow = z.infer<typeof usageRowSchema>;

const recordedRequestSchema = usageRowSchema.extend({
  /** Kind of the entry that ended it. */
  kind: text,
  output_tokens_per_second: z.number().nullable(),
});
export type RecordedRequest = z.infer<typeof recordedRequestSchema>;

const ROW_COLUMNS = Object.keys(usageRowSchema.shape).join(", ");
const RECORDED_COLUMNS = Object.keys(recordedRequestSchema.shape).join(", ");
const DAY_MILLISECONDS = 86_400_000;
/** Parts looked up at once; a page needs one or two. */
const PARTS_AT_ONCE = 4;

/** Where one account's rows may be. Made for one call or one export: it keeps the last part it read. */
export interface UsageStore {
  databases: readonly D1Database[];
  archive: R2Bucket;
  lastPart: { key: string; rows: EntryRow[] } | null;
}

export function usageStore(databases: readonly D1Database[], archive: R2Bucket): UsageStore {
  return { databases, archive, lastPart: null };
}

interface Page {
  beforeSeq: number;
  limit: number;
}

/** Rows in the range with `seq` below `beforeSeq`, the newest first. Walks primary keys. Throws when an archived part is not what was stored. */
export async function usageRows(store: UsageStore, filter: UsageFilter, page: Page): Promise<UsageRow[]> {
  const read = await Promise.all(store.databases.map((database) => readDatabase(database, filter, page)));
  const rows = newest(
    read.flatMap((each) => each.rows),
    page.limit,
  );
  const parts = read.flatMap(({ database, parts: found }) => found.map((part) => ({ database, part })));
  parts.sort((left, right) => right.part.first_seq - left.part.first_seq);
  return parts.length === 0 ? rows : withParts({ store, filter, page }, rows, parts);
}

async function readDatabase(
  database: D1Database,
  filter: UsageFilter,
  page: Page,
): Promise<{ database: D1Database; rows: UsageRow[]; parts: ArchivePart[] }> {
  const rows = database
    .prepare(`SELECT ${ROW_COLUMNS} FROM usage WHERE account_id = ?1 AND seq < ?4 AND day BETWEEN ?2 AND ?3 ORDER BY seq DESC LIMIT ?5`)
    .bind(filter.accountId, filter.fromDay, filter.toDay, page.beforeSeq, page.limit);
  const [found, parts] = await database.batch([rows, partsIn(database, filter, page.beforeSeq)]);
  return { database, rows: rowsOf<UsageRow>(found), parts: rowsOf<ArchivePart>(parts) };
}

function rowsOf<T>(result: D1Result | undefined): T[] {
  const rows: T[] = [];
  for (const row of result?.results ?? []) rows.push(row as T);
  return rows;
}

function partsIn(database: D1Database, filter: UsageFilter, beforeSeq: number): D1PreparedStatement {
  const fromAt = Date.parse(filter.fromDay);
  const toAt = Date.parse(filter.toDay) + DAY_MILLISECONDS;
  return partsBefore(database, filter.accountId, { beforeSeq, fromAt, toAt, limit: PARTS_AT_ONCE });
}

interface Query {
  store: UsageStore;
  filter: UsageFilter;
  page: Page;
}

interface FoundPart {
  database: D1Database;
  part: ArchivePart;
}

/** Adds rows of parts, the highest part first, until no lower part can have a row of this page. */
async function withParts(query: Query, live: readonly UsageRow[], found: readonly FoundPart[]): Promise<UsageRow[]> {
  const { store, filter, page } = query;
  let rows = [...live];
  let parts = [...found];
  for (;;) {
    const next = parts.shift();
    if (next === undefined) return rows;
    if (rows.length >= page.limit && (rows.at(-1)?.seq ?? 0) > next.part.last_seq) return rows;
    const inRange = (await partRows(store, next.part)).filter((row) => row.seq < page.beforeSeq && isIn(filter, row));
    rows = newest([...rows, ...inRange], page.limit);
    if (!parts.some(({ database }) => database === next.database)) {
      const more = await partsIn(next.database, filter, next.part.first_seq).all<ArchivePart>();
      parts = [...parts, ...more.results.map((part) => ({ database: next.database, part }))];
      parts.sort((left, right) => right.part.first_seq - left.part.first_seq);
    }
  }
}

function isIn(filter: UsageFilter, row: UsageRow): boolean {
  const day = new Date(row.at).toISOString().slice(0, 10);
  return day >= filter.fromDay && day <= filter.toDay;
}

function newest(rows: readonly UsageRow[], limit: number): UsageRow[] {
  return rows.toSorted((left, right) => right.seq - left.seq).slice(0, limit);
}

/** The usage rows of a part. Throws when it is not what was stored: money is not shown by guess. */
async function partRows(store: UsageStore, part: ArchivePart): Promise<UsageRow[]> {
  const entries = await partEntries(store, part);
  return entries.flatMap((row) => (row.usage === null ? [] : [checked(usageRowSchema, row.usage, part)]));
}

async function partEntries(store: UsageStore, part: ArchivePart): Promise<EntryRow[]> {
  if (store.lastPart?.key === part.object_key) return store.lastPart.rows;
  const read = await readPart(store.archive, part);
  if (!read.ok) throw new Error(`archived part ${part.object_key}: ${read.fault}`);
  store.lastPart = { key: part.object_key, rows: read.rows };
  return read.rows;
}

function checked<T>(schema: z.ZodType<T>, usage: NonNullable<EntryRow["usage"]>, part: ArchivePart): T {
  const row = checkWith(schema, usageValues(usage));
  if (!row.ok) throw new Error(`archived part ${part.object_key}: ${row.message} at ${row.path ?? "the root"}`);
  return row.value;
}

/**
 * One finished request by its id; null when the account has none. Walks `usage_request`; for a request whose row was archived the number
 * of its entry, which its ledger knows, leads to its part.
 */
export async function usageOfRequest(
  store: UsageStore,
  accountId: string,
  request: { id: string; seq: () => Promise<number | null> },
): Promise<RecordedRequest | null> {
  const sql = `SELECT ${RECORDED_COLUMNS} FROM usage WHERE account_id = ?1 AND request_id = ?2`;
  for (const database of store.databases) {
    const row = await database.prepare(sql).bind(accountId, request.id).first<RecordedRequest>();
    if (row !== null) return row;
  }
  const seq = await request.seq();
  if (seq === null) return null;
  for (const database of store.databases) {
    const part = await partWith(database, accountId, seq);
    if (part === null) continue;
    const row = (await partEntries(store, part)).find((each) => each.usage?.["request_id"] === request.id);
    if (row?.usage !== undefined && row.usage !== null) return checked(recordedRequestSchema, row.usage, part);
  }
  return null;
}
