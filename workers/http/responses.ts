/**
 * `/v1/responses/:id` and what is below it: an answer that is kept, polled, followed, called off or deleted. An answer still being made is
 * asked of the object that makes it, which the kept answer names by its request.
 */
import type { Context, Hono } from "hono";
import type { FoundResponse, KeptItem } from "../../schema/conversation.ts";
import { gatewayError } from "../../schema/error.ts";
import { LIMITS } from "../../schema/limits.ts";
import type { AppEnv } from "./app-env.ts";
import { laneOfRequestId, laneStub } from "./own-by-object.ts";
import { numberIn } from "./requests.ts";
import { errorResponse } from "./respond.ts";

export function registerResponses(app: Hono<AppEnv>): void {
  app.get("/v1/responses/:id", show);
  app.delete("/v1/responses/:id", remove);
  app.post("/v1/responses/:id/cancel", cancel);
  app.get("/v1/responses/:id/input_items", listInput);
}

function conversations({ env, get }: Context<AppEnv>): ReturnType<Env["CONVERSATION"]["get"]> {
  return env.CONVERSATION.get(env.CONVERSATION.idFromName(get("caller").accountId));
}

function idOf(context: Context<AppEnv>): string {
  return (context.req.param("id") ?? "").slice(0, LIMITS.responseIdCharacters);
}

function notFound(context: Context<AppEnv>): Response {
  const error = gatewayError("not_found", `Response with id '${idOf(context)}' not found.`, {
    suggestion: "Answers are kept for 30 days unless store is false.",
  });
  return errorResponse(error, context.get("requestId"));
}

function isUnderWay({ status }: FoundResponse): boolean {
  return status === "queued" || status === "in_progress";
}

/** The answer; one that is said to be under way is asked about at its owner, since an owner that died ends it when it is woken. */
async function find(context: Context<AppEnv>): Promise<FoundResponse | null> {
  const found = await conversations(context).find(idOf(context));
  const lane = found === null ? null : laneOfRequestId(found.request_id);
  if (found === null || lane === null || !isUnderWay(found)) return found;
  await laneStub(context.get("caller").accountId, lane, context.env).request(found.request_id);
  return conversations(context).find(idOf(context));
}

function bodyOf(context: Context<AppEnv>, { body, request_id }: FoundResponse): Response {
  return new Response(body, {
    headers: { "content-type": "application/json", "x-plyrum-request-id": request_id || context.get("requestId") },
  });
}

async function show(context: Context<AppEnv>): Promise<Response> {
  const found = await find(context);
  if (found === null) return notFound(context);
  return context.req.query("stream") === "true" ? follow(context, found) : bodyOf(context, found);
}

async function follow(context: Context<AppEnv>, { request_id }: FoundResponse): Promise<Response> {
  const after = numberIn(context.req.query("starting_after"));
  const lane = laneOfRequestId(request_id);
  const resumed =
    lane === null || after === null ? null : await laneStub(context.get("caller").accountId, lane, context.env).resume(request_id, after);
  if (resumed !== null) return resumed;
  const error = gatewayError("invalid_request", "There is no stream of this answer to follow.", {
    param: after === null ? "starting_after" : "stream",
    suggestion: "Ask for it in the background, or with x-plyrum-resumable: 1; streams are kept for a day.",
  });
  return errorResponse(error, context.get("requestId"));
}

async function remove(context: Context<AppEnv>): Promise<Response> {
  const id = idOf(context);
  const found = await conversations(context).find(id);
  if (found === null || !(await conversations(context).remove(id))) return notFound(context);
  // Nobody can ask for it any more.
  if (found.background && isUnderWay(found)) await cancelAtOwner(context, found);
  return context.json({ id, object: "response", deleted: true });
}

async function cancelAtOwner(context: Context<AppEnv>, { request_id }: FoundResponse): Promise<void> {
  const lane = laneOfRequestId(request_id);
  if (lane !== null) await laneStub(context.get("caller").accountId, lane, context.env).cancel(request_id);
}

/** What has ended stays as it ended. */
async function cancel(context: Context<AppEnv>): Promise<Response> {
  const found = await find(context);
  if (found === null) return notFound(context);
  if (!found.background) {
    const error = gatewayError("invalid_request", "Only an answer that is made in the background can be cancelled.", {
      suggestion: "Close the connection of any other.",
    });
    return errorResponse(error, context.get("requestId"));
  }
  if (isUnderWay(found)) await cancelAtOwner(context, found);
  return bodyOf(context, (await conversations(context).find(idOf(context))) ?? found);
}

/** What an answer was given from, the newest item first unless asked otherwise, a page at a time. */
async function listInput(context: Context<AppEnv>): Promise<Response> {
  const items = await conversations(context).inputOf(idOf(context));
  if (items === null) return notFound(context);
  const { order, after, limit } = context.req.query();
  const count = Math.min(Math.max(Math.trunc(Number(limit ?? 20)) || 20, 1), 100);
  const listed: KeptItem[] = order === "asc" ? items : items.toReversed();
  const from = after === undefined ? 0 : listed.findIndex(({ id }) => id === after) + 1;
  const page = listed.slice(from, from + count);
  const text = `{"object":"list","data":[${page.map((item) => item.text).join(",")}],"first_id":${idText(page[0])},"last_id":${idText(page.at(-1))},"has_more":${from + count < listed.length}}`;
  return new Response(text, { headers: { "content-type": "application/json", "x-plyrum-request-id": context.get("requestId") } });
}

function idText(item: KeptItem | undefined): string {
  return JSON.stringify(item?.id ?? null);
}
