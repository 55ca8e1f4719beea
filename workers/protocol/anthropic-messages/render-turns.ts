/**
 * Turns → this wire's messages. What it demands and other wires do not: only `user` and `assistant`, system text apart, all results of
 * a turn's calls together at the head of the user message right after it, no empty text, ids and names of a small alphabet.
 */
import { textOfBase64 } from "../base64.ts";
import type { Block, CanonicalRequest, Loss, MediaSource } from "../canonical.ts";
import { RawJson } from "../json-text.ts";
import { lossFor } from "../losses.ts";
import { createSpelling } from "../spelling.ts";
import { inputObject } from "../tool-arguments.ts";
import { type LaidMessage, layTurns } from "../turn-layout.ts";
import { cacheMark } from "./render-tools.ts";

const TARGET = "anthropic-messages";

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
): { system: object[]; messages: LaidMessage[] } {
  const scope: TurnScope = { isNative: request.protocol === TARGET, toolName, toolId: createSpelling(Number.MAX_SAFE_INTEGER), losses };
  return layTurns(request, { target: TARGET, render: (block) => renderBlocks([block], scope), isResult }, losses);
}

function isResult(block: object): boolean {
  return "type" in block && block.type === "tool_result";
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
  const text = source.mediaType.startsWith("text/") ? textOfBase64(source.data) : null;
  if (text === null) return lose(scope, "messages.file");
  return { type: "document", source: { type: "text", media_type: "text/plain", data: text }, ...head };
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
