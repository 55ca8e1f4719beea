/** Canonical turns → Ollama messages. Content is one text beside a list of pictures, so what came in blocks is joined. */
import type { Block, CanonicalRequest, Loss, Turn } from "../canonical.ts";
import { textOfBase64 } from "../base64.ts";
import { RawJson } from "../json-text.ts";
import { lossFor } from "../losses.ts";
import { inputObject } from "../tool-arguments.ts";

const TARGET = "ollama-chat";

type ToolResult = Extract<Block, { type: "tool-result" }>;
type Message = Record<string, unknown> | RawJson;

interface RenderScope {
  /** Names of the conversation's calls by id: servers that know no ids tell results apart by name. */
  names: ReadonlyMap<string, string>;
  losses: Loss[];
}

export function renderMessages(request: CanonicalRequest, losses: Loss[]): Message[] {
  const calls = request.turns.flatMap((turn) => turn.blocks.filter((block) => block.type === "tool-call"));
  const scope: RenderScope = { names: new Map(calls.map((call) => [call.id, call.name])), losses };
  return request.turns.flatMap((turn) => renderTurn(turn, scope));
}

function lose(scope: RenderScope, feature: string, path: string = feature): void {
  scope.losses.push(lossFor(feature, TARGET, { path }));
}

function approximate(scope: RenderScope, feature: string, path: string, note: string): void {
  scope.losses.push(lossFor(feature, TARGET, { path, note }));
}

function renderTurn(turn: Turn, scope: RenderScope): Message[] {
  // A result's name is its call's.
  if (turn.name !== null && turn.role !== "tool") lose(scope, "messages.name");
  if (turn.role === "assistant") return [renderAssistant(turn.blocks, scope)];
  const messages: Message[] = [];
  const rest: Block[] = [];
  for (const block of turn.blocks) {
    if (block.type === "tool-result") messages.push(renderResult(block, scope));
    else if (block.type === "opaque" && block.protocol === TARGET) messages.push(new RawJson(block.json));
    else rest.push(block);
  }
  if (rest.length === 0 && messages.length > 0) return messages;
  const role = turn.role === "system" || turn.role === "developer" ? "system" : "user";
  return [...messages, { role, ...renderContent(rest, "\n\n", scope) }];
}

function renderResult(result: ToolResult, scope: RenderScope): Message {
  if (result.cache !== null) lose(scope, "cache_control");
  const content = renderContent(result.content, "\n", scope);
  if (result.isError === true) {
    approximate(scope, "messages.tool-result.is-error", "tool_result.is_error", "prefixed with Error:");
    content.content = `Error: ${content.content}`;
  }
  const name = result.name ?? scope.names.get(result.callId);
  return { role: "tool", ...content, ...(name === undefined ? {} : { tool_name: name }), tool_call_id: result.callId };
}

function renderAssistant(blocks: readonly Block[], scope: RenderScope): Message {
  const toolCalls: Record<string, unknown>[] = [];
  const said: Block[] = [];
  let thinking = "";
  for (const block of blocks) {
    if (block.type === "tool-call") toolCalls.push(renderCall(block, toolCalls.length, scope));
    else if (block.type === "reasoning") {
      if (block.signature !== null || block.data !== null) lose(scope, "messages.reasoning.signature", "thinking.signature");
      thinking += block.text;
    } else {
      if (block.type === "text" && toolCalls.length > 0)
        approximate(scope, "messages.block-order", "messages.content", "text after a tool call moved before it");
      said.push(block);
    }
  }
  return {
    role: "assistant",
    ...renderContent(said, "", scope),
    ...(thinking === "" ? {} : { thinking }),
    ...(toolCalls.length === 0 ? {} : { tool_calls: toolCalls }),
  };
}

function renderCall(block: Extract<Block, { type: "tool-call" }>, index: number, scope: RenderScope): Record<string, unknown> {
  if (block.cache !== null) lose(scope, "cache_control");
  const input = inputObject(block.argumentsText);
  if (input.isWrapped) approximate(scope, "messages.tool-call.arguments", "messages.tool_calls.arguments", "not an object: sent as {_raw}");
  return { id: block.id, function: { index, name: block.name, arguments: input.raw } };
}

/** Text and pictures of blocks. The model sees all pictures of a message before its text. */
export function renderContent(blocks: readonly Block[], joint: string, scope: { losses: Loss[] }): { content: string; images?: string[] } {
  const texts: string[] = [];
  const images: string[] = [];
  const lost = (feature: string, path: string = feature): void => void scope.losses.push(lossFor(feature, TARGET, { path }));
  for (const block of blocks) {
    if ("cache" in block && block.cache !== null) lost("cache_control");
    switch (block.type) {
      case "text":
        texts.push(block.text);
        break;
      case "refusal":
        lost("messages.refusal");
        texts.push(block.text);
        break;
      case "image":
        if (block.detail !== null && block.detail !== "auto") lost("messages.image.detail");
        if (block.source.kind !== "base64") {
          lost("messages.image");
          break;
        }
        if (texts.length > 0)
          scope.losses.push(lossFor("messages.block-order", TARGET, { path: "messages.content", note: "images moved before the text" }));
        images.push(block.source.data);
        break;
      case "file": {
        const text = block.source.kind === "base64" && block.source.mediaType.startsWith("text/") ? textOfBase64(block.source.data) : null;
        if (text === null) {
          lost("messages.file");
          break;
        }
        scope.losses.push({ class: "approximation", path: "messages.file", note: "sent as text" });
        texts.push(text);
        break;
      }
      case "opaque":
        lost("messages.opaque", `messages.${block.kind}`);
        break;
      default:
        lost(`messages.${block.type}`);
    }
  }
  return { content: texts.join(joint), ...(images.length === 0 ? {} : { images }) };
}
