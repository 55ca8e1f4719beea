/**
 * Between an upstream's bytes and a caller's: the object the stream pump drives (relay-contract.ts).
 *
 * Same protocol on both sides: complete frames pass as the bytes they are, a decoder beside them reads what settlement needs, and only
 * a frame that holds usage may be rewritten. Different protocols: decode, check the grammar, encode. Either way nothing follows
 * a terminal event, and an answer that broke off never gets a success terminator.
 */
import { gatewayError, type GatewayError } from "../../schema/error.ts";
import { parseJson } from "../../schema/json.ts";
import type { StreamFraming } from "../../schema/protocol.ts";
import { mergeUsage, UNKNOWN_USAGE, type Usage } from "../../schema/usage.ts";
import type { CanonicalEvent } from "./canonical.ts";
import { createGrammarChecker } from "./grammar.ts";
import { markEvent } from "./opaque-state.ts";
import type { Decoder, Encoder, EncoderContext, Frame, Framer, Protocol, Quirks } from "./protocol.ts";
import { checkedEvent } from "./read-events.ts";
import type { Meter, Relay } from "./relay-contract.ts";
import { createOutline, type Outline, renderCut } from "./relay-cut.ts";
import { truncatedError } from "./upstream-error.ts";

export interface RelayOptions {
  /** What the provider speaks. */
  upstream: Protocol;
  /** What the caller speaks. */
  caller: Protocol;
  quirks: Quirks;
  context: EncoderContext;
  /** For in-stream errors of ours. */
  requestId: string;
  /** Keep events for `takeEvents`. */
  recordEvents?: boolean;
  /** The answer is of several calls: usage as the caller is to see it, from that of this one. Every event is then written anew. */
  wholeUsage?: (usage: Usage) => Usage;
}

const NOTHING = new Uint8Array(0);

type MutableMeter = { -readonly [Key in keyof Meter]: Meter[Key] };

interface RelayState {
  options: RelayOptions;
  framer: Framer;
  decoder: Decoder;
  /** Null when the bytes pass through. */
  encoder: Encoder | null;
  /** Checks events on their way to the encoder; null in pass-through, where nothing is rendered from them. */
  grammar: ((event: CanonicalEvent) => string | null) | null;
  meter: MutableMeter;
  /** Where the answer is, should it have to be ended in the middle. */
  outline: Outline;
  recorded: CanonicalEvent[];
  /** A terminal event was forwarded: nothing more goes to the caller. */
  closed: boolean;
  /** The upstream's own terminator or error passed: whatever bytes it still sends pass too, unread and unbilled. */
  transparent: boolean;
  /** The last bytes forwarded did not end in a blank line, so an event of ours must begin with one. */
  lastFrameOpen: boolean;
}

function createMeter(): MutableMeter {
  return {
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
}

/** Counts one event. Nothing here depends on how the bytes were cut. */
function meterEvent(meter: MutableMeter, event: CanonicalEvent): void {
  switch (event.type) {
    case "text-delta":
    case "reasoning-delta":
    case "tool-input-delta":
      meter.outputCharacters += event.text.length;
      if (event.text !== "") meter.contentSeen = true;
      break;
    case "tool-input-start":
      meter.outputCharacters += event.name.length;
      meter.contentSeen = true;
      break;
    case "reasoning-start":
      if (event.data !== null) meter.contentSeen = true;
      break;
    case "file":
    case "embedding":
      meter.contentSeen = true;
      break;
    case "usage":
      meter.usage = mergeUsage(meter.usage, event.usage);
      meter.usageFinal ||= event.final;
      meter.usageAnomaly = event.anomaly ?? meter.usageAnomaly;
      break;
    case "finish":
      // Of several choices the first to finish stands for the answer.
      meter.finish ??= { unified: event.unified, raw: event.raw };
      break;
    case "start":
      meter.providerId = event.id;
      break;
    case "error":
      meter.error ??= event.error;
      break;
    case "end":
      meter.ended = true;
      break;
    default:
  }
}

/** Asks for the cost once for the same usage: some providers repeat their final usage in a second chunk. */
function rememberCost(context: EncoderContext): EncoderContext {
  let last: { key: string; cost: number | null } | null = null;
  return {
    ...context,
    costMicroRub(usage: Usage) {
      const key = JSON.stringify(usage);
      if (last?.key !== key) last = { key, cost: context.costMicroRub(usage) };
      return last.cost;
    },
  };
}

function ourFault(error: unknown): GatewayError {
  const what = error instanceof Error ? error.name : "error";
  return gatewayError("provider_error", "The provider's answer could not be read.", { upstream_code: `reader-${what}` });
}

function take(state: RelayState, event: CanonicalEvent): void {
  meterEvent(state.meter, event);
  state.outline.note(event);
  if (state.options.recordEvents === true) state.recorded.push(event);
}

/** One frame in, the caller's pieces out. Errors of the reader itself are thrown and caught by `guard`. */
function forwardFrame(state: RelayState, frame: Frame, out: (Uint8Array | string)[]): void {
  if (state.encoder !== null) return translate(state, state.decoder.decode(frame), out);
  const events = state.transparent ? [] : state.decoder.decode(frame);
  let usage: Extract<CanonicalEvent, { type: "usage" }> | null = null;
  let terminal = false;
  for (const event of events) {
    take(state, event);
    if (event.type === "usage") usage = event;
    else if (event.type === "end" || event.type === "error") terminal = true;
  }
  const error = state.meter.error;
  if (terminal && error !== null && !isUpstreamsOwn(error)) {
    // The frame is unreadable (or too large): the caller gets an error event instead of it.
    out.push(streamError(state, error));
    state.closed = true;
    return;
  }
  const bytes = usage === null ? frame.bytes : spliceUsage(state, frame, usage.final);
  if (bytes !== null && bytes.length > 0) {
    out.push(bytes);
    if (frame.data !== null) state.outline.countFrame();
    state.lastFrameOpen = !endsFrame(bytes, state.options.upstream.framing);
  }
  if (terminal) state.transparent = true;
}

/** True for an error the upstream stated in its own protocol, which the caller reads as it is. */
function isUpstreamsOwn(error: GatewayError): boolean {
  return error.upstream_code !== "malformed" && error.upstream_code !== "truncated";
}

function spliceUsage(state: RelayState, frame: Frame, final: boolean): Uint8Array | null {
  const { caller, context } = state.options;
  const costMicroRub = final && context.wantsStreamUsage ? context.costMicroRub(state.meter.usage) : null;
  return caller.spliceUsageFrame(frame, { wantsStreamUsage: context.wantsStreamUsage, costMicroRub, final });
}

const LF = 10;
const CR = 13;

/**
 * Whether a frame of ours may follow these bytes: after a blank line of SSE, a line's end of NDJSON. A CR at the end does not count: it may
 * be half of a line's end, and not every client takes it for a whole one.
 */
export function endsFrame(bytes: Uint8Array, framing: StreamFraming): boolean {
  const last = bytes.at(-1);
  if (framing !== "sse") return framing === "eventstream" || last === LF;
  if (last !== LF) return false;
  const before = bytes.at(-2) === CR ? bytes.at(-3) : bytes.at(-2);
  return before === LF || before === CR;
}

/** Events of another protocol → the caller's text. An event that breaks the grammar ends the answer with an error. */
function translate(state: RelayState, events: readonly CanonicalEvent[], out: (Uint8Array | string)[]): void {
  for (const event of events) {
    if (state.closed) return;
    const checked = state.grammar === null ? event : checkedEvent(event, state.grammar);
    take(state, checked);
    if (checked.type === "error") {
      out.push(streamError(state, checked.error));
      state.closed = true;
      return;
    }
    const { upstream, wholeUsage } = state.options;
    const shown = checked.type === "usage" && wholeUsage !== undefined ? { ...checked, usage: wholeUsage(state.meter.usage) } : checked;
    const piece = state.encoder?.encode(markEvent(upstream.id, shown)) ?? "";
    if (piece.length > 0) out.push(piece);
    if (checked.type === "end") state.closed = true;
  }
}

function streamError(state: RelayState, error: GatewayError): string | Uint8Array {
  const { caller, requestId } = state.options;
  const rendered = caller.renderStreamError(error, requestId);
  if (!state.lastFrameOpen || typeof rendered !== "string") return rendered;
  return (caller.framing === "sse" ? "\n\n" : "\n") + rendered;
}

/** Runs one step; an exception of a reader or encoder becomes the answer's error, never the pump's. */
function guard(state: RelayState, out: (Uint8Array | string)[], step: () => void): void {
  try {
    step();
  } catch (error) {
    const failure = ourFault(error);
    state.meter.error ??= failure;
    if (!state.closed) out.push(streamError(state, failure));
    state.closed = true;
  }
}

const textEncoder = new TextEncoder();

/** Joins what one step produced. Pieces that lie side by side in one chunk are handed on as a view of it, uncopied. */
function join(pieces: readonly (Uint8Array | string)[], chunk: Uint8Array | null): Uint8Array {
  const first = pieces[0];
  if (first === undefined) return NOTHING;
  if (pieces.length === 1) return typeof first === "string" ? textEncoder.encode(first) : first;
  if (pieces.every((piece) => typeof piece === "string")) return textEncoder.encode(pieces.join(""));
  if (chunk !== null && typeof first !== "string") {
    let end = first.byteOffset;
    const adjacent = pieces.every((piece) => {
      if (typeof piece === "string" || piece.buffer !== chunk.buffer || piece.byteOffset !== end) return false;
      end += piece.byteLength;
      return true;
    });
    if (adjacent) {
      const start = first.byteOffset - chunk.byteOffset;
      return start === 0 && end - first.byteOffset === chunk.byteLength ? chunk : chunk.subarray(start, start + end - first.byteOffset);
    }
  }
  const parts = pieces.map((piece) => (typeof piece === "string" ? textEncoder.encode(piece) : piece));
  const joined = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

function createState(given: RelayOptions): RelayState {
  const translated = given.upstream.id !== given.caller.id || given.wholeUsage !== undefined;
  const { answerId: _answerId, ...own } = given.context;
  // An answer that passes through has the provider's id, also where we end it.
  const options = { ...given, context: rememberCost(translated ? given.context : own) };
  return {
    options,
    framer: options.upstream.createFramer(),
    decoder: options.upstream.createDecoder(options.quirks),
    encoder: translated ? options.caller.createEncoder(options.context) : null,
    grammar: translated ? createGrammarChecker() : null,
    meter: createMeter(),
    outline: createOutline(!translated && options.caller.endRepeatsAnswer === true),
    recorded: [],
    closed: false,
    transparent: false,
    lastFrameOpen: false,
  };
}

function endRelay(state: RelayState, failure: GatewayError | null, out: (Uint8Array | string)[]): void {
  const frames = state.framer.end();
  // After a failure the unterminated rest is no event: half an event is not to be read or shown.
  if (failure === null) for (const frame of frames) forwardLast(state, frame, out);
  if (state.closed) return;
  if (state.transparent) {
    state.closed = true;
    return;
  }
  // A connection that fails after the finish and the final usage has lost nothing of the answer.
  const whole = failure === null || (state.meter.finish !== null && state.meter.usageFinal);
  const events = whole ? state.decoder.end() : [{ type: "error" as const, error: failure }];
  if (state.encoder !== null) return translate(state, events, out);
  for (const event of events) {
    take(state, event);
    if (event.type === "error") out.push(streamError(state, event.error));
  }
  state.closed = true;
}

/** The unterminated rest of the body: an event if it can be read, else the mark of a cut. */
function forwardLast(state: RelayState, frame: Frame, out: (Uint8Array | string)[]): void {
  const cut = frame.data !== null && frame.data.startsWith("{") && !parseJson(frame.data).ok;
  if (!cut || state.transparent) return forwardFrame(state, frame, out);
  const error = truncatedError();
  take(state, { type: "error", error });
  out.push(streamError(state, error));
  state.closed = true;
}

/** Makes the relay of one attempt. `push` and `end` never throw; what went wrong stands in `meter.error`. */
export function createRelay(options: RelayOptions): Relay {
  const state = createState(options);
  let over = false;
  return {
    push(bytes) {
      if (state.closed) return NOTHING;
      const out: (Uint8Array | string)[] = [];
      guard(state, out, () => {
        for (const frame of state.framer.push(bytes)) {
          if (state.closed) break;
          forwardFrame(state, frame, out);
        }
      });
      return join(out, bytes);
    },
    end(failure) {
      if (state.closed || over) return NOTHING;
      over = true;
      const out: (Uint8Array | string)[] = [];
      guard(state, out, () => endRelay(state, failure, out));
      return join(out, null);
    },
    cut(given) {
      if (state.closed || over) return NOTHING;
      over = true;
      const out: (Uint8Array | string)[] = [];
      guard(state, out, () => {
        const { caller, context } = state.options;
        if (state.lastFrameOpen) out.push(caller.framing === "sse" ? "\n\n" : "\n");
        if (!state.transparent) out.push(...renderCut(state.outline, given, { caller, context, encoder: state.encoder }));
      });
      state.closed = true;
      return join(out, null);
    },
    meter: state.meter,
    passesRest: () => state.transparent && !state.closed,
    takeEvents: () => state.recorded.splice(0),
  };
}

export interface UnaryRelayOptions extends Omit<RelayOptions, "requestId" | "recordEvents"> {
  bodyText: string;
}

/**
 * A whole 2xx body for the caller. Same protocol: the very text, but for the cost in its usage object. Other protocol: the fold of
 * its events. When `meter.error` is set the body is empty: the caller of this function answers with a real status instead.
 */
export function relayUnary(options: UnaryRelayOptions): { body: string; meter: Readonly<Meter>; events: readonly CanonicalEvent[] } {
  const { upstream, caller, quirks, bodyText } = options;
  const meter = createMeter();
  const context = rememberCost(options.context);
  try {
    const events = upstream.parseResponse(bodyText, quirks);
    for (const event of events) meterEvent(meter, event);
    if (meter.error !== null) return { body: "", meter, events };
    if (upstream.id !== caller.id) {
      const marked = events.map((event) => markEvent(upstream.id, event));
      return { body: caller.renderResponse(marked, context), meter, events };
    }
    const cost = meter.usageFinal ? context.costMicroRub(meter.usage) : null;
    return { body: cost === null ? bodyText : caller.spliceUsageBody(bodyText, cost), meter, events };
  } catch (error) {
    meter.error = ourFault(error);
    return { body: "", meter, events: [] };
  }
}
