/**
 * `infer(plan, call, ports)`: runs a resolved plan and gives the answer as canonical events. Candidates in order; retries with backoff and
 * `retry-after`, and fallbacks on classified errors, only before an answer has begun; connect, first-token, idle and total timeouts; circuit
 * breakers; cancellation. The plan and what the upstreams send decide everything: network, clock, chance and health are handed in, so a stored
 * plan runs again over recorded bytes with the same events (`npm run replay`), and this runs wherever TypeScript does.
 *
 * The engine relays bytes instead of events, over the same parts: the loop over candidates, the call of an address, the decoders.
 */
import { failed, type GatewayError, type Outcome } from "../../schema/error.ts";
import type { Plan } from "../../schema/plan.ts";
import type { CanonicalEvent } from "../protocol/canonical.ts";
import { PROTOCOLS } from "../protocol/index.ts";
import { createEventReader } from "../protocol/read-events.ts";
import { relayUnary } from "../protocol/relay.ts";
import { AnswerReader, hasBegun } from "./answer-reader.ts";
import { type AddressOutcome, askAddress, type AskPorts, endingOf } from "./ask-address.ts";
import { type Candidate, tryCandidates } from "./candidates.ts";
import { faultOfDocument, isStream } from "./not-a-stream.ts";
import { readWhole } from "./read-whole.ts";

/** What is sent for a plan's attempts, one of each by index. */
export interface InferCall {
  requestId: string;
  stream: boolean;
  bodies: readonly Uint8Array[];
  credentials?: readonly (string | null)[];
  /** The caller's headers by lower-case name; an attempt passes on what its plan says. */
  callerHeaders?: Readonly<Record<string, string>>;
  /** Ends the run: the upstream is let go of at once, and no further event comes, not even a terminal one. */
  signal?: AbortSignal;
}

/** Events that were held while the answer had not begun, and what gives the rest; null where they are all of it. */
interface Answer {
  held: CanonicalEvent[];
  reader: AnswerReader | null;
}

/** One call of one candidate. */
interface Asking extends Candidate {
  call: InferCall;
  ports: AskPorts;
  controller: AbortController;
}

/** The answer's events in order, with one terminal event, `end` or `error`. Leaving the loop ends the upstream call. */
export async function* infer(
  plan: Pick<Plan, "attempts">,
  call: InferCall,
  ports: AskPorts,
): AsyncGenerator<CanonicalEvent, void, undefined> {
  const { signal } = call;
  let letGo: (() => void) | null = null;
  const stop = (): void => letGo?.();
  signal?.addEventListener("abort", stop);
  const isOver = (): boolean => signal?.aborted === true;
  const ask = async (candidate: Candidate): Promise<Outcome<Answer>> => {
    const controller = new AbortController();
    letGo = () => controller.abort();
    if (isOver()) controller.abort();
    return askCandidate({ ...candidate, call, ports, controller }, (reader) => (letGo = () => reader.letGo()));
  };
  try {
    const answer = await tryCandidates(plan.attempts, ask, isOver);
    if (isOver()) return;
    if (!answer.ok) return yield { type: "error", error: answer.error };
    for (let events: CanonicalEvent[] | null = answer.value.held; events !== null; events = (await answer.value.reader?.next()) ?? null) {
      for (const event of events) {
        if (isOver()) return;
        yield event;
      }
    }
  } finally {
    signal?.removeEventListener("abort", stop);
    stop();
  }
}

async function askCandidate(asking: Asking, onReader: (reader: AnswerReader) => void): Promise<Outcome<Answer>> {
  const { attempt, index, call, ports, controller } = asking;
  const outcome = await askAddress(
    {
      attempt,
      body: call.bodies[index] ?? new Uint8Array(0),
      credential: call.credentials?.[index] ?? null,
      stream: call.stream,
      requestId: call.requestId,
      callerHeaders: call.callerHeaders ?? {},
      controller,
    },
    ports,
  );
  if (!outcome.ok) return outcome;
  if (!call.stream) return wholeAnswer(asking, outcome);
  if (!isStream(outcome.response, PROTOCOLS[attempt.protocol])) {
    const fault = await faultOfDocument(outcome.response, PROTOCOLS[attempt.protocol]);
    outcome.report(endingOf(fault));
    return failed(fault);
  }
  const reader = new AnswerReader(outcome.response, attempt, { requestId: call.requestId, after: ports.runtime.after });
  onReader(reader);
  return beginning(asking, reader, outcome.report);
}

type Answering = Extract<AddressOutcome, { ok: true }>;

/** Reads until the answer has begun, or has failed for good. */
async function beginning({ mayFallBack }: Asking, reader: AnswerReader, report: Answering["report"]): Promise<Outcome<Answer>> {
  const held: CanonicalEvent[] = [];
  for (;;) {
    const events = await reader.next();
    held.push(...(events ?? []));
    if (hasBegun(reader.meter)) {
      report("well");
      return { ok: true, value: { held, reader } };
    }
    const { error } = reader.meter;
    if (events !== null && error === null) continue;
    report(error === null ? "neither" : endingOf(error));
    if (error !== null && mayFallBack(error)) return failed(error);
    return { ok: true, value: { held, reader: null } };
  }
}

/** A whole answer, as the events that a stream of it would have. */
async function wholeAnswer(
  { attempt, call, ports, controller, mayFallBack }: Asking,
  { response, report }: Answering,
): Promise<Outcome<Answer>> {
  const read = await readWhole(response, attempt, { controller, runtime: ports.runtime });
  if (typeof read !== "string") {
    report(call.signal?.aborted === true ? "neither" : endingOf(read));
    return failed(read);
  }
  const { events, meter } = wholeEvents(read, attempt, call.requestId);
  const error: GatewayError | null = meter.error;
  report(error === null ? "well" : endingOf(error));
  if (error !== null && !meter.contentSeen && mayFallBack(error)) return failed(error);
  return { ok: true, value: { held: createEventReader().take(events, meter), reader: null } };
}

function wholeEvents(bodyText: string, attempt: Candidate["attempt"], requestId: string): ReturnType<typeof relayUnary> {
  const upstream = PROTOCOLS[attempt.protocol];
  const context = { id: requestId, model: attempt.model, createdSeconds: 0, wantsStreamUsage: true, costMicroRub: () => null };
  return relayUnary({ upstream, caller: upstream, quirks: attempt.quirks, context, bodyText });
}
