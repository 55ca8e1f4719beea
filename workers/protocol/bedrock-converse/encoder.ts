/**
 * Canonical events → a caller's Converse stream. Owns block indexes: blocks are contiguous and never interleave, and one that says nothing
 * is left out. Stop and description go out together at the end, since other wires send usage after the finish. Only choice 0 has a place.
 */
import { mergeUsage, UNKNOWN_USAGE, type Usage } from "../../../schema/usage.ts";
import { createBlockOrder } from "../block-order.ts";
import type { CanonicalEvent } from "../canonical.ts";
import { joinBytes, renderEventFrame } from "../event-stream.ts";
import type { Encoder, EncoderContext } from "../protocol.ts";
import { imageOf } from "./media-format.ts";
import { blobOfState } from "./redacted.ts";
import { stopReasonWord } from "./stop-reason.ts";
import { renderUsage } from "./usage.ts";

interface EncoderState {
  context: EncoderContext;
  order: (event: CanonicalEvent) => CanonicalEvent[];
  /** Blocks of choices that have no place. */
  ignored: Set<number>;
  started: boolean;
  /** Index of the next block, and whether the open one has been given it. */
  index: number;
  shown: boolean;
  usage: Usage;
  finish: Extract<CanonicalEvent, { type: "finish" }> | null;
  refused: boolean;
  ended: boolean;
}

const NOTHING = new Uint8Array(0);

export function createEncoder(context: EncoderContext): Encoder {
  const state: EncoderState = {
    context,
    order: createBlockOrder(),
    ignored: new Set(),
    started: false,
    index: 0,
    shown: false,
    usage: UNKNOWN_USAGE,
    finish: null,
    refused: false,
    ended: false,
  };
  return {
    encode(event) {
      if (state.ended || isIgnored(state, event)) return NOTHING;
      const frames = state.order(event).flatMap((ready) => encodeEvent(state, ready));
      return frames.length === 1 ? (frames[0] ?? NOTHING) : joinBytes(frames);
    },
  };
}

function isIgnored(state: EncoderState, event: CanonicalEvent): boolean {
  if ("choice" in event && event.choice !== 0) {
    if ("block" in event && event.block !== null) state.ignored.add(event.block);
    return true;
  }
  return "block" in event && event.block !== null && state.ignored.has(event.block);
}

function frame(type: string, body: object): Uint8Array {
  return renderEventFrame("event", type, JSON.stringify(body));
}

function start(state: EncoderState): Uint8Array[] {
  if (state.started) return [];
  state.started = true;
  return [frame("messageStart", { role: "assistant" })];
}

function encodeEvent(state: EncoderState, event: CanonicalEvent): Uint8Array[] {
  switch (event.type) {
    case "start":
      return start(state);
    case "usage":
      state.usage = mergeUsage(state.usage, event.usage);
      return [];
    case "finish":
      state.finish ??= event;
      return [];
    case "end":
      return endOfStream(state);
    case "error":
      // The stream error needs the request's id: whoever drives the encoder renders it.
      state.ended = true;
      return [];
    default:
      return [...start(state), ...encodeBlockEvent(state, event)];
  }
}

function encodeBlockEvent(state: EncoderState, event: CanonicalEvent): Uint8Array[] {
  switch (event.type) {
    case "text-start":
      state.refused ||= event.refusal;
      return [];
    case "text-delta":
      return event.text === "" ? [] : delta(state, { text: event.text });
    case "reasoning-start":
      return event.data === null || event.data === ""
        ? []
        : delta(state, { reasoningContent: { redactedContent: blobOfState(event.data) } });
    case "reasoning-delta":
      return event.text === "" ? [] : delta(state, { reasoningContent: { text: event.text } });
    case "reasoning-signature":
      return delta(state, { reasoningContent: { signature: event.signature } });
    case "tool-input-start":
      return [
        frame("contentBlockStart", { start: { toolUse: { toolUseId: event.id, name: event.name } }, contentBlockIndex: state.index }),
      ];
    case "tool-input-delta":
      // `null` and nothing mean "no arguments", which become an empty object at the block's end.
      return event.text === "" || (event.text === "null" && !state.shown) ? [] : delta(state, { toolUse: { input: event.text } });
    case "tool-input-end":
      return [...(state.shown ? [] : delta(state, { toolUse: { input: "{}" } })), ...stop(state)];
    case "text-end":
    case "reasoning-end":
      return state.shown ? stop(state) : [];
    case "file":
      return image(state, event);
    default:
      return [];
  }
}

function delta(state: EncoderState, content: object): Uint8Array[] {
  state.shown = true;
  return [frame("contentBlockDelta", { delta: content, contentBlockIndex: state.index })];
}

function stop(state: EncoderState): Uint8Array[] {
  const stopped = [frame("contentBlockStop", { contentBlockIndex: state.index })];
  state.index += 1;
  state.shown = false;
  return stopped;
}

/** An image of the answer, when it came as bytes of a format the wire knows. */
function image(state: EncoderState, { source }: Extract<CanonicalEvent, { type: "file" }>): Uint8Array[] {
  const picture = imageOf(source);
  if (picture === null) return [];
  const { format, bytes } = picture;
  const started = frame("contentBlockStart", { start: { image: { format } }, contentBlockIndex: state.index });
  return [started, ...delta(state, { image: { source: { bytes } } }), ...stop(state)];
}

function endOfStream(state: EncoderState): Uint8Array[] {
  const frames = start(state);
  state.ended = true;
  const usage = renderUsage(state.usage, state.context.costMicroRub(state.usage));
  // How long the provider took is not known here.
  return [...frames, frame("messageStop", stopOf(state.finish, state.refused)), frame("metadata", { usage, metrics: {} })];
}

/** How an answer ended: `stopReason`, and the sequence that caused it where it is known. */
export function stopOf(finish: Extract<CanonicalEvent, { type: "finish" }> | null, refused: boolean): object {
  const sequence = finish?.stopSequence ?? null;
  return {
    stopReason: stopReasonWord(refused ? "refusal" : (finish?.unified ?? "stop")),
    ...(sequence === null ? {} : { additionalModelResponseFields: { stop_sequence: sequence } }),
  };
}
