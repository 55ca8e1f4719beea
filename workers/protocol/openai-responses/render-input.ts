/** Canonical turns → the items of this wire's input, with what could not be carried. */
import type { Block, CanonicalRequest, Loss, Turn } from "../canonical.ts";
import { RawJson } from "../json-text.ts";
import { lossFor } from "../losses.ts";
import { addressOf } from "../media-address.ts";
import type { Quirks } from "../protocol.ts";
import { createSpelling } from "../spelling.ts";

const TARGET = "openai-responses";
/** Ids of calls and names of tools may be this long. */
const NAME_CHARACTERS_MAX = 64;

type Item = Record<string, unknown> | RawJson;

interface InputState {
  quirks: Quirks;
  /** The caller speaks this wire too: its opaque items and stored files are at home. */
  native: boolean;
  callId: (id: string) => string;
  toolName: (name: string) => string;
  losses: Loss[];
}

export interface RenderedInput {
  /** The first system text, where it is one text; null when there is none. */
  instructions: string | null;
  input: Item[];
  toolName: (name: string) => string;
}

/** Renders all turns in order; each block is an item or a part of one. */
export function renderInput(request: CanonicalRequest, quirks: Quirks, losses: Loss[]): RenderedInput {
  const native = request.protocol === TARGET;
  const spelling = (): ((text: string) => string) => (native ? String : createSpelling(NAME_CHARACTERS_MAX));
  const state: InputState = { quirks, native, callId: spelling(), toolName: spelling(), losses };
  // Tools first: what the caller offers keeps its spelling, whatever else the history holds.
  for (const tool of request.tools) state.toolName(tool.name);
  const { turns } = request;
  const instructions = instructionsOf(turns[0]);
  const rest = instructions === null ? turns : turns.slice(1);
  const input = rest.flatMap((turn) => (turn.role === "assistant" ? renderAssistant(turn, state) : renderOther(turn, state)));
  for (const turn of turns) if (turn.name !== null && turn.role !== "tool") lose(state, "messages.name");
  return { instructions, input: withoutOrphans(input, state), toolName: state.toolName };
}

function lose(state: InputState, feature: string, path: string = feature, note?: string): void {
  state.losses.push(lossFor(feature, TARGET, { path, ...(note === undefined ? {} : { note }) }));
}

function instructionsOf(turn: Turn | undefined): string | null {
  const only = turn?.role === "system" && turn.blocks.length === 1 ? turn.blocks[0] : undefined;
  return only?.type === "text" && only.cache === null ? only.text : null;
}

/** Results of calls are items of their own, ahead of what else the turn says. */
function renderOther(turn: Turn, state: InputState): Item[] {
  const items: Item[] = [];
  const content: Block[] = [];
  for (const block of turn.blocks) {
    if (block.type === "tool-result") items.push(renderResult(block, state));
    else if (block.type === "opaque" && turn.role === "tool") items.push(...renderOpaque(block, state));
    else content.push(block);
  }
  if (content.length === 0) return items;
  const developer = turn.role === "developer" && state.quirks.developerRole !== false;
  const role = turn.role === "system" || turn.role === "developer" ? (developer ? "developer" : "system") : "user";
  return [...items, { type: "message", role, content: renderParts(content, state) }];
}

function renderOpaque(block: Extract<Block, { type: "opaque" }>, state: InputState): RawJson[] {
  if (block.protocol === TARGET) return [new RawJson(block.json)];
  lose(state, "messages.opaque", `messages.${block.kind}`);
  return [];
}

function renderResult(block: Extract<Block, { type: "tool-result" }>, state: InputState): Item {
  noteCache(block, state);
  const content = [...block.content];
  if (block.isError === true) {
    lose(state, "messages.tool-result.is-error", "tool_result.is_error", "prefixed with Error:");
    content.unshift({ type: "text", text: "Error:", cache: null });
  }
  const output = content.length === 0 ? "" : renderParts(content, state);
  return { type: "function_call_output", call_id: state.callId(block.callId), output };
}

/** The turn's blocks as items, in their order: neighbouring texts are one message. */
function renderAssistant(turn: Turn, state: InputState): Item[] {
  const items: Item[] = [];
  let spoken: Extract<Block, { type: "text" | "refusal" }>[] = [];
  const speak = (): void => {
    if (spoken.length > 0) items.push({ type: "message", role: "assistant", content: spokenContent(spoken) });
    spoken = [];
  };
  for (const block of turn.blocks) {
    if (block.type === "text" || block.type === "refusal") {
      noteCache(block, state);
      spoken.push(block);
      continue;
    }
    speak();
    if (block.type === "tool-call") items.push(renderCall(block, state));
    else if (block.type === "reasoning") items.push(...renderReasoning(block, state));
    else if (block.type === "opaque") items.push(...renderOpaque(block, state));
    else lose(state, `messages.${block.type}`);
  }
  speak();
  return items;
}

function spokenContent(blocks: readonly Extract<Block, { type: "text" | "refusal" }>[]): unknown {
  const only = blocks.length === 1 ? blocks[0] : undefined;
  // A lone text is a plain string, which every provider takes.
  if (only?.type === "text") return only.text;
  return blocks.map((block) =>
    block.type === "text" ? { type: "output_text", text: block.text, annotations: [] } : { type: "refusal", refusal: block.text },
  );
}

function renderCall(block: Extract<Block, { type: "tool-call" }>, state: InputState): Item {
  noteCache(block, state);
  return {
    type: "function_call",
    call_id: state.callId(block.id),
    name: state.toolName(block.name),
    arguments: block.argumentsText === "" || block.argumentsText === "null" ? "{}" : block.argumentsText,
  };
}

/**
 * Reasoning goes back with the state its provider gave; its id stays behind, since it would be looked for among stored answers. Text
 * without state is refused by most providers, and may be another's thinking.
 */
function renderReasoning(block: Extract<Block, { type: "reasoning" }>, state: InputState): Item[] {
  const encrypted = block.signature ?? block.data;
  if (encrypted === null) {
    lose(state, "messages.reasoning");
    return [];
  }
  const summary = block.kind === "summary" ? [{ type: "summary_text", text: block.text }] : [];
  const content = block.kind === "raw" && state.native ? { content: [{ type: "reasoning_text", text: block.text }] } : {};
  return [{ type: "reasoning", summary, ...content, encrypted_content: encrypted }];
}

/** Reasoning that nothing follows is refused by the API, so it is left out. */
function withoutOrphans(items: readonly Item[], state: InputState): Item[] {
  return items.filter((item, index) => {
    if (item instanceof RawJson || item["type"] !== "reasoning") return true;
    const next = items[index + 1];
    const isFollowed =
      next !== undefined &&
      (next instanceof RawJson || next["role"] === "assistant" || ["reasoning", "function_call"].includes(String(next["type"])));
    if (!isFollowed) lose(state, "messages.reasoning");
    return isFollowed;
  });
}

function noteCache(block: Block, state: InputState): void {
  if ("cache" in block && block.cache !== null) lose(state, "cache_control");
}

/** Parts of a message or a result; a lone text is a plain string. */
function renderParts(blocks: readonly Block[], state: InputState): unknown {
  const only = blocks.length === 1 ? blocks[0] : undefined;
  if (only?.type === "text") {
    noteCache(only, state);
    return only.text;
  }
  return blocks.map((block) => renderPart(block, state)).filter((part) => part !== null);
}

function renderPart(block: Block, state: InputState): unknown {
  noteCache(block, state);
  switch (block.type) {
    case "text":
    case "refusal":
      return { type: "input_text", text: block.text };
    case "image": {
      const detail = block.detail ?? "auto";
      const url = addressOf(block.source);
      if (url !== null) return { type: "input_image", image_url: url, detail };
      if (block.source.kind === "file" && state.native) return { type: "input_image", file_id: block.source.id, detail };
      break;
    }
    case "file": {
      const { source, name } = block;
      if (source.kind === "base64") return { type: "input_file", filename: name ?? "file", file_data: addressOf(source) };
      if (source.kind === "url") return { type: "input_file", file_url: source.url };
      if (state.native) return { type: "input_file", file_id: source.id };
      break;
    }
    case "audio":
      if (block.source.kind === "base64")
        return { type: "input_audio", input_audio: { data: block.source.data, format: block.format ?? "wav" } };
      break;
    case "opaque":
      return renderOpaque(block, state)[0] ?? null;
    default:
  }
  lose(state, `messages.${block.type}`);
  return null;
}
