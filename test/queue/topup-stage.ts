/** Top-ups on the real D1 and the real account objects, with ports that can be told to fail. */
import { env } from "cloudflare:workers";
import { createOrder, findOrder, inboxPage, paymentStore } from "../../db/payments.ts";
import type { InboxRow, OrderRow, PaymentNotice } from "../../schema/payment.ts";
import { topupPorts } from "../../workers/queue/topup-ports.ts";
import type { TopupPorts } from "../../workers/topup/ports.ts";

let made = 0;

/** A new order of a new account, for 100.00 RUB unless told otherwise. */
export async function newOrder(facts: Partial<OrderRow> = {}): Promise<OrderRow> {
  made += 1;
  const tail = String(made).padStart(24, "0");
  const order = await createOrder(env.DB, {
    id: `ord_${tail}`,
    account_id: `acc_topup${String(made).padStart(11, "0")}`,
    provider: "standard",
    reference: `order ${made}`,
    amount_micro: 100_000_000n,
    currency: "RUB",
    credit_micro_rub: 100_000_000n,
    fx_micro_rub_per_usd: null,
    created_at: Date.now(),
    ...facts,
  });
  if (order === null) throw new Error("no order");
  return order;
}

/** What a provider says when the order is paid in full. */
export function paidNotice(order: OrderRow, paymentId = `pay-${order.id}`): PaymentNotice {
  return {
    provider: order.provider,
    kind: "paid",
    payment_id: paymentId,
    fact_id: paymentId,
    order_id: order.id,
    amount_micro: order.amount_micro.toString(),
    currency: order.currency,
    test: false,
    detail: null,
  };
}

export function returnNotice(
  order: OrderRow,
  factId: string,
  amountMicro: string | null,
  kind: "refunded" | "charged_back" = "refunded",
): PaymentNotice {
  return { ...paidNotice(order), kind, fact_id: factId, order_id: null, amount_micro: amountMicro };
}

/** The ports of the deployment, quiet, with the given ones in their place. */
export function portsWith(ports: Partial<TopupPorts> = {}): TopupPorts {
  return { ...topupPorts(env), warn: () => undefined, ...ports };
}

export class Crash extends Error {}

/**
 * Ports that crash once, at the call number `at`, before it or after it was done; `calls` counts them. The network is not counted.
 */
export function crashing(at: number, when: "before" | "after", calls = { made: 0 }): TopupPorts {
  const counted =
    <A extends unknown[], R>(call: (...values: A) => Promise<R>) =>
    async (...values: A): Promise<R> => {
      const number = calls.made++;
      if (number === at && when === "before") throw new Crash();
      const result = await call(...values);
      if (number === at) throw new Crash();
      return result;
    };
  const { credit } = portsWith();
  const store = paymentStore(env.DB);
  return portsWith({
    credit: counted(credit),
    store: {
      receive: counted(store.receive),
      finish: counted(store.finish),
      order: counted(store.order),
      orderOfPayment: counted(store.orderOfPayment),
      claim: counted(store.claim),
      markPaid: counted(store.markPaid),
      returned: counted(store.returned),
      addReturn: counted(store.addReturn),
      waitingOf: counted(store.waitingOf),
      retriable: counted(store.retriable),
      takePollable: counted(store.takePollable),
    },
  });
}

export interface Booked {
  kind: string;
  external_id: string | null;
  amount_micro_rub: string;
}

/** The ledger of an order's account. */
export async function bookings(order: OrderRow): Promise<Booked[]> {
  const entries = await env.ACCOUNT.get(env.ACCOUNT.idFromName(order.account_id)).ledger(0, 100);
  return entries.map(({ kind, external_id, amount_micro_rub }) => ({ kind, external_id, amount_micro_rub }));
}

export async function stateOf(order: OrderRow): Promise<string | undefined> {
  return (await findOrder(env.DB, order.id))?.state;
}

/** The inbox rows of an order's payments, by payment id. */
export async function inboxOf(paymentId: string): Promise<InboxRow[]> {
  return (await inboxPage(env.DB, null, 500)).filter((row) => row.payment_id === paymentId);
}
