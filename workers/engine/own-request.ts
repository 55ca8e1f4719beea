/**
 * The owner's side of one request: admit → dispatch → pump → settle, inside the object that outlives the client.
 *
 * Order of effects (design.md §4): the hold and the row `dispatched` are durable before the upstream is called; usage is known
 * before the last bytes leave; the settlement lands, or is retried until it does, whatever became of the client.
 */
import { failed, gatewayError, type Outcome } from "../../schema/error.ts";
import type { Refusal } from "../../schema/ledger.ts";
import { isObject, parseJson } from "../../schema/json.ts";
import { LIMITS } from "../../schema/limits.ts";
import { microRub, toJsonNumber } from "../../schema/money.ts";
import type { ServeEnvelope } from "../../schema/plan.ts";
import type { PriceSnapshot } from "../../schema/price.ts";
import type { OpenRequest } from "../../schema/request.ts";
import type { Usage } from "../../schema/usage.ts";
import { costOf } from "../cost/cost.ts";
import { PROTOCOLS } from "../protocol/index.ts";
import type { EncoderContext, Protocol } from "../protocol/protocol.ts";
import { type Candidate, tryCandidates } from "../runtime/candidates.ts";
import { errorAnswer, refusalError } from "./answers.ts";
import { askAttempt } from "./ask-attempt.ts";
import { answerInBackground } from "./background.ts";
import { CallerStream, failureTo } from "./caller-stream.ts";
import { finishRequest, saveProgress } from "./finish-request.ts";
import type { CallUsage } from "./lifecycle/contract.ts";
import { renderingOf } from "./lifecycle/rendering.ts";
import { addFrame, type LiveRequest } from "./live-request.ts";
import { answerMixture } from "./mixture/answer-mixture.ts";
import { decideLeg, progressOfLeg } from "./mixture/legs.ts";
import type { OwnerPorts } from "./ports.ts";
import { keeperOf, responseIdOf } from "./response-keeper.ts";
import type { Run } from "./run.ts";
import { readSnapshot } from "./settle-request.ts";
import { streamAnswer } from "./stream-answer.ts";
import { unaryAnswer } from "./unary-answer.ts";
import { UpstreamRecorder } from "./upstream-recorder.ts";

/** Runs one request to its end. The answer may be a stream that is still running when this resolves. */
export async function ownRequest(envelope: ServeEnvelope, given: OwnerPorts): Promise<Response> {
  const caller = PROTOCOLS[envelope.protocol];
  const admission = await given.ledger.admit({
    request_id: envelope.request_id,
    key_hash: envelope.key_hash,
    idempotency_key: envelope.idempotency_key,
    body_hash: envelope.body_hash,
    hold_micro_rub: envelope.hold_micro_rub,
    snapshot: envelope.snapshot,
    model: envelope.plan.model,
    lane: given.lane,
    ttl_ms: LIMITS.holdTtlMilliseconds,
    tokens_bound: envelope.tokens_bound,
    tokens_likely: envelope.tokens_likely,
    rates: envelope.rates,
  });
  if (!admission.ok) return refused(caller, admission, envelope);
  if (admission.replay !== null) return replayed(caller, admission.replay.request_id, envelope, given);
  const run = openRun(envelope, caller, admission.key_id, given);
  const { recorder } = run;
  const heard = recorder === null ? {} : { runtime: recorder.runtime(given.runtime), health: recorder.health(given.health) };
  const ports = { ...given, ...heard };
  if (envelope.resumable) ports.onCancel(run.live.id, () => cancel(run));
  const ask = async (): Promise<Response> => (envelope.plan.ensemble === undefined ? answer(run, ports) : answerMixture(run, ports));
  const answering = envelope.conversation?.background === true ? answerInBackground(run, ask, ports) : ask();
  ports.keepAlive(answering.catch(() => undefined));
  return answering;
}

/** The upstream ends where that ends its bill; what a provider bills anyway goes on unheard. */
async function cancel({ live, keeper }: Run): Promise<void> {
  live.cancelled = true;
  await keeper?.cancel();
  live.stop?.();
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
    ...(envelope.snapshots === undefined ? {} : { snapshots: envelope.snapshots }),
    hold_micro_rub: envelope.hold_micro_rub,
    idempotency_key: envelope.idempotency_key,
    ...(envelope.conversation?.background === true ? { response_id: responseIdOf(envelope.request_id) } : {}),
    ...(envelope.trace === null ? {} : { trace: envelope.trace }),
    received_at: envelope.received_at,
    dispatched_at: now,
    evidence: envelope.evidence,
  };
  const live: LiveRequest = {
    id: envelope.request_id,
    facts,
    frames: [],
    attempts: [],
    candidate: 0,
    firstByteAt: null,
    meter: null,
    phase: "no-answer",
    cut: null,
    progress: null,
  };
  addFrame(live, "received", envelope.received_at, { protocol: envelope.protocol, model: envelope.plan.model });
  addFrame(live, "held", now, { hold_micro_rub: Number(envelope.hold_micro_rub) });
  addFrame(live, "dispatched", now, { provider: envelope.plan.attempts[0]?.provider ?? null });
  ports.requests.open(live.id, facts, live.frames);
  for (const frame of live.frames) ports.publish(live.id, frame);
  const lifecycle = renderingOf(caller, envelope.stream ? envelope.lifecycle : "off", {
    requestId: live.id,
    plan: envelope.plan,
    calls: () => callsOf(live),
  });
  const context = contextOf(envelope, () => snapshotOf(envelope, live.candidate), now);
  const keeper = keeperOf({ envelope, live, lifecycle }, context, ports);
  // A mixture's calls run beside each other: what one plan replays is one call after the other.
  const recorder = envelope.record === null || envelope.plan.ensemble !== undefined ? null : new UpstreamRecorder(ports.runtime.now);
  const run = { envelope, live, snapshot: snapshotOf(envelope, 0), caller: lifecycle.caller, lifecycle };
  return { ...run, context, controller: new AbortController(), keeper, recorder };
}

/** What each call used, as far as is known now. */
function callsOf({ legs, meter, candidate, facts }: LiveRequest): CallUsage[] {
  if (legs === undefined) {
    const attempt = facts.plan.attempts[candidate];
    return attempt === undefined || meter === null ? [] : [{ provider: attempt.provider, model: attempt.model, usage: meter.usage }];
  }
  return legs.flatMap((leg) => {
    const decision = decideLeg(progressOfLeg(leg), facts);
    return decision.kind === "settle" ? [{ provider: leg.attempt.provider, model: leg.attempt.model, usage: decision.usage }] : [];
  });
}

/** The prices of one candidate. */
function snapshotOf(envelope: ServeEnvelope, candidate: number): PriceSnapshot {
  return readSnapshot(envelope.snapshots?.[candidate] ?? envelope.snapshot);
}

function contextOf(envelope: ServeEnvelope, snapshot: () => PriceSnapshot, now: number): EncoderContext {
  return {
    id: envelope.request_id,
    model: envelope.plan.model,
    createdSeconds: Math.floor(now / 1000),
    wantsStreamUsage: envelope.wants_stream_usage,
    embeddingEncoding: envelope.embedding_encoding,
    ...keptFacts(envelope),
    costMicroRub: (usage: Usage) => (envelope.raw ? null : toJsonNumber(microRub(costOf(snapshot(), usage).costMicroRub))),
  };
}

/** What an answer that is kept says of itself: an id that no other answer of the account has, and what of the request it repeats. */
function keptFacts({ conversation, request_id }: ServeEnvelope): Pick<EncoderContext, "answerId" | "echo"> {
  if (conversation === null) return {};
  const echo = parseJson(conversation.echo);
  return { answerId: responseIdOf(request_id), ...(echo.ok && isObject(echo.value) ? { echo: echo.value } : {}) };
}

/** The answer as soon as there is one to give; of a stream, its status line when that takes long. */
async function answer(run: Run, ports: OwnerPorts): Promise<Response> {
  if (!run.envelope.stream) return answerOfCandidates(run, ports);
  const line = (run.callerStream = new CallerStream(run, ports));
  const calledOff = ports.runtime.after(LIMITS.silenceMilliseconds, () => line.open());
  const answering = answerOfCandidates(run, ports).finally(calledOff);
  ports.keepAlive(answering.catch((error: unknown) => line.fail(FAILED_INSIDE).then(() => Promise.reject(error))).catch(() => undefined));
  return Promise.race([answering, line.opened]);
}

const FAILED_INSIDE = gatewayError("internal_error", "The gateway failed. The request is settled by what is known of it.");

/** Asks the plan's candidates in order; only while the caller has seen nothing may the next one be asked. */
async function answerOfCandidates(run: Run, ports: OwnerPorts): Promise<Response> {
  const { live, envelope } = run;
  const answered = await tryCandidates<Response>(
    envelope.plan.attempts,
    (candidate) => askCandidate(run, candidate, ports),
    () => live.cancelled === true,
  );
  if (answered.ok) return answered.value;
  const isCancelled = live.cancelled === true;
  const ending = { outcome: isCancelled ? "cancelled" : "failed", error: isCancelled ? null : answered.error, finishReason: null } as const;
  await finishRequest(run, ending, ports);
  return failureTo(run, answered.error, ports);
}

async function askCandidate(run: Run, { attempt, index, mayFallBack }: Candidate, ports: OwnerPorts): Promise<Outcome<Response>> {
  begin(run, index, ports);
  run.live.stop = () => (attempt.abort_stops_billing ? run.controller.abort() : undefined);
  const outcome = await askAttempt(run, index, ports);
  if (!outcome.ok) {
    run.live.phase = outcome.phase;
    return outcome;
  }
  const { response, report } = outcome;
  const isReplaceable = index < run.envelope.plan.attempts.length - 1;
  const input = { run, attempt, upstream: PROTOCOLS[attempt.protocol], response, report, mayFallBack, isReplaceable };
  const answered = await (run.envelope.stream ? streamAnswer(input, ports) : unaryAnswer(input, ports));
  return "response" in answered ? { ok: true, value: answered.response } : failed(answered.fellThrough);
}

/** Turns to a candidate: what an earlier one began is none of its answer. */
function begin(run: Run, candidate: number, ports: OwnerPorts): void {
  const { live, envelope } = run;
  run.snapshot = snapshotOf(envelope, candidate);
  if (candidate === 0) return;
  run.controller = new AbortController();
  run.recorder?.begin();
  Object.assign(live, { candidate, meter: null, phase: "no-answer" });
  const { provider } = envelope.plan.attempts[candidate] ?? { provider: null };
  ports.publish(live.id, addFrame(live, "dispatched", ports.runtime.now(), { provider, candidate }));
  saveProgress(live, ports);
}

function replayed(caller: Protocol, requestId: string, envelope: ServeEnvelope, ports: OwnerPorts): Response {
  const stored = ports.requests.answer(requestId);
  // Its events as they were numbered, which the kept answer is not.
  const recorded = envelope.resumable && envelope.conversation?.background !== true ? ports.streams.replay(requestId) : null;
  if (recorded !== null) {
    recorded.headers.set("x-plyrum-replayed", "true");
    return recorded;
  }
  if (stored === null) {
    const error = gatewayError("invalid_transition", "The first answer to this Idempotency-Key ended, but it is no longer kept.", {
      suggestion: `It is request ${requestId}; use a new key to run the request again.`,
    });
    return errorAnswer(caller, error, envelope.request_id);
  }
  return new Response(stored.body, { status: stored.status, headers: { ...stored.headers, "x-plyrum-replayed": "true" } });
}
