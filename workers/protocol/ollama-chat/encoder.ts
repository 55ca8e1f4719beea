/**
 * Canonical events → a caller's Ollama stream. Text and thinking go out piece by piece; a call goes out whole, since this wire has no piece of
 * one. Blocks go one after the other. The last line has the reason and the counts, since other wires send usage after the finish. Only
 * choice 0 has a place here, and signatures and citations have none.
 */
import { mergeUsage, UNKNOWN_USAGE, type Usage } from "../../../schema/usage.ts";
import { createBlockOrder } from "../block-order.ts";
import type { CanonicalEvent, FinishReason } from "../canonical.ts";
import { RawJson, stringifyWithRaw } from "../json-text.ts";
import { renderNdjsonLine } from "../ndjson.ts";
import type { Encoder, EncoderContext } from "../protocol.ts";
import { inputObject } from "../tool-arguments.ts";
import { doneReason } from "./finish.ts";
import { type LineShape, type Said, saidMembers } from "./shape.ts";
import { usageMembers } from "./usage.ts";

interface OpenCall {
  id: string;
  name: string;
  argumentsText: string;
}

interface EncoderState {
  shape: LineShape;
  context: EncoderContext;
  head: Head | null;
  /** The head as every line begins, printed once. */
  headText: string | null;
  /** Blocks of choice 0; blocks of other choices are not here. */
  blocks: Map<number, "text" | "thinking" | OpenCall>;
  calls: number;
  finish: FinishReason | null;
  usage: Usage;
  ended: boolean;
}

interface Head {
  model: string;
  created_at: string;
}

/** What every line and every whole answer begins with. */
export function headOf(start: { model: string | null; createdSeconds: number | null }, context: EncoderContext): Head {
  const seconds = start.createdSeconds ?? context.createdSeconds;
  return { model: start.model ?? context.model, created_at: new Date(seconds * 1000).toISOString() };
}

/** One call as this wire has it. Arguments keep their raw text. */
export function renderCall(call: OpenCall, index: number): RawJson {
  const called = { index, name: call.name, arguments: inputObject(call.argumentsText).raw };
  return new RawJson(stringifyWithRaw({ id: call.id, function: called }));
}

export function createLineEncoder(shape: LineShape, context: EncoderContext): Encoder {
  const order = createBlockOrder();
  const state: EncoderState = {
    shape,
    context,
    head: null,
    headText: null,
    blocks: new Map(),
    calls: 0,
    finish: null,
    usage: UNKNOWN_USAGE,
    ended: false,
  };
  return {
    encode(event) {
      if (state.ended) return "";
      return order(event)
        .map((ready) => encodeEvent(state, ready))
        .join("");
    },
  };
}

function line(state: EncoderState, said: Said): string {
  state.head ??= headOf({ model: null, createdSeconds: null }, state.context);
  state.headText ??= `${JSON.stringify(state.head).slice(0, -1)},`;
  return renderNdjsonLine(state.headText + stringifyWithRaw({ ...saidMembers(said, state.shape), done: false }).slice(1));
}

function encodeEvent(state: EncoderState, event: CanonicalEvent): string {
  switch (event.type) {
    case "start":
      state.head ??= headOf(event, state.context);
      return "";
    case "text-start":
    case "reasoning-start":
      if (event.choice === 0) state.blocks.set(event.block, event.type === "text-start" ? "text" : "thinking");
      return "";
    case "tool-input-start":
      if (event.choice === 0) state.blocks.set(event.block, { id: event.id, name: event.name, argumentsText: "" });
      return "";
    case "text-delta":
    case "reasoning-delta":
    case "tool-input-delta":
      return addDelta(state, event.block, event.text);
    case "tool-input-end": {
      const call = state.blocks.get(event.block);
      return typeof call === "object" ? line(state, { text: "", calls: [renderCall(call, state.calls++)] }) : "";
    }
    case "file":
      if (event.choice !== 0 || event.source.kind !== "base64") return "";
      return line(state, { text: "", images: [event.source.data] });
    case "usage":
      state.usage = mergeUsage(state.usage, event.usage);
      return "";
    case "finish":
      if (event.choice === 0) state.finish ??= event.unified;
      return "";
    case "end":
      return lastLine(state);
    case "error":
      // The stream error needs the request's id: whoever drives the encoder renders it.
      state.ended = true;
      return "";
    default:
      return "";
  }
}

function addDelta(state: EncoderState, number: number, text: string): string {
  const block = state.blocks.get(number);
  if (block === undefined || text === "") return "";
  if (block === "text") return line(state, { text });
  if (block === "thinking") return line(state, { text: "", thinking: text });
  block.argumentsText += text;
  return "";
}

function lastLine(state: EncoderState): string {
  state.ended = true;
  state.head ??= headOf({ model: null, createdSeconds: null }, state.context);
  const counts = usageMembers(state.usage, state.context.costMicroRub(state.usage));
  const last = { ...state.head, ...saidMembers({ text: "" }, state.shape), done: true, done_reason: doneReason(state.finish), ...counts };
  return renderNdjsonLine(stringifyWithRaw(last));
}
