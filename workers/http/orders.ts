/** `POST /v1/orders` and `GET /v1/orders/:id`: what a payment page refers to, stored before anybody can pay. */
import type { Context, Hono } from "hono";
import { createOrder, findOrder } from "../../db/payments.ts";
import { gatewayError } from "../../schema/error.ts";
import { base62 } from "../../schema/key.ts";
import { createOrderBody, type OrderRow, orderIdSchema, type OrderView } from "../../schema/payment.ts";
import { decimalOfMicro, microOfDecimal, microRubOfUsd } from "../payment/amount.ts";
import { PAYMENT_PROVIDER_KINDS } from "../payment/index.ts";
import type { AppEnv } from "./app-env.ts";
import { loadDocuments } from "./documents.ts";
import { errorResponse, readJsonBody } from "./respond.ts";

export function registerOrders(app: Hono<AppEnv>): void {
  app.post("/v1/orders", makeOrder);
  app.get("/v1/orders/:id", showOrder);
}

async function makeOrder(context: Context<AppEnv>): Promise<Response> {
  const requestId = context.get("requestId");
  const body = await readJsonBody(context.req.raw, createOrderBody);
  if (!body.ok) return errorResponse(body.error, requestId);
  const { provider, currency, reference } = body.value;
  const { currencies } = PAYMENT_PROVIDER_KINDS[provider];
  if (!currencies.includes(currency)) {
    const message = `This provider takes ${currencies.join(" or ")} only.`;
    return errorResponse(gatewayError("invalid_request", message, { param: "currency", available: [...currencies] }), requestId);
  }
  const amount = body.value.amount_micro_rub ?? BigInt(microOfDecimal(body.value.amount ?? "") ?? "0");
  const fx = currency === "USD" ? BigInt((await documentsOf(context)).prices.fx.micro_rub_per_usd) : null;
  const id = `ord_${base62(crypto.getRandomValues(new Uint8Array(24)), 24)}`;
  const order = await createOrder(context.env.DB, {
    id,
    account_id: context.get("caller").accountId,
    provider,
    reference: reference ?? id,
    amount_micro: amount,
    currency,
    credit_micro_rub: fx === null ? amount : microRubOfUsd(amount, fx),
    fx_micro_rub_per_usd: fx,
    created_at: Date.now(),
  });
  if (order === null) throw new Error("an order was neither stored nor there");
  // The rate of an order stands: asking again later neither changes it nor is another order.
  if (order.provider !== provider || order.currency !== currency || order.amount_micro !== amount) {
    const message = "This reference belongs to another order.";
    return errorResponse(gatewayError("invalid_transition", message, { param: "reference" }), requestId);
  }
  return context.json(viewOf(order));
}

function documentsOf(context: Context<AppEnv>): ReturnType<typeof loadDocuments> {
  return loadDocuments(context.env, (work) => context.executionCtx.waitUntil(work));
}

async function showOrder(context: Context<AppEnv>): Promise<Response> {
  const id = orderIdSchema.safeParse(context.req.param("id"));
  const order = id.success ? await findOrder(context.env.DB, id.data) : null;
  if (order === null || order.account_id !== context.get("caller").accountId)
    return errorResponse(gatewayError("not_found", "There is no such order.", { param: "id" }), context.get("requestId"));
  return context.json(viewOf(order));
}

function viewOf(order: OrderRow): OrderView {
  return {
    id: order.id,
    account_id: order.account_id,
    provider: order.provider,
    state: order.state === "paid" ? "paid" : "pending",
    amount: decimalOfMicro(order.amount_micro),
    currency: order.currency,
    credit_micro_rub: Number(order.credit_micro_rub),
    returned_micro_rub: Number(order.returned_micro_rub),
    reference: order.reference,
    payment_id: order.payment_id,
    created_at: order.created_at,
    paid_at: order.paid_at,
  };
}
