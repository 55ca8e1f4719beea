/** `GET /openapi.json`, made from the same schemas that check the bodies. The dashboard makes `GET /docs` of it. */
import type { Hono } from "hono";
import { z } from "zod";
import {
  adjustmentBody,
  archiveBody,
  chargebackBody,
  createAccountBody,
  creditBody,
  reconcileBody,
  rerateBody,
  restoreBody,
  trueUpBody,
} from "../../schema/api.ts";
import { configDocumentSchema } from "../../schema/document.ts";
import { createKeyBodySchema, patchKeyBodySchema } from "../../schema/key.ts";
import { createOrderBody, orderViewSchema, pollPaymentsBody } from "../../schema/payment.ts";
import { priceDocumentSchema } from "../../schema/price.ts";
import { patchAccountBodySchema } from "../../schema/rate.ts";
import { recordingViewSchema } from "../../schema/recording.ts";
import { reportFactsSchema } from "../../schema/report.ts";
import { createWebhookBodySchema, patchWebhookBodySchema, replayWebhookBodySchema } from "../../schema/webhook.ts";
import { requestViewSchema } from "../../schema/request.ts";
import { routingAnswerSchema } from "../../schema/routing.ts";
import { shardMapSchema } from "../../schema/shard.ts";
import type { AppEnv } from "./app-env.ts";
import { callHeaders } from "./call-headers.ts";

interface Operation {
  method: "get" | "post" | "put" | "patch" | "delete";
  path: string;
  summary: string;
  who: "client" | "admin" | "nobody";
  body?: z.ZodType;
  answer?: z.ZodType;
  query?: readonly string[];
}

const OPERATIONS: readonly Operation[] = [
  { method: "post", path: "/v1/chat/completions", summary: "OpenAI Chat Completions, streamed or whole, to any provider", who: "client" },
  { method: "post", path: "/v1/messages", summary: "Anthropic Messages, streamed or whole, to any provider", who: "client" },
  { method: "post", path: "/model/{model}/converse", summary: "Bedrock Converse, to any provider", who: "client" },
  { method: "post", path: "/model/{model}/converse-stream", summary: "The same as a binary event stream", who: "client" },
  { method: "post", path: "/v1/messages/count_tokens", summary: "An estimate of a message's input tokens; free", who: "client" },
  {
    method: "post",
    path: "/routing/v1/chat/completions",
    summary: "The router's decision on a request, without running it; also at /routing/v1/responses and /routing/v1/messages",
    who: "client",
    answer: routingAnswerSchema,
  },
  {
    method: "post",
    path: "/v1/responses",
    summary: "OpenAI Responses, streamed, whole or in the background, to any provider",
    who: "client",
  },
  {
    method: "get",
    path: "/v1/responses/{id}",
    summary: "A kept answer, or with stream=true its recorded stream from after an event on",
    who: "client",
    query: ["stream", "starting_after"],
  },
  { method: "delete", path: "/v1/responses/{id}", summary: "Delete a kept answer; one that is being made is cancelled", who: "client" },
  { method: "post", path: "/v1/responses/{id}/cancel", summary: "Cancel an answer that is made in the background", who: "client" },
  {
    method: "get",
    path: "/v1/responses/{id}/input_items",
    summary: "What a kept answer was given from",
    who: "client",
    query: ["order", "after", "limit"],
  },
  { method: "post", path: "/v1/embeddings", summary: "OpenAI embeddings, from any provider of vectors", who: "client" },
  { method: "post", path: "/api/chat", summary: "Ollama's chat, streamed unless asked otherwise, to any provider", who: "client" },
  { method: "post", path: "/api/generate", summary: "Ollama's completion of one prompt, to any provider", who: "client" },
  { method: "get", path: "/api/tags", summary: "The models in Ollama's shape", who: "client" },
  { method: "post", path: "/api/show", summary: "One model in Ollama's shape", who: "client" },
  { method: "get", path: "/api/version", summary: "The version of Ollama that is spoken", who: "nobody" },
  {
    method: "post",
    path: "/v1beta/models/{model}:generateContent",
    summary: "Gemini generateContent, whole, to any provider",
    who: "client",
  },
  {
    method: "post",
    path: "/v1beta/models/{model}:streamGenerateContent",
    summary: "Gemini generateContent as a stream: events with alt=sse, else one JSON list",
    who: "client",
  },
  { method: "post", path: "/v1beta/models/{model}:countTokens", summary: "An estimate of a request's input tokens; free", who: "client" },
  { method: "get", path: "/v1/models", summary: "The priced models of the providers that are on", who: "client" },
  { method: "get", path: "/v1/models/{id}", summary: "One model", who: "client" },
  { method: "get", path: "/v1beta/models", summary: "The same list in Gemini's shape", who: "client" },
  { method: "get", path: "/v1beta/models/{id}", summary: "One model in Gemini's shape", who: "client" },
  { method: "get", path: "/v1/balance", summary: "Balance, held and available, in micro-RUB", who: "client" },
  {
    method: "get",
    path: "/v1/usage",
    summary: "Usage rows, or sums by a dimension",
    who: "client",
    query: ["from", "to", "group_by", "limit", "cursor"],
  },
  {
    method: "get",
    path: "/v1/usage/export",
    summary: "Every usage row of a range as CSV or JSON lines",
    who: "client",
    query: ["from", "to", "format"],
  },
  { method: "get", path: "/v1/requests", summary: "Requests, the newest first", who: "client", query: ["limit", "cursor"] },
  {
    method: "get",
    path: "/v1/requests/{id}",
    summary: "One request with its plan, usage, cost and lifecycle",
    who: "client",
    answer: requestViewSchema,
  },
  {
    method: "get",
    path: "/v1/requests/{id}/events",
    summary: "Lifecycle frames as server-sent events; Last-Event-ID is honoured",
    who: "client",
  },
  {
    method: "get",
    path: "/v1/requests/{id}/stream",
    summary: "The rest of a recorded stream after Last-Event-ID (or after=), byte for byte, while it runs and for a day",
    who: "client",
    query: ["after"],
  },
  { method: "post", path: "/v1/requests/{id}/cancel", summary: "End a recorded stream that is under way", who: "client" },
  {
    method: "post",
    path: "/v1/orders",
    summary: "An order for a payment page to refer to; the same reference gives the same order",
    who: "client",
    body: createOrderBody,
    answer: orderViewSchema,
  },
  { method: "get", path: "/v1/orders/{id}", summary: "One order and whether it is paid", who: "client", answer: orderViewSchema },
  {
    method: "post",
    path: "/webhooks/{provider}",
    summary: "What a payment provider tells; credits a balance once for each payment id",
    who: "nobody",
  },
  { method: "get", path: "/admin/payments", summary: "Payment notices, the newest first", who: "admin", query: ["state", "limit"] },
  {
    method: "post",
    path: "/admin/payments/poll",
    summary: "Finish what was begun and ask the providers about pending orders, now",
    who: "admin",
    body: pollPaymentsBody,
  },
  { method: "post", path: "/admin/accounts", summary: "Create an account", who: "admin", body: createAccountBody },
  { method: "get", path: "/admin/accounts", summary: "Accounts by id", who: "admin", query: ["after"] },
  { method: "get", path: "/admin/accounts/{id}", summary: "An account's balance and keys", who: "admin" },
  { method: "post", path: "/admin/accounts/{id}/keys", summary: "Create a key; it is shown once", who: "admin", body: createKeyBodySchema },
  {
    method: "patch",
    path: "/admin/accounts/{id}",
    summary: "Change an account's name, limits or low-balance threshold",
    who: "admin",
    body: patchAccountBodySchema,
  },
  {
    method: "post",
    path: "/admin/accounts/{id}/webhooks",
    summary: "Register a receiver of an account's events; its secret is shown once",
    who: "admin",
    body: createWebhookBodySchema,
  },
  { method: "get", path: "/admin/accounts/{id}/webhooks", summary: "An account's receivers of events", who: "admin" },
  {
    method: "patch",
    path: "/admin/webhooks/{id}",
    summary: "Change a receiver, or turn it on or off",
    who: "admin",
    body: patchWebhookBodySchema,
  },
  { method: "delete", path: "/admin/webhooks/{id}", summary: "Delete a receiver with its log", who: "admin" },
  {
    method: "get",
    path: "/admin/webhooks/{id}/deliveries",
    summary: "What was sent to a receiver, and what became of it",
    who: "admin",
    query: ["limit", "cursor"],
  },
  {
    method: "post",
    path: "/admin/webhooks/{id}/replay",
    summary: "Send events again under their first ids",
    who: "admin",
    body: replayWebhookBodySchema,
  },
  { method: "get", path: "/admin/keys/{id}", summary: "A key's name, limits and spend", who: "admin" },
  { method: "patch", path: "/admin/keys/{id}", summary: "Change a key's name or limits", who: "admin", body: patchKeyBodySchema },
  { method: "delete", path: "/admin/keys/{id}", summary: "Revoke a key", who: "admin" },
  {
    method: "post",
    path: "/admin/accounts/{id}/credits",
    summary: "Credit a balance, once for each reference",
    who: "admin",
    body: creditBody,
  },
  {
    method: "post",
    path: "/admin/accounts/{id}/refunds",
    summary: "Take a refunded payment off the balance, once for each reference; below zero it is a debt and the account is blocked",
    who: "admin",
    body: creditBody,
  },
  {
    method: "post",
    path: "/admin/accounts/{id}/chargebacks",
    summary: "The same for a payment that was charged back, with what the payment provider took for it",
    who: "admin",
    body: chargebackBody,
  },
  {
    method: "post",
    path: "/admin/accounts/{id}/adjustments",
    summary: "Correct a balance by hand, once for each reference",
    who: "admin",
    body: adjustmentBody,
  },
  {
    method: "post",
    path: "/admin/accounts/{id}/true-ups",
    summary: "Correct the charge of a request that has ended to what the provider reports, once",
    who: "admin",
    body: trueUpBody,
  },
  {
    method: "get",
    path: "/admin/accounts/{id}/ledger",
    summary: "Ledger entries and whether their hash chain holds; include=source adds the texts a hash covers",
    who: "admin",
    query: ["after_seq", "limit", "include"],
  },
  {
    method: "get",
    path: "/admin/accounts/{id}/audit",
    summary: "Chain, sums, house accounts and D1 compared; nothing is mended",
    who: "admin",
  },
  { method: "post", path: "/admin/accounts/{id}/freeze", summary: "Stop an account until it is restored", who: "admin" },
  {
    method: "post",
    path: "/admin/accounts/{id}/restore",
    summary: "Make an account whole after its object or the database was restored: freeze, replay, continue",
    who: "admin",
    body: restoreBody,
  },
  { method: "post", path: "/admin/reconcile", summary: "Compare ledgers with D1 and mend gaps", who: "admin", body: reconcileBody },
  {
    method: "get",
    path: "/admin/prices",
    summary: "The price document in force, or a stored one",
    who: "admin",
    answer: priceDocumentSchema,
    query: ["version", "number"],
  },
  { method: "get", path: "/admin/prices/versions", summary: "Every price document there was", who: "admin", query: ["limit", "cursor"] },
  { method: "get", path: "/admin/fx", summary: "The exchange rate in force, its age, and what becomes of an old one", who: "admin" },
  {
    method: "post",
    path: "/admin/fx/import",
    summary: "Import a central bank's daily rates (its XML as the body, or fetched from fx.url) as the next version of the prices",
    who: "admin",
    query: ["allow_older"],
  },
  {
    method: "post",
    path: "/admin/rerate",
    summary: "What past requests would have cost by other prices; a report only",
    who: "admin",
    body: rerateBody,
  },
  {
    method: "get",
    path: "/admin/report/facts",
    summary: "What the cost report is made from, a page of accounts at a time",
    who: "admin",
    answer: reportFactsSchema,
    query: ["cursor", "as_of"],
  },
  {
    method: "post",
    path: "/admin/archive",
    summary: "Move closed months to the archive, or read the archive back",
    who: "admin",
    body: archiveBody,
  },
  { method: "get", path: "/admin/shards", summary: "Which database keeps which usage rows", who: "admin", answer: shardMapSchema },
  { method: "put", path: "/admin/shards", summary: "Add databases from a coming month on", who: "admin", body: shardMapSchema },
  { method: "put", path: "/admin/prices", summary: "Put a new price document in force", who: "admin", body: priceDocumentSchema },
  {
    method: "get",
    path: "/admin/config",
    summary: "The configuration in force, or an earlier one by its number",
    who: "admin",
    answer: configDocumentSchema,
    query: ["number"],
  },
  { method: "get", path: "/admin/config/versions", summary: "Every configuration there was", who: "admin", query: ["limit", "cursor"] },
  { method: "put", path: "/admin/config", summary: "Put a new configuration in force", who: "admin", body: configDocumentSchema },
  {
    method: "get",
    path: "/admin/recordings/{id}",
    summary: "What providers answered to a request that was recorded, for `npm run replay`: its plan, each call, and the bodies as base64",
    who: "admin",
    answer: recordingViewSchema,
  },
  { method: "get", path: "/admin/dead-letters", summary: "Queue messages that could not be applied", who: "admin" },
  { method: "post", path: "/admin/dead-letters/replay", summary: "Send parked messages to the queue again", who: "admin" },
  { method: "get", path: "/metrics", summary: "Prometheus metrics", who: "nobody" },
  { method: "get", path: "/healthz", summary: "Whether the gateway answers", who: "nobody" },
];

function jsonContent(schema: z.ZodType | undefined): object {
  return schema === undefined
    ? {}
    : { content: { "application/json": { schema: z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) } } };
}

function operationOf(operation: Operation): object {
  const names = [...operation.path.matchAll(/\{(\w+)\}/g)].map((match) => ({
    name: match[1],
    in: "path",
    required: true,
    schema: { type: "string" },
  }));
  const query = (operation.query ?? []).map((name) => ({ name, in: "query", required: false, schema: { type: "string" } }));
  return {
    summary: operation.summary,
    security: operation.who === "nobody" ? [] : [{ [`${operation.who}Key`]: [] }],
    parameters: [...names, ...query, ...callHeaders(operation.path)],
    ...(operation.body === undefined ? {} : { requestBody: { required: true, ...jsonContent(operation.body) } }),
    responses: {
      "200": { description: "OK", ...jsonContent(operation.answer) },
      default: { description: "An error: code, message, param, details" },
    },
  };
}

function describe(): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const operation of OPERATIONS) paths[operation.path] = { ...paths[operation.path], [operation.method]: operationOf(operation) };
  return {
    openapi: "3.1.0",
    info: {
      title: "Plyrum",
      version: "0.1.0",
      description: "An AI gateway: any client protocol in, any provider out, every token billed exactly once.",
    },
    components: { securitySchemes: { clientKey: { type: "http", scheme: "bearer" }, adminKey: { type: "http", scheme: "bearer" } } },
    paths,
  };
}

export function registerOpenapi(app: Hono<AppEnv>): void {
  app.get("/openapi.json", (context) => context.json(describe()));
}
