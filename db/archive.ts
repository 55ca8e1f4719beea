/**
 * Closed months in R2: one object an unbroken run of one account's entries, as gzipped JSON lines of the very rows that would be inserted.
 *
 * An object's name holds the hash of its content, so no object is ever overwritten by another content, and writing one again is harmless.
 * Rows leave D1 only in the transaction that notes their part, and only after the object was read back and hashed (workers/queue/archive.ts).
 * A manifest beside the parts says the same as the table `archive_part`, for whoever has only the bucket.
 */
import { createHash } from "node:crypto";
import { z } from "zod";
import { parseWith } from "../schema/json.ts";
import { type EntryRow, entryRowOf, SELECT_ENTRY_ROWS } from "./entry-rows.ts";
import { ARCHIVE_SUMS } from "./usage-sums.ts";

/** A row of `archive_part`: amounts as exact text. */
export interface ArchivePart {
  account_id: string;
  month: string;
  first_seq: number;
  last_seq: number;
  object_key: string;
  sha256: string;
  bytes: number;
  entries: number;
  usage_rows: number;
  amount_micro_rub: string;
  first_prev_hash: string;
  last_hash: string;
  balance_before_micro_rub: string;
  balance_after_micro_rub: string;
  first_at: number;
  last_at: number;
  archived_at: number;
}

const values = z.record(z.string(), z.union([z.string(), z.number(), z.null()]));
const lineSchema = z.strictObject({ entry: values, usage: values.nullable() });

const PART_TEXT = ["account_id", "month", "object_key", "sha256", "first_prev_hash", "last_hash"] as const;
const PART_COUNT = ["first_seq", "last_seq", "bytes", "entries", "usage_rows", "first_at", "last_at", "archived_at"] as const;
const PART_AMOUNT = ["amount_micro_rub", "balance_before_micro_rub", "balance_after_micro_rub"] as const;
const PART_COLUMNS = [...PART_TEXT, ...PART_COUNT, ...PART_AMOUNT.map((column) => `CAST(${column} AS TEXT) AS ${column}`)].join(", ");
const IN_PART = "account_id = ?1 AND seq BETWEEN CAST(?2 AS INTEGER) AND CAST(?3 AS INTEGER)";
const IS_NOTED = "EXISTS (SELECT 1 FROM archive_part WHERE object_key = ?4)";

/** Rows of an account in one database from `fromSeq` to `toSeq`, the lowest `limit`. */
export async function readEntryRows(
  database: D1Database,
  accountId: string,
  page: { fromSeq: number; toSeq: number; limit: number },
): Promise<EntryRow[]> {
  const found = await database
    .prepare(SELECT_ENTRY_ROWS)
    .bind(accountId, String(page.fromSeq), String(page.toSeq), String(page.limit))
    .all<Record<string, string | number | null>>();
  return found.results.map(entryRowOf);
}

/** The lines of an object and what its part says of them. `rows`: unbroken, of one month, not empty. */
export function partOf(rows: readonly EntryRow[], facts: { month: string; archivedAt: number }): { part: ArchivePart; lines: string } {
  const lines = rows.map((row) => `${JSON.stringify(row)}\n`).join("");
  const first = rows[0]?.entry;
  const last = rows.at(-1)?.entry;
  if (first === undefined || last === undefined) throw new Error("a part of the archive has no rows");
  const accountId = String(first["account_id"]);
  const sha256 = hashOf(lines);
  const [firstSeq, lastSeq] = [Number(first["seq"]), Number(last["seq"])];
  const part: ArchivePart = {
    account_id: accountId,
    month: facts.month,
    first_seq: firstSeq,
    last_seq: lastSeq,
    object_key: `${monthFolder(accountId, facts.month)}/${inFull(firstSeq)}-${inFull(lastSeq)}-${sha256}.jsonl.gz`,
    sha256,
    bytes: new TextEncoder().encode(lines).length,
    entries: rows.length,
    usage_rows: rows.filter((row) => row.usage !== null).length,
    amount_micro_rub: rows.reduce((sum, row) => sum + BigInt(String(row.entry["amount_micro_rub"])), 0n).toString(),
    first_prev_hash: String(first["prev_hash"]),
    last_hash: String(last["hash"]),
    balance_before_micro_rub: (BigInt(String(first["balance_after_micro_rub"])) - BigInt(String(first["amount_micro_rub"]))).toString(),
    balance_after_micro_rub: String(last["balance_after_micro_rub"]),
    first_at: rows.reduce((least, row) => Math.min(least, Number(row.entry["at"])), Number.MAX_SAFE_INTEGER),
    last_at: rows.reduce((most, row) => Math.max(most, Number(row.entry["at"])), 0),
    archived_at: facts.archivedAt,
  };
  return { part, lines };
}

/** A number whose names sort as it does. */
function inFull(seq: number): string {
  return String(seq).padStart(12, "0");
}

function monthFolder(accountId: string, month: string): string {
  return `usage/v1/${accountId}/${month}`;
}

function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

export async function putPart(bucket: R2Bucket, part: ArchivePart, lines: string): Promise<void> {
  const packed = await new Response(new Blob([lines]).stream().pipeThrough(new CompressionStream("gzip"))).arrayBuffer();
  await bucket.put(part.object_key, packed, { httpMetadata: { contentType: "application/jsonl", contentEncoding: "gzip" } });
}

/** What is wrong with a stored part, or its rows. */
export type ReadPart = { ok: true; rows: EntryRow[] } | { ok: false; fault: string };

/** Reads a part whole and checks its hash before anything in it is believed. */
export async function readPart(bucket: R2Bucket, part: ArchivePart): Promise<ReadPart> {
  const object = await bucket.get(part.object_key);
  if (object === null) return { ok: false, fault: "the object is not there" };
  const text = await new Response(object.body.pipeThrough(new DecompressionStream("gzip"))).text().catch(() => null);
  if (text === null) return { ok: false, fault: "the object cannot be unpacked" };
  if (hashOf(text) !== part.sha256) return { ok: false, fault: "the object has another hash" };
  const rows: EntryRow[] = [];
  for (const line of text.split("\n")) {
    if (line === "") continue;
    const parsed = parseWith(lineSchema, line);
    if (!parsed.ok) return { ok: false, fault: `a line is unreadable: ${parsed.message}` };
    rows.push(parsed.value);
  }
  return rows.length === part.entries ? { ok: true, rows } : { ok: false, fault: `it has ${rows.length} lines instead of ${part.entries}` };
}

/** Parts of an account in one database, the highest first; only those with a row below `beforeSeq` and days that overlap the range. */
export function partsBefore(
  database: D1Database,
  accountId: string,
  page: { beforeSeq: number; fromAt: number; toAt: number; limit: number },
): D1PreparedStatement {
  return database
    .prepare(
      `SELECT ${PART_COLUMNS} FROM archive_part WHERE account_id = ?1 AND first_seq < CAST(?2 AS INTEGER) AND last_at >= CAST(?3 AS INTEGER)
        AND first_at < CAST(?4 AS INTEGER) ORDER BY first_seq DESC LIMIT CAST(?5 AS INTEGER)`,
    )
    .bind(accountId, String(page.beforeSeq), String(page.fromAt), String(page.toAt), String(page.limit));
}

/** The part that holds an entry; null when it is in none. */
export async function partWith(database: D1Database, accountId: string, seq: number): Promise<ArchivePart | null> {
  return database
    .prepare(
      `SELECT ${PART_COLUMNS} FROM archive_part WHERE account_id = ?1 AND first_seq <= CAST(?2 AS INTEGER) AND last_seq >= CAST(?2 AS INTEGER)
        ORDER BY first_seq DESC LIMIT 1`,
    )
    .bind(accountId, String(seq))
    .first<ArchivePart>();
}

/** Every part of an account in one database above `afterSeq`, the lowest first. */
export async function partsAfter(database: D1Database, accountId: string, afterSeq: number, limit: number): Promise<ArchivePart[]> {
  const found = await database
    .prepare(`SELECT ${PART_COLUMNS} FROM archive_part WHERE account_id = ?1 AND first_seq > ?2 ORDER BY first_seq LIMIT ?3`)
    .bind(accountId, afterSeq, limit)
    .all<ArchivePart>();
  return found.results;
}

/**
 * Notes a part and removes its rows, in one transaction that does nothing at all unless the rows are still those that were archived:
 * as many, with the same sums and the same last hash. False: they are not.
 */
export async function retireRows(database: D1Database, part: ArchivePart): Promise<boolean> {
  const bounds = [part.account_id, String(part.first_seq), String(part.last_seq)];
  const columns = [...PART_TEXT, ...PART_COUNT, ...PART_AMOUNT];
  const given = [
    ...PART_TEXT.map((column) => `?4 ->> '${column}'`),
    ...[...PART_COUNT, ...PART_AMOUNT].map((column) => `CAST(?4 ->> '${column}' AS INTEGER)`),
  ];
  const note = `INSERT INTO archive_part (${columns.join(", ")}) SELECT ${given.join(", ")}
    WHERE (SELECT count(*) FROM entry WHERE ${IN_PART}) = CAST(?4 ->> 'entries' AS INTEGER)
      AND (SELECT sum(amount_micro_rub) FROM entry WHERE ${IN_PART}) = CAST(?4 ->> 'amount_micro_rub' AS INTEGER)
      AND (SELECT hash FROM entry WHERE account_id = ?1 AND seq = CAST(?3 AS INTEGER)) = ?4 ->> 'last_hash'
      AND (SELECT count(*) FROM usage WHERE ${IN_PART}) = CAST(?4 ->> 'usage_rows' AS INTEGER)
    ON CONFLICT DO NOTHING`;
  const statements = [
    ...ARCHIVE_SUMS,
    `DELETE FROM usage WHERE ${IN_PART} AND ${IS_NOTED}`,
    `DELETE FROM entry WHERE ${IN_PART} AND ${IS_NOTED}`,
  ];
  const [noted] = await database.batch([
    database.prepare(note).bind(...bounds, JSON.stringify(part)),
    ...statements.map((sql) => database.prepare(sql).bind(...bounds, part.object_key)),
  ]);
  return (noted?.meta.changes ?? 0) > 0;
}

/** Writes the manifest of an account's month: every part of it, in order. */
export async function putManifest(bucket: R2Bucket, accountId: string, month: string, parts: readonly ArchivePart[]): Promise<void> {
  const ordered = parts.toSorted((left, right) => left.first_seq - right.first_seq);
  const sum = (column: "entries" | "usage_rows"): number => ordered.reduce((total, part) => total + part[column], 0);
  const manifest = { v: 1, account_id: accountId, month, entries: sum("entries"), usage_rows: sum("usage_rows"), parts: ordered };
  await bucket.put(`${monthFolder(accountId, month)}/manifest.json`, `${JSON.stringify(manifest, null, 2)}\n`, {
    httpMetadata: { contentType: "application/json" },
  });
}

export async function partsOfMonth(database: D1Database, accountId: string, month: string): Promise<ArchivePart[]> {
  const found = await database
    .prepare(`SELECT ${PART_COLUMNS} FROM archive_part WHERE account_id = ?1 AND month = ?2 ORDER BY first_seq`)
    .bind(accountId, month)
    .all<ArchivePart>();
  return found.results;
}

/** The oldest row of an account in one database that a part could begin with: its number and instant; null when there is no row. */
export async function oldestEntry(database: D1Database, accountId: string): Promise<{ seq: number; at: number } | null> {
  return database
    .prepare("SELECT seq, at FROM entry WHERE account_id = ?1 ORDER BY seq LIMIT 1")
    .bind(accountId)
    .first<{ seq: number; at: number }>();
}
