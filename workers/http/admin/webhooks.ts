/** Receivers of an account's events, as an administrator manages them: register, list, change, delete, replay, and the log of deliveries. */
import { createHmac } from "node:crypto";
import type { Context, Hono } from "hono";
import {
  changeEndpoint,
  deleteEndpoint,
  deliveriesOf,
  disableEndpoint,
  enableEndpoint,
  endpointsOf,
  findEndpoint,
  insertEndpoint,
  replayDeliveries,
} from "../../../db/webhooks.ts";
import { gatewayError, type GatewayError } from "../../../schema/error.ts";
import { base62 } from "../../../schema/key.ts";
import { LIMITS } from "../../../schema/limits.ts";
import {
  createWebhookBodySchema,
  patchWebhookBodySchema,
  replayWebhookBodySchema,
  type WebhookEndpoint,
  webhookKey,
  type WebhookMessage,
} from "../../../schema/webhook.ts";
import { base64OfBytes } from "../../protocol/base64.ts";
import { webhookAddressFault } from "../../runtime/webhook-address.ts";
import type { AppEnv } from "../app-env.ts";
import { integerQuery } from "../query.ts";
import { errorResponse, readJsonBody } from "../respond.ts";
import { accountOf, noAccount } from "./accounts.ts";

const ENDPOINT_ID_CHARACTERS = 22;
const MESSAGES_PER_BATCH = 100;

export function registerWebhookEndpoints(app: Hono<AppEnv>): void {
  app.post("/admin/accounts/:id/webhooks", createWebhook);
  app.get("/admin/accounts/:id/webhooks", listWebhooks);
  app.patch("/admin/webhooks/:id", patchWebhook);
  app.delete("/admin/webhooks/:id", deleteWebhook);
  app.get("/admin/webhooks/:id/deliveries", listDeliveries);
  app.post("/admin/webhooks/:id/replay", replayWebhook);
}

/** Why an address is not taken; null: it is. */
function addressFault(url: string, env: Env): GatewayError | null {
  const fault = webhookAddressFault(url, { allowsLoopback: env.PLYRUM_EVIDENCE === "offline" });
  if (fault === null) return null;
  return gatewayError("invalid_request", `Events cannot be sent to this address: ${fault}.`, {
    param: "url",
    suggestion: "Give an https address with a public host name.",
  });
}

/** The secret's text; a receiver checks signatures with it. Made from the deployment's own secret and stored nowhere. */
function secretOf(endpointId: string, env: Env): string {
  const key = webhookKey(endpointId, (text) => new Uint8Array(createHmac("sha256", env.PLYRUM_KEY_SECRET).update(text).digest()));
  return `whsec_${base64OfBytes(key)}`;
}

async function createWebhook(context: Context<AppEnv>): Promise<Response> {
  const { env } = context;
  const body = await readJsonBody(context.req.raw, createWebhookBodySchema);
  if (!body.ok) return errorResponse(body.error, context.get("requestId"));
  if ((await accountOf(context)) === null) return noAccount(context);
  const fault = addressFault(body.value.url, env);
  if (fault !== null) return errorResponse(fault, context.get("requestId"));
  const accountId = context.req.param("id") ?? "";
  if ((await endpointsOf(env.DB, accountId)).length >= LIMITS.webhooksPerAccount) {
    const error = gatewayError("invalid_transition", "The account can have no further webhook.", { suggestion: "Delete one first." });
    return errorResponse(error, context.get("requestId"));
  }
  const id = `wh_${base62(crypto.getRandomValues(new Uint8Array(17)), ENDPOINT_ID_CHARACTERS)}`;
  const state = { created_at: Date.now(), disabled_reason: null, disabled_at: null };
  const endpoint: WebhookEndpoint = { id, account_id: accountId, url: body.value.url, events: body.value.events, ...state };
  await insertEndpoint(env.DB, endpoint);
  return context.json({ ...endpoint, secret: secretOf(id, env) });
}

async function listWebhooks(context: Context<AppEnv>): Promise<Response> {
  if ((await accountOf(context)) === null) return noAccount(context);
  return context.json({ webhooks: await endpointsOf(context.env.DB, context.req.param("id") ?? "") });
}

function found(context: Context<AppEnv>): Promise<WebhookEndpoint | null> {
  return findEndpoint(context.env.DB, context.req.param("id") ?? "");
}

function noWebhook(context: Context<AppEnv>): Response {
  return errorResponse(gatewayError("not_found", "There is no such webhook.", { param: "id" }), context.get("requestId"));
}

async function patchWebhook(context: Context<AppEnv>): Promise<Response> {
  const { env } = context;
  const body = await readJsonBody(context.req.raw, patchWebhookBodySchema);
  if (!body.ok) return errorResponse(body.error, context.get("requestId"));
  const endpoint = await found(context);
  if (endpoint === null) return noWebhook(context);
  const { url = endpoint.url, events = endpoint.events, enabled } = body.value;
  const fault = addressFault(url, env);
  if (fault !== null) return errorResponse(fault, context.get("requestId"));
  await changeEndpoint(env.DB, endpoint.id, { url, events });
  if (enabled === true) await enableEndpoint(env.DB, endpoint.id);
  if (enabled === false) await disableEndpoint(env.DB, endpoint.id, "operator", Date.now());
  return context.json(await found(context));
}

async function deleteWebhook(context: Context<AppEnv>): Promise<Response> {
  const endpoint = await found(context);
  if (endpoint === null) return noWebhook(context);
  await deleteEndpoint(context.env.DB, endpoint.id);
  return context.json({ id: endpoint.id, deleted: true });
}

async function listDeliveries(context: Context<AppEnv>): Promise<Response> {
  const before = integerQuery(context, "cursor", { fallback: Number.MAX_SAFE_INTEGER, minimum: 1, maximum: Number.MAX_SAFE_INTEGER });
  const limit = integerQuery(context, "limit", { fallback: LIMITS.pageRowsDefault, minimum: 1, maximum: LIMITS.pageRowsMax });
  if (!before.ok) return errorResponse(before.error, context.get("requestId"));
  if (!limit.ok) return errorResponse(limit.error, context.get("requestId"));
  const endpoint = await found(context);
  if (endpoint === null) return noWebhook(context);
  const deliveries = await deliveriesOf(context.env.DB, endpoint.id, { beforeId: before.value, limit: limit.value });
  const last = deliveries.at(-1);
  return context.json({ deliveries, next_cursor: deliveries.length < limit.value || last === undefined ? null : String(last.id) });
}

/** Makes deliveries due again. They keep their `webhook-id`, by which a receiver knows what it has seen. */
async function replayWebhook(context: Context<AppEnv>): Promise<Response> {
  const { env } = context;
  const body = await readJsonBody(context.req.raw, replayWebhookBodySchema);
  if (!body.ok) return errorResponse(body.error, context.get("requestId"));
  const endpoint = await found(context);
  if (endpoint === null) return noWebhook(context);
  if (endpoint.disabled_at !== null) {
    const error = gatewayError("invalid_transition", "Nothing is sent to this webhook now.", {
      suggestion: 'Turn it on first: PATCH /admin/webhooks/:id {"enabled":true}.',
    });
    return errorResponse(error, context.get("requestId"));
  }
  const { event_id, which, from } = body.value;
  const order = { eventId: event_id ?? null, which, from: from === undefined ? 0 : Date.parse(from) };
  const ids = await replayDeliveries(env.DB, endpoint.id, order, { now: Date.now(), limit: LIMITS.webhookSweepRows });
  for (let at = 0; at < ids.length; at += MESSAGES_PER_BATCH) {
    const messages = ids.slice(at, at + MESSAGES_PER_BATCH).map((delivery): { body: WebhookMessage } => ({ body: { delivery } }));
    await env.WEBHOOK_QUEUE.sendBatch(messages);
  }
  return context.json({ replayed: ids.length });
}
