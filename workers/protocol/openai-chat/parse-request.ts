/** A caller's Chat Completions body → the canonical request. */
import type { Outcome } from "../../../schema/error.ts";
import {
  type ChatMessage,
  type ChatPart,
  type ChatRequest,
  chatRequestSchema,
  type ChatToolCall,
} from "../../../schema/wire/openai-chat.ts";
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
import { demand, readRequestBody, WrongField } from "../request-body.ts";

/** Top-level fields that have a place in the canonical request; every other one goes to `rest`. */
const READ_FIELDS: ReadonlySet<string> = new Set(
  (
    "model messages stream stream_options tools parallel_tool_calls max_tokens max_completion_tokens temperature " +
    "top_p top_k stop n reasoning_effort reasoning thinking user tool_choice response_format"
  ).split(" "),
);

/** Reads and checks a body. Errors: `invalid_json`, `invalid_request` with `param` the dotted path of the first wrong field. */
export function parseRequest(bodyText: string): Outcome<CanonicalRequest> {
  return readRequestBody(bodyText, chatRequestSchema, (body) => readRequest(body, createJsonSource(bodyText)));
}

function readRequest(body: ChatRequest, source: JsonSource): CanonicalRequest {
  const rest: Record<string, unknown> = {};
  for (const [field, value] of Object.entries(body)) {
    if (!READ_FIELDS.has(field) && value !== null && value !== undefined) rest[field] = value;
  }
  // The wire itself refuses both; a provider that counts the one we do not would write more than was held for.
  if (body.max_tokens && body.max_completion_tokens && body.max_tokens !== body.max_completion_tokens)
    throw new WrongField("max_tokens", "is given beside another max_completion_tokens");
  const stream = body.stream === true;
  return {
    protocol: "openai-chat",
    model: body.model,
    stream,
    wantsStreamUsage: stream && body.stream_options?.include_usage === true,
    turns: body.messages.map((message, index) => readTurn(message, index, source)),
    tools: readTools(body, source, rest),
    toolChoice: readToolChoice(body, rest),
    parallelToolCalls: body.parallel_tool_calls ?? null,
    maxOutputTokens: body.max_completion_tokens ?? body.max_tokens ?? null,
    temperature: body.temperature ?? null,
    topP: body.top_p ?? null,
    topK: body.top_k ?? null,
    stop: typeof body.stop === "string" ? [body.stop] : (body.stop ?? []),
    choices: body.n ?? 1,
    reasoning: readReasoning(body),
    responseFormat: readResponseFormat(body, source, rest),
    user: body.user ?? null,
    rest,
  };
}

function readTurn(message: ChatMessage, index: number, source: JsonSource): Turn {
  const path = `messages.${index}`;
  const name = message.name ?? null;
  if (message.role === "tool" || message.role === "function") return readToolTurn(message, path, source, index);
  if (message.role !== "assistant") {
    if (message.content === null || message.content === undefined)
      throw new WrongField(`${path}.content`, "must be a string or an array of parts");
    return { role: message.role, name, blocks: readContent(message, path, source, index) };
  }
  const blocks: Block[] = [];
  const reasoning = message.reasoning_content ?? message.reasoning ?? "";
  if (reasoning !== "") blocks.push({ type: "reasoning", kind: "raw", text: reasoning, signature: null, data: null });
  for (const block of readContent(message, path, source, index)) blocks.push(block);
  if (typeof message.refusal === "string" && message.refusal !== "") blocks.push({ type: "refusal", text: message.refusal });
  for (const [position, call] of (message.tool_calls ?? []).entries()) blocks.push(readToolCall(call, `${path}.tool_calls.${position}`));
  if (message.function_call) {
    const { name: called, arguments: text } = message.function_call;
    blocks.push({ type: "tool-call", id: legacyCallId(called), name: called, argumentsText: text ?? "", cache: null });
  }
  return { role: "assistant", name, blocks };
}

/** Legacy function calls have no id; the name ties the call to its result, as it does in that API. */
function legacyCallId(name: string): string {
  return `call_legacy_${name.replace(/[^a-zA-Z0-9_-]/g, "_")}`;
}

function readToolTurn(message: ChatMessage, path: string, source: JsonSource, index: number): Turn {
  const name = message.name ?? null;
  const callId = message.role === "function" && name !== null ? legacyCallId(name) : message.tool_call_id;
  if (callId === null || callId === undefined) {
    throw new WrongField(message.role === "tool" ? `${path}.tool_call_id` : `${path}.name`, "must name the call that this message answers");
  }
  if ((message.content === null || message.content === undefined) && message.role === "tool") {
    throw new WrongField(`${path}.content`, "must be a string or an array of parts");
  }
  const content = readContent(message, path, source, index);
  return { role: "tool", name, blocks: [{ type: "tool-result", callId, name, content, isError: null, cache: null }] };
}

function readContent(message: ChatMessage, path: string, source: JsonSource, index: number): Block[] {
  const { content } = message;
  if (typeof content === "string")
    return content === "" && message.role === "assistant" ? [] : [{ type: "text", text: content, cache: null }];
  return (content ?? []).map((part, position) =>
    readPart(part, `${path}.content.${position}`, () => textAt(source, ["messages", index, "content", position])),
  );
}

/** One content part. `ownText` gives the part's own JSON text, looked up only for parts the hub has no block for. */
function readPart(part: ChatPart, path: string, ownText: () => string | null): Block {
  const cache = readCacheMark(part.cache_control);
  switch (part.type) {
    case "text":
      return { type: "text", text: demand(part.text, `${path}.text`), cache };
    case "refusal":
      return { type: "refusal", text: demand(part.refusal, `${path}.refusal`) };
    case "image_url": {
      const image = demand(part.image_url, `${path}.image_url`);
      const url = typeof image === "string" ? image : image.url;
      return {
        type: "image",
        source: readAddress(url, `${path}.image_url.url`),
        detail: typeof image === "string" ? null : (image.detail ?? null),
        cache,
      };
    }
    case "input_audio": {
      const audio = demand(part.input_audio, `${path}.input_audio`);
      const format = audio.format ?? null;
      return { type: "audio", source: { kind: "base64", mediaType: `audio/${format ?? "wav"}`, data: audio.data }, format };
    }
    case "file": {
      const file = demand(part.file, `${path}.file`);
      return { type: "file", source: readFile(file, path), name: file.filename ?? null, cache };
    }
    default:
      return { type: "opaque", protocol: "openai-chat", kind: part.type, json: ownText() ?? JSON.stringify(part) };
  }
}

function readFile(file: NonNullable<ChatPart["file"]>, path: string): MediaSource {
  if (typeof file.file_id === "string") return { kind: "file", id: file.file_id };
  const data = demand(file.file_data, `${path}.file.file_data`);
  return data.startsWith("data:") || /^https?:/.test(data)
    ? readAddress(data, `${path}.file.file_data`)
    : { kind: "base64", mediaType: "application/pdf", data };
}

/** `data:` addresses become inline bytes; anything else stays an address. */
function readAddress(url: string, path: string): MediaSource {
  if (!url.startsWith("data:")) return { kind: "url", url };
  const comma = url.indexOf(",");
  const header = url.slice(5, comma);
  if (comma === -1 || !header.endsWith(";base64")) throw new WrongField(path, "a data: address must be data:<media type>;base64,<data>");
  return { kind: "base64", mediaType: header.slice(0, header.indexOf(";")), data: url.slice(comma + 1) };
}

function readCacheMark(mark: ChatPart["cache_control"]): CacheMark | null {
  if (mark === null || mark === undefined) return null;
  return { ttl: mark.ttl === "5m" || mark.ttl === "1h" ? mark.ttl : null };
}

function readToolCall(call: ChatToolCall, path: string): Block {
  if (call.function)
    return { type: "tool-call", id: call.id, name: call.function.name, argumentsText: call.function.arguments ?? "", cache: null };
  const custom = demand(call.custom, `${path}.function`);
  // The hub's arguments are JSON; a free-text input becomes an object with one member.
  return { type: "tool-call", id: call.id, name: custom.name, argumentsText: JSON.stringify({ input: custom.input }), cache: null };
}

function readTools(body: ChatRequest, source: JsonSource, rest: Record<string, unknown>): ToolDefinition[] {
  const tools: ToolDefinition[] = [];
  if (!body.tools || body.tools.length === 0) return tools;
  for (const [index, tool] of body.tools.entries()) {
    if (typeof tool.type === "string" && tool.type !== "function") {
      rest[`tools.${index}`] = tool;
      continue;
    }
    const definition = demand(tool.function, `tools.${index}.function`);
    const parameters = definition.parameters ? textAt(source, ["tools", index, "function", "parameters"]) : null;
    tools.push({
      name: definition.name,
      description: definition.description ?? null,
      schemaText: parameters ?? '{"type":"object","properties":{}}',
      strict: definition.strict ?? null,
      cache: readCacheMark(tool.cache_control),
    });
  }
  return tools;
}

function readToolChoice(body: ChatRequest, rest: Record<string, unknown>): ToolChoice | null {
  const choice = body.tool_choice;
  if (choice === null || choice === undefined) return null;
  if (choice === "any") return { mode: "required" };
  if (typeof choice === "string") return { mode: choice };
  if (choice.type === "function") return { mode: "tool", name: demand(choice.function, "tool_choice.function").name };
  rest["tool_choice"] = choice;
  return null;
}

function readReasoning(body: ChatRequest): ReasoningControl | null {
  const { reasoning, thinking } = body;
  if (!reasoning && !thinking && !body.reasoning_effort) return null;
  const effort = body.reasoning_effort ?? reasoning?.effort ?? null;
  const budgetTokens = reasoning?.max_tokens ?? thinking?.budget_tokens ?? null;
  const said = thinking?.type ?? (reasoning?.enabled === true ? "enabled" : reasoning?.enabled === false ? "disabled" : null);
  const mode = said === "enabled" || said === "disabled" || said === "adaptive" ? said : null;
  return { effort, budgetTokens, mode };
}

function readResponseFormat(body: ChatRequest, source: JsonSource, rest: Record<string, unknown>): ResponseFormat | null {
  const format = body.response_format;
  if (!format) return null;
  if (format.type === "text") return { kind: "text" };
  if (format.type === "json_object") return { kind: "json-object" };
  if (format.type !== "json_schema") {
    rest["response_format"] = format;
    return null;
  }
  const definition = demand(format.json_schema, "response_format.json_schema");
  const schemaText = textAt(source, ["response_format", "json_schema", "schema"]);
  return { kind: "json-schema", name: definition.name ?? null, schemaText: schemaText ?? "{}", strict: definition.strict ?? null };
}
