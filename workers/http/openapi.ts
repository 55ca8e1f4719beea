/** `GET /openapi.json`, made from the same schemas that check the bodies, and `GET /docs`, a plain page of it. */
import type { Context, Hono } from "hono";
import { z } from "zod";
import { createAccountBody, creditBody, reconcileBody } from "../../schema/api.ts";
import { configDocumentSchema } from "../../schema/document.ts";
import { createKeyBodySchema } from "../../schema/key.ts";
import { priceDocumentSchema } from "../../schema/price.ts";
import { requestViewSchema } from "../../schema/request.ts";
import type { AppEnv } from "./app-env.ts";

interface Operation {
  method: "get" | "post" | "put" | "delete";
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
  { method: "post", path: "/admin/accounts", summary: "Create an account", who: "admin", body: createAccountBody },
  { method: "get", path: "/admin/accounts", summary: "Accounts by id", who: "admin", query: ["after"] },
  { method: "get", path: "/admin/accounts/{id}", summary: "An account's balance and keys", who: "admin" },
  { method: "post", path: "/admin/accounts/{id}/keys", summary: "Create a key; it is shown once", who: "admin", body: createKeyBodySchema },
  { method: "delete", path: "/admin/keys/{id}", summary: "Revoke a key", who: "admin" },
  {
    method: "post",
    path: "/admin/accounts/{id}/credits",
    summary: "Credit a balance, once for each reference",
    who: "admin",
    body: creditBody,
  },
  { method: "get", path: "/admin/accounts/{id}/ledger", summary: "Ledger entries", who: "admin", query: ["after_seq", "limit"] },
  { method: "post", path: "/admin/reconcile", summary: "Compare ledgers with D1 and mend gaps", who: "admin", body: reconcileBody },
  { method: "get", path: "/admin/prices", summary: "The price document in force", who: "admin", answer: priceDocumentSchema },
  { method: "put", path: "/admin/prices", summary: "Put a new price document in force", who: "admin", body: priceDocumentSchema },
  { method: "get", path: "/admin/config", summary: "The configuration in force", who: "admin", answer: configDocumentSchema },
  { method: "put", path: "/admin/config", summary: "Put a new configuration in force", who: "admin", body: configDocumentSchema },
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
    parameters: [...names, ...query],
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
  app.get("/docs", docs);
}

function docs(context: Context<AppEnv>): Response | Promise<Response> {
  const rows = OPERATIONS.map(
    ({ method, path, summary, who }) => `<tr><td><code>${method.toUpperCase()} ${path}</code></td><td>${summary}</td><td>${who}</td></tr>`,
  );
  return context.html(`<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Plyrum API</title>
<h1>Plyrum API</h1><p>Machine-readable: <a href="/openapi.json">/openapi.json</a></p>
<table><thead><tr><th>Endpoint</th><th>What it does</th><th>Key</th></tr></thead><tbody>${rows.join("")}</tbody></table></html>`);
}
