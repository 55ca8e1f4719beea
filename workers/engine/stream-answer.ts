/** A streamed answer: the pump between the upstream and the client, and what becomes of it when either of them fails. */
import type { GatewayError } from "../../schema/error.ts";
import { gatewayError } from "../../schema/error.ts";
import { LIMITS } from "../../schema/limits.ts";
import type { Usage } from "../../schema/usage.ts";
import type { Relay } from "../protocol/relay-contract.ts";
import { createRelay } from "../protocol/relay.ts";
import { endingOf } from "../runtime/ask-address.ts";
import { faultOfDocument, isStream } from "../runtime/not-a-stream.ts";
import { startPump, type PumpEnd } from "../runtime/stream-pump.ts";
import { timeoutsOf } from "../runtime/timeouts.ts";
import { type AnswerRecorder, recorderOf } from "./answer-recorder.ts";
import { everyMoment, failureTo, HEARTBEAT, streamHeaders } from "./caller-stream.ts";
import { finishRequest, noteStreaming, saveProgress } from "./finish-request.ts";
import type { OwnerPorts } from "./ports.ts";
import { recordingOf } from "./recorded-stream.ts";
import type { Answered, AnswerInput, Run } from "./run.ts";
import { FrameFeed } from "./lifecycle/rendering.ts";
import { withFrames } from "./lifecycle/with-frames.ts";
import { createStreamBudget, type StreamBudget } from "./stream-budget.ts";

/** Gives the response as soon as the first event is there (or nothing came for a while); the pump goes on after that. */
export async function streamAnswer(input: AnswerInput, ports: OwnerPorts): Promise<Answered> {
  const { run, attempt, upstream, response } = input;
  const { live, envelope, caller } = run;
  if (!isStream(response, upstream)) return notAStream(input, ports);
  const recorder = recorderOf(envelope);
  const whole = createRelay({
    upstream,
    caller,
    quirks: attempt.quirks,
    context: run.context,
    requestId: live.id,
    recordEvents: run.recorder !== null,
    // A protocol that is not the caller's own is written anew, even where the provider speaks the caller's.
    ...(run.lifecycle.replaces ? { wholeUsage: (usage: Usage) => usage } : {}),
  });
  const budget = createStreamBudget(run, whole.meter, ports);
  const answered = budgeted(whole, budget);
  const relay = framed(run.keeper?.watch(answered) ?? answered, run, recorder);
  live.meter = relay.meter;
  live.phase = "no-content";
  let fellThrough: GatewayError | null = null;
  const line = run.callerStream;
  if (line === undefined) throw new Error("a stream is answered that nobody takes");
  const headers = streamHeaders(run);
  const recording = recordingOf(run, headers, ports);
  const pump = startPump({
    source: response.body ?? emptyBody(),
    sink: line.writer,
    holdsBeginning: input.isReplaceable,
    relay: watched(relay, input, ports),
    timeouts: timeoutsOf(attempt),
    drainWithoutClient: envelope.on_disconnect === "finish" || !attempt.abort_stops_billing,
    // Only server-sent events have comments.
    heartbeat: caller.framing === "sse" ? HEARTBEAT : null,
    outlet: recording?.outlet ?? null,
    now: ports.runtime.now,
    pause: (milliseconds) => new Promise((resolve) => ports.runtime.after(milliseconds, resolve)),
    everySecond: ports.everySecond,
    everyMoment: (tick) => everyMoment(ports.runtime, tick),
    afford: budget.afford,
    onProgress: () => {
      saveProgress(live, ports);
      recording?.save();
    },
    settle: async (end) => {
      input.report(end.ending === "client-gone" ? "neither" : end.error === null ? "well" : endingOf(end.error));
      if (end.clientGone && end.error?.code === "provider_timeout") live.drainedOut = true;
      if (!end.started) recording?.drop();
      const isWanted = !end.clientGone || envelope.on_disconnect === "finish";
      if (!end.started && end.error !== null && isWanted && input.mayFallBack(end.error)) {
        line.takeBack();
        fellThrough = end.error;
        return;
      }
      const copy = end.started ? (recorder?.bytes() ?? null) : null;
      if (copy !== null) ports.requests.keepAnswer(live.id, { status: 200, headers, body: copy });
      await settleStream(run, end, ports);
    },
  });
  live.stop = () => (attempt.abort_stops_billing ? pump.cancel() : undefined);
  ports.keepAlive(pump.end);
  const giveUpWaiting = ports.runtime.after(LIMITS.firstEventWaitMilliseconds, () => line.open());
  await pump.first;
  giveUpWaiting();
  const early = await earlyFailure(pump.end, relay);
  if (fellThrough !== null) return { fellThrough };
  return { response: early === null ? line.begin() : await failureTo(run, early, ports) };
}

function emptyBody(): ReadableStream<Uint8Array> {
  return new ReadableStream({ start: (controller) => controller.close() });
}

/** The error of a stream that ended before it sent anything; null when it is under way or ended well. */
export async function earlyFailure(end: Promise<PumpEnd>, relay: Relay): Promise<GatewayError | null> {
  const settled = await Promise.race([end, Promise.resolve(null)]);
  if (settled !== null)
    return settled.started ? null : (settled.error ?? gatewayError("provider_error", "The provider's answer was empty."));
  if (relay.meter.error === null || relay.meter.contentSeen) return null;
  const finished = await end;
  return finished.started ? null : finished.error;
}

/** Tells the request's life about the first content. */
function watched(relay: Relay, { run, report }: AnswerInput, ports: OwnerPorts): Relay {
  return {
    ...relay,
    meter: relay.meter,
    push: (bytes) => {
      const out = relay.push(bytes);
      run.recorder?.note(relay.takeEvents(), relay.meter);
      if (relay.meter.contentSeen && run.live.phase !== "content") {
        run.live.phase = "content";
        report("well");
        noteStreaming(run.live, ports.runtime.now(), ports);
      }
      return out;
    },
    end: (failure) => {
      const out = relay.end(failure);
      run.recorder?.noteTail(relay.takeEvents(), relay.meter);
      return out;
    },
  };
}

/** Ends an answer that was cut as the caller's protocol ends one. */
function budgeted(relay: Relay, budget: StreamBudget): Relay {
  return {
    ...relay,
    meter: relay.meter,
    end: (failure) => {
      const cut = budget.cut();
      return cut === null ? relay.end(failure) : relay.cut(cut);
    },
  };
}

/** The request's life among the answer. A replay shows it only where it is a part of the answer's own protocol. */
function framed(relay: Relay, { live, lifecycle, caller }: Run, recorder: AnswerRecorder | null): Relay {
  if (lifecycle.silent) return recorded(relay, recorder);
  const feed = new FrameFeed(live.frames, lifecycle);
  return lifecycle.replaces
    ? recorded(withFrames(relay, feed, caller.framing), recorder)
    : withFrames(recorded(relay, recorder), feed, caller.framing);
}

/** Copies what goes to the caller, for a later call with the same `Idempotency-Key`. */
function recorded(relay: Relay, recorder: AnswerRecorder | null): Relay {
  if (recorder === null) return relay;
  return {
    ...relay,
    meter: relay.meter,
    push: (bytes) => recorder.copy(relay.push(bytes)),
    end: (failure) => recorder.copy(relay.end(failure)),
  };
}

async function settleStream(run: Run, end: PumpEnd, ports: OwnerPorts): Promise<void> {
  const outcome = end.ending === "complete" ? "settled" : end.ending === "client-gone" ? "cancelled" : "failed";
  const finish = run.live.meter?.finish ?? null;
  const finishReason = end.ending === "cut" ? "length" : (finish?.raw ?? null);
  await finishRequest(run, { outcome, error: end.error, finishReason }, ports);
}

/** A provider that answers a streaming call with something else: an error document, or a whole answer. */
async function notAStream(input: AnswerInput, ports: OwnerPorts): Promise<Answered> {
  const { run, response, upstream } = input;
  const error = await faultOfDocument(response, upstream);
  input.report(endingOf(error));
  run.live.phase = "refused";
  if (input.mayFallBack(error)) return { fellThrough: error };
  await finishRequest(run, { outcome: "failed", error, finishReason: null }, ports);
  return { response: await failureTo(run, error, ports) };
}
