/**
 * CloudPayments (developers.cloudpayments.ru). Two proofs, both asked for. The first is HMAC-SHA-256 under the API secret, base64, in
 * `X-Content-HMAC` and `Content-HMAC`: one is of the body as sent, the other of the body with its URL encoding undone. The second is the
 * transaction as the API shows it: a check, which comes before any money moves, has the fields and the `Status` of a payment, so only
 * the transaction itself can tell that it was paid.
 */
import { z } from "zod";
import { parseWith } from "../../schema/json.ts";
import type { PaymentNotice } from "../../schema/payment.ts";
import { microOfDecimal } from "./amount.ts";
import { base64Of, basicAuthorization, bytesOf, type Digests, isSameText, textOf } from "./bytes.ts";
import { scalarAt } from "./json-field.ts";
import {
  type ApiAnswer,
  apiCall,
  ask,
  type CheckVerdict,
  type Delivery,
  notice,
  type PaymentCheck,
  type PaymentProviderKind,
  type Question,
  type Reading,
  refused,
  said,
  secretsOf,
  unanswered,
} from "./payment-provider.ts";

/** What a check is answered with; every other notification wants 0. */
const CODES: Record<CheckVerdict, number> = { payable: 0, unknown_order: 10, wrong_amount: 12, already_paid: 13 };

const digits = /^\d{1,19}$/;
const modelSchema = z.looseObject({
  Success: z.boolean(),
  Model: z
    .looseObject({
      TransactionId: z.number(),
      Status: z.string(),
      Currency: z.string(),
      InvoiceId: z.string().nullish(),
      TestMode: z.boolean().nullish(),
    })
    .nullish(),
});

type Field = (name: string) => string | null;

/** Reads fields from a form or a JSON body; null when it is neither. */
function fieldsOf(text: string, contentType: string): Field | null {
  if (!contentType.includes("json")) {
    const form = new URLSearchParams(text);
    // A field named twice could be read in two ways.
    return (name) => (form.getAll(name).length === 1 ? form.get(name) : null);
  }
  return parseWith(z.looseObject({}), text).ok ? (name) => scalarAt(text, [name]) : null;
}

/** The body with its URL encoding undone; null when that could be read as other fields than the body itself has. */
function decodedForm(text: string): string | null {
  try {
    const decoded = decodeURIComponent(text.replaceAll("+", " "));
    const pairs = [...new URLSearchParams(text)];
    const isPlain = pairs.every(([name, value]) => !/[&=]/.test(name) && !value.includes("&"));
    return isPlain ? decoded : null;
  } catch {
    return null;
  }
}

function isSigned({ header }: Delivery, text: string, { secrets, digests }: { secrets: readonly string[]; digests: Digests }): boolean {
  const given = ["x-content-hmac", "content-hmac"].flatMap((name) => header(name) ?? []);
  const signed = [text, decodedForm(text)].filter((form) => form !== null);
  return secrets.some((secret) =>
    signed.some((form) => {
      const expected = base64Of(digests.hmacSha256(bytesOf(secret), bytesOf(form)));
      return given.some((signature) => isSameText(signature, expected));
    }),
  );
}

/** The notice of a transaction as the API shows it; none unless its money is taken. */
function paidNotice(answer: ApiAnswer): PaymentNotice[] {
  const parsed = parseWith(modelSchema, answer.text);
  const model = parsed.ok && parsed.value.Success ? parsed.value.Model : null;
  if (model === null || model === undefined || model.Status !== "Completed") return [];
  return [
    notice({
      provider: "cloudpayments",
      kind: "paid",
      payment_id: scalarAt(answer.text, ["Model", "TransactionId"]) ?? String(model.TransactionId),
      order_id: model.InvoiceId ?? null,
      amount_micro: microOfDecimal(scalarAt(answer.text, ["Model", "Amount"]) ?? ""),
      currency: model.Currency,
      test: model.TestMode ?? false,
    }),
  ];
}

/** A refund's notification is itself the fact: its signature proves it, and it names its own transaction and the payment's. */
function refundNotice(field: Field, transactionId: string, paymentId: string): PaymentNotice {
  const amount_micro = microOfDecimal(field("Amount") ?? "");
  const facts = { provider: "cloudpayments", payment_id: paymentId, fact_id: transactionId, currency: field("Currency") } as const;
  return amount_micro === null
    ? notice({ ...facts, kind: "review", detail: "a refund with an unreadable amount" })
    : notice({ ...facts, kind: "refunded", amount_micro, test: field("TestMode") === "1" });
}

/** What a check asks; null for a notification that is none. */
function checkOf(field: Field): PaymentCheck | null {
  const order_id = field("InvoiceId");
  if (order_id === null || field("Status") === null || field("ReasonCode") !== null) return null;
  return { order_id, amount_micro: microOfDecimal(field("Amount") ?? ""), currency: field("Currency") ?? "" };
}

export const cloudpayments: PaymentProviderKind = {
  id: "cloudpayments",
  currencies: ["RUB", "USD"],
  needs: ["CLOUDPAYMENTS_PUBLIC_ID", "CLOUDPAYMENTS_API_SECRET"],
  open: (setting, digests) => {
    const publicId = setting("CLOUDPAYMENTS_PUBLIC_ID");
    const secrets = secretsOf(setting("CLOUDPAYMENTS_API_SECRET"));
    const [apiSecret] = secrets;
    if (publicId === null || apiSecret === undefined) return null;
    const baseUrl = setting("CLOUDPAYMENTS_BASE_URL") ?? "https://api.cloudpayments.ru";
    const post = (path: string, body: string, read: Question["read"]): Question => ({
      call: apiCall(baseUrl, path, { authorization: basicAuthorization(publicId, apiSecret) }, body),
      read,
    });
    return {
      receive: (delivery) => {
        const text = textOf(delivery.bytes);
        if (text === null || !isSigned(delivery, text, { secrets, digests })) return refused("forged", "no Content-HMAC of ours");
        const field = fieldsOf(text, delivery.header("content-type") ?? "");
        const transactionId = field?.("TransactionId") ?? "";
        // Notifications of subscriptions and receipts have no transaction, or are not about its money.
        if (field === null || !digits.test(transactionId)) return said();
        const paymentId = field("PaymentTransactionId");
        if (paymentId !== null) return said(refundNotice(field, transactionId, paymentId));
        if (field("Status") === null) return said();
        return ask(
          post("/payments/get", `{"TransactionId":${transactionId}}`, (answer) => readTransaction(answer, transactionId, checkOf(field))),
        );
      },
      search: (orders) =>
        orders.map((order) => post("/v2/payments/find", JSON.stringify({ InvoiceId: order.id }), (answer) => readFound(answer, order.id))),
      acknowledge: (verdict) => ({ contentType: "application/json", body: `{"code":${CODES[verdict]}}` }),
    };
  },
};

/** A transaction that is not paid yet makes its notification a check. */
function readTransaction(answer: ApiAnswer, transactionId: string, check: PaymentCheck | null): Reading {
  const parsed = answer.status === 200 ? parseWith(modelSchema, answer.text) : null;
  if (parsed === null || !parsed.ok) return unanswered(answer);
  const notices = paidNotice(answer);
  if (notices.some(({ payment_id }) => payment_id !== transactionId)) return unanswered(answer);
  return { ok: true, notices, next: null, check: notices.length === 0 ? check : null };
}

function readFound(answer: ApiAnswer, orderId: string): Reading {
  const parsed = answer.status === 200 ? parseWith(modelSchema, answer.text) : null;
  if (parsed === null || !parsed.ok) return unanswered(answer);
  return said(...paidNotice(answer).filter(({ order_id }) => order_id === orderId));
}
