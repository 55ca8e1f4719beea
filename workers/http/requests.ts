/** `GET /v1/requests/:id` and its lifecycle events, from the object that owns the request; past its retention, from its usage row. */
import type { Context, Hono } from "hono";
import { type RecordedRequest, usageOfRequest, usageStore } from "../../db/usage-rows.ts";
import { usageShards } from "../../db/usage-shards.ts";
import { gatewayError } from "../../schema/error.ts";
import { parseWith } from "../../schema/json.ts";
import { lifecycleFrameSchema, type RequestView, requestViewSchema } from "../../schema/request.ts";
import type { Usage } from "../../schema/usage.ts";
import { type EventsRendering, eventsRendering } from "../engine/lifecycle/events-rendering.ts";
import { viewRequest } from "../engine/view-request.ts";
import { createSseFramer } from "../protocol/sse.ts";
import type { AppEnv } from "./app-env.ts";
import { laneOfRequestId, laneStub } from "./own-by-object.ts";
import { errorResponse } from "./respond.ts";

export function registerRequests(app: Hono<AppEnv>): void {
  app.get("/v1/requests/:id", showRequest);
  app.get("/v1/requests/:id/events", streamEvents);
  app.get("/v1/requests/:id/stream", resumeStream);
  app.post("/v1/requests/:id/cancel", cancelRequest);
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
  const { env } = context;
  const { accountId } = context.get("caller");
  const store = usageStore((await usageShards(env)).of(accountId), env.ARCHIVE);
  const seq = async (): Promise<number | null> => (await env.ACCOUNT.get(env.ACCOUNT.idFromName(accountId)).entryOf(id))?.entry.seq ?? null;
  const row = await usageOfRequest(store, accountId, { id, seq });
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
  if (lane === null) return notFound(context);
  const owner = laneStub(accountId, lane, context.env);
  const headers = { "content-type": "text/event-stream", "cache-control": "no-cache", "x-plyrum-request-id": context.get("requestId") };
  const chosen = context.req.header("x-plyrum-lifecycle");
  if (chosen === "ag-ui" || chosen === "ai-ui") {
    // A run of these protocols begins with its beginning, whatever the client saw before.
    const stored = await owner.request(id);
    const frames = stored === null ? null : await owner.events(id, 0);
    if (stored === null || frames === null) return notFound(context);
    const rendering = eventsRendering(chosen, { requestId: id, plan: stored.facts.plan });
    return new Response(frames.pipeThrough(renderedFrames(rendering)), { headers: { ...headers, ...rendering.headers } });
  }
  const after = Number(context.req.header("last-event-id") ?? 0);
  const events = await owner.events(id, Number.isSafeInteger(after) && after > 0 ? after : 0);
  return events === null ? notFound(context) : new Response(events, { headers });
}

/** Our own frames as the lane sends them, in another protocol. */
function renderedFrames(rendering: EventsRendering): TransformStream<Uint8Array, Uint8Array> {
  const framer = createSseFramer();
  const encoder = new TextEncoder();
  return new TransformStream<Uint8Array, Uint8Array>({
    transform(bytes, controller) {
      for (const { data } of framer.push(bytes)) {
        const frame = data === null ? null : parseWith(lifecycleFrameSchema.loose(), data);
        if (frame?.ok === true) controller.enqueue(encoder.encode(rendering.frame(frame.value)));
      }
    },
  });
}

/** The number of an event that a caller has; -1 where it has none, null where it says something that is no number of an event. */
export function numberIn(text: string | undefined): number | null {
  if (text === undefined || text === "") return -1;
  const number = Number(text);
  return Number.isSafeInteger(number) && number >= -1 ? number : null;
}

/** A recorded stream from after the caller's last event on, byte for byte. */
async function resumeStream(context: Context<AppEnv>): Promise<Response> {
  const { accountId } = context.get("caller");
  const id = context.req.param("id") ?? "";
  const lane = laneOfRequestId(id);
  const after = numberIn(context.req.header("last-event-id") ?? context.req.query("after"));
  if (after === null) {
    const error = gatewayError("invalid_request", "Last-Event-ID is the number of the last event that came.", { param: "Last-Event-ID" });
    return errorResponse(error, context.get("requestId"));
  }
  const resumed = lane === null ? null : await laneStub(accountId, lane, context.env).resume(id, after);
  if (resumed !== null) return resumed;
  const error = gatewayError("request_not_found", "This account has no recorded stream of such a request.", {
    suggestion: "Ask for the stream with x-plyrum-resumable: 1, and take the id from x-plyrum-request-id. It is kept for a day.",
  });
  return errorResponse(error, context.get("requestId"));
}

/** Ends a recorded request that runs without its caller; charged is what was used. */
async function cancelRequest(context: Context<AppEnv>): Promise<Response> {
  const { accountId } = context.get("caller");
  const id = context.req.param("id") ?? "";
  const lane = laneOfRequestId(id);
  const stub = lane === null ? null : laneStub(accountId, lane, context.env);
  if (stub === null || (await stub.request(id)) === null) return notFound(context);
  if (await stub.cancel(id)) return context.json({ id, cancelled: true });
  const error = gatewayError("invalid_transition", "The request has ended, or ends with its connection.", {
    suggestion: "Only a recorded stream, or an answer made in the background, can be cancelled.",
  });
  return errorResponse(error, context.get("requestId"));
}
