/** A caller's Messages body → the canonical request. */
import type { Outcome } from "../../../schema/error.ts";
import { checkWith, isObject } from "../../../schema/json.ts";
import {
  type MessageBlock,
  messageBlockSchema,
  messageContentSchema,
  type MessagesRequest,
  messagesRequestSchema,
} from "../../../schema/wire/anthropic-messages.ts";
import type {
  Block,
  CacheMark,
  CanonicalRequest,
  MediaSource,
  ReasoningControl,
  ResponseFormat,
  ToolChoice,
  ToolDefinition,
  Turn,
} from "../canonical.ts";
import { createJsonSource, type JsonSource, textAt } from "../json-source.ts";
import type { JsonPath } from "../json-text.ts";
import { demand, readRequestBody, WrongField } from "../request-body.ts";

/** Top-level fields that have a place in the canonical request; every other one goes to `rest`. */
const READ_FIELDS: ReadonlySet<string> = new Set(
  "model messages max_tokens system stream temperature top_p top_k stop_sequences tools tool_choice thinking output_config metadata".split(
    " ",
  ),
);

/** Reads and checks a body. Errors: `invalid_json`, `invalid_request` with `param` the dotted path of the first wrong field. */
export function parseRequest(bodyText: string): Outcome<CanonicalRequest> {
  return readRequestBody(bodyText, messagesRequestSchema, (body) => readRequest(body, createJsonSource(bodyText)));
}

function readRequest(body: MessagesRequest, source: JsonSource): CanonicalRequest {
  const rest: Record<string, unknown> = {};
  for (const [field, value] of Object.entries(body)) {
    if (!READ_FIELDS.has(field) && value !== null && value !== undefined) rest[field] = value;
  }
  const system = body.system === null || body.system === undefined ? [] : readContent(body.system, ["system"], source);
  const turns = body.messages.map((message, index): Turn => {
    const role = message.role === "system" ? "system" : message.role;
    return { role, name: null, blocks: readContent(message.content, ["messages", index, "content"], source) };
  });
  return {
    protocol: "anthropic-messages",
    model: body.model,
    stream: body.stream === true,
    wantsStreamUsage: true,
    turns: system.length === 0 ? turns : [{ role: "system", name: null, blocks: system }, ...turns],
    tools: readTools(body, source, rest),
    toolChoice: readToolChoice(body),
    parallelToolCalls: body.tool_choice?.disable_parallel_tool_use === true ? false : null,
    maxOutputTokens: body.max_tokens,
    temperature: body.temperature ?? null,
    topP: body.top_p ?? null,
    topK: body.top_k ?? null,
    stop: body.stop_sequences ?? [],
    choices: 1,
    reasoning: readReasoning(body),
    responseFormat: readFormat(body, source, rest),
    user: body.metadata?.user_id ?? null,
    rest,
  };
}

/** A string or blocks. A block that is wrong is named by its own path. */
function readContent(content: string | unknown[], path: JsonPath, source: JsonSource): Block[] {
  if (typeof content === "string") return content === "" ? [] : [{ type: "text", text: content, cache: null }];
  return content.map((block, index) => {
    const checked = checkWith(messageBlockSchema, block);
    if (checked.ok) return readBlock(checked.value, [...path, index], source);
    const inner = checked.path === null ? [] : [checked.path];
    throw new WrongField([...path, index, ...inner].join("."), checked.message);
  });
}

function readBlock(block: MessageBlock, path: JsonPath, source: JsonSource): Block {
  const cache = readCacheMark(block.cache_control);
  const where = path.join(".");
  switch (block.type) {
    case "text":
      return { type: "text", text: demand(block.text, `${where}.text`), cache };
    case "image":
      return { type: "image", source: readSource(block, where), detail: null, cache };
    case "document": {
      const kind = block.source?.type;
      // Plain text, content of blocks, a context: no other wire has these, nor citations of a document.
      const isPlain = (kind === "base64" || kind === "url" || kind === "file") && !block.context && !cites(block);
      if (!isPlain) return opaque(block, path, source);
      return { type: "file", source: readSource(block, where), name: block.title ?? null, cache };
    }
    case "thinking":
      return { type: "reasoning", kind: "raw", text: block.thinking ?? "", signature: filled(block.signature), data: null };
    case "redacted_thinking":
      return { type: "reasoning", kind: "redacted", text: "", signature: null, data: demand(block.data, `${where}.data`) };
    case "tool_use": {
      const argumentsText = textAt(source, [...path, "input"]);
      if (argumentsText?.startsWith("{") !== true) throw new WrongField(`${where}.input`, "must be an object");
      return { type: "tool-call", id: demand(block.id, `${where}.id`), name: demand(block.name, `${where}.name`), argumentsText, cache };
    }
    case "tool_result": {
      const content = readResultContent(block, path, source);
      return {
        type: "tool-result",
        callId: demand(block.tool_use_id, `${where}.tool_use_id`),
        name: null,
        content,
        isError: block.is_error ?? null,
        cache,
      };
    }
    default:
      return opaque(block, path, source);
  }
}

function opaque(block: MessageBlock, path: JsonPath, source: JsonSource): Block {
  return { type: "opaque", protocol: "anthropic-messages", kind: block.type, json: textAt(source, path) ?? JSON.stringify(block) };
}

/** The wire shows reasoning that was never signed with an empty signature; replayed, it is unsigned still. */
function filled(text: string | null | undefined): string | null {
  return text === undefined || text === "" ? null : text;
}

function cites(block: MessageBlock): boolean {
  return isObject(block.citations) && block.citations["enabled"] === true;
}

/** A tool result's own content: nothing, a string, or blocks. */
function readResultContent(block: MessageBlock, path: JsonPath, source: JsonSource): Block[] {
  const content = block["content"];
  if (content === null || content === undefined) return [];
  const checked = checkWith(messageContentSchema, content);
  if (!checked.ok) throw new WrongField(`${path.join(".")}.content`, "must be a string or an array of blocks");
  return readContent(checked.value, [...path, "content"], source);
}

function readSource(block: MessageBlock, where: string): MediaSource {
  const source = demand(block.source, `${where}.source`);
  if (source.type === "url") return { kind: "url", url: demand(source.url, `${where}.source.url`) };
  if (source.type === "file") return { kind: "file", id: demand(source.file_id, `${where}.source.file_id`) };
  if (source.type !== "base64") throw new WrongField(`${where}.source.type`, "must be base64, url or file");
  return {
    kind: "base64",
    mediaType: demand(source.media_type, `${where}.source.media_type`),
    data: demand(source.data, `${where}.source.data`),
  };
}

function readCacheMark(mark: MessageBlock["cache_control"]): CacheMark | null {
  if (mark === null || mark === undefined) return null;
  return { ttl: mark.ttl === "5m" || mark.ttl === "1h" ? mark.ttl : null };
}

function readTools(body: MessagesRequest, source: JsonSource, rest: Record<string, unknown>): ToolDefinition[] {
  const tools: ToolDefinition[] = [];
  for (const [index, tool] of (body.tools ?? []).entries()) {
    if (typeof tool.type === "string" && tool.type !== "custom") {
      rest[`tools.${index}`] = tool;
      continue;
    }
    tools.push({
      name: demand(tool.name, `tools.${index}.name`),
      description: tool.description ?? null,
      schemaText: textAt(source, ["tools", index, "input_schema"]) ?? '{"type":"object","properties":{}}',
      strict: tool.strict ?? null,
      cache: readCacheMark(tool.cache_control),
    });
  }
  return tools;
}

function readToolChoice(body: MessagesRequest): ToolChoice | null {
  const choice = body.tool_choice;
  switch (choice?.type) {
    case undefined:
      return null;
    case "auto":
      return { mode: "auto" };
    case "none":
      return { mode: "none" };
    case "any":
      return { mode: "required" };
    case "tool":
      return { mode: "tool", name: demand(choice?.name, "tool_choice.name") };
    default:
      throw new WrongField("tool_choice.type", "must be auto, any, tool or none");
  }
}

function readReasoning(body: MessagesRequest): ReasoningControl | null {
  const effort = body.output_config?.effort ?? null;
  if (!body.thinking) return effort === null ? null : { effort, budgetTokens: null, mode: null };
  const { type } = body.thinking;
  if (type !== "enabled" && type !== "disabled" && type !== "adaptive")
    throw new WrongField("thinking.type", "must be enabled, disabled or adaptive");
  return { effort, budgetTokens: body.thinking.budget_tokens ?? null, mode: type };
}

function readFormat(body: MessagesRequest, source: JsonSource, rest: Record<string, unknown>): ResponseFormat | null {
  const format = body.output_config?.format;
  if (!format) return null;
  const schemaText = textAt(source, ["output_config", "format", "schema"]);
  if (format.type === "json_schema" && schemaText !== null) return { kind: "json-schema", name: null, schemaText, strict: true };
  rest["output_config"] = body.output_config;
  return null;
}
