/** Messages that could not be applied: kept with their reason until somebody replays them. */

export interface DeadLetter {
  id: string;
  queue: string;
  body: string;
  reason: string;
  parked_at: number;
  replayed_at: number | null;
}

/** Parks messages. One that is parked again, since its replay failed too, is the same letter and waits again. */
export async function parkMessages(database: D1Database, letters: readonly Omit<DeadLetter, "replayed_at">[]): Promise<void> {
  if (letters.length === 0) return;
  const insert = database.prepare(
    "INSERT INTO dead_letter (id, queue, body, reason, parked_at) VALUES (?1, ?2, ?3, ?4, CAST(?5 AS INTEGER)) ON CONFLICT (id) DO UPDATE SET reason = excluded.reason, parked_at = excluded.parked_at, replayed_at = NULL",
  );
  await database.batch(letters.map((letter) => insert.bind(letter.id, letter.queue, letter.body, letter.reason, String(letter.parked_at))));
}

/** Parked messages, the oldest first; with `waitingOnly`, those never replayed. */
export async function deadLetters(database: D1Database, page: { limit: number; waitingOnly: boolean }): Promise<DeadLetter[]> {
  const result = await database
    .prepare(
      `SELECT id, queue, body, reason, parked_at, replayed_at FROM dead_letter ${page.waitingOnly ? "WHERE replayed_at IS NULL" : ""}
        ORDER BY parked_at, id LIMIT ?1`,
    )
    .bind(page.limit)
    .all<DeadLetter>();
  return result.results;
}

export async function markReplayed(database: D1Database, ids: readonly string[], now: number): Promise<void> {
  await database
    .prepare("UPDATE dead_letter SET replayed_at = CAST(?2 AS INTEGER) WHERE id IN (SELECT value FROM json_each(?1))")
    .bind(JSON.stringify(ids), String(now))
    .run();
}

export async function countWaiting(database: D1Database): Promise<number> {
  const row = await database.prepare("SELECT count(*) AS waiting FROM dead_letter WHERE replayed_at IS NULL").first<{ waiting: number }>();
  return row?.waiting ?? 0;
}
