/** Canonical turns → Chat messages, with what could not be carried. */
import type { Block, CanonicalRequest, Loss, MediaSource, Turn } from "../canonical.ts";
import { RawJson } from "../json-text.ts";
import { lossFor } from "../losses.ts";
import type { Quirks } from "../protocol.ts";

type Message = Record<string, unknown>;
type ToolResult = Extract<Block, { type: "tool-result" }>;

interface RenderState {
  quirks: Quirks;
  /** The caller speaks Chat too: its opaque parts and cache marks are at home. */
  native: boolean;
  losses: Loss[];
}

/** Renders all turns. Tool results become one `tool` message each, ahead of anything else the turn says. */
export function renderMessages(request: CanonicalRequest, quirks: Quirks, losses: Loss[]): Message[] {
  const state: RenderState = { quirks, native: request.protocol === "openai-chat", losses };
  return request.turns.flatMap((turn) => {
    if (turn.role === "assistant") return [renderAssistant(turn, state)];
    return renderOther(turn, state);
  });
}

function lose(state: RenderState, feature: string, path?: string, note?: string): void {
  state.losses.push(lossFor(feature, "openai-chat", { ...(path === undefined ? {} : { path }), ...(note === undefined ? {} : { note }) }));
}

function renderOther(turn: Turn, state: RenderState): Message[] {
  const messages: Message[] = [];
  const rest: Block[] = [];
  const media: Block[] = [];
  for (const block of turn.blocks) {
    if (block.type === "tool-result") messages.push(renderToolResult(block, media, state));
    else rest.push(block);
  }
  const content = [...media, ...rest];
  if (content.length === 0 && (messages.length > 0 || turn.blocks.length > 0)) return messages;
  const developer = turn.role === "developer" && state.quirks.developerRole !== false;
  const role = turn.role === "system" || turn.role === "developer" ? (developer ? "developer" : "system") : "user";
  const parts = renderParts(content, state);
  messages.push({ role, content: parts, ...(turn.name === null || turn.role === "tool" ? {} : { name: turn.name }) });
  return messages;
}

/** A tool message takes text only: media moves to the user message that follows, with a pointer left behind. */
function renderToolResult(result: ToolResult, media: Block[], state: RenderState): Message {
  const texts: Block[] = [];
  for (const block of result.content) {
    if (block.type === "image" || block.type === "file" || block.type === "audio") {
      lose(state, "messages.tool-result.media", `tool_result.${block.type}`, "moved to a user message");
      media.push({ type: "text", text: `Output of tool call ${result.callId}:`, cache: null }, block);
    } else {
      texts.push(block);
    }
  }
  if (media.length > 0 && texts.length === 0) texts.push({ type: "text", text: "See the next message.", cache: null });
  if (result.isError === true) {
    lose(state, "messages.tool-result.is-error", "tool_result.is_error", "prefixed with Error:");
    texts.unshift({ type: "text", text: "Error:", cache: null });
  }
  return { role: "tool", tool_call_id: toolId(result.callId, state.quirks), content: texts.length === 0 ? "" : renderParts(texts, state) };
}

function renderAssistant(turn: Turn, state: RenderState): Message {
  const texts: string[] = [];
  const opaque: RawJson[] = [];
  const toolCalls: unknown[] = [];
  let reasoning = "";
  let refusal: string | null = null;
  for (const block of turn.blocks) {
    if (block.type === "text") {
      if (toolCalls.length > 0) lose(state, "messages.block-order", "messages.content", "text after a tool call moved before it");
      noteCache(block, state);
      texts.push(block.text);
    } else if (block.type === "tool-call") {
      noteCache(block, state);
      toolCalls.push({
        id: toolId(block.id, state.quirks),
        type: "function",
        function: { name: block.name, arguments: block.argumentsText === "" ? "{}" : block.argumentsText },
      });
    } else if (block.type === "reasoning") {
      reasoning += readReasoning(block, state);
    } else if (block.type === "refusal") {
      refusal = (refusal ?? "") + block.text;
    } else if (block.type === "opaque" && state.native) {
      opaque.push(new RawJson(block.json));
    } else {
      lose(
        state,
        block.type === "opaque" ? "messages.opaque" : `messages.${block.type}`,
        `messages.${block.type === "opaque" ? block.kind : block.type}`,
      );
    }
  }
  const text = texts.join("");
  const message: Message = { role: "assistant" };
  if (opaque.length > 0) message["content"] = [...texts.map((part) => ({ type: "text", text: part })), ...opaque];
  else message["content"] = text === "" && (toolCalls.length > 0 || refusal !== null) ? null : text;
  addReasoning(message, text, reasoning, state.quirks);
  if (refusal !== null) message["refusal"] = refusal;
  if (turn.name !== null) message["name"] = turn.name;
  if (toolCalls.length > 0) message["tool_calls"] = toolCalls;
  return message;
}

/** Reasoning goes back only to a provider whose declared field takes it; signatures belong to the provider that made them. */
function readReasoning(block: Extract<Block, { type: "reasoning" }>, state: RenderState): string {
  if (block.signature !== null || block.data !== null) lose(state, "messages.reasoning.signature", "thinking.signature");
  if (state.quirks.reasoningField !== undefined) return block.text;
  lose(state, "messages.reasoning", "thinking");
  return "";
}

function addReasoning(message: Message, text: string, reasoning: string, quirks: Quirks): void {
  if (reasoning === "" || quirks.reasoningField === undefined) return;
  if (quirks.reasoningField !== "content-chunks") {
    message[quirks.reasoningField] = reasoning;
    return;
  }
  const thinking = { type: "thinking", thinking: [{ type: "text", text: reasoning }] };
  message["content"] = text === "" ? [thinking] : [thinking, { type: "text", text }];
}

function noteCache(block: Block, state: RenderState): void {
  if ("cache" in block && block.cache !== null) lose(state, "cache_control");
}

/** Parts of a message; a lone text is a plain string, which every provider takes. */
function renderParts(blocks: readonly Block[], state: RenderState): unknown {
  const only = blocks.length === 1 ? blocks[0] : undefined;
  if (only?.type === "text" && !(state.native && only.cache !== null)) {
    noteCache(only, state);
    return only.text;
  }
  return blocks.map((block) => renderPart(block, state)).filter((part) => part !== null);
}

function renderPart(block: Block, state: RenderState): unknown {
  if (!state.native) noteCache(block, state);
  const mark =
    state.native && "cache" in block && block.cache !== null
      ? { cache_control: { type: "ephemeral", ttl: block.cache.ttl ?? undefined } }
      : {};
  switch (block.type) {
    case "text":
    case "refusal":
      return { type: "text", text: block.text, ...mark };
    case "image": {
      const url = addressOf(block.source);
      if (url !== null)
        return { type: "image_url", image_url: { url, ...(block.detail === null ? {} : { detail: block.detail }) }, ...mark };
      break;
    }
    case "file": {
      const name = block.name === null ? {} : { filename: block.name };
      if (block.source.kind === "base64")
        return { type: "file", file: { filename: "file", ...name, file_data: addressOf(block.source) }, ...mark };
      if (block.source.kind === "file" && state.native) return { type: "file", file: { file_id: block.source.id, ...name }, ...mark };
      break;
    }
    case "audio":
      if (block.source.kind === "base64")
        return { type: "input_audio", input_audio: { data: block.source.data, format: block.format ?? "wav" } };
      break;
    case "opaque":
      if (block.protocol === "openai-chat") return new RawJson(block.json);
      lose(state, "messages.opaque", `messages.${block.kind}`);
      return null;
    default:
  }
  lose(state, `messages.${block.type}`, `messages.${block.type}`);
  return null;
}

/** An address Chat takes; null for a file id of another provider's store. */
function addressOf(source: MediaSource): string | null {
  if (source.kind === "url") return source.url;
  return source.kind === "base64" ? `data:${source.mediaType};base64,${source.data}` : null;
}

/**
 * The id as the provider takes it. Where only nine alphanumerics are taken, other ids are hashed, so that a call and its result agree;
 * cutting them short would make ids of one prefix collide (protocols.md §5.4, 22).
 */
function toolId(id: string, quirks: Quirks): string {
  if (quirks.toolIdPattern !== "nine-alphanumeric" || /^[a-zA-Z0-9]{9}$/.test(id)) return id;
  let hash = 0xcbf29ce484222325n;
  for (let index = 0; index < id.length; index++) hash = BigInt.asUintN(64, (hash ^ BigInt(id.charCodeAt(index))) * 0x100000001b3n);
  return hash.toString(36).padStart(13, "0").slice(-9);
}
