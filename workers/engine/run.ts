/** One request on its way through its owner, and what keeps its answer for a later call with the same `Idempotency-Key`. */
import type { GatewayError } from "../../schema/error.ts";
import type { PlanAttempt, ServeEnvelope } from "../../schema/plan.ts";
import type { PriceSnapshot } from "../../schema/price.ts";
import type { RequestState } from "../../schema/request.ts";
import type { EncoderContext, Protocol } from "../protocol/protocol.ts";
import type { CallEnding } from "../runtime/ask-address.ts";
import type { CoalescingWriter } from "../runtime/coalescing-writer.ts";
import type { Relay } from "../protocol/relay-contract.ts";
import type { Rendering } from "./lifecycle/contract.ts";
import type { LiveRequest } from "./live-request.ts";
import type { OwnerPorts } from "./ports.ts";
import type { UpstreamRecorder } from "./upstream-recorder.ts";

/** Keeps the answer of a Responses call for later ones (response-keeper.ts). */
export interface ResponseKeeper {
  /** Before anything is asked of a provider: the answer is there to be asked for. Gives what is answered at once. */
  begin: () => Promise<string>;
  /** The relay of the answer's stream, which is read on its way. */
  watch: (relay: Relay) => Relay;
  /** A whole answer. */
  whole: (bodyText: string) => void;
  /** Keeps what the answer came to. Never throws. */
  end: (ending: { outcome: RequestState; error: GatewayError | null }) => Promise<void>;
  /** Keeps that the answer was called off. What still comes of it changes nothing. */
  cancel: () => Promise<void>;
}

export interface Run {
  envelope: ServeEnvelope;
  live: LiveRequest;
  /** Of the candidate that is asked. */
  snapshot: PriceSnapshot;
  caller: Protocol;
  /** How the caller's stream tells of the request's life; of a whole answer, not at all. */
  lifecycle: Rendering;
  context: EncoderContext;
  /** Of the candidate that is asked: a time-out ends its call, and not the next one's. */
  controller: AbortController;
  /** Keeps the answer for later calls; null where nobody asked for that. */
  keeper: ResponseKeeper | null;
  /** Records what upstreams send; null where nobody asked for that. */
  recorder: UpstreamRecorder | null;
  /** Of a streamed answer by a single call. */
  callerStream?: CallerEnd;
}

/** The caller's end of a streamed answer, whoever gives it (caller-stream.ts). */
export interface CallerEnd {
  writer: CoalescingWriter;
  /** Nobody answers yet, but the request is alive. */
  open: () => void;
  /** A candidate answers: its bytes follow. */
  begin: () => Response;
  /** A candidate fell away, and whoever leaves now leaves us, not it. */
  takeBack: () => void;
  /** Nobody will answer. Null: the caller has no status line yet, and is given the error as one. */
  fail: (error: GatewayError) => Promise<Response | null>;
}

/** The catalogue slug of what answers, as a header: of the candidate that is asked now, or the whole ensemble's name. */
export function modelHeader({ envelope: { plan }, live }: Run): Record<string, string> {
  const slug = plan.ensemble === undefined ? (plan.attempts[live.candidate]?.slug ?? plan.model) : plan.model;
  return { "x-plyrum-model": encodeURI(slug.toWellFormed()) };
}

/** A 2xx response of an attempt, still to be read. */
export interface AnswerInput {
  run: Run;
  attempt: PlanAttempt;
  upstream: Protocol;
  response: Response;
  /** How the call ended for its address, said once. */
  report: (ended: CallEnding) => void;
  /** Whether, after this failure, another candidate is asked: only while the caller has seen nothing. */
  mayFallBack: (error: GatewayError) => boolean;
  /** There is another candidate, so nothing of this one is shown before it has begun to answer. */
  isReplaceable: boolean;
}

/** What became of a 2xx: the answer for the caller, or a failure before its first byte that another candidate is to make good. */
export type Answered = { response: Response } | { fellThrough: GatewayError };

/** Keeps an answer for its `Idempotency-Key`, where there is one, and gives it on. */
export async function kept(run: Run, response: Response, ports: OwnerPorts): Promise<Response> {
  if (run.envelope.idempotency_key === null) return response;
  const body = new Uint8Array(await response.arrayBuffer());
  const headers = Object.fromEntries(response.headers);
  ports.requests.keepAnswer(run.live.id, { status: response.status, headers, body });
  return new Response(body, { status: response.status, headers });
}
