/** `POST /v1/chat/completions`, `/v1/responses`, `/v1/messages` and their like: the edge of a completion. Reads the body within its bound and wires the engine's ports. */
import type { Context, Hono } from "hono";
import { failed, gatewayError, type GatewayError, type Outcome } from "../../schema/error.ts";
import { ownMember } from "../../schema/json.ts";
import { LIMITS } from "../../schema/limits.ts";
import type { Plan, ServeEnvelope } from "../../schema/plan.ts";
import type { ProtocolId } from "../../schema/protocol.ts";
import type { RoutingPreference } from "../../schema/routing.ts";
import { estimateInputTokens } from "../cost/estimate.ts";
import { isRateStale } from "../cost/exchange-rate.ts";
import { errorAnswer } from "../engine/answers.ts";
import { type CompletionPorts, type KnownCaller, type PlannedRequest, serveCompletion } from "../engine/serve-completion.ts";
import type { CanonicalRequest } from "../protocol/canonical.ts";
import { PROTOCOLS } from "../protocol/index.ts";
import { setMember, sliceAt } from "../protocol/json-text.ts";
import { NO_ADDRESS, type RequestAddress } from "../protocol/protocol.ts";
import { measurePrompt } from "../protocol/measure.ts";
import { appliedRates } from "../routing/applied-rates.ts";
import { makePlan } from "../routing/make-plan.ts";
import { resolveModel } from "../routing/resolve-model.ts";
import { fetchMedia, type MediaPorts } from "../runtime/fetch-media.ts";
import { discard, readBounded } from "../runtime/read-bounded.ts";
import type { AppEnv } from "./app-env.ts";
import { asConfigured } from "./attempt-settings.ts";
import { authenticate, hashText } from "./authenticate.ts";
import { catalogueOf } from "./catalogue.ts";
import { resolveState } from "./conversation.ts";
import { type Documents, loadDocuments } from "./documents.ts";
import { isEnsemble, planEnsemble } from "./ensembles.ts";
import type { ActiveProvider } from "./environment.ts";
import { deploymentsFor, fallbacksOf, withFallbacks } from "./fallbacks.ts";
import { newRequestId, ownByObject } from "./own-by-object.ts";
import { typeFault } from "./respond.ts";
import { guardRefusal } from "./prompt-guard.ts";
import { routePorts } from "./route-ports.ts";
import { AUTO, planOfRoute, type Routed, routeRequest } from "./route-request.ts";

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
  const state = protocol === "openai-responses" ? await resolveState(body.value, known.value.accountId, env) : null;
  if (state?.ok === false) return errorAnswer(PROTOCOLS[protocol], state.error, requestId);
  const call = { protocol, address, headers: context.req.raw.headers, bodyText: body.value, state: state?.value ?? null, receivedAt };
  return serveCompletion(call, portsOf(context, known.value, requestId));
}

function portsOf(context: Context<AppEnv>, caller: KnownCaller, requestId: string): CompletionPorts {
  const { env } = context;
  return {
    authenticate: () => ({ ok: true, value: caller }),
    plan: async (request, hint) => {
      const planned = await planFor(context, caller, request, hint);
      return planned.ok ? { ok: true, value: asConfigured(planned.value, (await documentsOf(context)).config) } : planned;
    },
    fetchMedia: (addresses) => fetchMedia(addresses, mediaPorts(env)),
    own: (envelope: Omit<ServeEnvelope, "request_id">) => ownByObject(envelope, requestId, env),
    hash: hashText,
    evidence: evidenceOf(env),
    requestId,
  };
}

/** The documents of this moment; read once in a while, so asking twice costs nothing. */
function documentsOf({ env, executionCtx }: Context<AppEnv>): Promise<Documents> {
  return loadDocuments(env, (work) => executionCtx.waitUntil(work));
}

/** A completion of our own for a caller: a request with an id, a hold and a charge of its own. */
function serveOwn(context: Context<AppEnv>, caller: KnownCaller, body: object): Promise<Response> {
  const call = {
    protocol: "openai-chat" as const,
    address: NO_ADDRESS,
    headers: new Headers(),
    bodyText: JSON.stringify(body),
    receivedAt: Date.now(),
  };
  return serveCompletion(call, portsOf(context, caller, newRequestId(0)));
}

/** Media's calls have a network of their own where one is bound; elsewhere the platform keeps a Worker's calls off private addresses. */
function mediaPorts(env: Env): MediaPorts {
  const network = env.MEDIA_NETWORK ?? globalThis;
  return {
    fetch: (url, init) => network.fetch(url, init),
    after: (milliseconds, action) => {
      const timer = setTimeout(action, milliseconds);
      return () => clearTimeout(timer);
    },
    guard: { allowsLoopback: evidenceOf(env) === "offline" },
  };
}

function evidenceOf(env: Env): "live" | "offline" {
  return env.PLYRUM_EVIDENCE === "offline" ? "offline" : "live";
}

/** The body as text, within its bound. */
export async function readBody(request: Request): Promise<Outcome<string>> {
  const fault = typeFault(request);
  const text = fault === null ? await readBounded(request, LIMITS.requestBodyBytes) : null;
  if (text !== null) return { ok: true, value: text };
  await discard(request.body, LIMITS.discardedBodyBytes);
  return failed(fault ?? tooLarge());
}

function tooLarge(): GatewayError {
  return gatewayError("request_too_large", `A request body may have at most ${LIMITS.requestBodyBytes} bytes.`, {
    suggestion: "Send less, or put files behind an address.",
  });
}

/** The plan of a request on the documents of this moment. */
async function planFor(
  context: Context<AppEnv>,
  caller: KnownCaller,
  request: CanonicalRequest,
  hint: string | null,
): Promise<Outcome<PlannedRequest>> {
  const { env } = context;
  const documents = await documentsOf(context);
  const refusal = guardRefusal(documents.config, request);
  if (refusal !== null) return failed(refusal);
  const catalogue = catalogueOf(documents, env);
  const target = ownMember(catalogue.table.aliases, request.model) ?? request.model;
  if (isEnsemble(target)) return ensembleFor(context, { ...request, model: target }, documents);
  if (target === AUTO && request.embedding === undefined) {
    const routed = await routeFor(context, caller, request, { hint });
    return routed.ok ? routedPlan(context, documents, routed.value) : routed;
  }
  const name = withoutCommands(request.model, env);
  const resolved = resolveModel(name, hint, { ...catalogue.table, home: catalogue.speakersOf(request.protocol) });
  if (!resolved.ok) return resolved;
  const slug = `${resolved.value.provider}/${resolved.value.model}`;
  const serving = catalogue.providerOf(slug);
  if (serving === null) throw new Error("a model was resolved that nobody serves");
  const priced = catalogue.snapshot(slug);
  if (priced === null) return failed(notPriced(slug, catalogue.table.pricedModels));
  const stale = staleRate(documents, Date.now());
  if (stale !== null) return failed(stale);
  const [provider, ...others] = deploymentsFor(serving, request);
  const model = resolved.value.model + request.model.slice(name.length);
  const planAt = ({ definition, baseUrl }: ActiveProvider): Outcome<Plan> =>
    makePlan({
      resolved: { ...resolved.value, model },
      provider: definition,
      baseUrl,
      callerProtocol: request.protocol,
      stream: request.stream,
      outputTokensMax: Math.min(priced.snapshot.max_output_tokens, LIMITS.outputTokensUnasked),
    });
  const plan = planAt(provider);
  if (!plan.ok) return plan;
  const elsewhere = others.flatMap((other) => {
    const attempts = planAt(other);
    return attempts.ok ? attempts.value.attempts.map((attempt) => ({ attempt, credential: other.credential, price: priced })) : [];
  });
  const further = fallbacksOf(slug, documents.config.model_fallbacks ?? {}, {
    catalogue,
    request,
    split: (written) => splitName(written, env),
  });
  const first = { plan: { ...plan.value, model: slug }, ...priced, credentials: [provider.credential] };
  const chain = withFallbacks(first, [...elsewhere, ...further]);
  const fetchesMedia = documents.config.fetch_media ?? "never";
  const rates = appliedRates(documents.config.ratelimits ?? [], slug, (header) => context.req.header(header) ?? null);
  return { ok: true, value: { ...chain, fetchesMedia, rates } };
}

/** The router's decision on a request. `preferences`: of this call, in place of the configuration's. */
export async function routeFor(
  context: Context<AppEnv>,
  caller: KnownCaller,
  request: CanonicalRequest,
  { hint, preferences = null }: { hint: string | null; preferences?: readonly RoutingPreference[] | null },
): Promise<Outcome<Routed>> {
  const { env } = context;
  const documents = await documentsOf(context);
  const session = context.req.header("x-model-affinity") ?? null;
  const split = (written: string): ReturnType<typeof splitName> => splitName(written, env);
  const call = { documents, catalogue: catalogueOf(documents, env), request, split, caller, hint, session, preferences };
  const ask = (body: object): Promise<Response> => serveOwn(context, caller, body);
  return routeRequest(call, routePorts(env, caller, { ask, keepAlive: (work) => context.executionCtx.waitUntil(work) }));
}

function routedPlan(context: Context<AppEnv>, documents: Documents, routed: Routed): Outcome<PlannedRequest> {
  const stale = staleRate(documents, Date.now());
  if (stale !== null) return failed(stale);
  const { config } = documents;
  const planned = planOfRoute(routed);
  const rates = appliedRates(config.ratelimits ?? [], planned.plan.model, (header) => context.req.header(header) ?? null);
  return { ok: true, value: { ...planned, fetchesMedia: config.fetch_media ?? "never", rates } };
}

/** The plan of a request that asks for several calls. */
function ensembleFor(context: Context<AppEnv>, request: CanonicalRequest, documents: Documents): Outcome<PlannedRequest> {
  const { env } = context;
  const { config } = documents;
  const stale = staleRate(documents, Date.now());
  if (stale !== null) return failed(stale);
  const planned = planEnsemble(request.model, config, {
    catalogue: catalogueOf(documents, env),
    request,
    split: (written) => splitName(written, env),
    seed: crypto.getRandomValues(new Uint32Array(1))[0] ?? 0,
  });
  if (!planned.ok) return planned;
  const rates = appliedRates(config.ratelimits ?? [], request.model, (header) => context.req.header(header) ?? null);
  return { ok: true, value: { ...planned.value, fetchesMedia: config.fetch_media ?? "never", rates } };
}

/** The offline provider takes commands after an `@` in the model name (scripts/offline); they are no part of the priced model. */
function withoutCommands(model: string, env: Env): string {
  const at = model.indexOf("@");
  return at === -1 || evidenceOf(env) === "live" ? model : model.slice(0, at);
}

function splitName(written: string, env: Env): { name: string; commands: string } {
  const name = withoutCommands(written, env);
  return { name, commands: written.slice(name.length) };
}

/** Refused only where the configuration says so: by default an old rate is a warning in metrics and log, and requests go on. */
function staleRate({ config, prices }: Documents, now: number): GatewayError | null {
  if (config.fx?.stale !== "refuse" || !isRateStale(prices.fx.date, now, config.fx)) return null;
  return gatewayError("overloaded", `The exchange rate is of ${prices.fx.date} and too old to charge by.`, {
    suggestion: "The operator imports a newer one with POST /admin/fx/import.",
  });
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
  bodyOf: (text) => (sliceAt(text, ["max_tokens"]) === null ? (setMember(text, ["max_tokens"], "1") ?? text) : text),
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
