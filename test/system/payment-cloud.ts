/**
 * The payment providers' side: payments of their shops, their APIs on a real socket as their documentation describes them, and the
 * webhooks they would send. What it does wrong, a test tells it to.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { once } from "node:events";
import type { PaymentProviderId } from "../../schema/payment.ts";
import { SETTINGS } from "../payment/providers.ts";
import { cloudpaymentsHeaders, standardHeaders, stripeHeader, tbankToken } from "../payment/signing.ts";

export interface Payment {
  provider: PaymentProviderId;
  id: string;
  orderId: string;
  /** Kopecks or cents. */
  hundredths: number;
  currency: string;
  /** Money was taken. */
  paid: boolean;
  createdAt: number;
}

export interface Webhook {
  provider: PaymentProviderId;
  body: string;
  headers: Record<string, string>;
}

export interface PaymentCloud {
  /** What the system is told to find it, with the shops' credentials. */
  environment: Record<string, string>;
  /** A payment for an order; nobody is told. */
  pay: (facts: Pick<Payment, "provider" | "orderId" | "hundredths"> & Partial<Payment>) => Payment;
  /** A refund of a YooKassa payment, as its API will show it. */
  refund: (payment: Payment, id: string, hundredths: number) => void;
  /** Answers every call with this status; null as documented. */
  fail: (status: number | null) => void;
  /** Calls that came with no credential or token of ours. */
  refusedCalls: () => number;
  close: () => Promise<void>;
}

export const decimal = (hundredths: number): string => `${Math.trunc(hundredths / 100)}.${String(hundredths % 100).padStart(2, "0")}`;

const basic = (user: string, password: string): string => `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;

interface Answer {
  status: number;
  json: unknown;
}

/** The payment as YooKassa's API shows it. */
export function yookassaObject(payment: Payment): object {
  return {
    id: payment.id,
    status: payment.paid ? "succeeded" : "pending",
    paid: payment.paid,
    amount: { value: decimal(payment.hundredths), currency: payment.currency },
    created_at: new Date(payment.createdAt).toISOString(),
    description: "Пополнение баланса",
    metadata: { order_id: payment.orderId },
    test: false,
  };
}

/** The event Stripe makes of a paid payment. */
export function stripeEvent(payment: Payment): object {
  const object = {
    id: payment.id,
    object: "payment_intent",
    amount: payment.hundredths,
    amount_received: payment.hundredths,
    currency: payment.currency.toLowerCase(),
    status: "succeeded",
    metadata: { order_id: payment.orderId },
  };
  const created = Math.floor(payment.createdAt / 1000);
  return { id: `evt_${payment.id}`, object: "event", type: "payment_intent.succeeded", livemode: true, created, data: { object } };
}

const cloudpaymentsModel = (payment: Payment): object => ({
  TransactionId: Number(payment.id),
  Amount: payment.hundredths / 100,
  Currency: payment.currency,
  InvoiceId: payment.orderId,
  TestMode: false,
  Status: payment.paid ? "Completed" : "AwaitingAuthentication",
});

export function signedByStripe(body: string, seconds = Math.floor(Date.now() / 1000)): Webhook {
  return {
    provider: "stripe",
    body,
    headers: { "stripe-signature": stripeHeader(body, { secret: SETTINGS.STRIPE_WEBHOOK_SECRET, seconds }) },
  };
}

export function signedByStandard(body: string, seconds = Math.floor(Date.now() / 1000)): Webhook {
  const message = { id: `msg_${seconds}`, secret: SETTINGS.STANDARD_WEBHOOK_SECRET, seconds };
  return { provider: "standard", body, headers: standardHeaders(body, message) };
}

export function signedByCloudpayments(fields: Record<string, string>): Webhook {
  const body = new URLSearchParams(fields).toString();
  const headers = { "content-type": "application/x-www-form-urlencoded", ...cloudpaymentsHeaders(body, SETTINGS.CLOUDPAYMENTS_API_SECRET) };
  return { provider: "cloudpayments", body, headers };
}

export function signedByTbank(fields: Record<string, string | number | boolean>): Webhook {
  const body = JSON.stringify({ ...fields, Token: tbankToken(fields, SETTINGS.TBANK_PASSWORD) });
  return { provider: "tbank", body, headers: { "content-type": "application/json" } };
}

/** What a provider sends when a payment is paid; or claims to be, where it is not. */
export function webhookOf(payment: Payment): Webhook {
  const amount = decimal(payment.hundredths);
  switch (payment.provider) {
    case "stripe":
      return signedByStripe(JSON.stringify(stripeEvent(payment)));
    case "standard":
      return signedByStandard(
        JSON.stringify({
          type: "payment.succeeded",
          data: { payment_id: payment.id, order_id: payment.orderId, amount, currency: payment.currency },
        }),
      );
    case "yookassa": {
      const object = yookassaObject({ ...payment, paid: true });
      return { provider: "yookassa", body: JSON.stringify({ type: "notification", event: "payment.succeeded", object }), headers: {} };
    }
    case "cloudpayments":
      return signedByCloudpayments({
        TransactionId: payment.id,
        Amount: amount,
        Currency: payment.currency,
        Status: "Completed",
        OperationType: "Payment",
        TestMode: "0",
        InvoiceId: payment.orderId,
        Name: "ИВАН ИВАНОВ",
      });
    case "tbank":
      return signedByTbank({
        TerminalKey: SETTINGS.TBANK_TERMINAL_KEY,
        OrderId: payment.orderId,
        Success: true,
        Status: "CONFIRMED",
        PaymentId: Number(payment.id),
        ErrorCode: "0",
        Amount: payment.hundredths,
      });
  }
}

export async function startPaymentCloud(): Promise<PaymentCloud> {
  const payments: Payment[] = [];
  const refunds = new Map<string, object>();
  const counts = { refused: 0, ids: 1000 };
  let failing: number | null = null;
  const server = createServer((request, response) => void answer(request, response));

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = "";
    for await (const chunk of request) text += String(chunk);
    const { status, json } = failing === null ? answerOf(request, text) : { status: failing, json: { error: "told to fail" } };
    if (status === 401) counts.refused += 1;
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(json));
  }

  function answerOf(request: IncomingMessage, text: string): Answer {
    const url = new URL(request.url ?? "/", "http://cloud");
    const authorization = request.headers.authorization ?? "";
    const body: Record<string, string | number> = text === "" ? {} : JSON.parse(text);
    const [, shop = "", ...rest] = url.pathname.split("/");
    const path = `/${rest.join("/")}`;
    if (shop === "stripe")
      return authorization === `Bearer ${SETTINGS.STRIPE_API_KEY}` ? stripeAnswer(ofShop(payments, "stripe"), url) : refusedAnswer;
    if (shop === "yookassa")
      return authorization === basic(SETTINGS.YOOKASSA_SHOP_ID, SETTINGS.YOOKASSA_SECRET_KEY)
        ? yookassaAnswer(ofShop(payments, "yookassa"), refunds, path, url)
        : refusedAnswer;
    if (shop === "cloudpayments")
      return authorization === basic(SETTINGS.CLOUDPAYMENTS_PUBLIC_ID, SETTINGS.CLOUDPAYMENTS_API_SECRET)
        ? cloudpaymentsAnswer(ofShop(payments, "cloudpayments"), body)
        : refusedAnswer;
    return tbankToken(body, SETTINGS.TBANK_PASSWORD) === body["Token"] ? tbankAnswer(ofShop(payments, "tbank"), path, body) : refusedAnswer;
  }

  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const base = `http://127.0.0.1:${address.port}`;
  return {
    environment: {
      ...SETTINGS,
      STRIPE_BASE_URL: `${base}/stripe`,
      YOOKASSA_BASE_URL: `${base}/yookassa`,
      CLOUDPAYMENTS_BASE_URL: `${base}/cloudpayments`,
      TBANK_BASE_URL: `${base}/tbank`,
    },
    pay: (facts) => {
      counts.ids += 1;
      const payment: Payment = { id: idOf(facts.provider, counts.ids), currency: "RUB", paid: true, createdAt: Date.now(), ...facts };
      payments.push(payment);
      return payment;
    },
    refund: (payment, id, hundredths) =>
      void refunds.set(id, {
        id,
        status: "succeeded",
        payment_id: payment.id,
        amount: { value: decimal(hundredths), currency: payment.currency },
      }),
    fail: (status) => (failing = status),
    refusedCalls: () => counts.refused,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

function ofShop(payments: readonly Payment[], provider: PaymentProviderId): Payment[] {
  return payments.filter((payment) => payment.provider === provider);
}

const refusedAnswer: Answer = { status: 401, json: { error: "who are you" } };

/** An id of the provider's own form. */
function idOf(provider: PaymentProviderId, number: number): string {
  if (provider === "stripe") return `pi_${number}`;
  if (provider === "yookassa") return `2d8f${number}-000f-5000-9000-145f6df21d6f`;
  return provider === "standard" ? `payment-${number}` : String(number);
}

function stripeAnswer(payments: readonly Payment[], url: URL): Answer {
  const since = Number(url.searchParams.get("created[gte]")) * 1000;
  const after = url.searchParams.get("starting_after");
  const events = payments.filter((payment) => payment.paid && payment.createdAt >= since).toReversed();
  const from = after === null ? 0 : events.findIndex((payment) => `evt_${payment.id}` === after) + 1;
  // Pages smaller than was asked for, so that there are some.
  const page = events.slice(from, from + 3);
  return { status: 200, json: { object: "list", data: page.map(stripeEvent), has_more: from + 3 < events.length } };
}

function yookassaAnswer(payments: readonly Payment[], refunds: ReadonlyMap<string, object>, path: string, url: URL): Answer {
  const notFound: Answer = { status: 404, json: { type: "error", code: "not_found" } };
  const [, kind, id] = path.split("/");
  if (kind === "refunds") {
    const refund = refunds.get(id ?? "");
    return refund === undefined ? notFound : { status: 200, json: refund };
  }
  if (id !== undefined) {
    const payment = payments.find((candidate) => candidate.id === id);
    return payment === undefined ? notFound : { status: 200, json: yookassaObject(payment) };
  }
  const since = Date.parse(url.searchParams.get("created_at.gte") ?? "");
  const found = payments.filter((payment) => payment.createdAt >= since && payment.paid).toReversed();
  const from = Number(url.searchParams.get("cursor") ?? "0");
  const next = from + 3 < found.length ? { next_cursor: String(from + 3) } : {};
  return { status: 200, json: { type: "list", items: found.slice(from, from + 3).map(yookassaObject), ...next } };
}

function cloudpaymentsAnswer(payments: readonly Payment[], body: Record<string, string | number>): Answer {
  const found = payments.find((payment) => payment.id === String(body["TransactionId"]) || payment.orderId === body["InvoiceId"]);
  if (found === undefined) return { status: 200, json: { Success: false, Message: "Not found" } };
  return { status: 200, json: { Success: true, Message: null, Model: cloudpaymentsModel(found) } };
}

function tbankAnswer(payments: readonly Payment[], path: string, body: Record<string, string | number>): Answer {
  const shared = { TerminalKey: SETTINGS.TBANK_TERMINAL_KEY, ErrorCode: "0", Message: "OK" };
  const status = (payment: Payment): string => (payment.paid ? "CONFIRMED" : "AUTHORIZED");
  if (path === "/CheckOrder") {
    const found = payments.filter((payment) => payment.orderId === body["OrderId"]);
    const list = found.map((payment) => ({
      PaymentId: payment.id,
      Amount: payment.hundredths,
      Status: status(payment),
      Success: true,
      ErrorCode: "0",
    }));
    return { status: 200, json: { ...shared, OrderId: body["OrderId"], Success: found.length > 0, Payments: list } };
  }
  const found = payments.find((payment) => payment.id === body["PaymentId"]);
  if (found === undefined) return { status: 200, json: { ...shared, Success: false, ErrorCode: "255" } };
  const state = { Status: status(found), PaymentId: found.id, OrderId: found.orderId, Amount: found.hundredths };
  return { status: 200, json: { ...shared, Success: true, ...state } };
}
