/**
 * Canonical events → a caller's Messages stream. Owns block indexes and brackets: blocks are contiguous and never interleave, so what
 * comes for a later block waits until the open one is closed. The stop reason and the usage go out together at the end, since other
 * wires send usage after the finish. Only choice 0 has a place here.
 */
import { mergeUsage, UNKNOWN_USAGE, type Usage } from "../../../schema/usage.ts";
import type { CanonicalEvent } from "../canonical.ts";
import type { Encoder, EncoderContext } from "../protocol.ts";
import { renderSseFrame } from "../sse.ts";
import { stopReasonWord } from "./stop-reason.ts";
import { renderUsage } from "./usage.ts";

type FinishEvent = Extract<CanonicalEvent, { type: "finish" }>;

interface QueuedBlock {
  block: number;
  /** Frames' contents not sent yet: an event name and its JSON without the index. */
  pieces: { event: string; body: (index: number) => object }[];
  closed: boolean;
}

interface EncoderState {
  context: EncoderContext;
  started: boolean;
  nextIndex: number;
  /** Blocks in order of opening; the first is the one being sent. */
  queue: QueuedBlock[];
  emptyTools: Set<number>;
  /** Calls whose arguments are no JSON object: they travel as text inside one, since clients parse what they have so far. */
  wrappedTools: Set<number>;
  refused: boolean;
  usage: Usage;
  finish: FinishEvent | null;
  ended: boolean;
}

export function createEncoder(context: EncoderContext): Encoder {
  const state: EncoderState = {
    context,
    started: false,
    nextIndex: 0,
    queue: [],
    emptyTools: new Set(),
    wrappedTools: new Set(),
    refused: false,
    usage: UNKNOWN_USAGE,
    finish: null,
    ended: false,
  };
  return { encode: (event) => (state.ended ? "" : encodeEvent(state, event)) };
}

function encodeEvent(state: EncoderState, event: CanonicalEvent): string {
  switch (event.type) {
    case "start":
      return start(state, event.id, event.model);
    case "ping":
      return state.started ? renderSseFrame("ping", '{"type":"ping"}') : "";
    case "usage":
      state.usage = mergeUsage(state.usage, event.usage);
      return "";
    case "finish":
      if (event.choice === 0) state.finish ??= event;
      return "";
    case "end":
      return endOfStream(state);
    case "error":
      // The stream error needs the request's id: whoever drives the encoder renders it.
      state.ended = true;
      return "";
    default:
      return start(state, null, null) + encodeBlockEvent(state, event);
  }
}

function start(state: EncoderState, id: string | null, model: string | null): string {
  if (state.started) return "";
  state.started = true;
  // Clients of this wire demand two numbers here; on most wires neither is known yet, and `message_delta` carries the true ones.
  const usage = renderUsage({ ...state.usage, input_tokens: state.usage.input_tokens ?? 0, output_tokens: 0 }, null);
  const message = {
    id: id ?? state.context.id,
    type: "message",
    role: "assistant",
    model: model ?? state.context.model,
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage,
  };
  return renderSseFrame("message_start", JSON.stringify({ type: "message_start", message }));
}

function encodeBlockEvent(state: EncoderState, event: CanonicalEvent): string {
  switch (event.type) {
    case "text-start":
      if (event.choice !== 0) return "";
      state.refused ||= event.refusal;
      return open(state, event.block, { type: "text", text: "" });
    case "reasoning-start":
      if (event.choice !== 0) return "";
      return open(
        state,
        event.block,
        event.kind === "redacted"
          ? { type: "redacted_thinking", data: event.data ?? "" }
          : { type: "thinking", thinking: "", signature: "" },
      );
    case "tool-input-start":
      if (event.choice !== 0) return "";
      state.emptyTools.add(event.block);
      return open(state, event.block, { type: "tool_use", id: event.id, name: event.name, input: {} });
    case "text-delta":
      return event.text === "" ? "" : delta(state, event.block, { type: "text_delta", text: event.text });
    case "reasoning-delta":
      return event.text === "" ? "" : delta(state, event.block, { type: "thinking_delta", thinking: event.text });
    case "reasoning-signature":
      return delta(state, event.block, { type: "signature_delta", signature: event.signature });
    case "tool-input-delta":
      return addInput(state, event.block, event.text);
    case "text-end":
    case "reasoning-end":
    case "tool-input-end":
      return close(state, event.block);
    default:
      return "";
  }
}

function addInput(state: EncoderState, block: number, text: string): string {
  const isFirst = state.emptyTools.has(block);
  // `null` and nothing mean "no arguments", which become an empty object at the block's end.
  if (text === "" || (isFirst && text === "null")) return "";
  let piece = text;
  if (isFirst && text.trim() !== "") {
    state.emptyTools.delete(block);
    if (!text.trimStart().startsWith("{")) state.wrappedTools.add(block);
    if (state.wrappedTools.has(block)) piece = `{"_raw":"${quoted(text)}`;
  } else if (state.wrappedTools.has(block)) piece = quoted(text);
  return delta(state, block, { type: "input_json_delta", partial_json: piece });
}

/** Text as the inside of a JSON string. */
function quoted(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

function open(state: EncoderState, block: number, content: object): string {
  state.queue.push({ block, closed: false, pieces: [] });
  return add(state, block, "content_block_start", (index) => ({ type: "content_block_start", index, content_block: content }));
}

function delta(state: EncoderState, block: number, content: object): string {
  return add(state, block, "content_block_delta", (index) => ({ type: "content_block_delta", index, delta: content }));
}

function close(state: EncoderState, block: number): string {
  const queued = state.queue.find((candidate) => candidate.block === block && !candidate.closed);
  if (queued === undefined) return "";
  const missing = state.emptyTools.delete(block) ? "{}" : state.wrappedTools.delete(block) ? '"}' : "";
  const filler = missing === "" ? "" : delta(state, block, { type: "input_json_delta", partial_json: missing });
  const stop = add(state, block, "content_block_stop", (index) => ({ type: "content_block_stop", index }));
  queued.closed = true;
  return filler + stop + advance(state);
}

/** Sends a piece of the open block, or keeps it for a block whose turn has not come. */
function add(state: EncoderState, block: number, event: string, body: (index: number) => object): string {
  const queued = state.queue.find((candidate) => candidate.block === block && !candidate.closed);
  if (queued === undefined) return "";
  if (queued === state.queue[0]) return renderSseFrame(event, JSON.stringify(body(state.nextIndex)));
  queued.pieces.push({ event, body });
  return "";
}

/** The open block is closed: the next ones get their turn, as far as they have come. */
function advance(state: EncoderState): string {
  let text = "";
  while (state.queue[0]?.closed === true) {
    state.queue.shift();
    state.nextIndex += 1;
    const next = state.queue[0];
    for (const piece of next?.pieces.splice(0) ?? []) text += renderSseFrame(piece.event, JSON.stringify(piece.body(state.nextIndex)));
  }
  return text;
}

function endOfStream(state: EncoderState): string {
  let text = start(state, null, null);
  for (const queued of state.queue.slice()) text += close(state, queued.block);
  state.ended = true;
  const { finish } = state;
  const stopSequence = finish?.stopSequence ?? null;
  const reason = state.refused ? "refusal" : stopReasonWord(finish?.unified ?? "stop", stopSequence);
  const usage = renderUsage(state.usage, state.context.costMicroRub(state.usage));
  text += renderSseFrame(
    "message_delta",
    JSON.stringify({ type: "message_delta", delta: { stop_reason: reason, stop_sequence: stopSequence }, usage }),
  );
  return text + renderSseFrame("message_stop", '{"type":"message_stop"}');
}
