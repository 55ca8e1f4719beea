/**
 * An ensemble's answer as a stream. The pump starts before there is an answer, on a source that is silent until then, so the caller hears
 * that its request is alive, and the pump notices a caller that leaves. The aggregator's tokens go through as they come.
 */
import { gatewayError, type GatewayError } from "../../../schema/error.ts";
import { LIMITS } from "../../../schema/limits.ts";
import { UNKNOWN_USAGE } from "../../../schema/usage.ts";
import type { Meter, Relay } from "../../protocol/relay-contract.ts";
import { type PumpEnd, startPump } from "../../runtime/stream-pump.ts";
import { type AnswerRecorder, recorderOf } from "../answer-recorder.ts";
import { errorAnswer } from "../answers.ts";
import { finishRequest, noteStreaming, saveProgress } from "../finish-request.ts";
import type { OwnerPorts } from "../ports.ts";
import { kept, type Run } from "../run.ts";
import { recordingOf } from "../recorded-stream.ts";
import { HEARTBEAT, streamHeaders } from "../caller-stream.ts";
import { earlyFailure } from "../stream-answer.ts";
import { createStreamBudget, type StreamBudget } from "../stream-budget.ts";
import { concatenated } from "../../runtime/bytes.ts";
import { FrameFeed } from "../lifecycle/rendering.ts";
import { decide, type Decided } from "./decide.ts";
import { budgetInputs } from "./leg-budget.ts";
import { legsAtRest } from "./legs-at-rest.ts";
import { degradedHeader, type Mixture, tellFinished } from "./mixture.ts";
import { renderProposal } from "./render-proposal.ts";

const NOTHING = new Uint8Array(0);
const encoder = new TextEncoder();

const SILENT: Meter = {
  usage: UNKNOWN_USAGE,
  usageFinal: false,
  usageAnomaly: null,
  outputCharacters: 0,
  contentSeen: false,
  finish: null,
  ended: false,
  error: null,
  providerId: null,
};

/** What the pump's source and relay share. */
interface Feed {
  decided: Decided | null;
  /** What the caller has not been told of the request's life. */
  frames: FrameFeed;
  /** Frames go out although nothing is decided: the caller has waited long enough for a sign. */
  isFlowing: boolean;
  /** There may be something to tell. */
  isStirred: boolean;
  /** Wakes the source. */
  wake: () => void;
  meter: Readonly<Meter>;
  budget: StreamBudget | null;
  /** The answer's first bytes were handed over. */
  begun: boolean;
  /** The caller has left, and does not want the answer finished. */
  left: boolean;
}

/** Gives the response as soon as there is anything to send; the pump goes on after that. */
export async function streamMixture(given: Omit<Mixture, "notice" | "whole">): Promise<Response> {
  const { run, ports } = given;
  const { live, envelope, caller } = run;
  const feed = createFeed(run);
  const stir = (): void => {
    feed.isStirred = true;
    feed.wake();
  };
  const mixture: Mixture = { ...given, whole: false, notice: stir };
  const recorder = recorderOf(envelope);
  const fed = feedRelay(feed, run, { recorder, ports });
  const relay = run.keeper?.watch(fed) ?? fed;
  const recording = recordingOf(run, streamHeaders(run), ports);
  live.stop = () => leave(feed, run);
  const deciding = decide(mixture).then((decided) => begin(feed, decided, { run, ports }));
  const giveUpSilence = ports.runtime.after(LIMITS.ensembleFirstFrameMilliseconds, () => {
    feed.isFlowing = true;
    stir();
  });
  const stopBeating = ports.everySecond(() => {
    if (feed.decided !== null) return;
    saveProgress(live, ports);
    // A caller that has left is found by writing to it.
    stir();
  });
  const pipe = ports.bytePipe();
  const headers = (): Record<string, string> => ({ ...streamHeaders(run), ...degradedHeader(run) });
  const pump = startPump({
    source: sourceOf(feed, deciding),
    sink: pipe.writable,
    relay,
    // What becomes of each call when the caller leaves is decided below, call by call.
    drainWithoutClient: true,
    onClientGone: () => leave(feed, run),
    heartbeat: caller.framing === "sse" ? HEARTBEAT : null,
    outlet: recording?.outlet ?? null,
    now: ports.runtime.now,
    pause: (milliseconds) => new Promise((resolve) => ports.runtime.after(milliseconds, resolve)),
    everySecond: ports.everySecond,
    afford: () => feed.budget?.afford() ?? null,
    onProgress: () => {
      saveProgress(live, ports);
      recording?.save();
    },
    settle: async (end) => {
      giveUpSilence();
      stopBeating();
      // A pump that gave up by itself calls everything off.
      if (feed.decided === null) run.controller.abort();
      await deciding;
      if (!end.started) recording?.drop();
      const copy = end.started ? (recorder?.bytes() ?? null) : null;
      if (copy !== null) ports.requests.keepAnswer(live.id, { status: 200, headers: headers(), body: copy });
      await settleMixture(mixture, { feed, end });
    },
  });
  ports.keepAlive(pump.end);
  const giveUpWaiting = ports.runtime.after(LIMITS.firstEventWaitMilliseconds, () => pump.start());
  await pump.first;
  giveUpWaiting();
  const early = await earlyFailure(pump.end, relay);
  if (early !== null) return kept(run, errorAnswer(caller, early, live.id, envelope.answer_headers), ports);
  return new Response(pipe.readable, { status: 200, headers: headers() });
}

function createFeed({ live, lifecycle }: Run): Feed {
  return {
    decided: null,
    frames: new FrameFeed(live.frames, lifecycle),
    isFlowing: false,
    isStirred: false,
    wake: () => undefined,
    meter: SILENT,
    budget: null,
    begun: false,
    left: false,
  };
}

function begin(feed: Feed, decided: Decided, { run, ports }: { run: Run; ports: OwnerPorts }): void {
  if (decided.kind === "stream") {
    feed.meter = decided.relay.meter;
    const { budgetRun, budgetPorts } = budgetInputs(run, decided.leg, ports);
    feed.budget = createStreamBudget(budgetRun, decided.relay.meter, budgetPorts);
    // The caller may have left in the meantime.
    if (feed.left && decided.leg.attempt.abort_stops_billing) decided.leg.abort();
  } else if (decided.kind === "proposal") feed.meter = decided.proposal.leg.meter ?? SILENT;
  feed.decided = decided;
  feed.wake();
}

/** Silent until something is decided, but for an empty chunk whenever something happens; then the bytes of the model that answers. */
function sourceOf(feed: Feed, deciding: Promise<void>): ReadableStream<Uint8Array> {
  const woken = (): Promise<void> => new Promise((resolve) => (feed.wake = resolve));
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        if (feed.decided === null && !feed.isStirred) await Promise.race([deciding, woken()]);
        feed.isStirred = false;
        const { decided } = feed;
        if (decided === null || (!feed.begun && decided.kind !== "failed")) return controller.enqueue(NOTHING);
        if (decided.kind !== "stream") return controller.close();
        const { value, done } = await decided.reader.read();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: () => {
        if (feed.decided?.kind === "stream") feed.decided.leg.abort();
      },
    },
    { highWaterMark: 0 },
  );
}

/** The relay of whoever answers, with the frames of the request's life before and between. Its meter is that of the call that answers. */
function feedRelay(feed: Feed, run: Run, { recorder, ports }: { recorder: AnswerRecorder | null; ports: OwnerPorts }): Relay {
  let failure: Meter | null = null;
  const copied = (bytes: Uint8Array): Uint8Array => recorder?.copy(bytes) ?? bytes;
  const frames = (): Uint8Array => {
    if (!feed.isFlowing) return NOTHING;
    const text = encoder.encode(feed.frames.take(feed.begun));
    return run.lifecycle.replaces ? copied(text) : text;
  };
  const answerBytes = (bytes: Uint8Array): Uint8Array => {
    const { decided } = feed;
    if (decided === null || decided.kind === "failed") return NOTHING;
    if (feed.begun) return decided.kind === "stream" && bytes.byteLength > 0 ? decided.relay.push(bytes) : NOTHING;
    feed.begun = true;
    noteStreaming(run.live, ports.runtime.now(), ports);
    return concatenated(decided.kind === "stream" ? decided.held : renderProposal(run, decided.proposal));
  };
  const isBeating = (): boolean => feed.isFlowing && feed.decided === null && run.caller.framing === "sse";
  return {
    get meter() {
      // Of a proposal that is the answer, the end is reached when it has been written.
      if (failure !== null) return failure;
      return feed.begun || feed.decided?.kind === "failed" ? feed.meter : SILENT;
    },
    push: (bytes) => {
      if (feed.decided !== null && feed.decided.kind !== "failed") feed.isFlowing = true;
      const told = frames();
      const out = concatenated([told, copied(answerBytes(bytes))]);
      return out.byteLength === 0 && isBeating() ? HEARTBEAT : out;
    },
    end: (given) => {
      const { decided } = feed;
      if (decided?.kind === "stream" && feed.begun) {
        const cut = feed.budget?.cut() ?? null;
        return copied(cut === null ? decided.relay.end(given) : decided.relay.cut(cut));
      }
      const error = given ?? errorOf(decided);
      failure = { ...SILENT, error };
      const rendered = run.caller.renderStreamError(error, run.live.id);
      return concatenated([frames(), typeof rendered === "string" ? encoder.encode(rendered) : rendered]);
    },
    cut: () => NOTHING,
    passesRest: () => false,
    takeEvents: () => [],
  };
}

function errorOf(decided: Decided | null): GatewayError {
  return decided?.kind === "failed" ? decided.error : gatewayError("provider_error", "The answer broke off before its end.");
}

/** The caller has left: unless it wants the answer finished, every call ends whose bill an abort stops, and no other is begun. */
function leave(feed: Feed, run: Run): void {
  if (run.envelope.on_disconnect === "finish" && run.live.cancelled !== true) return;
  feed.left = true;
  run.controller.abort();
  if (feed.decided?.kind === "stream" && feed.decided.leg.attempt.abort_stops_billing) feed.decided.leg.abort();
}

async function settleMixture(mixture: Mixture, { feed, end }: { feed: Feed; end: PumpEnd }): Promise<void> {
  const { run, ports, calls } = mixture;
  const { left, decided } = feed;
  await legsAtRest(run, { calls, ports, clientGone: end.clientGone });
  const meter = feed.begun ? feed.meter : SILENT;
  const isWhole = meter.ended && meter.error === null;
  if (decided?.kind === "stream") {
    decided.leg.state = left && !isWhole ? "lost" : isWhole || end.ending === "cut" ? "answered" : "failed";
    decided.leg.error = decided.leg.state === "failed" ? end.error : null;
    tellFinished(mixture, decided.leg);
  }
  const outcome = isWhole ? "settled" : left ? "cancelled" : end.ending === "complete" ? "settled" : "failed";
  const finishReason = end.ending === "cut" ? "length" : (meter.finish?.raw ?? null);
  await finishRequest(run, { outcome, error: outcome === "cancelled" ? null : end.error, finishReason }, ports);
}
