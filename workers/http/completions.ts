/** `POST /v1/chat/completions`, `/v1/responses`, `/v1/messages` and their like: the edge of a completion. Reads the body within its bound and wires the engine's ports. */
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
import { NO_ADDRESS, type RequestAddress } from "../protocol/protocol.ts";
import { measurePrompt } from "../protocol/measure.ts";
import { makePlan } from "../routing/make-plan.ts";
import { resolveModel } from "../routing/resolve-model.ts";
import { readBounded } from "../runtime/read-bounded.ts";
import type { AppEnv } from "./app-env.ts";
import { authenticate, hashText } from "./authenticate.ts";
import { catalogueOf } from "./catalogue.ts";
import { loadDocuments } from "./documents.ts";
import { ownByObject } from "./own-by-object.ts";
import { typeFault } from "./respond.ts";

/** Where callers of each protocol post. `:model` in a path names the model; `stream` is the path's own word on streaming, null where the body says it. */
const ENDPOINTS: readonly { path: string; protocol: ProtocolId; stream: boolean | null }[] = [
  { path: "/v1/chat/completions", protocol: "openai-chat", stream: null },
  { path: "/v1/responses", protocol: "openai-responses", stream: null },
  { path: "/v1/messages", protocol: "anthropic-messages", stream: null },
  { path: "/model/:model{.+}/converse", protocol: "bedrock-converse", stream: false },
  { path: "/model/:model{.+}/converse-stream", protocol: "bedrock-converse", stream: true },
  { path: "/api/chat", protocol: "ollama-chat", stream: null },
  { path: "/api/generate", protocol: "ollama-generate", stream: null },
  { path: "/v1/embeddings", protocol: "openai-embeddings", stream: null },
];

export function registerCompletions(app: Hono<AppEnv>): void {
  for (const { path, protocol, stream } of ENDPOINTS) {
    app.post(path, (context) => complete(context, protocol, { model: context.req.param("model") ?? null, stream }));
  }
  app.post("/v1/messages/count_tokens", (context) => countTokens(context, MESSAGES_COUNT));
}

/** One call from its first byte to its answer. `address` is what the path says of it. */
export async function complete(context: Context<AppEnv>, protocol: ProtocolId, address: RequestAddress): Promise<Response> {
  const receivedAt = Date.now();
  const requestId = context.get("requestId");
  const { env } = context;
  const known = authenticate(context.req.raw.headers, context.req.url, env);
  if (!known.ok) return errorAnswer(PROTOCOLS[protocol], known.error, requestId);
  const body = await readBody(context.req.raw);
  if (!body.ok) return errorAnswer(PROTOCOLS[protocol], body.error, requestId);
  return serveCompletion(
    { protocol, address, headers: context.req.raw.headers, bodyText: body.value, receivedAt },
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
  const fault = typeFault(request);
  if (fault !== null) return failed(fault);
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
  const resolved = resolveModel(name, hint, { ...catalogue.table, home: catalogue.speakersOf(request.protocol) });
  if (!resolved.ok) return resolved;
  const slug = `${resolved.value.provider}/${resolved.value.model}`;
  const provider = catalogue.providerOf(slug);
  if (provider === null) throw new Error("a model was resolved that nobody serves");
  const priced = catalogue.snapshot(slug);
  if (priced === null) return failed(notPriced(slug, catalogue.table.pricedModels));
  const plan = makePlan({
    resolved: { ...resolved.value, model: resolved.value.model + request.model.slice(name.length) },
    provider: provider.definition,
    baseUrl: provider.baseUrl,
    callerProtocol: request.protocol,
    stream: request.stream,
    outputTokensMax: Math.min(priced.snapshot.max_output_tokens, LIMITS.outputTokensUnasked),
  });
  if (!plan.ok) return plan;
  return { ok: true, value: { plan: { ...plan.value, model: slug }, ...priced, credentials: [provider.credential] } };
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

/** How callers of one protocol ask for a token count and read the answer. */
export interface TokenCount {
  protocol: ProtocolId;
  address: RequestAddress;
  /** The request to count, from the body of the call. */
  bodyOf: (bodyText: string) => string;
  answerOf: (inputTokens: number) => object;
}

const MESSAGES_COUNT: TokenCount = {
  protocol: "anthropic-messages",
  address: NO_ADDRESS,
  // A count has no output, so its body lacks the one field that a message must have.
  bodyOf: (text) => (/"max_tokens"\s*:/.test(text) ? text : text.replace("{", '{"max_tokens":1,')),
  answerOf: (input_tokens) => ({ input_tokens }),
};

/** A token count: our estimate, free of charge; the provider's own count comes with the answer. */
export async function countTokens(context: Context<AppEnv>, count: TokenCount): Promise<Response> {
  const protocol = PROTOCOLS[count.protocol];
  const requestId = context.get("requestId");
  const known = authenticate(context.req.raw.headers, context.req.url, context.env);
  if (!known.ok) return errorAnswer(protocol, known.error, requestId);
  const body = await readBody(context.req.raw);
  if (!body.ok) return errorAnswer(protocol, body.error, requestId);
  const parsed = protocol.parseRequest(count.bodyOf(body.value), count.address);
  if (!parsed.ok) return errorAnswer(protocol, parsed.error, requestId);
  return Response.json(count.answerOf(estimateInputTokens(measurePrompt(parsed.value))), { headers: { "x-plyrum-request-id": requestId } });
}
