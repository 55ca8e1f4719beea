/** The cases of a recorded stream and one client protocol. */
import type { ProtocolId } from "../../schema/protocol.ts";
import { gatewayError } from "../../schema/error.ts";
import type { CanonicalEvent } from "../../workers/protocol/canonical.ts";
import { PROTOCOLS } from "../../workers/protocol/index.ts";
import { markEvent } from "../../workers/protocol/opaque-state.ts";
import { createRelay } from "../../workers/protocol/relay.ts";
import type { Protocol } from "../../workers/protocol/protocol.ts";
import type { Meter } from "../../workers/protocol/relay-contract.ts";
import { MALFORMED_FRAME } from "../../workers/protocol/upstream-error.ts";
import { context, cut, decodeStream, singleBytes } from "../protocol/bodies.ts";
import { isBroken, quirksOf, readingOf } from "../protocol/recorded-reading.ts";
import { type Recording, seededPlaces } from "../protocol/recordings.ts";
import { type Check, demand, demandSame, type Effort, type Finding } from "./case.ts";
import { endsInError, holdsSuccess } from "./ending.ts";
import { type Facts, factsOf } from "./facts.ts";
import { sayable } from "./no-word-for.ts";
import { cutPlaces, edgesOf, readPrefix, wholeFrom } from "./places.ts";
import { remember, type Remembered } from "./remembered.ts";
import { type ClientId, SDKS } from "./sdk/index.ts";
import { expectedReading } from "./sdk/reading.ts";

/** A recorded stream, read once for all clients. */
export interface StreamSubject {
  recording: Recording;
  events: readonly CanonicalEvent[];
  facts: Facts;
  edges: readonly number[];
  wholeFrom: number;
  /** It states an error, or it broke off, by a plain reading. */
  failed: boolean;
  /** Some event of it cannot be read: bytes pass, a translation fails. */
  malformed: boolean;
  remembered: Remembered;
}

export function streamSubject(recording: Recording): StreamSubject {
  const protocol = PROTOCOLS[recording.protocol];
  const events = decodeStream(protocol, [recording.bytes], quirksOf(recording));
  const edges = edgesOf(protocol.createFramer(), recording.bytes);
  const reading = readingOf(recording);
  const malformed = events.some((event) => event.type === "opaque" && event.kind === MALFORMED_FRAME);
  const failed = reading.error || isBroken(recording, reading);
  const remembered = remember(protocol, quirksOf(recording), recording.bytes);
  return { recording, events, facts: factsOf(events), edges, wholeFrom: wholeFrom(recording, edges), failed, malformed, remembered };
}

interface Relayed {
  output: Buffer;
  meter: Readonly<Meter>;
}

const RESET = gatewayError("provider_error", "The connection to the provider broke.");

/** Bytes of one wire through the relay to a client of another. A cost is shown only where bytes do not pass untouched. */
function through(upstream: Protocol, caller: Protocol, chunks: readonly Uint8Array[], recording: Recording, isReset = false): Relayed {
  const relay = createRelay({
    upstream,
    caller,
    quirks: upstream.id === recording.protocol ? quirksOf(recording) : {},
    context: context(upstream.id === caller.id ? {} : { costMicroRub: () => 5 }),
    requestId: "req_1",
  });
  const output: Uint8Array[] = chunks.map((chunk) => relay.push(chunk));
  output.push(relay.end(isReset ? RESET : null));
  return { output: Buffer.concat(output), meter: relay.meter };
}

export function relayed(from: ProtocolId, to: ProtocolId, bytes: Uint8Array, recording: Recording): Relayed {
  return through(PROTOCOLS[from], PROTOCOLS[to], [bytes], recording);
}

/** The first bytes of a stream and then its end, or its break. */
export function relayedCut({ recording, remembered }: StreamSubject, client: ClientId, place: number, isReset = false): Relayed {
  const caller = remembered.callerOf(PROTOCOLS[client]);
  return through(remembered.cutUpstream, caller, [recording.bytes.subarray(0, place)], recording, isReset);
}

export function relayedPieces({ recording, remembered }: StreamSubject, client: ClientId, chunks: readonly Uint8Array[]): Relayed {
  return through(remembered.upstream, remembered.callerOf(PROTOCOLS[client]), chunks, recording);
}

function checkRelay(subject: StreamSubject, client: ClientId): Finding {
  const { recording, failed, malformed } = subject;
  const { output, meter } = relayed(recording.protocol, client, recording.bytes, recording);
  const code = meter.error?.upstream_code ?? "";
  demand(!code.startsWith("reader-"), `the relay threw: ${code}`);
  if (recording.protocol === client) {
    const begins = output.subarray(0, recording.bytes.length).equals(recording.bytes);
    demand(failed ? begins || endsInError(client, output) : output.equals(recording.bytes), "the bytes are not those of the provider");
    demand(failed === (meter.error !== null), `the relay says ${meter.error?.message ?? "all is well"}`);
    return {};
  }
  const isError = failed || malformed;
  demand(isError === (meter.error !== null), `the relay says ${meter.error?.message ?? "all is well"}`);
  demand(endsInError(client, output) === isError, isError ? "no error at the end" : "an error at the end");
  demand(holdsSuccess(client, output) !== isError, isError ? "a success beside the error" : "no success at the end");
  return {};
}

async function checkSdk(subject: StreamSubject, client: ClientId): Promise<Finding> {
  const { recording, failed, malformed, facts } = subject;
  const sdk = SDKS[client];
  const { output } = relayed(recording.protocol, client, recording.bytes, recording);
  const reading = await sdk.readStream(output).catch((error: unknown) => (error instanceof Error ? error : new Error(String(error))));
  if (recording.protocol === client)
    return reading instanceof Error && !failed
      ? { reasons: ["the SDK does not take this provider's own bytes, which pass untouched"] }
      : {};
  if (failed || malformed) {
    demand(reading instanceof Error, "the SDK took a failed answer for a whole one");
    return {};
  }
  if (reading instanceof Error) throw reading;
  const { facts: wanted, reasons } = sayable(facts, client, "stream", { seenByClient: true });
  demandSame(expectedReading(wanted, sdk.words), reading, "the SDK reads ");
  return { reasons };
}

/** To the client's wire and back to the provider's, through the relay both times. */
function checkTrip(subject: StreamSubject, client: ClientId): Finding {
  const { recording, facts, events } = subject;
  const home = recording.protocol;
  const there = home === client ? encoded(home, events) : relayed(home, client, recording.bytes, recording).output;
  const onWay = sayable(facts, client, "stream");
  demandSame(onWay.facts, shown(factsOf(decodeStream(PROTOCOLS[client], [there]))), "there ");
  if (home === client) return { reasons: onWay.reasons };
  const back = relayed(client, home, there, recording).output;
  const atHome = sayable(onWay.facts, home, "stream");
  demandSame(atHome.facts, shown(factsOf(decodeStream(PROTOCOLS[home], [back]))), "back ");
  return { reasons: [...onWay.reasons, ...atHome.reasons] };
}

/** Sources that a wire happens to have a place for are not counted. */
export function shown(facts: Facts): Facts {
  return { ...facts, beside: 0 };
}

function encoded(protocol: ProtocolId, events: readonly CanonicalEvent[]): Buffer {
  const encoder = PROTOCOLS[protocol].createEncoder(context({ costMicroRub: () => 5 }));
  return Buffer.concat(events.map((event) => Buffer.from(encoder.encode(event))));
}

/** The stream put together by the client's own reader is the body that a client without streaming gets. */
async function checkFold(subject: StreamSubject, client: ClientId): Promise<Finding> {
  const { recording, events, facts } = subject;
  const protocol = PROTOCOLS[client];
  const marked = recording.protocol === client ? events : events.map((event) => markEvent(recording.protocol, event));
  const whole = protocol.renderResponse(marked, context({ costMicroRub: () => 5 }));
  const folded = protocol.renderResponse(decodeStream(protocol, [encoded(client, marked)]), context({ costMicroRub: () => 5 }));
  const wanted = sayable(facts, client, "whole");
  const streamed = sayable(sayable(facts, client, "stream").facts, client, "whole");
  demandSame(wanted.facts, shown(factsOf(protocol.parseResponse(whole, {}))), "the whole body says ");
  demandSame(streamed.facts, shown(factsOf(protocol.parseResponse(folded, {}))), "the fold says ");
  const sdk = SDKS[client];
  const seen = sayable(facts, client, "whole", { seenByClient: true });
  demandSame(expectedReading(seen.facts, sdk.words), await sdk.readWhole(whole), "the SDK reads of the whole body ");
  return { reasons: wanted.reasons };
}

function checkSplits(subject: StreamSubject, client: ClientId, effort: Effort): Finding {
  const { recording, edges } = subject;
  const { bytes, chunkLengths } = recording;
  const whole = relayed(recording.protocol, client, bytes, recording).output;
  let sum = 0;
  const recorded = (chunkLengths ?? []).map((length) => (sum += length)).filter((place) => place < bytes.length);
  const near = seededPlaces(bytes.length + 1, effort.splits, Math.max(0, edges.length - 1)).map(
    (index, shift) => (edges[index] ?? 0) + (shift % 7) - 3,
  );
  const singles = [...seededPlaces(bytes.length, effort.splits, bytes.length), ...near].filter(
    (place) => place > 0 && place < bytes.length,
  );
  const ways = [
    singleBytes(bytes),
    cut(bytes, recorded),
    cut(bytes, [...new Set(singles)]),
    ...singles.map((place) => cut(bytes, [place])),
  ];
  for (const [index, chunks] of ways.entries()) {
    const { output } = relayedPieces(subject, client, chunks);
    demand(
      output.equals(whole),
      `another answer when the bytes come ${index === 0 ? "one by one" : `in ${chunks.length} pieces, the first of ${chunks[0]?.length}`}`,
    );
  }
  return { places: ways.length };
}

/** Why a cut here cannot be told: it leaves an end that whole answers of this wire, or of this provider, have too. */
function untold({ recording, edges }: StreamSubject, place: number): string | null {
  const { protocol } = recording;
  if ((readPrefix(recording, place)?.finish ?? null) === null) return null;
  if (protocol === "bedrock-converse" && edges.includes(place))
    return "a cut just after the stop and before the usage: answers without usage are recorded, so it is taken for one";
  if (protocol === "openai-chat" && quirksOf(recording).streamOptions === false)
    return "a cut just after the stop, at a provider that is not asked for usage and need not send a terminator: nothing more was promised";
  return null;
}

function checkCuts(subject: StreamSubject, client: ClientId, effort: Effort): Finding {
  const { recording, edges } = subject;
  const { bytes, protocol } = recording;
  const places = cutPlaces(bytes, edges, effort);
  const reasons = new Set<string>();
  for (const place of places) {
    const { output, meter } = relayedCut(subject, client, place);
    const isError = endsInError(client, output);
    const isWhole = place >= subject.wholeFrom;
    // What the provider itself said last passes untouched: its own error, and whatever comes after its own end.
    if (protocol === client && (isWhole || (meter.error !== null && meter.error.upstream_code !== "truncated"))) continue;
    if (isWhole && !isError) {
      demand(holdsSuccess(client, output), `cut at ${place}, neither success nor error`);
      continue;
    }
    const reason = isError ? null : untold(subject, place);
    if (reason !== null) {
      reasons.add(reason);
      continue;
    }
    demand(isError, `cut at ${place} of ${bytes.length}, and no error at the end`);
    demand(protocol === client || !holdsSuccess(client, output), `cut at ${place} of ${bytes.length}, and a success before the error`);
  }
  checkResets(subject, client);
  return { reasons: [...reasons], places: places.length };
}

/** A connection that breaks is no end either. */
function checkResets(subject: StreamSubject, client: ClientId): void {
  const { recording, wholeFrom: whole } = subject;
  const { bytes, protocol } = recording;
  for (const place of seededPlaces(bytes.length + 2, 4, bytes.length).filter((each) => each > 0 && each < whole)) {
    const { output, meter } = relayedCut(subject, client, place, true);
    const isOwn = protocol === client && meter.error?.message !== RESET.message;
    demand(isOwn || endsInError(client, output), `the connection broke at ${place}, and no error at the end`);
  }
}

/** The checks of one stream, in order. A failed answer has no whole body and takes no trip. */
export function streamChecks(subject: StreamSubject, client: ClientId, effort: Effort): [Check, () => Finding | Promise<Finding>][] {
  const told: [Check, () => Finding | Promise<Finding>][] = [
    ["relay", () => checkRelay(subject, client)],
    ["sdk", () => checkSdk(subject, client)],
    ["splits", () => checkSplits(subject, client, effort)],
    ["cuts", () => checkCuts(subject, client, effort)],
  ];
  if (subject.failed || subject.malformed) return told;
  return [...told, ["trip", () => checkTrip(subject, client)], ["fold", () => checkFold(subject, client)]];
}
