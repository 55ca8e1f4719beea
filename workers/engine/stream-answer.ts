/** A streamed answer: the pump between the upstream and the client, and what becomes of it when either of them fails. */
import type { GatewayError } from "../../schema/error.ts";
import { gatewayError } from "../../schema/error.ts";
import { LIMITS } from "../../schema/limits.ts";
import type { StreamFraming } from "../../schema/protocol.ts";
import type { Protocol } from "../protocol/protocol.ts";
import type { Relay } from "../protocol/relay-contract.ts";
import { createRelay } from "../protocol/relay.ts";
import { renderHeartbeat } from "../protocol/sse.ts";
import { readBounded } from "../runtime/read-bounded.ts";
import { startPump, type PumpEnd } from "../runtime/stream-pump.ts";
import { AnswerRecorder } from "./answer-recorder.ts";
import { errorAnswer } from "./answers.ts";
import { finishRequest, noteStreaming, saveProgress } from "./finish-request.ts";
import type { OwnerPorts } from "./ports.ts";
import { type AnswerInput, kept, type Run } from "./run.ts";

const HEARTBEAT = new TextEncoder().encode(renderHeartbeat);

/** What the content type of a stream says, by framing. A stream of one line (a model was loaded, nothing was said) may come as plain JSON. */
const STREAM_TYPES: Readonly<Record<StreamFraming, string>> = {
  sse: "text/event-stream",
  ndjson: "json",
  eventstream: "amazon.eventstream",
};

/** Gives the response as soon as the first event is there (or nothing came for a while); the pump goes on after that. */
export async function streamAnswer(input: AnswerInput, ports: OwnerPorts): Promise<Response> {
  const { run, attempt, upstream, response } = input;
  const { live, envelope, caller } = run;
  if (!isStream(response, upstream)) return notAStream(input, ports);
  const recorder = envelope.idempotency_key === null ? null : new AnswerRecorder();
  const relay = recorded(createRelay({ upstream, caller, quirks: attempt.quirks, context: run.context, requestId: live.id }), recorder);
  live.meter = relay.meter;
  live.phase = "no-content";
  const pipe = ports.bytePipe();
  const headers = streamHeaders(run);
  const pump = startPump({
    source: response.body ?? emptyBody(),
    sink: pipe.writable,
    relay: watched(relay, run, ports),
    drainWithoutClient: envelope.on_disconnect === "finish" || !attempt.abort_stops_billing,
    // Only server-sent events have comments.
    heartbeat: caller.framing === "sse" ? HEARTBEAT : null,
    now: ports.runtime.now,
    pause: (milliseconds) => new Promise((resolve) => ports.runtime.after(milliseconds, resolve)),
    everySecond: ports.everySecond,
    onProgress: () => saveProgress(live, ports),
    settle: async (end) => {
      const copy = end.started ? (recorder?.bytes() ?? null) : null;
      if (copy !== null) ports.requests.keepAnswer(live.id, { status: 200, headers, body: copy });
      await settleStream(run, end, ports);
    },
  });
  ports.keepAlive(pump.end);
  const giveUpWaiting = ports.runtime.after(LIMITS.firstEventWaitMilliseconds, () => pump.start());
  await pump.first;
  giveUpWaiting();
  const early = await earlyFailure(pump.end, relay);
  if (early !== null) return kept(run, errorAnswer(caller, early, live.id, envelope.answer_headers), ports);
  return new Response(pipe.readable, { status: 200, headers });
}

function streamHeaders(run: Run): Record<string, string> {
  return {
    ...run.envelope.answer_headers,
    "content-type": run.caller.streamContentType,
    "cache-control": "no-cache",
    "x-accel-buffering": "no",
    "x-plyrum-request-id": run.live.id,
  };
}

function isStream(response: Response, upstream: Protocol): boolean {
  return (response.headers.get("content-type") ?? "").toLowerCase().includes(STREAM_TYPES[upstream.framing]);
}

function emptyBody(): ReadableStream<Uint8Array> {
  return new ReadableStream({ start: (controller) => controller.close() });
}

/** The error of a stream that ended before it sent anything; null when it is under way or ended well. */
async function earlyFailure(end: Promise<PumpEnd>, relay: Relay): Promise<GatewayError | null> {
  const settled = await Promise.race([end, Promise.resolve(null)]);
  if (settled !== null)
    return settled.started ? null : (settled.error ?? gatewayError("provider_error", "The provider's answer was empty."));
  if (relay.meter.error === null || relay.meter.contentSeen) return null;
  const finished = await end;
  return finished.started ? null : finished.error;
}

/** Tells the request's life about the first content. */
function watched(relay: Relay, run: Run, ports: OwnerPorts): Relay {
  return {
    ...relay,
    meter: relay.meter,
    push: (bytes) => {
      const out = relay.push(bytes);
      if (relay.meter.contentSeen && run.live.phase !== "content") {
        run.live.phase = "content";
        noteStreaming(run.live, ports.runtime.now(), ports);
      }
      return out;
    },
  };
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
  const outcome = end.ending === "complete" ? "settled" : end.ending === "failed" ? "failed" : "cancelled";
  const finish = run.live.meter?.finish ?? null;
  await finishRequest(run, { outcome, error: end.error, finishReason: finish?.raw ?? null }, ports);
}

/** A provider that answers a streaming call with something else: an error document, or a whole answer. */
async function notAStream(input: AnswerInput, ports: OwnerPorts): Promise<Response> {
  const { run, response, upstream } = input;
  const body = await readBounded(response, LIMITS.errorBodyBytes).catch(() => null);
  const error =
    body === null ? gatewayError("provider_error", "The provider did not answer with a stream.") : upstreamFault(upstream, response, body);
  run.live.phase = "refused";
  await finishRequest(run, { outcome: "failed", error, finishReason: null }, ports);
  return kept(run, errorAnswer(run.caller, error, run.live.id, run.envelope.answer_headers), ports);
}

function upstreamFault(upstream: Protocol, response: Response, body: string): GatewayError {
  const parsed = upstream.parseError(502, response.headers, body);
  return { ...parsed, status: parsed.status >= 500 ? parsed.status : 502 };
}
