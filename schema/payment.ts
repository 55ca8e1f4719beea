/**
 * Money that comes in: the order a payment page refers to, and the notice, what a payment provider says about one payment in the one
 * form of ours. Amounts of a payment are whole millionths of its currency, as decimal integers in text, read from the provider's own
 * digits and never through a float.
 */
import { z } from "zod";
import { accountIdSchema } from "./key.ts";
import { microRubPositive } from "./money.ts";

export const PAYMENT_PROVIDERS = ["stripe", "yookassa", "cloudpayments", "tbank", "standard"] as const;
export const paymentProviderSchema = z.enum(PAYMENT_PROVIDERS);
export type PaymentProviderId = z.infer<typeof paymentProviderSchema>;

/** Currencies with hundredths in which an order can be paid. */
export const CURRENCIES = ["RUB", "USD"] as const;
export const currencySchema = z.enum(CURRENCIES);
export type Currency = z.infer<typeof currencySchema>;

/** Whole millionths of a currency; with `LIMITS` of an order far inside a 64-bit integer. */
const microAmountText = z.string().regex(/^\d{1,16}$/, "must be a non-negative decimal integer in a string");
const providersId = z.string().min(1).max(128);

/** Ids are what a payment page passes on, so they fit every provider's field for them (the narrowest takes 36 characters). */
export const orderIdSchema = z.string().regex(/^ord_[0-9A-Za-z]{24}$/, "is not an order id");

/** Body of `POST /v1/orders`: `amount` in `currency`, or `amount_micro_rub`, in whole hundredths. */
export const createOrderBody = z
  .strictObject({
    provider: paymentProviderSchema,
    amount: z
      .string()
      .regex(/^\d{1,9}(\.\d{1,2})?$/, "must be a plain decimal string with at most 2 decimals")
      .refine((text) => /[1-9]/.test(text), "must be above zero")
      .optional(),
    currency: currencySchema.default("RUB"),
    amount_micro_rub: microRubPositive.refine((amount) => amount % 10_000n === 0n, "must be whole kopecks").optional(),
    /** The caller's own name of the order: the same again gives the same order. */
    reference: z.string().min(1).max(128).optional(),
  })
  .refine((body) => (body.amount === undefined) !== (body.amount_micro_rub === undefined), "needs amount or amount_micro_rub, one of them")
  .refine((body) => body.amount_micro_rub === undefined || body.currency === "RUB", {
    message: "must be RUB beside amount_micro_rub",
    path: ["currency"],
  });

export const orderViewSchema = z.strictObject({
  id: orderIdSchema,
  account_id: accountIdSchema,
  provider: paymentProviderSchema,
  state: z.enum(["pending", "paid"]),
  amount: z.string(),
  currency: currencySchema,
  /** What the balance gets: fixed when the order was made. */
  credit_micro_rub: z.number().int(),
  /** Given back or charged back so far. */
  returned_micro_rub: z.number().int(),
  reference: z.string(),
  payment_id: z.string().nullable(),
  created_at: z.number().int(),
  paid_at: z.number().int().nullable(),
});
export type OrderView = z.infer<typeof orderViewSchema>;

const exactInteger = z.string().transform((text) => BigInt(text));

/** An order as it is stored; amounts are exact integers, read as text. */
export const orderRowSchema = z.object({
  id: z.string(),
  account_id: z.string(),
  provider: paymentProviderSchema,
  reference: z.string(),
  amount_micro: exactInteger,
  currency: currencySchema,
  credit_micro_rub: exactInteger,
  /** The rate the credit was computed with; null for RUB. */
  fx_micro_rub_per_usd: exactInteger.nullable(),
  /** `claimed`: a payment is bound to it and its credit is under way. */
  state: z.enum(["pending", "claimed", "paid"]),
  payment_id: z.string().nullable(),
  created_at: z.number(),
  paid_at: z.number().nullable(),
  /** What went back so far, in the currency and as it was debited. */
  returned_micro: exactInteger,
  returned_micro_rub: exactInteger,
});
export type OrderRow = z.output<typeof orderRowSchema>;

/** A notice in the inbox. */
export interface InboxRow {
  id: string;
  provider: string;
  payment_id: string;
  /** JSON text of a `PaymentNotice`. */
  notice: string;
  state: string;
  reason: string | null;
  deliveries: number;
  received_at: number;
  updated_at: number;
}

/** What one provider says of one payment, proven: by its signature, by its API's answer, or by both. */
export const paymentNoticeSchema = z.strictObject({
  provider: paymentProviderSchema,
  /** `review`: true and about money, but nothing we may book by ourselves. */
  kind: z.enum(["paid", "refunded", "charged_back", "review"]),
  payment_id: providersId,
  /** The id of the fact: the payment's own for `paid`, the refund's or dispute's otherwise. */
  fact_id: providersId,
  /** Our order, as the provider passes it on; null when it says none. */
  order_id: z.string().max(512).nullable(),
  /** Null: all that is left of the payment. */
  amount_micro: microAmountText.nullable(),
  /** Null: the payment's own. */
  currency: z.string().max(16).nullable(),
  /** No real money moved. */
  test: z.boolean(),
  /** The provider's own word where `kind` is `review`. */
  detail: z.string().max(256).nullable(),
});
export type PaymentNotice = z.infer<typeof paymentNoticeSchema>;

/** Why a notice waits instead of having had its effect. */
export const parkReasonSchema = z.enum([
  "unknown_order",
  "other_provider",
  "amount_differs",
  "currency_differs",
  "test_payment",
  "order_paid_by_other_payment",
  "payment_of_other_order",
  "payment_not_credited",
  "exceeds_payment",
  "credited_differently",
  "out_of_range",
  "ledger_frozen",
  "review",
]);
export type ParkReason = z.infer<typeof parkReasonSchema>;

/** Body of `POST /admin/payments/poll`. */
export const pollPaymentsBody = z.strictObject({
  /** Only orders at least this old are asked about. */
  older_than_seconds: z.number().int().nonnegative().max(31_536_000).optional(),
});
