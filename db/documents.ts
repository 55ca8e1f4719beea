/** Versioned documents (prices, configuration): the highest number of a kind is in force; older ones stay as they were. */

export type DocumentKind = "prices" | "config";

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
