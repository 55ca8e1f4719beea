/**
 * `POST /routing/v1/…`: the router's decision on a request, without running it. Nothing is held or charged, but for the question to a router
 * model where the configuration names one. The body's own model does not matter; `routing_preferences` in it count for this call.
 */
import type { Context, Hono } from "hono";
import { checkWith } from "../../schema/json.ts";
import { gatewayError } from "../../schema/error.ts";
import type { ProtocolId } from "../../schema/protocol.ts";
import { type RoutingAnswer, type RoutingDecision, type RoutingPreference, routingPreferencesSchema } from "../../schema/routing.ts";
import { errorAnswer } from "../engine/answers.ts";
import { PROTOCOLS } from "../protocol/index.ts";
import { NO_ADDRESS } from "../protocol/protocol.ts";
import type { AppEnv } from "./app-env.ts";
import { readBody, routeFor } from "./completions.ts";

const ENDPOINTS: readonly { path: string; protocol: ProtocolId }[] = [
  { path: "/routing/v1/chat/completions", protocol: "openai-chat" },
  { path: "/routing/v1/responses", protocol: "openai-responses" },
  { path: "/routing/v1/messages", protocol: "anthropic-messages" },
];

export function registerRouting(app: Hono<AppEnv>): void {
  for (const { path, protocol } of ENDPOINTS) app.post(path, (context) => answerRoute(context, protocol));
}

async function answerRoute(context: Context<AppEnv>, protocolId: ProtocolId): Promise<Response> {
  const requestId = context.get("requestId");
  const { accountId, keyHash } = context.get("caller");
  const protocol = PROTOCOLS[protocolId];
  const body = await readBody(context.req.raw);
  if (!body.ok) return errorAnswer(protocol, body.error, requestId);
  const parsed = protocol.parseRequest(body.value, NO_ADDRESS);
  if (!parsed.ok) return errorAnswer(protocol, parsed.error, requestId);
  const { routing_preferences: own, ...rest } = parsed.value.rest;
  const preferences = own === undefined ? { ok: true as const, value: null } : checkWith(routingPreferencesSchema, own);
  if (!preferences.ok) {
    const where = ["routing_preferences", preferences.path].filter((part) => part !== null).join(".");
    return errorAnswer(protocol, gatewayError("invalid_request", preferences.message, { param: where }), requestId);
  }
  const hint = context.req.header("x-plyrum-provider-hint") ?? context.req.header("x-arch-llm-provider-hint") ?? null;
  const request = { ...parsed.value, rest };
  const routed = await routeFor(context, { accountId, keyHash }, request, { hint, preferences: chosenPreferences(preferences.value) });
  if (!routed.ok) return errorAnswer(protocol, routed.error, requestId);
  const { decision } = routed.value;
  const session = context.req.header("x-model-affinity") ?? null;
  if (session !== null) await keepSession(context, accountId, decision);
  const answer: RoutingAnswer = {
    models: decision.candidates.flatMap(({ model, excluded }) => (excluded === null ? [model] : [])),
    route: decision.route,
    trace_id: traceId(context.req.header("traceparent")) ?? requestId,
    session_id: session,
    pinned: decision.pinned,
    switched: decision.switched,
    decision,
  };
  return context.json(answer, 200, { "x-plyrum-request-id": requestId });
}

function chosenPreferences(own: RoutingPreference[] | null): RoutingPreference[] | null {
  return own === null || own.length === 0 ? null : own;
}

/** Whoever names a conversation asks for the same model again, here and in `model: "auto"`. */
async function keepSession(
  context: Context<AppEnv>,
  accountId: string,
  { conversation, model, route, prompt }: RoutingDecision,
): Promise<void> {
  const account = context.env.ACCOUNT.get(context.env.ACCOUNT.idFromName(accountId));
  await account.pinConversation({ conversation, model, route, level: prompt.difficulty.level });
}

/** The trace's id in a W3C `traceparent`; null for anything else. */
function traceId(traceparent: string | undefined): string | null {
  return /^[0-9a-f]{2}-([0-9a-f]{32})-/.exec(traceparent ?? "")?.[1] ?? null;
}
