/** Whether a payment pays an order, and what a return takes back. Decisions only; workers/topup carries them out. */
import type { OrderRow, ParkReason, PaymentNotice } from "../../schema/payment.ts";
import type { CheckVerdict, PaymentCheck } from "./payment-provider.ts";

/** Why this payment may not be credited for that order; null when it may. Whether the order is free is for the store to say. */
export function paymentFault(notice: PaymentNotice, order: OrderRow | null, testAllowed: boolean): ParkReason | null {
  if (order === null) return "unknown_order";
  if (notice.test && !testAllowed) return "test_payment";
  if (order.provider !== notice.provider) return "other_provider";
  if (notice.currency !== order.currency) return "currency_differs";
  if (notice.amount_micro === null || BigInt(notice.amount_micro) !== order.amount_micro) return "amount_differs";
  return null;
}

/** A return of part of a payment: in the payment's currency, and off the balance. */
export interface Return {
  amount: bigint;
  debit: bigint;
}

/**
 * What a refund or chargeback takes back now, after what went back before. Debits are shares of the credit, rounded so that they sum to
 * the credit exactly when the whole payment has gone back. Null amount: all that is left.
 */
export function returnOf(notice: PaymentNotice, order: OrderRow): Return | ParkReason {
  if (notice.currency !== null && notice.currency !== order.currency) return "currency_differs";
  const left = order.amount_micro - order.returned_micro;
  const amount = notice.amount_micro === null ? left : BigInt(notice.amount_micro);
  if (amount <= 0n || amount > left) return "exceeds_payment";
  const share = (micro: bigint): bigint => (order.credit_micro_rub * micro) / order.amount_micro;
  return { amount, debit: share(order.returned_micro + amount) - share(order.returned_micro) };
}

/** The answer to a provider that asks whether an order may be paid. */
export function checkVerdict(check: PaymentCheck, order: OrderRow | null): CheckVerdict {
  if (order === null) return "unknown_order";
  if (order.state !== "pending") return "already_paid";
  const isSame = check.currency === order.currency && check.amount_micro !== null && BigInt(check.amount_micro) === order.amount_micro;
  return isSame ? "payable" : "wrong_amount";
}
