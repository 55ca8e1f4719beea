/**
 * Canonical events → a caller's Chat stream. Owns ids, tool indexes, roles and the order of the end: finish chunks, the usage
 * chunk (only for a caller that asked), `[DONE]`. Chat has no place for reasoning signatures, citations and redacted reasoning; they are left out.
 */
import { mergeUsage, UNKNOWN_USAGE, type Usage } from "../../../schema/usage.ts";
import type { CanonicalEvent, FinishReason } from "../canonical.ts";
import type { Encoder, EncoderContext } from "../protocol.ts";
import { renderUsage } from "./usage.ts";

type FinishEvent = Extract<CanonicalEvent, { type: "finish" }>;

const FINISH_WORDS: Readonly<Record<FinishReason, string>> = {
  stop: "stop",
  "stop-sequence": "stop",
  length: "length",
  "context-full": "length",
  "tool-calls": "tool_calls",
  refusal: "content_filter",
  "content-filter": "content_filter",
  pause: "stop",
  malformed: "stop",
  error: "stop",
};

/** The wire's word for a finish. A refusal that the caller can read as `refusal` text is a plain stop; one without text is a filter's. */
export function finishWord(finish: FinishEvent, refusalText: boolean): string {
  return finish.unified === "refusal" && refusalText ? "stop" : FINISH_WORDS[finish.unified];
}

interface BlockState {
  choice: number;
  /** The delta member that text of this block goes to. */
  member: "content" | "refusal" | "reasoning_content";
  /** Index among the calls of its choice; -1 for a block that is no call. */
  toolIndex: number;
  empty: boolean;
}

interface EncoderState {
  context: EncoderContext;
  /** Everything of a chunk before its choices, printed once. */
  head: string | null;
  blocks: Map<number, BlockState>;
  roleSent: Set<number>;
  refused: Set<number>;
  toolCounts: Map<number, number>;
  finished: Set<number>;
  usage: Usage;
  usageSeen: boolean;
  ended: boolean;
}

export function createEncoder(context: EncoderContext): Encoder {
  const state: EncoderState = {
    context,
    head: null,
    blocks: new Map(),
    roleSent: new Set(),
    refused: new Set(),
    toolCounts: new Map(),
    finished: new Set(),
    usage: UNKNOWN_USAGE,
    usageSeen: false,
    ended: false,
  };
  return {
    encode(event) {
      return state.ended ? "" : encodeEvent(state, event);
    },
  };
}

function encodeEvent(state: EncoderState, event: CanonicalEvent): string {
  switch (event.type) {
    case "start":
      state.head ??= renderHead(state.context, event);
      return "";
    case "text-start":
      if (event.refusal) state.refused.add(event.choice);
      openBlock(state, event.block, event.choice, event.refusal ? "refusal" : "content", -1);
      return "";
    case "reasoning-start":
      openBlock(state, event.block, event.choice, "reasoning_content", -1);
      return "";
    case "text-delta":
    case "reasoning-delta": {
      const block = state.blocks.get(event.block);
      if (block === undefined || event.text === "") return "";
      return chunk(state, block.choice, `{${role(state, block.choice)}"${block.member}":${JSON.stringify(event.text)}}`, null);
    }
    case "tool-input-start":
      return startTool(state, event);
    case "tool-input-delta": {
      // `null` and nothing mean "no arguments", which become an empty object at the block's end.
      const block = state.blocks.get(event.block);
      if (block === undefined || event.text === "" || (event.text === "null" && block.empty)) return "";
      return toolDelta(state, block, event.text);
    }
    case "tool-input-end": {
      // A call without arguments is `{}` on this wire, never an empty string.
      const block = state.blocks.get(event.block);
      return block?.empty === true ? toolDelta(state, block, "{}") : "";
    }
    case "finish":
      return finishChunk(state, event);
    case "usage":
      state.usage = mergeUsage(state.usage, event.usage);
      state.usageSeen ||= event.final;
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

function renderHead(context: EncoderContext, event: { id: string | null; model: string | null; createdSeconds: number | null }): string {
  const id = JSON.stringify(event.id ?? context.id);
  const model = JSON.stringify(event.model ?? context.model);
  return `{"id":${id},"object":"chat.completion.chunk","created":${event.createdSeconds ?? context.createdSeconds},"model":${model},"choices":[`;
}

function headOf(state: EncoderState): string {
  state.head ??= renderHead(state.context, { id: null, model: null, createdSeconds: null });
  return state.head;
}

function chunk(state: EncoderState, choice: number, delta: string, finishReason: string | null): string {
  return `data: ${headOf(state)}{"index":${choice},"delta":${delta},"logprobs":null,"finish_reason":${finishReason === null ? "null" : `"${finishReason}"`}}]}\n\n`;
}

/** The role goes into the first delta of its choice, together with the first content. */
function role(state: EncoderState, choice: number): string {
  if (state.roleSent.has(choice)) return "";
  state.roleSent.add(choice);
  return '"role":"assistant",';
}

function openBlock(state: EncoderState, block: number, choice: number, member: BlockState["member"], toolIndex: number): BlockState {
  const opened: BlockState = { choice, member, toolIndex, empty: true };
  state.blocks.set(block, opened);
  return opened;
}

function startTool(state: EncoderState, event: Extract<CanonicalEvent, { type: "tool-input-start" }>): string {
  const toolIndex = state.toolCounts.get(event.choice) ?? 0;
  state.toolCounts.set(event.choice, toolIndex + 1);
  openBlock(state, event.block, event.choice, "content", toolIndex);
  const call = { index: toolIndex, id: event.id, type: "function", function: { name: event.name, arguments: "" } };
  const opening = role(state, event.choice);
  return chunk(state, event.choice, `{${opening}${opening === "" ? "" : '"content":null,'}"tool_calls":[${JSON.stringify(call)}]}`, null);
}

function toolDelta(state: EncoderState, block: BlockState, text: string): string {
  block.empty = false;
  return chunk(state, block.choice, `{"tool_calls":[{"index":${block.toolIndex},"function":{"arguments":${JSON.stringify(text)}}}]}`, null);
}

function finishChunk(state: EncoderState, event: FinishEvent): string {
  if (state.finished.has(event.choice)) return "";
  state.finished.add(event.choice);
  const opening = state.roleSent.has(event.choice) ? "" : chunk(state, event.choice, `{${role(state, event.choice)}"content":""}`, null);
  return opening + chunk(state, event.choice, "{}", finishWord(event, state.refused.has(event.choice)));
}

function endOfStream(state: EncoderState): string {
  state.ended = true;
  let tail = "";
  if (state.context.wantsStreamUsage && state.usageSeen) {
    const usage = renderUsage(state.usage, state.context.costMicroRub(state.usage));
    if (usage !== null) tail = `data: ${headOf(state)}],"usage":${JSON.stringify(usage)}}\n\n`;
  }
  return `${tail}data: [DONE]\n\n`;
}
