/** Versioned documents (prices, configuration): the highest number of a kind is in force; older ones stay as they were. */

export type DocumentKind = "prices" | "config" | "shards";

export interface StoredDocument {
  number: number;
  body: string;
}

export async function latestDocument(database: D1Database, kind: DocumentKind): Promise<StoredDocument | null> {
  return database
    .prepare("SELECT number, body FROM document WHERE kind = ?1 ORDER BY number DESC LIMIT 1")
    .bind(kind)
    .first<StoredDocument>();
}

/** Stores the next version. Gives its number. */
export async function insertDocument(database: D1Database, kind: DocumentKind, body: string, now: number): Promise<number> {
  const row = await database
    .prepare(
      `INSERT INTO document (kind, number, body, created_at)
        SELECT ?1, coalesce(max(number), 0) + 1, ?2, CAST(?3 AS INTEGER) FROM document WHERE kind = ?1 RETURNING number`,
    )
    .bind(kind, body, String(now))
    .first<{ number: number }>();
  if (row === null) throw new Error("an insert gave no row");
  return row.number;
}

/** One version by its number, or the newest whose text has this `version`. */
export async function documentBy(
  database: D1Database,
  kind: DocumentKind,
  wanted: { number: number } | { version: string },
): Promise<StoredDocument | null> {
  const [condition, value] = "number" in wanted ? ["number = ?2", wanted.number] : ["body ->> '$.version' = ?2", wanted.version];
  return database
    .prepare(`SELECT number, body FROM document WHERE kind = ?1 AND ${condition} ORDER BY number DESC LIMIT 1`)
    .bind(kind, value)
    .first<StoredDocument>();
}

export interface PriceVersion {
  number: number;
  version: string;
  fx_micro_rub_per_usd: number;
  fx_date: string;
  fx_source: string;
  markup_bps: number;
  /** How many keys of models it prices. */
  models: number;
  created_at: number;
}

/** Price documents below `beforeNumber`, the newest first. */
export async function priceVersions(database: D1Database, page: { beforeNumber: number; limit: number }): Promise<PriceVersion[]> {
  const found = await database
    .prepare(
      `SELECT number, body ->> '$.version' AS version, body ->> '$.fx.micro_rub_per_usd' AS fx_micro_rub_per_usd, body ->> '$.fx.date' AS fx_date,
        body ->> '$.fx.source' AS fx_source, body ->> '$.markup_bps' AS markup_bps,
        (SELECT count(*) FROM json_each(body, '$.models')) AS models, created_at
        FROM document WHERE kind = 'prices' AND number < ?1 ORDER BY number DESC LIMIT ?2`,
    )
    .bind(page.beforeNumber, page.limit)
    .all<PriceVersion>();
  return found.results;
}

export interface ConfigVersion {
  number: number;
  /** Of the text as it was put, in bytes. */
  bytes: number;
  created_at: number;
}

/** Configurations below `beforeNumber`, the newest first. */
export async function configVersions(database: D1Database, page: { beforeNumber: number; limit: number }): Promise<ConfigVersion[]> {
  const found = await database
    .prepare(
      `SELECT number, octet_length(body) AS bytes, created_at FROM document
        WHERE kind = 'config' AND number < ?1 ORDER BY number DESC LIMIT ?2`,
    )
    .bind(page.beforeNumber, page.limit)
    .all<ConfigVersion>();
  return found.results;
}
