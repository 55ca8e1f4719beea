/** `GET /v1/requests/:id` and its lifecycle events, from the object that owns the request. */
import type { Context, Hono } from "hono";
import { gatewayError } from "../../schema/error.ts";
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
  if (stored === null) return notFound(context);
  const account = context.env.ACCOUNT.get(context.env.ACCOUNT.idFromName(accountId));
  const ended = await account.entryOf(id);
  return context.json(viewRequest(stored, ended, ""));
}

async function streamEvents(context: Context<AppEnv>): Promise<Response> {
  const { accountId } = context.get("caller");
  const id = context.req.param("id") ?? "";
  const lane = laneOfRequestId(id);
  const after = Number(context.req.header("last-event-id") ?? 0);
  const events =
    lane === null ? null : await laneStub(accountId, lane, context.env).events(id, Number.isInteger(after) && after > 0 ? after : 0);
  if (events === null) return notFound(context);
  return new Response(events, {
    headers: { "content-type": "text/event-stream", "cache-control": "no-cache", "x-plyrum-request-id": context.get("requestId") },
  });
}
