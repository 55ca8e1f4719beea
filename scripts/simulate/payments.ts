/**
 * Payment providers as they are: a payment ends well or not, its webhook comes late, twice or never, and what they say counts only after
 * the payment itself was read. Each fact that touches a balance has one reference, so it may be told any number of times.
 */
import type { Operation } from "./operations.ts";

export type Pay = Extract<Operation, { op: "pay" }>;
export type TakeBack = Extract<Operation, { op: "takeBack" }>;
export type Adjust = Extract<Operation, { op: "adjust" }>;

/** Something that must reach an account's ledger, once. */
export interface Booking {
  account: number;
  command: { kind: string; external_id: string; amount_micro_rub: string; fee_micro_rub?: string; record: string | null };
  /** The ledger has said that it has it. */
  isBooked: boolean;
}

export class Payments {
  /** By reference. */
  readonly bookings = new Map<string, Booking>();
  readonly #payments = new Map<number, Pay>();

  /** A payment reaches its end; the first one counts. */
  end(pay: Pay): void {
    if (!this.#payments.has(pay.payment)) this.#payments.set(pay.payment, pay);
  }

  /** What a webhook about this payment leads to, after the payment was read again: nothing for one that is unknown, open or failed. */
  webhook(payment: number): Booking | null {
    const pay = this.#payments.get(payment);
    if (pay === undefined || !pay.succeeds) return null;
    return this.#booking(`pay:${payment}`, pay.account, { kind: "credit", amount: pay.amount, fee: Math.floor(pay.amount / 50) });
  }

  takeBack(taken: TakeBack): Booking | null {
    const pay = this.#payments.get(taken.payment);
    if (pay === undefined || !pay.succeeds) return null;
    const reference = `back:${taken.payment}:${taken.number}`;
    return this.#booking(reference, pay.account, { kind: taken.as, amount: Math.min(pay.amount, taken.amount), fee: taken.fee });
  }

  adjust({ account, number, amount }: Adjust): Booking | null {
    return amount === 0 ? null : this.#booking(`adjust:${account}:${number}`, account, { kind: "adjust", amount, fee: 0 });
  }

  /** Payments that succeeded and whose webhook was never taken: the provider goes on sending it. */
  unheard(): Booking[] {
    for (const [payment, pay] of this.#payments) if (pay.succeeds) this.webhook(payment);
    return [...this.bookings.values()].filter((booking) => !booking.isBooked);
  }

  /** What a payment brought, by its reference; null for one that is unknown, open or failed. */
  paid(reference: string): bigint | null {
    const pay = this.#payments.get(Number(/^pay:(\d+)$/.exec(reference)?.[1] ?? -1));
    return pay === undefined || !pay.succeeds ? null : BigInt(pay.amount);
  }

  /** What an account must have been paid in all, once every webhook was heard. */
  paidIn(account: number): bigint {
    let sum = 0n;
    for (const pay of this.#payments.values()) if (pay.account === account && pay.succeeds) sum += BigInt(pay.amount);
    return sum;
  }

  #booking(reference: string, account: number, { kind, amount, fee }: { kind: string; amount: number; fee: number }): Booking {
    const known = this.bookings.get(reference);
    if (known !== undefined) return known;
    const fees = fee === 0 ? {} : { fee_micro_rub: String(fee) };
    const command = { kind, external_id: reference, amount_micro_rub: String(amount), ...fees, record: null };
    const booking: Booking = { account, command, isBooked: false };
    this.bookings.set(reference, booking);
    return booking;
  }
}
