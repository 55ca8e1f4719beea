/** Canonical turns → v2 messages, with what could not be carried. */
import type { Block, CanonicalRequest, Loss, Turn } from "../canonical.ts";
import { RawJson } from "../json-text.ts";
import { lossFor } from "../losses.ts";
import { addressOf } from "../media-address.ts";

const TARGET = "cohere-chat";

type Message = Record<string, unknown>;
type Part = Record<string, unknown> | RawJson;
type ToolResult = Extract<Block, { type: "tool-result" }>;

interface RenderState {
  isNative: boolean;
  losses: Loss[];
}

/** Renders all turns. Tool results become one `tool` message each, ahead of anything else the turn says. */
export function renderMessages(request: CanonicalRequest, losses: Loss[]): Message[] {
  const state: RenderState = { isNative: request.protocol === TARGET, losses };
  return request.turns.flatMap((turn) => {
    if (turn.name !== null && turn.role !== "tool") lose(state, "messages.name");
    return turn.role === "assistant" ? renderAssistant(turn, state) : renderOther(turn, state);
  });
}

function lose(state: RenderState, feature: string, path: string = feature, note?: string): null {
  state.losses.push(lossFor(feature, TARGET, { path, ...(note === undefined ? {} : { note }) }));
  return null;
}

function renderOther(turn: Turn, state: RenderState): Message[] {
  const results: Message[] = [];
  const media: Block[] = [];
  const rest: Block[] = [];
  for (const block of turn.blocks) {
    if (block.type === "tool-result") results.push(renderToolResult(block, media, state));
    else rest.push(block);
  }
  const content = partsOf([...media, ...rest], state);
  if (content.length === 0 && turn.blocks.length > 0) return results;
  const role = turn.role === "system" || turn.role === "developer" ? "system" : "user";
  return [...results, { role, content: asContent(content) }];
}

/** A tool message takes text and documents: media moves to the user message that follows, with a pointer left behind. */
function renderToolResult(result: ToolResult, media: Block[], state: RenderState): Message {
  const content: Block[] = [];
  for (const block of result.content) {
    if (block.type === "image" || block.type === "file" || block.type === "audio") {
      lose(state, "messages.tool-result.media", `tool_result.${block.type}`, "moved to a user message");
      media.push({ type: "text", text: `Output of tool call ${result.callId}:`, cache: null }, block);
    } else {
      content.push(block);
    }
  }
  if (media.length > 0 && content.length === 0) content.push({ type: "text", text: "See the next message.", cache: null });
  if (result.isError === true) {
    lose(state, "messages.tool-result.is-error", "tool_result.is_error", "prefixed with Error:");
    content.unshift({ type: "text", text: "Error:", cache: null });
  }
  if (result.cache !== null) lose(state, "cache_control");
  return { role: "tool", tool_call_id: result.callId, content: asContent(partsOf(content, state)) };
}

/** Text beside calls is this wire's `tool_plan`; without calls it is the content. */
function renderAssistant(turn: Turn, state: RenderState): Message[] {
  const calls = turn.blocks.filter((block) => block.type === "tool-call");
  const firstCall = turn.blocks.findIndex((block) => block.type === "tool-call");
  const said = turn.blocks.filter((block) => block.type !== "tool-call");
  if (firstCall !== -1 && turn.blocks.slice(firstCall).some((block) => block.type === "text")) {
    lose(state, "messages.block-order", "messages.content", "text after a tool call moved before it");
  }
  const parts = partsOf(said, state);
  if (calls.length === 0) return parts.length === 0 ? [] : [{ role: "assistant", content: asContent(parts) }];
  if (calls.some((call) => call.cache !== null)) lose(state, "cache_control");
  const toolCalls = calls.map((call) => ({
    id: call.id,
    type: "function",
    function: { name: call.name, arguments: argumentsOf(call.argumentsText) },
  }));
  const texts = said.flatMap((block) => (block.type === "text" || block.type === "refusal" ? [block.text] : []));
  const thinking = parts.filter((part) => !(part instanceof RawJson) && part["type"] === "thinking");
  return [
    {
      role: "assistant",
      ...(texts.join("") === "" ? {} : { tool_plan: texts.join("") }),
      ...(thinking.length === 0 ? {} : { content: thinking }),
      tool_calls: toolCalls,
    },
  ];
}

/** A call without arguments is `{}` here. */
function argumentsOf(text: string): string {
  return text.trim() === "" || text.trim() === "null" ? "{}" : text;
}

function partsOf(blocks: readonly Block[], state: RenderState): Part[] {
  return blocks.map((block) => renderPart(block, state)).filter((part) => part !== null);
}

/** A lone text is a plain string. */
function asContent(parts: readonly Part[]): unknown {
  const [only] = parts;
  if (only === undefined) return "";
  const isText = parts.length === 1 && !(only instanceof RawJson) && only["type"] === "text";
  return isText ? only["text"] : parts;
}

/** One part; null when there is nothing to send for it. */
function renderPart(block: Block, state: RenderState): Part | null {
  if ("cache" in block && block.cache !== null) lose(state, "cache_control");
  switch (block.type) {
    case "text":
      return { type: "text", text: block.text };
    case "refusal":
      lose(state, "messages.refusal");
      return { type: "text", text: block.text };
    case "image": {
      const url = addressOf(block.source);
      if (url === null) return lose(state, "messages.image");
      return { type: "image_url", image_url: { url, ...(block.detail === null ? {} : { detail: block.detail }) } };
    }
    case "reasoning":
      // Only thinking of this wire's own may be sent back; models without thinking refuse it.
      return state.isNative ? { type: "thinking", thinking: block.text } : lose(state, "messages.reasoning", "thinking");
    case "opaque":
      return block.protocol === TARGET ? new RawJson(block.json) : lose(state, "messages.opaque", `messages.${block.kind}`);
    default:
      return lose(state, `messages.${block.type}`);
  }
}
