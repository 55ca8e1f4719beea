/** `POST /v1/chat/completions` and `POST /v1/messages`: the edge of a completion. Reads the body within its bound and wires the engine's ports. */
import type { Context, Hono } from "hono";
import { failed, gatewayError, type GatewayError, type Outcome } from "../../schema/error.ts";
import { LIMITS } from "../../schema/limits.ts";
import type { ServeEnvelope } from "../../schema/plan.ts";
import type { ProtocolId } from "../../schema/protocol.ts";
import { estimateInputTokens } from "../cost/estimate.ts";
import { errorAnswer } from "../engine/answers.ts";
import { type PlannedRequest, serveCompletion } from "../engine/serve-completion.ts";
import type { CanonicalRequest } from "../protocol/canonical.ts";
import { PROTOCOLS } from "../protocol/index.ts";
import { measurePrompt } from "../protocol/measure.ts";
import { makePlan } from "../routing/make-plan.ts";
import { resolveModel } from "../routing/resolve-model.ts";
import { readBounded } from "../runtime/read-bounded.ts";
import type { AppEnv } from "./app-env.ts";
import { authenticate, hashText } from "./authenticate.ts";
import { catalogueOf } from "./catalogue.ts";
import { loadDocuments } from "./documents.ts";
import { ownByObject } from "./own-by-object.ts";

const ENDPOINTS: readonly { path: string; protocol: ProtocolId }[] = [
  { path: "/v1/chat/completions", protocol: "openai-chat" },
  { path: "/v1/messages", protocol: "anthropic-messages" },
];

export function registerCompletions(app: Hono<AppEnv>): void {
  for (const { path, protocol } of ENDPOINTS) app.post(path, (context) => complete(context, protocol));
  app.post("/v1/messages/count_tokens", countTokens);
}

async function complete(context: Context<AppEnv>, protocol: ProtocolId): Promise<Response> {
  const receivedAt = Date.now();
  const requestId = context.get("requestId");
  const { env } = context;
  const known = authenticate(context.req.raw.headers, context.req.url, env);
  if (!known.ok) return errorAnswer(PROTOCOLS[protocol], known.error, requestId);
  const body = await readBody(context.req.raw);
  if (!body.ok) return errorAnswer(PROTOCOLS[protocol], body.error, requestId);
  return serveCompletion(
    { protocol, headers: context.req.raw.headers, bodyText: body.value, receivedAt },
    {
      authenticate: () => known,
      plan: (request, hint) => planFor(context, request, hint),
      own: (envelope: Omit<ServeEnvelope, "request_id">) => ownByObject(envelope, requestId, env),
      hash: hashText,
      evidence: evidenceOf(env),
      requestId,
    },
  );
}

function evidenceOf(env: Env): "live" | "offline" {
  return env.PLYRUM_EVIDENCE === "offline" ? "offline" : "live";
}

/** The body as text, within its bound. */
async function readBody(request: Request): Promise<Outcome<string>> {
  const type = request.headers.get("content-type");
  if (type !== null && !/\bjson\b|^text\/plain|x-www-form-urlencoded/i.test(type)) {
    return failed(
      gatewayError("unsupported_media_type", `The body must be JSON, not ${type.slice(0, 100)}.`, {
        suggestion: "Send content-type: application/json.",
      }),
    );
  }
  const text = await readBounded(request, LIMITS.requestBodyBytes);
  return text === null ? failed(tooLarge()) : { ok: true, value: text };
}

function tooLarge(): GatewayError {
  return gatewayError("request_too_large", `A request body may have at most ${LIMITS.requestBodyBytes} bytes.`, {
    suggestion: "Send less, or put files behind an address.",
  });
}

/** The plan of a request on the documents of this moment. */
async function planFor(context: Context<AppEnv>, request: CanonicalRequest, hint: string | null): Promise<Outcome<PlannedRequest>> {
  const { env } = context;
  const catalogue = catalogueOf(await loadDocuments(env, (work) => context.executionCtx.waitUntil(work)), env);
  const name = withoutCommands(request.model, env);
  const resolved = resolveModel(name, hint, catalogue.table);
  if (!resolved.ok) return resolved;
  const slug = `${resolved.value.provider}/${resolved.value.model}`;
  const provider = catalogue.providers.get(resolved.value.provider);
  if (provider === undefined) throw new Error("a model was resolved to a provider that is off");
  const priced = catalogue.snapshot(slug);
  if (priced === null) return failed(notPriced(slug, catalogue.table.pricedModels));
  const plan = makePlan({
    resolved: { ...resolved.value, model: resolved.value.model + request.model.slice(name.length) },
    provider: provider.definition,
    baseUrl: provider.baseUrl,
    callerProtocol: request.protocol,
    outputTokensMax: Math.min(priced.snapshot.max_output_tokens, LIMITS.outputTokensUnasked),
  });
  return { ok: true, value: { plan: { ...plan, model: slug }, ...priced, credentials: [provider.credential] } };
}

/** The offline provider takes commands after an `@` in the model name (scripts/offline); they are no part of the priced model. */
function withoutCommands(model: string, env: Env): string {
  const at = model.indexOf("@");
  return at === -1 || evidenceOf(env) === "live" ? model : model.slice(0, at);
}

function notPriced(slug: string, priced: readonly string[]): GatewayError {
  return gatewayError("model_not_priced", `The model "${slug}" has no price, so it is not served.`, {
    param: "model",
    available: priced.slice(0, 50),
    suggestion: "Use a priced model, or have its price added with PUT /admin/prices.",
  });
}

/** Anthropic's token count: our estimate, free of charge; the provider's own count comes with the answer. */
async function countTokens(context: Context<AppEnv>): Promise<Response> {
  const protocol = PROTOCOLS["anthropic-messages"];
  const requestId = context.get("requestId");
  const known = authenticate(context.req.raw.headers, context.req.url, context.env);
  if (!known.ok) return errorAnswer(protocol, known.error, requestId);
  const body = await readBody(context.req.raw);
  if (!body.ok) return errorAnswer(protocol, body.error, requestId);
  const parsed = protocol.parseRequest(withMaxTokens(body.value));
  if (!parsed.ok) return errorAnswer(protocol, parsed.error, requestId);
  return Response.json(
    { input_tokens: estimateInputTokens(measurePrompt(parsed.value)) },
    { headers: { "x-plyrum-request-id": requestId } },
  );
}

/** A count has no output, so its body lacks the one field that a message must have. */
function withMaxTokens(bodyText: string): string {
  return /"max_tokens"\s*:/.test(bodyText) ? bodyText : bodyText.replace("{", '{"max_tokens":1,');
}
