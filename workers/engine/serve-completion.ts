/**
 * One completion, from a caller's bytes to an answer: authenticate → parse → plan → fetch media → render → hold → hand over to the owner,
 * who admits, runs and settles (own-request.ts). Everything before the hand-over is free of side effects: a refusal here changed nothing.
 */
import type { ConversationCall } from "../../schema/conversation.ts";
import { failed, gatewayError, type Outcome } from "../../schema/error.ts";
import type { PromptMeasure } from "../../schema/estimate.ts";
import { LIMITS } from "../../schema/limits.ts";
import { lifecycleChoiceSchema, type Plan, type ServeEnvelope } from "../../schema/plan.ts";
import type { PriceSnapshot } from "../../schema/price.ts";
import type { ProtocolId } from "../../schema/protocol.ts";
import type { AppliedRate } from "../../schema/rate.ts";
import type { RecordPolicy } from "../../schema/recording.ts";
import { parseTraceparent } from "../../schema/trace.ts";
import { holdOf } from "../cost/cost.ts";
import { boundInputTokens, estimateInputTokens } from "../cost/estimate.ts";
import type { CanonicalRequest } from "../protocol/canonical.ts";
import { PROTOCOLS } from "../protocol/index.ts";
import type { RequestAddress } from "../protocol/protocol.ts";
import { measurePrompt } from "../protocol/measure.ts";
import type { MediaOutcome } from "../runtime/fetch-media.ts";
import { errorAnswer } from "./answers.ts";
import { addressesToFetch, fetchedOrRefused, type MediaByAddress, withAllMedia } from "./linked-media.ts";
import { ensembleBounds } from "./mixture/bounds.ts";
import { renderLegs } from "./mixture/render-legs.ts";
import { renderAttempt } from "./render-attempt.ts";

/** A call that rested on what is kept for its account, with that in its body. */
export interface ResolvedState {
  bodyText: string;
  /** The provider by whose id each earlier item goes. */
  origins: ReadonlyMap<string, string>;
  /** How the answer is to be kept; null when it is not. */
  conversation: ConversationCall | null;
}

/** A caller's call, as the HTTP edge took it. */
export interface CompletionCall {
  protocol: ProtocolId;
  address: RequestAddress;
  headers: Headers;
  bodyText: string;
  /** What it rests on beside its body; its own text then differs from the one the caller sent. */
  state?: ResolvedState | null;
  receivedAt: number;
}

/** Who calls: known from the key's own text, before any storage was asked. */
export interface KnownCaller {
  accountId: string;
  keyHash: string;
}

export interface PlannedRequest {
  plan: Plan;
  snapshot: PriceSnapshot;
  /** The same snapshot as JSON text, as the hold stores it. */
  snapshotText: string;
  /** The prices of every attempt by index, where the plan has several. */
  prices?: { snapshot: PriceSnapshot; snapshotText: string }[];
  /** One for each attempt; null where the address takes calls without. */
  credentials: (string | null)[];
  /** Rates of the configuration that count this call. */
  rates: AppliedRate[];
  /** How the deployment records what upstreams answer (schema/recording.ts); left out: not at all. */
  record?: RecordPolicy | undefined;
  /** Whether the deployment fetches media from addresses (schema/document.ts). */
  fetchesMedia: "never" | "on_request" | "always";
}

export interface CompletionPorts {
  authenticate: () => Outcome<KnownCaller>;
  /** The plan for this request, the price it is held and settled by, and the credential of each attempt. */
  plan: (request: CanonicalRequest, hint: string | null) => Promise<Outcome<PlannedRequest>>;
  /** Fetches media from the addresses that callers name. */
  fetchMedia: (addresses: Iterable<string>) => Promise<MediaOutcome>;
  /** Hands the request to the object that owns it from here on. */
  own: (envelope: Omit<ServeEnvelope, "request_id">) => Promise<Response>;
  hash: (text: string) => string;
  evidence: "live" | "offline";
  /** Id shown with an error that no object ever saw. */
  requestId: string;
}

/** Serves one call. Always answers; every refusal is in the caller's own protocol. */
export async function serveCompletion(call: CompletionCall, ports: CompletionPorts): Promise<Response> {
  const protocol = PROTOCOLS[call.protocol];
  const prepared = await prepare(call, ports);
  return prepared.ok ? ports.own(prepared.value) : errorAnswer(protocol, prepared.error, ports.requestId);
}

async function prepare(call: CompletionCall, ports: CompletionPorts): Promise<Outcome<Omit<ServeEnvelope, "request_id">>> {
  const caller = ports.authenticate();
  if (!caller.ok) return caller;
  const bodyText = call.state?.bodyText ?? call.bodyText;
  const parsed = PROTOCOLS[call.protocol].parseRequest(bodyText, call.address);
  if (!parsed.ok) return parsed;
  const request = parsed.value;
  if (!isModelName(request.model)) return badModelName();
  const planned = await ports.plan(request, hintOf(call.headers));
  if (!planned.ok) return planned;
  const { plan: whole, snapshot, snapshotText } = planned.value;
  const media = await linkedMedia(call, request, planned.value, ports);
  if (!media.ok) return media;
  const lossy = call.headers.get("x-plyrum-compat") === "lossy";
  const references_mark = whole.ensemble === undefined ? undefined : `references-${ports.requestId}`;
  const input = { bodyText, request: withoutKept(request, call), plan: whole, lossy, media: media.value, origins: call.state?.origins };
  const rendered = references_mark === undefined ? renderAttempt(input) : renderLegs({ ...input, mark: references_mark });
  if (!rendered.ok) return rendered;
  const { plan, prices, credentials } = onlyKept(planned.value, rendered.value.kept);
  const { ensemble } = plan;
  const snapshots = prices?.map((price) => price.snapshot) ?? [snapshot];
  const idempotencyKey = call.headers.get("idempotency-key");
  const fault = headerFault(call) ?? conversationFault(call, rendered.value.bodies);
  if (fault !== null) return fault;
  const measure = measurePrompt(withAllMedia(request, media.value));
  const inputTokensMax = boundInputTokens(measure);
  const bounds = {
    inputTokensMax,
    outputTokensMax: request.maxOutputTokens ?? plan.output_tokens_max,
    choices: request.choices,
    inputs: request.embedding === undefined ? 1 : request.turns.length,
  };
  return {
    ok: true,
    value: {
      account_id: caller.value.accountId,
      key_hash: caller.value.keyHash,
      protocol: call.protocol,
      stream: request.stream,
      wants_stream_usage: request.wantsStreamUsage,
      embedding_encoding: request.embedding?.encoding ?? null,
      plan,
      bodies: rendered.value.bodies,
      credentials,
      caller_headers: passedHeaders(call.headers, plan),
      answer_headers: { ...rendered.value.headers, ...routeHeader(plan) },
      snapshot: snapshotText,
      ...(prices === undefined ? {} : { snapshots: prices.map((price) => price.snapshotText) }),
      ...(references_mark === undefined ? {} : { references_mark }),
      ...(ensemble === undefined
        ? { hold_micro_rub: dearest(snapshots, bounds).toString(), ...countedTokens(request, measure, bounds) }
        : ensembleBounds(ensemble, snapshots, measure)),
      rates: planned.value.rates,
      measure,
      idempotency_key: idempotencyKey,
      body_hash: idempotencyKey === null ? null : ports.hash(callText(call)),
      ...leavingOf(call, request.stream),
      conversation: isTooLargeToKeep(call, rendered.value.bodies) ? null : (call.state?.conversation ?? null),
      raw: call.headers.get("x-plyrum-raw") === "1",
      record: recordingOf(call.headers, planned.value.record),
      trace: parseTraceparent(call.headers.get("traceparent")),
      received_at: call.receivedAt,
      evidence: ports.evidence,
    },
  };
}

/** Recorded only where the deployment does so, and its caller has nothing against it. */
function recordingOf(headers: Headers, policy: RecordPolicy | undefined): ServeEnvelope["record"] {
  const asked = headers.get("x-plyrum-record");
  const isOn = policy?.upstream === true ? asked !== "0" : policy?.upstream === "on_request" && asked === "1";
  return policy !== undefined && isOn ? { keep_days: policy.keep_days } : null;
}

/** What becomes of the answer when its caller leaves, and what a caller who stays is told of the request's life. */
function leavingOf(
  { headers, state, protocol }: CompletionCall,
  stream: boolean,
): Pick<ServeEnvelope, "on_disconnect" | "resumable" | "lifecycle"> {
  const isBackground = state?.conversation?.background === true;
  const asked = isBackground || headers.get(RESUMABLE) === "1";
  const resumable = asked && stream && PROTOCOLS[protocol].framing === "sse";
  return {
    on_disconnect: resumable || headers.get("x-plyrum-on-disconnect") === "finish" ? "finish" : "cancel",
    resumable,
    lifecycle: isBackground ? "off" : lifecycleChoiceSchema.nullable().parse(headers.get("x-plyrum-lifecycle")),
  };
}

/** Input that is kept travels beside the rendered bodies, and all of it fits one message or it stays behind. */
function isTooLargeToKeep({ state }: CompletionCall, bodies: readonly Uint8Array[]): boolean {
  const size = bodies.reduce((sum, body) => sum + body.byteLength, state?.conversation?.input.byteLength ?? 0);
  return size > LIMITS.renderedBodyBytes;
}

function conversationFault(call: CompletionCall, bodies: readonly Uint8Array[]): Outcome<never> | null {
  if (call.state?.conversation?.background !== true || !isTooLargeToKeep(call, bodies)) return null;
  return failed(gatewayError("request_too_large", "This call is too large to run in the background.", { param: "background" }));
}

/** That the answer be kept is our affair, and no loss for a provider that keeps none. */
function withoutKept(request: CanonicalRequest, { state }: CompletionCall): CanonicalRequest {
  if (!state || request.rest["store"] !== true) return request;
  const { store: _, ...rest } = request.rest;
  return { ...request, rest };
}

/** The candidates that can be given this request without losing any of it. */
function onlyKept(planned: PlannedRequest, kept: readonly number[]): Pick<PlannedRequest, "plan" | "prices" | "credentials"> {
  const { plan, prices, credentials } = planned;
  const isKept = (_: unknown, index: number): boolean => kept.includes(index);
  return {
    plan: { ...plan, attempts: plan.attempts.filter(isKept) },
    credentials: credentials.filter(isKept),
    ...(prices === undefined ? {} : { prices: prices.filter(isKept) }),
  };
}

/** The hold covers whichever candidate will answer. */
function dearest(snapshots: readonly PriceSnapshot[], bounds: Parameters<typeof holdOf>[1]): bigint {
  return snapshots.map((snapshot) => holdOf(snapshot, bounds)).reduce((most, hold) => (hold > most ? hold : most));
}

/** What a rate of tokens takes for the request at first, and what must be there for it to begin. An embedding has no output. */
function countedTokens(
  request: CanonicalRequest,
  measure: PromptMeasure,
  bounds: { inputTokensMax: number; outputTokensMax: number; choices: number },
): Pick<ServeEnvelope, "tokens_bound" | "tokens_likely"> {
  const outputTokens = request.embedding === undefined ? bounds.outputTokensMax : 0;
  return {
    tokens_bound: Math.min(bounds.inputTokensMax + outputTokens * bounds.choices, Number.MAX_SAFE_INTEGER),
    tokens_likely: estimateInputTokens(measure) + Math.min(outputTokens, LIMITS.outputTokensLikely) * bounds.choices,
  };
}

/** Media that some attempt needs as bytes, where the deployment fetches it and the caller has it so. */
async function linkedMedia(
  { headers, bodyText }: CompletionCall,
  request: CanonicalRequest,
  { plan, fetchesMedia }: PlannedRequest,
  ports: CompletionPorts,
): Promise<Outcome<MediaByAddress>> {
  const asked = headers.get("x-plyrum-fetch-media");
  const isOn = fetchesMedia === "always" ? asked !== "0" : fetchesMedia === "on_request" && asked === "1";
  const addresses = isOn ? addressesToFetch(request, plan) : new Set<string>();
  return addresses.size === 0 ? { ok: true, value: new Map() } : fetchedOrRefused(await ports.fetchMedia(addresses), bodyText);
}

/** Which preference a routed request fell under, else what the router's choice rests on. */
function routeHeader({ routing_snapshot: decision }: Plan): Record<string, string> {
  return decision === undefined ? {} : { "x-plyrum-route": encodeURI((decision.route ?? decision.basis).toWellFormed()) };
}

/** Everything that makes two calls the same: some protocols keep the model and the streaming switch in the path. */
function callText({ protocol, address, bodyText }: CompletionCall): string {
  return [protocol, address.model ?? "", address.stream ?? "", bodyText].join("\n");
}

function hintOf(headers: Headers): string | null {
  return headers.get("x-plyrum-provider-hint") ?? headers.get("x-arch-llm-provider-hint");
}

/** A model's name becomes part of addresses, of headers and of stored text: it is text of one line, and no way to another path. */
function isModelName(name: string): boolean {
  if (name.length === 0 || name.length > LIMITS.modelNameCharacters || !name.isWellFormed()) return false;
  return !/[\p{Cc}\p{Zl}\p{Zp}\\]/u.test(name) && !name.split("/").some((part) => part === "." || part === "..");
}

function badModelName(): Outcome<never> {
  return failed(
    gatewayError("invalid_request", `A model's name has 1 to ${LIMITS.modelNameCharacters} characters, none of them a control character.`, {
      param: "model",
      suggestion: "Use a name from GET /v1/models.",
    }),
  );
}

const RESUMABLE = "x-plyrum-resumable";

/** Headers of ours that say something that cannot be meant. */
function headerFault({ headers, protocol }: CompletionCall): Outcome<never> | null {
  if (headers.get(RESUMABLE) === "1" && PROTOCOLS[protocol].framing !== "sse")
    return failed(
      gatewayError("invalid_request", "Only a stream of server-sent events can be gone on with.", {
        param: RESUMABLE,
        suggestion: "Leave the header out, or use a protocol that streams such events.",
      }),
    );
  const lifecycle = headers.get("x-plyrum-lifecycle");
  if (lifecycle !== null && !lifecycleChoiceSchema.safeParse(lifecycle).success)
    return failed(
      gatewayError("invalid_request", `x-plyrum-lifecycle is one of ${lifecycleChoiceSchema.options.join(", ")}.`, {
        param: "x-plyrum-lifecycle",
      }),
    );
  const key = headers.get("idempotency-key");
  if (key === null || (key !== "" && key.length <= LIMITS.idempotencyKeyCharacters)) return null;
  return failed(
    gatewayError("invalid_request", `An Idempotency-Key has 1 to ${LIMITS.idempotencyKeyCharacters} characters.`, {
      param: "Idempotency-Key",
    }),
  );
}

function passedHeaders(headers: Headers, plan: Plan): Record<string, string> {
  const passed: Record<string, string> = {};
  for (const name of new Set(plan.attempts.flatMap((attempt) => attempt.passed_headers))) {
    const value = headers.get(name);
    if (value !== null) passed[name] = value;
  }
  return passed;
}
