/**
 * Turns → this wire's messages. What it demands and other wires do not: only `user` and `assistant`, system text apart, all results of
 * a turn's calls together at the head of the user message right after it, no empty text, ids and names of a small alphabet.
 */
import type { Block, CanonicalRequest, Loss, MediaSource } from "../canonical.ts";
import { RawJson } from "../json-text.ts";
import { lossFor } from "../losses.ts";
import { inputObject } from "./render-response.ts";
import { cacheMark } from "./render-tools.ts";
import { createSpelling } from "./spelling.ts";

const TARGET = "anthropic-messages";

interface Message {
  role: "user" | "assistant";
  content: object[];
}

interface TurnScope {
  /** The caller speaks this wire: ids of its file store are at home. */
  isNative: boolean;
  toolName: (name: string) => string;
  toolId: (id: string) => string;
  losses: Loss[];
}

/** System blocks and messages of a request; what could not be carried is added to `losses`. `toolName` spells names in the wire's alphabet. */
export function renderTurns(
  request: CanonicalRequest,
  toolName: (name: string) => string,
  losses: Loss[],
): { system: object[]; messages: Message[] } {
  const scope: TurnScope = { isNative: request.protocol === TARGET, toolName, toolId: createSpelling(Number.MAX_SAFE_INTEGER), losses };
  const system: object[] = [];
  const messages: Message[] = [];
  for (const turn of request.turns) {
    const isSystem = turn.role === "system" || turn.role === "developer";
    // A result's name is its call's, which the wire knows by the id.
    if (turn.name !== null && turn.role !== "tool") losses.push(lossFor("messages.name", TARGET));
    if (isSystem && messages.length === 0) {
      system.push(...renderBlocks(turn.blocks, scope));
      continue;
    }
    if (isSystem) losses.push(lossFor("messages.system-position", TARGET));
    const blocks = isSystem ? systemAsUser(turn.blocks) : turn.blocks;
    addMessage(messages, turn.role === "assistant" ? "assistant" : "user", renderBlocks(blocks, scope));
  }
  if (messages.length === 0 && system.length > 0) {
    // The wire demands a message; a request of nothing but system text is the user's word here.
    losses.push(lossFor("messages.system-position", TARGET));
    messages.push({ role: "user", content: system.splice(0) });
  }
  trimPrefill(messages.at(-1), losses);
  return { system, messages: messages.map(resultsFirst) };
}

/** A trailing assistant message is a prefill, which may not end in white space. */
function trimPrefill(last: Message | undefined, losses: Loss[]): void {
  const block = last?.role === "assistant" ? last.content.at(-1) : undefined;
  if (last === undefined || block === undefined || !("text" in block) || typeof block.text !== "string") return;
  if (block.text === block.text.trimEnd()) return;
  last.content[last.content.length - 1] = { ...block, text: block.text.trimEnd() };
  losses.push(lossFor("messages.trailing-space", TARGET, { path: "messages.content", note: "space at the end removed" }));
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

function renderBlocks(blocks: readonly Block[], scope: TurnScope): object[] {
  return blocks.flatMap((block) => renderBlock(block, scope) ?? []);
}

function lose(scope: TurnScope, feature: string, path: string = feature): null {
  scope.losses.push(lossFor(feature, TARGET, { path }));
  return null;
}

/** One block; null when there is nothing to send for it. */
function renderBlock(block: Block, scope: TurnScope): object | null {
  switch (block.type) {
    case "text":
      return block.text.trim() === "" ? null : { type: "text", text: block.text, ...cacheMark(block.cache) };
    case "refusal":
      lose(scope, "messages.refusal");
      return block.text.trim() === "" ? null : { type: "text", text: block.text };
    case "image":
      if (block.detail !== null && block.detail !== "auto") lose(scope, "messages.image.detail");
      if (isForeign(block.source, scope)) return lose(scope, "messages.image");
      return { type: "image", source: sourceOf(block.source), ...cacheMark(block.cache) };
    case "file":
      return renderFile(block, scope);
    case "audio":
      return lose(scope, "messages.audio");
    case "reasoning":
      return renderReasoning(block, scope);
    case "tool-call":
      return renderCall(block, scope);
    case "tool-result": {
      const content = renderBlocks(block.content, scope);
      return {
        type: "tool_result",
        tool_use_id: scope.toolId(block.callId),
        ...(content.length === 0 ? {} : { content }),
        ...(block.isError === null ? {} : { is_error: block.isError }),
        ...cacheMark(block.cache),
      };
    }
    case "opaque":
      return block.protocol === TARGET ? new RawJson(block.json) : lose(scope, "messages.opaque", `messages.${block.kind}`);
  }
}

function renderCall(block: Extract<Block, { type: "tool-call" }>, scope: TurnScope): object {
  const input = inputObject(block.argumentsText);
  if (input.isWrapped) {
    const where = { path: "messages.tool_calls.arguments", note: "not an object: sent as {_raw}" };
    scope.losses.push(lossFor("messages.tool-call.arguments", TARGET, where));
  }
  return {
    type: "tool_use",
    id: scope.toolId(block.id),
    name: scope.toolName(block.name),
    input: input.raw,
    ...cacheMark(block.cache),
  };
}

/** An id of another provider's file store means nothing here. */
function isForeign(source: MediaSource, scope: TurnScope): boolean {
  return source.kind === "file" && !scope.isNative;
}

/** Documents are PDF, or plain text as text; anything else has no place. */
function renderFile(block: Extract<Block, { type: "file" }>, scope: TurnScope): object | null {
  const { source } = block;
  const head = { ...(block.name === null ? {} : { title: block.name }), ...cacheMark(block.cache) };
  if (isForeign(source, scope)) return lose(scope, "messages.file");
  if (source.kind !== "base64" || source.mediaType === "application/pdf" || scope.isNative)
    return { type: "document", source: sourceOf(source), ...head };
  const text = source.mediaType.startsWith("text/") ? decodeText(source.data) : null;
  if (text === null) return lose(scope, "messages.file");
  return { type: "document", source: { type: "text", media_type: "text/plain", data: text }, ...head };
}

/** Base64 → UTF-8 text; null when it is neither. */
function decodeText(base64: string): string | null {
  try {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes);
  } catch {
    return null;
  }
}

/** Only reasoning that carries its provider's proof may be sent back; anything else is refused upstream. */
function renderReasoning(block: Extract<Block, { type: "reasoning" }>, scope: TurnScope): object | null {
  if (scope.isNative && block.kind === "redacted" && block.data !== null) return { type: "redacted_thinking", data: block.data };
  if (scope.isNative && block.signature !== null) return { type: "thinking", thinking: block.text, signature: block.signature };
  return lose(scope, "messages.reasoning");
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
