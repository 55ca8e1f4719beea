/**
 * Turns → this wire's messages. What it demands and other wires do not: only `user` and `assistant`, system text apart, all results of
 * a turn's calls together at the head of the user message right after it, no empty text, ids and names of a small alphabet.
 */
import type { Block, CacheMark, CanonicalRequest, Loss, MediaSource } from "../canonical.ts";
import { RawJson } from "../json-text.ts";
import { lossFor } from "../losses.ts";
import { inputObject } from "./render-response.ts";

const TARGET = "anthropic-messages";

interface Message {
  role: "user" | "assistant";
  content: object[];
}

/** System blocks and messages of a request; what could not be carried is added to `losses`. */
export function renderTurns(request: CanonicalRequest, losses: Loss[]): { system: object[]; messages: Message[] } {
  const system: object[] = [];
  const messages: Message[] = [];
  for (const turn of request.turns) {
    const isSystem = turn.role === "system" || turn.role === "developer";
    if (turn.name !== null) losses.push(lossFor("messages.name", TARGET));
    if (isSystem && messages.length === 0) {
      system.push(...renderBlocks(turn.blocks, losses));
      continue;
    }
    if (isSystem) losses.push(lossFor("messages.system-position", TARGET));
    const blocks = isSystem ? systemAsUser(turn.blocks) : turn.blocks;
    addMessage(messages, turn.role === "assistant" ? "assistant" : "user", renderBlocks(blocks, losses));
  }
  return { system, messages: messages.map(resultsFirst) };
}

/** A system text in the middle of a conversation becomes a user's, and says what it is. */
function systemAsUser(blocks: readonly Block[]): Block[] {
  return blocks.map((block) => (block.type === "text" ? { ...block, text: `<system>\n${block.text}\n</system>` } : block));
}

/** Consecutive turns of one role are one message here, which also brings all results of a turn's calls together. */
function addMessage(messages: Message[], role: Message["role"], content: object[]): void {
  if (content.length === 0) return;
  const last = messages.at(-1);
  if (last?.role === role) last.content.push(...content);
  else messages.push({ role, content });
}

function isResult(block: object): boolean {
  return "type" in block && block.type === "tool_result";
}

function resultsFirst(message: Message): Message {
  if (message.role !== "user") return message;
  return { role: "user", content: [...message.content.filter(isResult), ...message.content.filter((block) => !isResult(block))] };
}

function renderBlocks(blocks: readonly Block[], losses: Loss[]): object[] {
  return blocks.flatMap((block) => renderBlock(block, losses) ?? []);
}

/** One block; null when there is nothing to send for it. */
function renderBlock(block: Block, losses: Loss[]): object | null {
  switch (block.type) {
    case "text":
      return block.text.trim() === "" ? null : { type: "text", text: block.text, ...mark(block.cache) };
    case "refusal":
      losses.push(lossFor("messages.refusal", TARGET));
      return block.text === "" ? null : { type: "text", text: block.text };
    case "image":
      if (block.detail !== null && block.detail !== "auto") losses.push(lossFor("messages.image.detail", TARGET));
      return { type: "image", source: sourceOf(block.source), ...mark(block.cache) };
    case "file":
      return {
        type: "document",
        source: sourceOf(block.source),
        ...(block.name === null ? {} : { title: block.name }),
        ...mark(block.cache),
      };
    case "audio":
      losses.push(lossFor("messages.audio", TARGET));
      return null;
    case "reasoning":
      return reasoning(block, losses);
    case "tool-call": {
      const input = inputObject(block.argumentsText);
      if (input.isWrapped) losses.push({ class: "approximation", path: "messages.tool_calls.arguments", note: "not an object→{_raw}" });
      return { type: "tool_use", id: toolId(block.id), name: toolName(block.name), input: input.raw, ...mark(block.cache) };
    }
    case "tool-result": {
      const content = renderBlocks(block.content, losses);
      return {
        type: "tool_result",
        tool_use_id: toolId(block.callId),
        ...(content.length === 0 ? {} : { content }),
        ...(block.isError === null ? {} : { is_error: block.isError }),
        ...mark(block.cache),
      };
    }
    case "opaque":
      if (block.protocol === TARGET) return new RawJson(block.json);
      losses.push(lossFor("messages.opaque", TARGET, { path: `messages.${block.kind}` }));
      return null;
  }
}

/** Only reasoning that carries its provider's proof may be sent back; anything else is refused upstream. */
function reasoning(block: Extract<Block, { type: "reasoning" }>, losses: Loss[]): object | null {
  if (block.kind === "redacted" && block.data !== null) return { type: "redacted_thinking", data: block.data };
  if (block.signature !== null) return { type: "thinking", thinking: block.text, signature: block.signature };
  losses.push(lossFor("messages.reasoning", TARGET));
  return null;
}

function mark(cache: CacheMark | null): object {
  return cache === null ? {} : { cache_control: { type: "ephemeral", ...(cache.ttl === null ? {} : { ttl: cache.ttl }) } };
}

function sourceOf(source: MediaSource): object {
  switch (source.kind) {
    case "base64":
      return { type: "base64", media_type: source.mediaType, data: source.data };
    case "url":
      return { type: "url", url: source.url };
    case "file":
      return { type: "file", file_id: source.id };
  }
}

/** Letters outside the wire's alphabet become `_` and their code, so that two ids never become one. */
function spelled(text: string, pattern: RegExp): string {
  return text.replaceAll(pattern, (letter) => `_${(letter.codePointAt(0) ?? 0).toString(16)}_`);
}

export function toolId(id: string): string {
  return spelled(id, /[^a-zA-Z0-9_-]/gu);
}

export function toolName(name: string): string {
  return spelled(name, /[^a-zA-Z0-9_-]/gu).slice(0, 128);
}
