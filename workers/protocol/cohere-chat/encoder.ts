/**
 * Canonical events → a v2 Chat stream. Content and tool calls are counted apart, and every event names its index, so blocks may overlap here
 * as they do in the hub. The finish and the usage go out together in `message-end`. Only choice 0 has a place.
 */
import { mergeUsage, UNKNOWN_USAGE, type Usage } from "../../../schema/usage.ts";
import type { CanonicalEvent } from "../canonical.ts";
import type { Encoder, EncoderContext } from "../protocol.ts";
import { renderSseFrame } from "../sse.ts";
import { finishWord } from "./finish-reason.ts";
import { renderUsage } from "./usage.ts";

interface BlockState {
  kind: "text" | "thinking" | "tool";
  index: number;
  empty: boolean;
}

interface EncoderState {
  context: EncoderContext;
  started: boolean;
  ended: boolean;
  blocks: Map<number, BlockState>;
  contents: number;
  calls: number;
  usage: Usage;
  finish: Extract<CanonicalEvent, { type: "finish" }> | null;
}

export function createEncoder(context: EncoderContext): Encoder {
  const state: EncoderState = {
    context,
    started: false,
    ended: false,
    blocks: new Map(),
    contents: 0,
    calls: 0,
    usage: UNKNOWN_USAGE,
    finish: null,
  };
  return { encode: (event) => (state.ended ? "" : encodeEvent(state, event)) };
}

function frame(type: string, fields: object): string {
  return renderSseFrame(type, JSON.stringify({ type, ...fields }));
}

function encodeEvent(state: EncoderState, event: CanonicalEvent): string {
  switch (event.type) {
    case "start":
      return start(state, event.id);
    case "text-start":
      return event.choice === 0 ? openContent(state, event.block, "text") : "";
    case "reasoning-start":
      return event.choice === 0 && event.kind !== "redacted" ? openContent(state, event.block, "thinking") : "";
    case "tool-input-start":
      return event.choice === 0 ? openCall(state, event) : "";
    case "text-delta":
    case "reasoning-delta":
    case "tool-input-delta":
      return delta(state, event.block, event.text);
    case "text-end":
    case "reasoning-end":
    case "tool-input-end":
      return close(state, event.block);
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
      return "";
  }
}

function start(state: EncoderState, id: string | null): string {
  if (state.started) return "";
  state.started = true;
  const message = { role: "assistant", content: [], tool_plan: "", tool_calls: [], citations: [] };
  return renderSseFrame("message-start", JSON.stringify({ id: id ?? state.context.id, type: "message-start", delta: { message } }));
}

function openContent(state: EncoderState, block: number, kind: "text" | "thinking"): string {
  const index = state.contents++;
  state.blocks.set(block, { kind, index, empty: true });
  return start(state, null) + frame("content-start", { index, delta: { message: { content: { type: kind, [kind]: "" } } } });
}

function openCall(state: EncoderState, event: Extract<CanonicalEvent, { type: "tool-input-start" }>): string {
  const index = state.calls++;
  state.blocks.set(event.block, { kind: "tool", index, empty: true });
  const call = { id: event.id, type: "function", function: { name: event.name, arguments: "" } };
  return start(state, null) + frame("tool-call-start", { index, delta: { message: { tool_calls: call } } });
}

function delta(state: EncoderState, block: number, text: string): string {
  const opened = state.blocks.get(block);
  // `null` and nothing mean "no arguments", which become an empty object at the call's end.
  if (opened === undefined || text === "" || (opened.kind === "tool" && opened.empty && text === "null")) return "";
  opened.empty = false;
  const { kind, index } = opened;
  if (kind === "tool") return frame("tool-call-delta", { index, delta: { message: { tool_calls: { function: { arguments: text } } } } });
  return frame("content-delta", { index, delta: { message: { content: { [kind]: text } } } });
}

function close(state: EncoderState, block: number): string {
  const opened = state.blocks.get(block);
  if (opened === undefined) return "";
  const filler = opened.kind === "tool" && opened.empty ? delta(state, block, "{}") : "";
  state.blocks.delete(block);
  return filler + frame(opened.kind === "tool" ? "tool-call-end" : "content-end", { index: opened.index });
}

function endOfStream(state: EncoderState): string {
  let text = start(state, null);
  for (const block of state.blocks.keys()) text += close(state, block);
  state.ended = true;
  const usage = renderUsage(state.usage, state.context.costMicroRub(state.usage));
  const finish_reason = finishWord(state.finish?.unified ?? "stop");
  return `${text}${frame("message-end", { delta: { finish_reason, ...(usage === null ? {} : { usage }) } })}data: [DONE]\n\n`;
}
