/**
 * The owner's side of one request: admit → dispatch → pump → settle, inside the object that outlives the client.
 *
 * Order of effects (design.md §4): the hold and the row `dispatched` are durable before the upstream is called; usage is known
 * before the last bytes leave; the settlement lands, or is retried until it does, whatever became of the client.
 */
import { gatewayError, type GatewayError } from "../../schema/error.ts";
import type { Refusal } from "../../schema/ledger.ts";
import { LIMITS } from "../../schema/limits.ts";
import { microRub, toJsonNumber } from "../../schema/money.ts";
import type { PlanAttempt, ServeEnvelope } from "../../schema/plan.ts";
import type { PriceSnapshot } from "../../schema/price.ts";
import type { OpenRequest } from "../../schema/request.ts";
import type { Usage } from "../../schema/usage.ts";
import { costOf } from "../cost/cost.ts";
import { PROTOCOLS } from "../protocol/index.ts";
import type { EncoderContext, Protocol } from "../protocol/protocol.ts";
import { sendAttempt, type AttemptOutcome } from "../runtime/send-attempt.ts";
import { signRequest } from "../runtime/sign-request.ts";
import { errorAnswer, refusalError } from "./answers.ts";
import { finishRequest } from "./finish-request.ts";
import { addFrame, type LiveRequest } from "./live-request.ts";
import type { OwnerPorts } from "./ports.ts";
import { kept, type Run } from "./run.ts";
import { readSnapshot } from "./settle-request.ts";
import { streamAnswer } from "./stream-answer.ts";
import { unaryAnswer } from "./unary-answer.ts";

/** Runs one request to its end. The answer may be a stream that is still running when this resolves. */
export async function ownRequest(envelope: ServeEnvelope, ports: OwnerPorts): Promise<Response> {
  const caller = PROTOCOLS[envelope.protocol];
  const admission = await ports.ledger.admit({
    request_id: envelope.request_id,
    key_hash: envelope.key_hash,
    idempotency_key: envelope.idempotency_key,
    body_hash: envelope.body_hash,
    hold_micro_rub: envelope.hold_micro_rub,
    snapshot: envelope.snapshot,
    model: envelope.plan.model,
    lane: ports.lane,
    ttl_ms: LIMITS.holdTtlMilliseconds,
    tokens_bound: envelope.tokens_bound,
  });
  if (!admission.ok) return refused(caller, admission, envelope);
  if (admission.replay !== null) return replayed(caller, admission.replay.request_id, envelope, ports);
  const run = openRun(envelope, caller, admission.key_id, ports);
  const answering = answer(run, ports);
  ports.keepAlive(answering.catch(() => undefined));
  return answering;
}

function refused(caller: Protocol, refusal: Refusal, envelope: ServeEnvelope): Response {
  return errorAnswer(caller, refusalError(refusal), envelope.request_id);
}

/** Writes the row of the request, in the state `dispatched`, before anything is sent. */
function openRun(envelope: ServeEnvelope, caller: Protocol, keyId: string, ports: OwnerPorts): Run {
  const now = ports.runtime.now();
  const facts: OpenRequest = {
    account_id: envelope.account_id,
    key_id: keyId,
    protocol: envelope.protocol,
    stream: envelope.stream,
    plan: envelope.plan,
    measure: envelope.measure,
    idempotency_key: envelope.idempotency_key,
    received_at: envelope.received_at,
    dispatched_at: now,
    evidence: envelope.evidence,
  };
  const live: LiveRequest = {
    id: envelope.request_id,
    facts,
    snapshot: envelope.snapshot,
    frames: [],
    attempts: [],
    firstByteAt: null,
    meter: null,
    phase: "no-answer",
    progress: null,
  };
  addFrame(live, "received", envelope.received_at, { protocol: envelope.protocol, model: envelope.plan.model });
  addFrame(live, "held", now, { hold_micro_rub: Number(envelope.hold_micro_rub) });
  addFrame(live, "dispatched", now, { provider: envelope.plan.attempts[0]?.provider ?? null });
  ports.requests.open(live.id, facts, live.frames);
  for (const frame of live.frames) ports.publish(live.id, frame);
  const snapshot = readSnapshot(envelope.snapshot);
  return { envelope, live, snapshot, caller, context: contextOf(envelope, snapshot, now), controller: new AbortController() };
}

function contextOf(envelope: ServeEnvelope, snapshot: PriceSnapshot, now: number): EncoderContext {
  return {
    id: envelope.request_id,
    model: envelope.plan.model,
    createdSeconds: Math.floor(now / 1000),
    wantsStreamUsage: envelope.wants_stream_usage,
    embeddingEncoding: envelope.embedding_encoding,
    costMicroRub: (usage: Usage) => (envelope.raw ? null : toJsonNumber(microRub(costOf(snapshot, usage).costMicroRub))),
  };
}

/** Tries the plan's attempts in order; only before the first byte may the next one be tried. */
async function answer(run: Run, ports: OwnerPorts): Promise<Response> {
  const { plan } = run.envelope;
  let error: GatewayError = gatewayError("internal_error", "The plan has no attempt.");
  for (const [index, attempt] of plan.attempts.entries()) {
    const outcome = await attempted(run, attempt, index, ports);
    if (outcome.ok) {
      const upstream = PROTOCOLS[attempt.protocol];
      const input = { run, attempt, upstream, response: outcome.response };
      return run.envelope.stream ? streamAnswer(input, ports) : unaryAnswer(input, ports);
    }
    error = outcome.error;
    run.live.phase = outcome.phase;
    if (!isWorthAnother(error)) break;
  }
  await finishRequest(run, { outcome: "failed", error, finishReason: null }, ports);
  return kept(run, errorAnswer(run.caller, error, run.live.id, run.envelope.answer_headers), ports);
}

/** A fault of this upstream, not of the request: the next candidate may do better. */
function isWorthAnother(error: GatewayError): boolean {
  return error.status >= 500 || error.code === "rate_limited";
}

async function attempted(run: Run, attempt: PlanAttempt, index: number, ports: OwnerPorts): Promise<AttemptOutcome> {
  const startedAt = ports.runtime.now();
  const call = {
    url: attempt.url,
    headers: upstreamHeaders(run.envelope, attempt, index),
    body: run.envelope.bodies[index] ?? new Uint8Array(0),
  };
  const credential = run.envelope.credentials[index] ?? null;
  if (attempt.auth.kind === "sigv4" && credential !== null) call.headers = await signRequest(call, attempt.auth, credential, startedAt);
  const outcome = await sendAttempt(call, PROTOCOLS[attempt.protocol], run.controller, ports.runtime);
  run.live.attempts.push({
    provider: attempt.provider,
    model: attempt.model,
    protocol: attempt.protocol,
    status: outcome.ok ? outcome.response.status : outcome.status,
    error_code: outcome.ok ? null : outcome.error.code,
    started_at: startedAt,
    provider_request_id: outcome.ok ? requestIdOf(outcome.response.headers) : null,
  });
  return outcome;
}

/** The upstream's own id of the call, by the names providers give it. */
function requestIdOf(headers: Headers): string | null {
  return headers.get("x-request-id") ?? headers.get("request-id") ?? headers.get("x-amzn-requestid");
}

function upstreamHeaders(envelope: ServeEnvelope, attempt: PlanAttempt, index: number): Record<string, string> {
  const headers: Record<string, string> = {
    "content-type": "application/json",
    "x-plyrum-request-id": envelope.request_id,
    ...attempt.headers,
  };
  headers["accept"] = envelope.stream ? PROTOCOLS[attempt.protocol].streamContentType : "application/json";
  for (const name of attempt.passed_headers) {
    const value = envelope.caller_headers[name];
    if (value !== undefined) headers[name] = value;
  }
  const credential = envelope.credentials[index] ?? null;
  if (credential === null) return headers;
  if (attempt.auth.kind === "bearer") headers["authorization"] = `Bearer ${credential}`;
  else if (attempt.auth.kind === "header") headers[attempt.auth.header] = credential;
  return headers;
}

function replayed(caller: Protocol, requestId: string, envelope: ServeEnvelope, ports: OwnerPorts): Response {
  const stored = ports.requests.answer(requestId);
  if (stored === null) {
    const error = gatewayError("invalid_transition", "The first answer to this Idempotency-Key ended, but it is no longer kept.", {
      suggestion: `It is request ${requestId}; use a new key to run the request again.`,
    });
    return errorAnswer(caller, error, envelope.request_id);
  }
  return new Response(stored.body, { status: stored.status, headers: { ...stored.headers, "x-plyrum-replayed": "true" } });
}
