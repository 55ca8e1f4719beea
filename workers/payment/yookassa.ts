/**
 * YooKassa. Its notifications carry no signature (yookassa.ru/developers/using-api/webhooks), so one is only a hint which payment to look
 * at: the proof is the payment itself, fetched from the API under our own key. The list of sender addresses keeps noise off where the
 * address can be known; it proves nothing.
 */
import { z } from "zod";
import { parseWith } from "../../schema/json.ts";
import { elementSlices } from "../../schema/json-slice.ts";
import { LIMITS } from "../../schema/limits.ts";
import type { PaymentNotice } from "../../schema/payment.ts";
import { isAddressIn } from "./address-list.ts";
import { microOfDecimal } from "./amount.ts";
import { basicAuthorization, textOf } from "./bytes.ts";
import { scalarAt } from "./json-field.ts";
import {
  type ApiAnswer,
  apiCall,
  ask,
  type Delivery,
  notice,
  type PaymentProviderKind,
  PLAIN_ACKNOWLEDGMENT,
  type Question,
  type Reading,
  refused,
  said,
  secretsOf,
  unanswered,
} from "./payment-provider.ts";

/** Where notifications come from, by the documentation. `YOOKASSA_ADDRESSES` replaces it when the list changes. */
const ADDRESSES = [
  "185.71.76.0/27",
  "185.71.77.0/27",
  "77.75.153.0/25",
  "77.75.154.128/25",
  "77.75.156.11",
  "77.75.156.35",
  "2a02:5180::/32",
];

/** Goes into the path of a call, so nothing else is let in. */
const objectId = z.string().regex(/^[0-9A-Za-z-]{1,64}$/);
const notificationSchema = z.looseObject({
  type: z.literal("notification"),
  event: z.string(),
  object: z.looseObject({ id: objectId }),
});
const amountSchema = z.looseObject({ value: z.string(), currency: z.string() });
const paymentSchema = z.looseObject({
  id: objectId,
  status: z.string(),
  paid: z.boolean(),
  test: z.boolean().optional(),
  amount: amountSchema,
  metadata: z.looseObject({ order_id: z.string().optional() }).nullish(),
});
const refundSchema = z.looseObject({ id: objectId, status: z.string(), payment_id: objectId, amount: amountSchema });
const listSchema = z.looseObject({ type: z.literal("list"), items: z.array(z.unknown()), next_cursor: z.string().nullish() });

/** The notice of a payment as the API shows it; none unless it is paid. A payment that is given back later stays `succeeded`. */
function paidNotice(text: string): PaymentNotice[] {
  const payment = parseWith(paymentSchema, text);
  if (!payment.ok || payment.value.status !== "succeeded" || !payment.value.paid) return [];
  const { id, amount, metadata, test } = payment.value;
  return [
    notice({
      provider: "yookassa",
      kind: "paid",
      payment_id: id,
      order_id: metadata?.order_id ?? null,
      amount_micro: microOfDecimal(scalarAt(text, ["amount", "value"]) ?? ""),
      currency: amount.currency,
      test: test ?? false,
    }),
  ];
}

function readPayment(answer: ApiAnswer, id: string): Reading {
  if (answer.status === 404) return refused("unknown_payment", "YooKassa has no such payment");
  const payment = answer.status === 200 ? parseWith(paymentSchema, answer.text) : null;
  if (payment === null || !payment.ok || payment.value.id !== id) return unanswered(answer);
  return said(...paidNotice(answer.text));
}

function readRefund(answer: ApiAnswer, id: string): Reading {
  if (answer.status === 404) return refused("unknown_payment", "YooKassa has no such refund");
  const refund = answer.status === 200 ? parseWith(refundSchema, answer.text) : null;
  if (refund === null || !refund.ok || refund.value.id !== id) return unanswered(answer);
  if (refund.value.status !== "succeeded") return said();
  const amount_micro = microOfDecimal(refund.value.amount.value);
  const facts = { provider: "yookassa", payment_id: refund.value.payment_id, fact_id: id, currency: refund.value.amount.currency } as const;
  return said(
    amount_micro === null
      ? notice({ ...facts, kind: "review", detail: "a refund with an unreadable amount" })
      : notice({ ...facts, kind: "refunded", amount_micro }),
  );
}

export const yookassa: PaymentProviderKind = {
  id: "yookassa",
  currencies: ["RUB"],
  needs: ["YOOKASSA_SHOP_ID", "YOOKASSA_SECRET_KEY"],
  open: (setting) => {
    const [shopId, secretKey] = [setting("YOOKASSA_SHOP_ID"), setting("YOOKASSA_SECRET_KEY")];
    if (shopId === null || secretKey === null) return null;
    const baseUrl = setting("YOOKASSA_BASE_URL") ?? "https://api.yookassa.ru/v3";
    const listed = secretsOf(setting("YOOKASSA_ADDRESSES"));
    const addresses = setting("YOOKASSA_ADDRESS_FILTER") === "cloudflare" ? (listed.length > 0 ? listed : ADDRESSES) : null;
    const get = (path: string, read: Question["read"]): Question => ({
      call: apiCall(baseUrl, path, { authorization: basicAuthorization(shopId, secretKey) }),
      read,
    });
    const page = (since: string, wanted: ReadonlySet<string>, cursor: string | null): Question =>
      get(paymentsPath(since, cursor), (answer) => readPayments(answer, wanted, (next) => page(since, wanted, next)));
    const receive = ({ bytes, address }: Delivery): Reading => {
      if (addresses !== null && (address === null || !isAddressIn(address, addresses)))
        return refused("address", "not an address of YooKassa");
      const body = parseWith(notificationSchema, textOf(bytes) ?? "");
      if (!body.ok) return refused("unreadable", "the body is no notification");
      const { event, object } = body.value;
      if (event === "payment.succeeded") return ask(get(`/payments/${object.id}`, (answer) => readPayment(answer, object.id)));
      if (event === "refund.succeeded") return ask(get(`/refunds/${object.id}`, (answer) => readRefund(answer, object.id)));
      return said();
    };
    return {
      receive,
      search: (orders) => {
        if (orders.length === 0) return [];
        const earliest = Math.min(...orders.map((order) => order.created_at)) - LIMITS.webhookToleranceSeconds * 1000;
        return [page(new Date(earliest).toISOString(), new Set(orders.map(({ id }) => id)), null)];
      },
      acknowledge: () => PLAIN_ACKNOWLEDGMENT,
    };
  },
};

function paymentsPath(since: string, cursor: string | null): string {
  const query = new URLSearchParams({ "created_at.gte": since, status: "succeeded", limit: "100" });
  if (cursor !== null) query.set("cursor", cursor);
  return `/payments?${query}`;
}

/** One page of payments: those of the wanted orders, and the next page when there is one. */
function readPayments(answer: ApiAnswer, wanted: ReadonlySet<string>, next: (cursor: string) => Question): Reading {
  const list = answer.status === 200 ? parseWith(listSchema, answer.text) : null;
  if (list === null || !list.ok) return unanswered(answer);
  const cursor = list.value.next_cursor ?? null;
  return {
    ok: true,
    notices: elementSlices(answer.text, ["items"])
      .flatMap(paidNotice)
      .filter(({ order_id }) => order_id !== null && wanted.has(order_id)),
    next: cursor === null ? null : next(cursor),
    check: null,
  };
}
