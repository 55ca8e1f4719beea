/**
 * Stripe. Proof: `Stripe-Signature: t=…,v1=…`, HMAC-SHA-256 of `t.body` under the endpoint's secret, hex; several `v1` while the secret
 * is being rolled, of which any may match. Stripe's own library lets a time in the future pass; here the tolerance has two sides.
 * Events that were never delivered are found in the list of events of the last 30 days (docs.stripe.com/webhooks/process-undelivered-events).
 */
import { z } from "zod";
import { parseWith } from "../../schema/json.ts";
import { elementSlices } from "../../schema/json-slice.ts";
import { LIMITS } from "../../schema/limits.ts";
import type { PaymentNotice } from "../../schema/payment.ts";
import { microOfHundredths } from "./amount.ts";
import { bytesOf, type Digests, hexOf, isSameText, joined, textOf } from "./bytes.ts";
import { scalarAt } from "./json-field.ts";
import {
  type ApiAnswer,
  apiCall,
  type Delivery,
  notice,
  type OpenOrder,
  type PaymentProviderKind,
  PLAIN_ACKNOWLEDGMENT,
  type Question,
  type Reading,
  refused,
  said,
  secretsOf,
  unanswered,
} from "./payment-provider.ts";

const metadataSchema = z.looseObject({ order_id: z.string().optional() }).nullish();
const eventSchema = z.looseObject({
  id: z.string(),
  object: z.literal("event"),
  type: z.string(),
  livemode: z.boolean(),
  data: z.looseObject({
    object: z.looseObject({
      id: z.string(),
      status: z.string().nullish(),
      currency: z.string().nullish(),
      metadata: metadataSchema,
      client_reference_id: z.string().nullish(),
      payment_status: z.string().nullish(),
      /** An id, unless somebody asked for the whole object. */
      payment_intent: z.union([z.string(), z.looseObject({ id: z.string() })]).nullish(),
    }),
  }),
});
type Event = z.infer<typeof eventSchema>;
const listSchema = z.looseObject({ object: z.literal("list"), has_more: z.boolean(), data: z.array(z.looseObject({ id: z.string() })) });

/** What Stripe says of money that came in; the poller asks for these. */
const PAID_EVENTS = ["payment_intent.succeeded", "checkout.session.completed", "checkout.session.async_payment_succeeded"] as const;

/** All events that a balance has to do with; an endpoint may be sent any others too. */
const MONEY_EVENTS: ReadonlySet<string> = new Set([
  ...PAID_EVENTS,
  "refund.created",
  "refund.updated",
  "refund.failed",
  "charge.refund.updated",
  "charge.dispute.funds_withdrawn",
  "charge.dispute.funds_reinstated",
]);

/** Whether one of the header's signatures was made under one of the secrets, at a time near `nowSeconds`. */
function isSigned(
  header: string,
  bytes: Uint8Array,
  nowSeconds: number,
  { secrets, digests }: { secrets: readonly string[]; digests: Digests },
): boolean {
  const fields = header.split(",").map((field) => field.trim().split("=", 2));
  const times = fields.filter(([name]) => name === "t").map(([, value]) => value ?? "");
  const given = fields.filter(([name]) => name === "v1").map(([, value]) => value ?? "");
  const time = times[0] ?? "";
  if (times.length !== 1 || !/^\d{1,12}$/.test(time) || given.length > LIMITS.signaturesPerWebhook) return false;
  if (Math.abs(nowSeconds - Number(time)) > LIMITS.webhookToleranceSeconds) return false;
  const message = joined(bytesOf(`${time}.`), bytes);
  return secrets.some((secret) => {
    const expected = hexOf(digests.hmacSha256(bytesOf(secret), message));
    return given.some((signature) => isSameText(signature, expected));
  });
}

/** The notices of one event. `text` is its JSON, of which amounts are read as they are written. */
function noticesOf(event: Event, text: string): PaymentNotice[] {
  const { object } = event.data;
  const intent = typeof object.payment_intent === "string" ? object.payment_intent : (object.payment_intent?.id ?? null);
  const hundredths = (name: string): string | null => microOfHundredths(scalarAt(text, ["data", "object", name]) ?? "");
  const shared = { provider: "stripe", currency: object.currency?.toUpperCase() ?? null, test: !event.livemode } as const;
  const order_id = object.client_reference_id ?? object.metadata?.order_id ?? null;
  const review = (payment_id: string, fact_id: string): PaymentNotice =>
    notice({ ...shared, kind: "review", payment_id, fact_id, amount_micro: hundredths("amount"), detail: event.type });
  switch (event.type) {
    case "payment_intent.succeeded":
      if (object.status !== "succeeded") return [];
      return [notice({ ...shared, kind: "paid", payment_id: object.id, order_id, amount_micro: hundredths("amount_received") })];
    case "checkout.session.completed":
    case "checkout.session.async_payment_succeeded":
      if (object.payment_status !== "paid" || intent === null) return [];
      return [notice({ ...shared, kind: "paid", payment_id: intent, order_id, amount_micro: hundredths("amount_total") })];
    case "refund.created":
    case "refund.updated":
    case "charge.refund.updated": {
      if (intent === null || object.status !== "succeeded") return [];
      const amount_micro = hundredths("amount");
      if (amount_micro === null) return [review(intent, object.id)];
      return [notice({ ...shared, kind: "refunded", payment_id: intent, fact_id: object.id, amount_micro })];
    }
    case "charge.dispute.funds_withdrawn": {
      const amount_micro = hundredths("amount");
      if (intent === null || amount_micro === null) return [review(intent ?? object.id, object.id)];
      return [notice({ ...shared, kind: "charged_back", payment_id: intent, fact_id: object.id, amount_micro })];
    }
    case "refund.failed":
    case "charge.dispute.funds_reinstated":
      return [review(intent ?? object.id, object.id)];
    default:
      return [];
  }
}

function readEvent(text: string): Reading {
  const head = parseWith(z.looseObject({ type: z.string() }), text);
  if (head.ok && !MONEY_EVENTS.has(head.value.type)) return said();
  const event = parseWith(eventSchema, text);
  return event.ok ? said(...noticesOf(event.value, text)) : refused("unreadable", "the body is no event");
}

export const stripe: PaymentProviderKind = {
  id: "stripe",
  currencies: ["RUB", "USD"],
  needs: ["STRIPE_WEBHOOK_SECRET"],
  open: (setting, digests) => {
    const secrets = secretsOf(setting("STRIPE_WEBHOOK_SECRET"));
    if (secrets.length === 0) return null;
    const apiKey = setting("STRIPE_API_KEY");
    const baseUrl = setting("STRIPE_BASE_URL") ?? "https://api.stripe.com";
    const receive = ({ header, bytes, now }: Delivery): Reading => {
      if (!isSigned(header("stripe-signature") ?? "", bytes, Math.floor(now / 1000), { secrets, digests }))
        return refused("forged", "no Stripe-Signature of ours, near this time");
      const text = textOf(bytes);
      return text === null ? refused("unreadable", "the body is not UTF-8") : readEvent(text);
    };
    const page = (since: number, wanted: ReadonlySet<string>, after: string | null): Question => ({
      call: apiCall(baseUrl, eventsPath(since, after), { authorization: `Bearer ${apiKey ?? ""}` }),
      read: (answer) => readEvents(answer, wanted, (last) => page(since, wanted, last)),
    });
    return {
      receive,
      search: (orders) =>
        apiKey === null || orders.length === 0 ? [] : [page(earliestSecond(orders), new Set(orders.map(({ id }) => id)), null)],
      acknowledge: () => PLAIN_ACKNOWLEDGMENT,
    };
  },
};

function earliestSecond(orders: readonly OpenOrder[]): number {
  return Math.floor(Math.min(...orders.map((order) => order.created_at)) / 1000);
}

function eventsPath(since: number, after: string | null): string {
  const query = new URLSearchParams({ limit: "100", "created[gte]": String(since) });
  for (const type of PAID_EVENTS) query.append("types[]", type);
  if (after !== null) query.set("starting_after", after);
  return `/v1/events?${query}`;
}

/** One page of events: what is told of the wanted orders, and the next page when there is one. */
function readEvents(answer: ApiAnswer, wanted: ReadonlySet<string>, next: (after: string) => Question): Reading {
  const list = answer.status === 200 ? parseWith(listSchema, answer.text) : null;
  if (list === null || !list.ok) return unanswered(answer);
  const notices = elementSlices(answer.text, ["data"]).flatMap((text) => {
    const event = parseWith(eventSchema, text);
    return event.ok ? noticesOf(event.value, text) : [];
  });
  const last = list.value.data.at(-1)?.id ?? null;
  return {
    ok: true,
    notices: notices.filter(({ order_id }) => order_id !== null && wanted.has(order_id)),
    next: list.value.has_more && last !== null ? next(last) : null,
    check: null,
  };
}
