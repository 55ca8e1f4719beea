/** What guards the door: links that sign somebody in, the count of guesses, and the log of what people changed. */
import type { LinkPurpose } from "../schema/dashboard.ts";

export async function insertLink(
  database: D1Database,
  link: { tokenHash: string; purpose: LinkPurpose; now: number; expiresAt: number },
): Promise<void> {
  await database.batch([
    // One link of a purpose at a time: a new start makes the one before it worthless.
    database.prepare("DELETE FROM sign_in_link WHERE purpose = ?1").bind(link.purpose),
    database
      .prepare(
        "INSERT INTO sign_in_link (token_hash, purpose, created_at, expires_at) VALUES (?1, ?2, CAST(?3 AS INTEGER), CAST(?4 AS INTEGER))",
      )
      .bind(link.tokenHash, link.purpose, String(link.now), String(link.expiresAt)),
  ]);
}

const USABLE = "token_hash = ?1 AND purpose = ?2 AND used_at IS NULL AND expires_at > CAST(?3 AS INTEGER)";

export async function isLinkUsable(database: D1Database, tokenHash: string, purpose: LinkPurpose, now: number): Promise<boolean> {
  return (await database.prepare(`SELECT 1 FROM sign_in_link WHERE ${USABLE}`).bind(tokenHash, purpose, String(now)).first()) !== null;
}

/** True for the one caller that uses the link up. */
export async function useLink(database: D1Database, tokenHash: string, purpose: LinkPurpose, now: number): Promise<boolean> {
  const result = await database
    .prepare(`UPDATE sign_in_link SET used_at = CAST(?3 AS INTEGER) WHERE ${USABLE}`)
    .bind(tokenHash, purpose, String(now))
    .run();
  return result.meta.changes > 0;
}

/** Counts one try and says how many there were in this window, this one included. */
export async function countAttempt(database: D1Database, bucket: string, window: { now: number; milliseconds: number }): Promise<number> {
  const row = await database
    .prepare(
      `INSERT INTO sign_in_attempt (bucket, window_start, attempts) VALUES (?1, CAST(?2 AS INTEGER), 1)
        ON CONFLICT (bucket) DO UPDATE SET
          attempts = CASE WHEN window_start + CAST(?3 AS INTEGER) > excluded.window_start THEN attempts + 1 ELSE 1 END,
          window_start = CASE WHEN window_start + CAST(?3 AS INTEGER) > excluded.window_start THEN window_start ELSE excluded.window_start END
        RETURNING attempts`,
    )
    .bind(bucket, String(window.now), String(window.milliseconds))
    .first<{ attempts: number }>();
  return row?.attempts ?? 1;
}

/** Forgets the tries of somebody who proved who they are. */
export async function clearAttempts(database: D1Database, bucket: string): Promise<void> {
  await database.prepare("DELETE FROM sign_in_attempt WHERE bucket = ?1").bind(bucket).run();
}

export interface AuditEvent {
  organisationId: string | null;
  personId: string;
  action: string;
  target: string | null;
  now: number;
}

export async function insertAudit(database: D1Database, event: AuditEvent): Promise<void> {
  await database
    .prepare("INSERT INTO audit_event (organisation_id, person_id, action, target, at) VALUES (?1, ?2, ?3, ?4, CAST(?5 AS INTEGER))")
    .bind(event.organisationId, event.personId, event.action, event.target, String(event.now))
    .run();
}

export interface AuditRow {
  id: number;
  action: string;
  target: string | null;
  at: number;
  /** Null: gone, or none. */
  person: string | null;
  organisation: string | null;
}

/** Changes before the one of this number, the newest first. */
export async function auditPage(database: D1Database, page: { beforeId: number; limit: number }): Promise<AuditRow[]> {
  const found = await database
    .prepare(
      `SELECT a.id, a.action, a.target, a.at, p.name AS person, o.name AS organisation FROM audit_event a
        LEFT JOIN person p ON p.id = a.person_id LEFT JOIN organisation o ON o.id = a.organisation_id
        WHERE a.id < ?1 ORDER BY a.id DESC LIMIT ?2`,
    )
    .bind(page.beforeId, page.limit)
    .all<AuditRow>();
  return found.results;
}
