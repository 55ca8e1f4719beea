/** Receivers of our webhooks and the log of their deliveries. The log is also what is to be sent: a queue only says when. */
import { z } from "zod";
import { parseWith } from "../schema/json.ts";
import { LIMITS } from "../schema/limits.ts";
import {
  type DeliveryAttempt,
  deliveryAttemptSchema,
  deliveryStateSchema,
  type DisabledReason,
  type WebhookEndpoint,
  webhookEndpointSchema,
  webhookEventSchema,
  type WebhookEvent,
} from "../schema/webhook.ts";

const COLUMNS = "id, account_id, url, events, created_at, disabled_reason, disabled_at";
const endpointRowSchema = webhookEndpointSchema.extend({ events: z.string() });
const eventsSchema = z.array(webhookEventSchema);
const logSchema = z.array(deliveryAttemptSchema);

function readEndpoint(row: unknown): WebhookEndpoint {
  const endpoint = endpointRowSchema.parse(row);
  const events = parseWith(eventsSchema, endpoint.events);
  if (!events.ok) throw new Error(`the events of ${endpoint.id} are not readable`);
  return { ...endpoint, events: events.value };
}

export async function insertEndpoint(database: D1Database, endpoint: WebhookEndpoint): Promise<void> {
  const { id, account_id, url, events, created_at } = endpoint;
  await database
    .prepare("INSERT INTO webhook_endpoint (id, account_id, url, events, created_at) VALUES (?1, ?2, ?3, ?4, CAST(?5 AS INTEGER))")
    .bind(id, account_id, url, JSON.stringify(events), String(created_at))
    .run();
}

export async function endpointsOf(database: D1Database, accountId: string): Promise<WebhookEndpoint[]> {
  const sql = `SELECT ${COLUMNS} FROM webhook_endpoint WHERE account_id = ?1 ORDER BY created_at, id`;
  return (await database.prepare(sql).bind(accountId).all()).results.map(readEndpoint);
}

export async function findEndpoint(database: D1Database, id: string): Promise<WebhookEndpoint | null> {
  const row = await database.prepare(`SELECT ${COLUMNS} FROM webhook_endpoint WHERE id = ?1`).bind(id).first();
  return row === null ? null : readEndpoint(row);
}

export async function changeEndpoint(database: D1Database, id: string, change: { url: string; events: readonly string[] }): Promise<void> {
  await database
    .prepare("UPDATE webhook_endpoint SET url = ?2, events = ?3 WHERE id = ?1")
    .bind(id, change.url, JSON.stringify(change.events))
    .run();
}

/** Turns a receiver off, with all that waits for it. */
export async function disableEndpoint(database: D1Database, id: string, reason: DisabledReason, now: number): Promise<void> {
  await database.batch([
    database
      .prepare("UPDATE webhook_endpoint SET disabled_reason = ?2, disabled_at = CAST(?3 AS INTEGER) WHERE id = ?1 AND disabled_at IS NULL")
      .bind(id, reason, String(now)),
    database
      .prepare("UPDATE webhook_delivery SET state = 'stopped', ended_at = CAST(?2 AS INTEGER) WHERE endpoint_id = ?1 AND state = 'pending'")
      .bind(id, String(now)),
  ]);
}

export async function enableEndpoint(database: D1Database, id: string): Promise<void> {
  await database.prepare("UPDATE webhook_endpoint SET disabled_reason = NULL, disabled_at = NULL WHERE id = ?1").bind(id).run();
}

/** With its log. */
export async function deleteEndpoint(database: D1Database, id: string): Promise<void> {
  await database.batch([
    database.prepare("DELETE FROM webhook_endpoint WHERE id = ?1").bind(id),
    database.prepare("DELETE FROM webhook_delivery WHERE endpoint_id = ?1").bind(id),
  ]);
}

/** A receiver that is on, and the balance below which its account is low (micro-RUB; null never). */
export interface Subscription {
  endpoint_id: string;
  account_id: string;
  events: string;
  created_at: number;
  low_balance_micro_rub: number | null;
}

export async function subscriptionsOf(database: D1Database, accountIds: readonly string[]): Promise<Subscription[]> {
  const result = await database
    .prepare(
      `SELECT e.id AS endpoint_id, e.account_id, e.events, e.created_at, a.low_balance_micro_rub FROM webhook_endpoint e
        LEFT JOIN account a ON a.id = e.account_id WHERE e.account_id IN (SELECT value FROM json_each(?1)) AND e.disabled_at IS NULL`,
    )
    .bind(JSON.stringify(accountIds))
    .all<Subscription>();
  return result.results;
}

/** Makes deliveries, due now. One that is there already stays as it is. Gives those made. */
export async function insertDeliveries(
  database: D1Database,
  deliveries: readonly { endpointId: string; event: WebhookEvent }[],
  now: number,
): Promise<{ id: number; endpointId: string }[]> {
  const made: { id: number; endpointId: string }[] = [];
  for (let from = 0; from < deliveries.length; from += LIMITS.d1RowsPerStatement) {
    const run = deliveries.slice(from, from + LIMITS.d1RowsPerStatement);
    const rows = run.map(({ endpointId, event }) => [endpointId, event.id, event.account_id, event.type, event.body, event.at]);
    const result = await database
      .prepare(
        `INSERT INTO webhook_delivery (endpoint_id, event_id, account_id, type, body, created_at, state, next_at)
          SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, 'pending', CAST(?2 AS INTEGER)
          FROM json_each(?1) WHERE true ON CONFLICT (endpoint_id, event_id) DO NOTHING RETURNING id, endpoint_id`,
      )
      .bind(JSON.stringify(rows), String(now))
      .all<{ id: number; endpoint_id: string }>();
    made.push(...result.results.map((row) => ({ id: row.id, endpointId: row.endpoint_id })));
  }
  return made;
}

const dueSchema = z.object({
  id: z.number().int(),
  endpoint_id: z.string(),
  event_id: z.string(),
  body: z.string(),
  attempts: z.number().int(),
  next_at: z.number().int(),
  log: z.string(),
  url: z.string(),
});
export type DueDelivery = z.infer<typeof dueSchema>;

/** A delivery that still waits, with where it goes; null when it has ended or its receiver is off. */
export async function waitingDelivery(database: D1Database, id: number): Promise<DueDelivery | null> {
  const row = await database
    .prepare(
      `SELECT d.id, d.endpoint_id, d.event_id, d.body, d.attempts, d.next_at, d.log, e.url FROM webhook_delivery d
        JOIN webhook_endpoint e ON e.id = d.endpoint_id WHERE d.id = CAST(?1 AS INTEGER) AND d.state = 'pending' AND e.disabled_at IS NULL`,
    )
    .bind(String(id))
    .first();
  return row === null ? null : dueSchema.parse(row);
}

/** Takes an attempt for oneself until `lostAt`. False: somebody else has. */
export async function claimAttempt(database: D1Database, due: DueDelivery, lostAt: number): Promise<boolean> {
  const result = await database
    .prepare(
      `UPDATE webhook_delivery SET attempts = attempts + 1, next_at = CAST(?3 AS INTEGER)
        WHERE id = CAST(?1 AS INTEGER) AND attempts = CAST(?2 AS INTEGER) AND state = 'pending'`,
    )
    .bind(String(due.id), String(due.attempts), String(lostAt))
    .run();
  return result.meta.changes === 1;
}

/** What an attempt came to: an end, or the time of the next one. */
export async function recordAttempt(
  database: D1Database,
  due: DueDelivery,
  outcome: { attempt: DeliveryAttempt; state: z.infer<typeof deliveryStateSchema>; nextAt: number },
): Promise<void> {
  const earlier = parseWith(logSchema, due.log);
  const log = [...(earlier.ok ? earlier.value : []), outcome.attempt].slice(-LIMITS.webhookAttemptsLogged);
  await database
    .prepare(
      `UPDATE webhook_delivery SET state = ?2, next_at = CAST(?3 AS INTEGER), log = ?4,
        ended_at = CASE WHEN ?2 = 'pending' THEN NULL ELSE CAST(?3 AS INTEGER) END WHERE id = CAST(?1 AS INTEGER) AND state = 'pending'`,
    )
    .bind(String(due.id), outcome.state, String(outcome.nextAt), JSON.stringify(log))
    .run();
}

/** Ids of deliveries that should have been attempted before `before`. */
export async function overdueDeliveries(database: D1Database, before: number, limit: number): Promise<number[]> {
  const result = await database
    .prepare(
      "SELECT id FROM webhook_delivery WHERE state = 'pending' AND next_at < CAST(?1 AS INTEGER) ORDER BY next_at LIMIT CAST(?2 AS INTEGER)",
    )
    .bind(String(before), String(limit))
    .all<{ id: number }>();
  return result.results.map((row) => row.id);
}

export interface ReplayOrder {
  eventId: string | null;
  which: "failed" | "all";
  from: number;
}

/** Makes deliveries due again, from the first attempt on. Gives their ids, at most `limit`. */
export async function replayDeliveries(
  database: D1Database,
  endpointId: string,
  order: ReplayOrder,
  { now, limit }: { now: number; limit: number },
): Promise<number[]> {
  const states = order.which === "all" || order.eventId !== null ? ["delivered", "failed", "stopped"] : ["failed", "stopped"];
  const result = await database
    .prepare(
      `UPDATE webhook_delivery SET state = 'pending', attempts = 0, next_at = CAST(?5 AS INTEGER), ended_at = NULL WHERE id IN (
        SELECT id FROM webhook_delivery WHERE endpoint_id = ?1 AND state IN (SELECT value FROM json_each(?2)) AND created_at >= CAST(?3 AS INTEGER)
          AND (?4 IS NULL OR event_id = ?4) ORDER BY id LIMIT CAST(?6 AS INTEGER)) RETURNING id`,
    )
    .bind(endpointId, JSON.stringify(states), String(order.from), order.eventId, String(now), String(limit))
    .all<{ id: number }>();
  return result.results.map((row) => row.id);
}

const logRowSchema = z.object({
  id: z.number().int(),
  event_id: z.string(),
  type: z.string(),
  state: deliveryStateSchema,
  attempts: z.number().int(),
  created_at: z.number().int(),
  next_at: z.number().int(),
  ended_at: z.number().int().nullable(),
  log: z.string(),
  body: z.string(),
});
export type LoggedDelivery = Omit<z.infer<typeof logRowSchema>, "log"> & { log: DeliveryAttempt[] };

/** A receiver's deliveries, the newest first. */
export async function deliveriesOf(
  database: D1Database,
  endpointId: string,
  page: { beforeId: number; limit: number },
): Promise<LoggedDelivery[]> {
  const result = await database
    .prepare(
      `SELECT id, event_id, type, state, attempts, created_at, next_at, ended_at, log, body FROM webhook_delivery
        WHERE endpoint_id = ?1 AND id < CAST(?2 AS INTEGER) ORDER BY id DESC LIMIT CAST(?3 AS INTEGER)`,
    )
    .bind(endpointId, String(page.beforeId), String(page.limit))
    .all();
  return result.results.map((row) => {
    const delivery = logRowSchema.parse(row);
    const log = parseWith(logSchema, delivery.log);
    return { ...delivery, log: log.ok ? log.value : [] };
  });
}

/** Receivers for whom more than `pendingMax` deliveries wait. */
export async function crowdedEndpoints(database: D1Database, pendingMax: number): Promise<string[]> {
  const result = await database
    .prepare("SELECT endpoint_id FROM webhook_delivery WHERE state = 'pending' GROUP BY endpoint_id HAVING count(*) > CAST(?1 AS INTEGER)")
    .bind(String(pendingMax))
    .all<{ endpoint_id: string }>();
  return result.results.map((row) => row.endpoint_id);
}

/** Lets go of deliveries that ended before `before`. Bounded, so call it again. */
export async function pruneDeliveries(database: D1Database, { before, limit }: { before: number; limit: number }): Promise<void> {
  await database
    .prepare(
      "DELETE FROM webhook_delivery WHERE id IN (SELECT id FROM webhook_delivery WHERE ended_at < CAST(?1 AS INTEGER) LIMIT CAST(?2 AS INTEGER))",
    )
    .bind(String(before), String(limit))
    .run();
}

/** Keeps the newest `kept` deliveries of a receiver, and those that wait. */
export async function pruneEndpoint(database: D1Database, endpointId: string, kept: number): Promise<void> {
  await database
    .prepare(
      `DELETE FROM webhook_delivery WHERE endpoint_id = ?1 AND state <> 'pending' AND id <=
        (SELECT id FROM webhook_delivery WHERE endpoint_id = ?1 ORDER BY id DESC LIMIT 1 OFFSET CAST(?2 AS INTEGER))`,
    )
    .bind(endpointId, String(kept))
    .run();
}

/** Which of these entries a database has already, as `account/seq`. */
export async function knownEntries(database: D1Database, entries: readonly { accountId: string; seq: number }[]): Promise<Set<string>> {
  const result = await database
    .prepare(
      `SELECT entry.account_id || '/' || entry.seq AS name FROM json_each(?1) AS wanted
        JOIN entry ON entry.account_id = wanted.value ->> 0 AND entry.seq = wanted.value ->> 1`,
    )
    .bind(JSON.stringify(entries.map(({ accountId, seq }) => [accountId, seq])))
    .all<{ name: string }>();
  return new Set(result.results.map((row) => row.name));
}
