/** `GET /v1/requests/:id` and its lifecycle events, from the object that owns the request; past its retention, from its usage row. */
import type { Context, Hono } from "hono";
import { type RecordedRequest, usageOfRequest } from "../../db/usage.ts";
import { gatewayError } from "../../schema/error.ts";
import { type RequestView, requestViewSchema } from "../../schema/request.ts";
import type { Usage } from "../../schema/usage.ts";
import { viewRequest } from "../engine/view-request.ts";
import type { AppEnv } from "./app-env.ts";
import { laneOfRequestId, laneStub } from "./own-by-object.ts";
import { errorResponse } from "./respond.ts";

export function registerRequests(app: Hono<AppEnv>): void {
  app.get("/v1/requests/:id", showRequest);
  app.get("/v1/requests/:id/events", streamEvents);
}

function notFound(context: Context<AppEnv>): Response {
  const error = gatewayError("request_not_found", "This account has no such request.", {
    suggestion: "Take the id from x-plyrum-request-id.",
  });
  return errorResponse(error, context.get("requestId"));
}

async function showRequest(context: Context<AppEnv>): Promise<Response> {
  const { accountId } = context.get("caller");
  const id = context.req.param("id") ?? "";
  const lane = laneOfRequestId(id);
  if (lane === null) return notFound(context);
  const stored = await laneStub(accountId, lane, context.env).request(id);
  if (stored === null) return showRecorded(context, id);
  const account = context.env.ACCOUNT.get(context.env.ACCOUNT.idFromName(accountId));
  const ended = await account.entryOf(id);
  return context.json(viewRequest(stored, ended, ""));
}

/** A request whose lane no longer keeps it. */
async function showRecorded(context: Context<AppEnv>, id: string): Promise<Response> {
  const row = await usageOfRequest(context.env.DB, context.get("caller").accountId, id);
  return row === null ? notFound(context) : context.json(viewOfRow(row));
}

function viewOfRow(row: RecordedRequest): RequestView {
  return requestViewSchema.parse({
    id: row.request_id,
    state: row.state === "settled" ? "recorded" : row.state,
    protocol: row.protocol,
    model: row.model,
    stream: row.stream === 1,
    plan: null,
    attempts: [],
    usage: usageOf(row),
    usage_source: row.usage_source,
    cost_micro_rub: row.cost_micro_rub,
    charged_micro_rub: row.charged_micro_rub,
    settlement: row.kind === "release" ? "released" : row.kind === "expire" ? "expired" : "settled",
    error: row.error_code === null ? null : { code: row.error_code, message: "The message of this error is no longer kept." },
    price_version: row.price_version,
    finish_reason: row.finish_reason,
    flagged: row.flagged,
    evidence: row.evidence,
    timings: { ttft_ms: row.ttft_ms, duration_ms: row.duration_ms, output_tokens_per_second: row.output_tokens_per_second },
    lifecycle: [],
  });
}

/** Null when no class of token is known. */
function usageOf(row: RecordedRequest): Usage | null {
  const { input_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, output_tokens, reasoning_tokens } = row;
  const usage = { input_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, output_tokens, reasoning_tokens };
  return Object.values(usage).every((tokens) => tokens === null) ? null : usage;
}

async function streamEvents(context: Context<AppEnv>): Promise<Response> {
  const { accountId } = context.get("caller");
  const id = context.req.param("id") ?? "";
  const lane = laneOfRequestId(id);
  const after = Number(context.req.header("last-event-id") ?? 0);
  const events =
    lane === null ? null : await laneStub(accountId, lane, context.env).events(id, Number.isSafeInteger(after) && after > 0 ? after : 0);
  if (events === null) return notFound(context);
  return new Response(events, {
    headers: { "content-type": "text/event-stream", "cache-control": "no-cache", "x-plyrum-request-id": context.get("requestId") },
  });
}
