/** One proven notice: into the inbox, then its effect, once however often it comes. What cannot have its effect waits in the inbox. */
import type { CreditCommand, CreditResult } from "../../schema/ledger.ts";
import type { OrderRow, ParkReason, PaymentNotice } from "../../schema/payment.ts";
import { paymentNoticeSchema } from "../../schema/payment.ts";
import { parseWith } from "../../schema/json.ts";
import { bytesOf, hexOf } from "../payment/bytes.ts";
import { paymentFault, returnOf } from "../payment/match-order.ts";
import type { TopupPorts } from "./ports.ts";

/** Null: done. */
type Parked = ParkReason | null;

/** Times a return is computed anew because another one came between. */
const RETURN_ATTEMPTS = 8;

/** Takes one notice. `bodyHash` is that of the bytes it came in, empty when it was asked for. Throws when a port fails: try it again. */
export async function applyNotice(notice: PaymentNotice, bodyHash: string, ports: TopupPorts): Promise<Parked> {
  const text = JSON.stringify(notice);
  const id = hexOf(ports.digests.sha256(bytesOf(text)));
  await ports.store.receive({ id, provider: notice.provider, paymentId: notice.payment_id, notice: text, bodyHash, now: ports.now() });
  const parked = await haveEffect(id, notice, ports);
  if (parked === null && notice.kind === "paid") await retryWaiting(notice, ports);
  return parked;
}

async function haveEffect(id: string, notice: PaymentNotice, ports: TopupPorts): Promise<Parked> {
  const parked = await effectOf(notice, ports);
  await ports.store.finish(id, { state: parked === null ? "done" : "parked", reason: parked, now: ports.now() });
  if (parked !== null) ports.warn("a payment's notice is parked", parked, notice.provider, notice.payment_id);
  return parked;
}

/** A stored notice again. One that no longer reads is left as it is and reported. */
export async function retryNotice(row: { id: string; notice: string }, ports: TopupPorts): Promise<void> {
  const notice = parseWith(paymentNoticeSchema, row.notice);
  if (notice.ok) await haveEffect(row.id, notice.value, ports);
  else ports.warn("a stored payment notice is unreadable", row.id);
}

/** What came before the payment it is about, now that the payment is credited. */
async function retryWaiting(notice: PaymentNotice, ports: TopupPorts): Promise<void> {
  for (const row of await ports.store.waitingOf(notice.provider, notice.payment_id)) await retryNotice(row, ports);
}

async function effectOf(notice: PaymentNotice, ports: TopupPorts): Promise<Parked> {
  switch (notice.kind) {
    case "paid":
      return takePayment(notice, ports);
    case "refunded":
    case "charged_back":
      return takeReturn(notice, ports);
    case "review":
      return "review";
  }
}

async function takePayment(notice: PaymentNotice, ports: TopupPorts): Promise<Parked> {
  const { store } = ports;
  const bound = await store.orderOfPayment(notice.provider, notice.payment_id);
  // Some notices of a payment do not name its order; once another has, they say nothing new.
  const order = notice.order_id === null ? bound : await store.order(notice.order_id);
  const fault = paymentFault(notice, order, ports.testAllowed);
  if (fault !== null || order === null) return fault ?? "unknown_order";
  if (bound !== null && bound.id !== order.id) return "payment_of_other_order";
  if (order.payment_id === null) await store.claim(order.id, notice.provider, notice.payment_id);
  const claimed = (await store.order(order.id)) ?? order;
  if (claimed.payment_id === null) return "payment_of_other_order";
  if (claimed.payment_id !== notice.payment_id) return "order_paid_by_other_payment";
  const parked = creditFault(await ports.credit(order.account_id, creditOf(claimed)));
  if (parked === null) await store.markPaid(order.id, ports.now());
  return parked;
}

/** The credit's key is the payment's id, so it is one however many notices, bodies or workers tell of it. */
function creditOf(order: OrderRow): CreditCommand {
  return {
    kind: "credit",
    external_id: `${order.provider}:${order.payment_id ?? ""}`,
    amount_micro_rub: order.credit_micro_rub.toString(),
    record: JSON.stringify({ order_id: order.id, amount_micro: order.amount_micro.toString(), currency: order.currency }),
  };
}

function creditFault(result: CreditResult): Parked {
  switch (result.state) {
    case "credited":
    case "exists":
      return null;
    case "exists_with_different":
      return "credited_differently";
    case "out_of_range":
      return "out_of_range";
    case "frozen":
      return "ledger_frozen";
  }
}

async function takeReturn(notice: PaymentNotice, ports: TopupPorts): Promise<Parked> {
  const { store } = ports;
  const factId = `${notice.kind}:${notice.fact_id}`;
  for (let attempt = 0; attempt < RETURN_ATTEMPTS; attempt++) {
    const order = await store.orderOfPayment(notice.provider, notice.payment_id);
    if (order === null || order.state !== "paid") return "payment_not_credited";
    const known = await store.returned(notice.provider, factId);
    if (known !== null) return debit(order, known.debit_micro_rub, { notice, factId }, ports);
    const taken = returnOf(notice, order);
    if (typeof taken === "string") return taken;
    const before = order.returned_micro;
    await store.addReturn({ provider: notice.provider, factId, orderId: order.id, ...taken, before, now: ports.now() });
  }
  throw new Error("a payment's returns change faster than one can be added");
}

async function debit(
  order: OrderRow,
  microRub: bigint,
  { notice, factId }: { notice: PaymentNotice; factId: string },
  ports: TopupPorts,
): Promise<Parked> {
  if (microRub === 0n) return null;
  const result = await ports.credit(order.account_id, {
    kind: notice.kind === "charged_back" ? "chargeback" : "refund",
    external_id: `${notice.provider}:${factId}`,
    amount_micro_rub: microRub.toString(),
    record: JSON.stringify({ order_id: order.id, payment_id: notice.payment_id }),
  });
  return creditFault(result);
}
