/**
 * workers/topup: from a payment's notice to a credited balance, against ports. The order of writes makes it safe to stop anywhere:
 * notice into the inbox, payment bound to its order, credit in the account's object under the payment's id, order marked as paid, notice
 * done. Each step may be repeated, and each is: by the provider's retries, by the cron job, by whatever else tells of the same payment.
 */
import type { CreditCommand, CreditResult } from "../../schema/ledger.ts";
import type { InboxRow, OrderRow, PaymentProviderId } from "../../schema/payment.ts";
import type { Digests } from "../payment/bytes.ts";
import type { ApiAnswer, ApiCall, OpenOrder, PaymentProvider } from "../payment/payment-provider.ts";

export interface PaymentStore {
  /** Writes a notice before its effect; one that is there already is counted. */
  receive: (row: { id: string; provider: string; paymentId: string; notice: string; bodyHash: string; now: number }) => Promise<void>;
  finish: (id: string, outcome: { state: "done" | "parked"; reason: string | null; now: number }) => Promise<void>;
  order: (id: string) => Promise<OrderRow | null>;
  orderOfPayment: (provider: string, paymentId: string) => Promise<OrderRow | null>;
  /** Binds a payment to an order that has none, unless the payment has an order. Says nothing: read the order again. */
  claim: (orderId: string, provider: string, paymentId: string) => Promise<void>;
  markPaid: (orderId: string, now: number) => Promise<void>;
  /** A return that was added before. */
  returned: (provider: string, factId: string) => Promise<{ order_id: string; debit_micro_rub: bigint } | null>;
  /** Adds a return if what went back until now is still `before`. Says nothing: read it again. */
  addReturn: (row: {
    provider: string;
    factId: string;
    orderId: string;
    amount: bigint;
    debit: bigint;
    before: bigint;
    now: number;
  }) => Promise<void>;
  /** Notices of a payment that wait for another event. */
  waitingOf: (provider: string, paymentId: string) => Promise<InboxRow[]>;
  /** Notices that were not finished or wait for another event, the longest untouched first. */
  retriable: (now: number) => Promise<InboxRow[]>;
  /** Pending orders to ask about now; they count as asked. */
  takePollable: (provider: PaymentProviderId, now: number, olderThanMilliseconds: number) => Promise<OpenOrder[]>;
}

export interface TopupPorts {
  store: PaymentStore;
  /** One transaction in the account's object. Throws when the object did not answer; may be repeated. */
  credit: (accountId: string, command: CreditCommand) => Promise<CreditResult>;
  /** Null: not set up in this deployment. */
  provider: (id: PaymentProviderId) => PaymentProvider | null;
  /** Calls a provider's API. Null when no whole answer came in time. */
  call: (call: ApiCall) => Promise<ApiAnswer | null>;
  digests: Digests;
  now: () => number;
  /** Whether payments of test shops count as money. */
  testAllowed: boolean;
  /** For an operator: something about money needs a person. */
  warn: (message: string, ...facts: unknown[]) => void;
}
