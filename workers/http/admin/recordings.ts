/** `GET /admin/recordings/:id`: what upstreams sent for a request that was recorded, for `npm run replay`. */
import type { Context, Hono } from "hono";
import { readRecording } from "../../../db/recordings.ts";
import { gatewayError } from "../../../schema/error.ts";
import { base64OfBytes } from "../../protocol/base64.ts";
import type { AppEnv } from "../app-env.ts";
import { laneOfRequestId } from "../own-by-object.ts";
import { errorResponse } from "../respond.ts";

export function registerRecordings(app: Hono<AppEnv>): void {
  app.get("/admin/recordings/:id", showRecording);
}

async function showRecording(context: Context<AppEnv>): Promise<Response> {
  const id = context.req.param("id") ?? "";
  const found = laneOfRequestId(id) === null ? null : await readRecording(context.env.ARCHIVE, id, Date.now());
  if (found !== null) return context.json({ recording: found.recording, bodies: found.bodies.map(base64OfBytes) });
  const error = gatewayError("request_not_found", "Nothing of such a request is recorded.", {
    suggestion: "`record` in the configuration turns recording on; with `on_request` the call says `x-plyrum-record: 1`.",
  });
  return errorResponse(error, context.get("requestId"));
}
