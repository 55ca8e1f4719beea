/** Orders, the inbox of payment notices, and what went back: the queries of workers/topup and of the order endpoints. */
import { LIMITS } from "../schema/limits.ts";
import { type InboxRow, type OrderRow, orderRowSchema, type PaymentProviderId } from "../schema/payment.ts";

export type NewOrder = Omit<OrderRow, "state" | "payment_id" | "paid_at" | "returned_micro" | "returned_micro_rub">;

const ORDERS = `SELECT id, account_id, provider, reference, CAST(amount_micro AS TEXT) AS amount_micro, currency,
  CAST(credit_micro_rub AS TEXT) AS credit_micro_rub, CAST(fx_micro_rub_per_usd AS TEXT) AS fx_micro_rub_per_usd,
  state, payment_id, created_at, paid_at,
  (SELECT CAST(coalesce(sum(amount_micro), 0) AS TEXT) FROM payment_return WHERE order_id = payment_order.id) AS returned_micro,
  (SELECT CAST(coalesce(sum(debit_micro_rub), 0) AS TEXT) FROM payment_return WHERE order_id = payment_order.id) AS returned_micro_rub
  FROM payment_order`;

async function firstOrder(statement: D1PreparedStatement): Promise<OrderRow | null> {
  const row = await statement.first();
  return row === null ? null : orderRowSchema.parse(row);
}

/** Stores an order, unless the account has one of this reference; gives the one that is stored. */
export async function createOrder(database: D1Database, order: NewOrder): Promise<OrderRow | null> {
  const fx = order.fx_micro_rub_per_usd;
  await database
    .prepare(
      `INSERT INTO payment_order (id, account_id, provider, reference, amount_micro, currency, credit_micro_rub, fx_micro_rub_per_usd, state, created_at)
        VALUES (?1, ?2, ?3, ?4, CAST(?5 AS INTEGER), ?6, CAST(?7 AS INTEGER), CAST(?8 AS INTEGER), 'pending', CAST(?9 AS INTEGER))
        ON CONFLICT DO NOTHING`,
    )
    .bind(
      order.id,
      order.account_id,
      order.provider,
      order.reference,
      order.amount_micro.toString(),
      order.currency,
      order.credit_micro_rub.toString(),
      fx === null ? null : fx.toString(),
      String(order.created_at),
    )
    .run();
  return firstOrder(database.prepare(`${ORDERS} WHERE account_id = ?1 AND reference = ?2`).bind(order.account_id, order.reference));
}

export async function findOrder(database: D1Database, id: string): Promise<OrderRow | null> {
  return firstOrder(database.prepare(`${ORDERS} WHERE id = ?1`).bind(id));
}

function orderOfPayment(database: D1Database, provider: string, paymentId: string): Promise<OrderRow | null> {
  return firstOrder(database.prepare(`${ORDERS} WHERE provider = ?1 AND payment_id = ?2`).bind(provider, paymentId));
}

/** Inbox rows, the newest first. */
export async function inboxPage(database: D1Database, state: string | null, limit: number): Promise<InboxRow[]> {
  const result = await database
    .prepare(
      `SELECT id, provider, payment_id, notice, state, reason, deliveries, received_at, updated_at FROM payment_inbox
        WHERE ?1 IS NULL OR state = ?1 ORDER BY received_at DESC, id LIMIT ?2`,
    )
    .bind(state, limit)
    .all<InboxRow>();
  return result.results;
}

export async function countParked(database: D1Database): Promise<number> {
  const row = await database.prepare("SELECT count(*) AS parked FROM payment_inbox WHERE state = 'parked'").first<{ parked: number }>();
  return row?.parked ?? 0;
}

interface ReceivedNotice {
  id: string;
  provider: string;
  paymentId: string;
  notice: string;
  bodyHash: string;
  now: number;
}

interface NewReturn {
  provider: string;
  factId: string;
  orderId: string;
  amount: bigint;
  debit: bigint;
  before: bigint;
  now: number;
}

const INBOX = "SELECT id, provider, payment_id, notice, state, reason, deliveries, received_at, updated_at FROM payment_inbox";
/** Reasons that another event may end. */
const WAITING = "('unknown_order', 'payment_not_credited', 'ledger_frozen')";

async function run(database: D1Database, sql: string, ...values: (string | null)[]): Promise<void> {
  await database
    .prepare(sql)
    .bind(...values)
    .run();
}

/** Writes a notice before its effect; one that is there already is counted. */
function receiveNotice(database: D1Database, { id, provider, paymentId, notice, bodyHash, now }: ReceivedNotice): Promise<void> {
  return run(
    database,
    `INSERT INTO payment_inbox (id, provider, payment_id, notice, body_hash, state, deliveries, received_at, updated_at)
      VALUES (?1, ?2, ?3, ?4, ?5, 'received', 1, CAST(?6 AS INTEGER), CAST(?6 AS INTEGER))
      ON CONFLICT (id) DO UPDATE SET deliveries = deliveries + 1`,
    id,
    provider,
    paymentId,
    notice,
    bodyHash,
    String(now),
  );
}

/** What became of a notice. What is done stays done, whoever comes late. */
function finishNotice(
  database: D1Database,
  id: string,
  { state, reason, now }: { state: "done" | "parked"; reason: string | null; now: number },
): Promise<void> {
  return run(
    database,
    "UPDATE payment_inbox SET state = ?2, reason = ?3, updated_at = CAST(?4 AS INTEGER) WHERE id = ?1 AND state <> 'done'",
    id,
    state,
    reason,
    String(now),
  );
}

/** Binds a payment to an order that has none, unless the payment has an order already. */
function claimOrder(database: D1Database, orderId: string, provider: string, paymentId: string): Promise<void> {
  return run(
    database,
    "UPDATE OR IGNORE payment_order SET payment_id = ?3, state = 'claimed' WHERE id = ?1 AND provider = ?2 AND payment_id IS NULL",
    orderId,
    provider,
    paymentId,
  );
}

function markOrderPaid(database: D1Database, orderId: string, now: number): Promise<void> {
  const sql = "UPDATE payment_order SET state = 'paid', paid_at = CAST(?2 AS INTEGER) WHERE id = ?1 AND state = 'claimed'";
  return run(database, sql, orderId, String(now));
}

/** A return that was added before. */
async function findReturn(
  database: D1Database,
  provider: string,
  factId: string,
): Promise<{ order_id: string; debit_micro_rub: bigint } | null> {
  const row = await database
    .prepare("SELECT order_id, CAST(debit_micro_rub AS TEXT) AS debit_micro_rub FROM payment_return WHERE provider = ?1 AND fact_id = ?2")
    .bind(provider, factId)
    .first<{ order_id: string; debit_micro_rub: string }>();
  return row === null ? null : { order_id: row.order_id, debit_micro_rub: BigInt(row.debit_micro_rub) };
}

/** Adds a return, if what went back until now is still `before`. */
function addReturn(database: D1Database, row: NewReturn): Promise<void> {
  return run(
    database,
    `INSERT INTO payment_return (provider, fact_id, order_id, amount_micro, debit_micro_rub, at)
      SELECT ?1, ?2, ?3, CAST(?4 AS INTEGER), CAST(?5 AS INTEGER), CAST(?7 AS INTEGER)
      WHERE (SELECT coalesce(sum(amount_micro), 0) FROM payment_return WHERE order_id = ?3) = CAST(?6 AS INTEGER)
      ON CONFLICT DO NOTHING`,
    row.provider,
    row.factId,
    row.orderId,
    row.amount.toString(),
    row.debit.toString(),
    row.before.toString(),
    String(row.now),
  );
}

/** Notices of a payment that wait for another event. */
async function waitingNotices(database: D1Database, provider: string, paymentId: string): Promise<InboxRow[]> {
  const result = await database
    .prepare(`${INBOX} WHERE provider = ?1 AND payment_id = ?2 AND state = 'parked' AND reason IN ${WAITING}`)
    .bind(provider, paymentId)
    .all<InboxRow>();
  return result.results;
}

/** Notices that were not finished or wait for another event, the longest untouched first. */
async function retriableNotices(database: D1Database, now: number): Promise<InboxRow[]> {
  const result = await database
    .prepare(
      `${INBOX} WHERE (state = 'received' OR (state = 'parked' AND reason IN ${WAITING})) AND received_at > CAST(?1 AS INTEGER)
        ORDER BY updated_at LIMIT ${LIMITS.noticesPerRetry}`,
    )
    .bind(String(now - LIMITS.noticeRetryMilliseconds))
    .all<InboxRow>();
  return result.results;
}

/**
 * Pending orders to ask about now; they count as asked. The older an order, the longer until it is asked about again: a quarter of its
 * age, which is about 35 times in two weeks. With an age of 0 every pending order is asked about.
 */
async function takePollableOrders(
  database: D1Database,
  provider: PaymentProviderId,
  now: number,
  olderThan: number,
): Promise<{ id: string; created_at: number }[]> {
  const result = await database
    .prepare(
      `UPDATE payment_order SET polled_at = CAST(?2 AS INTEGER) WHERE id IN (
        SELECT id FROM payment_order WHERE provider = ?1 AND state = 'pending'
          AND created_at <= CAST(?3 AS INTEGER) AND created_at > CAST(?4 AS INTEGER)
          AND (polled_at IS NULL OR CAST(?3 AS INTEGER) = CAST(?2 AS INTEGER) OR CAST(?2 AS INTEGER) - polled_at >= (CAST(?2 AS INTEGER) - created_at) / 4)
        ORDER BY coalesce(polled_at, 0), created_at LIMIT ${LIMITS.ordersPerPoll})
        RETURNING id, created_at`,
    )
    .bind(provider, String(now), String(now - olderThan), String(now - LIMITS.orderPollUntilMilliseconds))
    .all<{ id: string; created_at: number }>();
  return result.results;
}

/** The store workers/topup works on; its `PaymentStore` says what each call is for. Every write may be repeated. */
export function paymentStore(database: D1Database) {
  return {
    receive: (row: ReceivedNotice) => receiveNotice(database, row),
    finish: (id: string, outcome: { state: "done" | "parked"; reason: string | null; now: number }) => finishNotice(database, id, outcome),
    order: (id: string) => findOrder(database, id),
    orderOfPayment: (provider: string, paymentId: string) => orderOfPayment(database, provider, paymentId),
    claim: (orderId: string, provider: string, paymentId: string) => claimOrder(database, orderId, provider, paymentId),
    markPaid: (orderId: string, now: number) => markOrderPaid(database, orderId, now),
    returned: (provider: string, factId: string) => findReturn(database, provider, factId),
    addReturn: (row: NewReturn) => addReturn(database, row),
    waitingOf: (provider: string, paymentId: string) => waitingNotices(database, provider, paymentId),
    retriable: (now: number) => retriableNotices(database, now),
    takePollable: (provider: PaymentProviderId, now: number, olderThan: number) => takePollableOrders(database, provider, now, olderThan),
  };
}
