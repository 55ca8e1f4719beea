/** A v2 Chat body → the canonical request. */
import type { Outcome } from "../../../schema/error.ts";
import { type CohereChatRequest, cohereChatRequestSchema, type CohereMessage, type CoherePart } from "../../../schema/wire/cohere-chat.ts";
import type { Block, CanonicalRequest, ReasoningControl, ResponseFormat, ToolDefinition, Turn } from "../canonical.ts";
import { createJsonSource, type JsonSource, textAt } from "../json-source.ts";
import type { JsonPath } from "../json-text.ts";
import { readAddress } from "../media-address.ts";
import { demand, readRequestBody, restOf } from "../request-body.ts";

/** Top-level fields that have a place in the canonical request; every other one goes to `rest`. */
const READ_FIELDS: ReadonlySet<string> = new Set(
  "model messages stream tools strict_tools tool_choice max_tokens temperature p k stop_sequences thinking response_format".split(" "),
);

/** Reads and checks a body. Errors: `invalid_json`, `invalid_request` with `param` the dotted path of the first wrong field. */
export function parseRequest(bodyText: string): Outcome<CanonicalRequest> {
  return readRequestBody(bodyText, cohereChatRequestSchema, (body) => readRequest(body, createJsonSource(bodyText)));
}

function readRequest(body: CohereChatRequest, source: JsonSource): CanonicalRequest {
  const choice = body.tool_choice ?? null;
  return {
    protocol: "cohere-chat",
    model: body.model,
    stream: body.stream === true,
    wantsStreamUsage: true,
    turns: body.messages.map((message, index) => readTurn(message, index, source)),
    tools: readTools(body, source),
    toolChoice: choice === null ? null : { mode: choice === "REQUIRED" ? "required" : "none" },
    parallelToolCalls: null,
    maxOutputTokens: body.max_tokens ?? null,
    temperature: body.temperature ?? null,
    topP: body.p ?? null,
    topK: body.k ?? null,
    stop: body.stop_sequences ?? [],
    choices: 1,
    reasoning: readReasoning(body),
    responseFormat: readResponseFormat(body, source),
    user: null,
    rest: restOf(body, READ_FIELDS),
  };
}

function readTurn(message: CohereMessage, index: number, source: JsonSource): Turn {
  const content = readContent(message, index, source);
  if (message.role === "tool") {
    const callId = demand(message.tool_call_id, `messages.${index}.tool_call_id`);
    return { role: "tool", name: null, blocks: [{ type: "tool-result", callId, name: null, content, isError: null, cache: null }] };
  }
  const plan = message.tool_plan ?? "";
  const calls = (message.tool_calls ?? []).map((call): Block => ({
    type: "tool-call",
    id: call.id,
    name: call.function.name,
    argumentsText: call.function.arguments ?? "",
    cache: null,
  }));
  const blocks: Block[] = [...(plan === "" ? [] : [{ type: "text" as const, text: plan, cache: null }]), ...content, ...calls];
  return { role: message.role, name: null, blocks };
}

function readContent(message: CohereMessage, index: number, source: JsonSource): Block[] {
  const { content } = message;
  if (typeof content === "string")
    return content === "" && message.role === "assistant" ? [] : [{ type: "text", text: content, cache: null }];
  return (content ?? []).map((part, position) => readPart(part, ["messages", index, "content", position], source));
}

function readPart(part: CoherePart, path: JsonPath, source: JsonSource): Block {
  switch (part.type) {
    case "text":
      return { type: "text", text: part.text ?? "", cache: null };
    case "thinking":
      return { type: "reasoning", kind: "raw", text: part.thinking ?? "", signature: null, data: null };
    case "image_url": {
      const where = [...path, "image_url"].join(".");
      const { url, detail = null } = demand(part.image_url, where);
      return { type: "image", source: readAddress(url, `${where}.url`), detail, cache: null };
    }
    default:
      return { type: "opaque", protocol: "cohere-chat", kind: part.type, json: textAt(source, path) ?? JSON.stringify(part) };
  }
}

function readTools(body: CohereChatRequest, source: JsonSource): ToolDefinition[] {
  return (body.tools ?? []).map((tool, index) => ({
    name: tool.function.name,
    description: tool.function.description ?? null,
    schemaText: textAt(source, ["tools", index, "function", "parameters"]) ?? '{"type":"object","properties":{}}',
    strict: body.strict_tools ?? null,
    cache: null,
  }));
}

function readReasoning(body: CohereChatRequest): ReasoningControl | null {
  const { thinking } = body;
  return thinking ? { effort: null, budgetTokens: thinking.token_budget ?? null, mode: thinking.type } : null;
}

function readResponseFormat(body: CohereChatRequest, source: JsonSource): ResponseFormat | null {
  const format = body.response_format;
  if (!format) return null;
  if (format.type === "text") return { kind: "text" };
  const schemaText = textAt(source, ["response_format", format.json_schema ? "json_schema" : "schema"]);
  if (schemaText === null || schemaText === "null") return { kind: "json-object" };
  return { kind: "json-schema", name: null, schemaText, strict: null };
}
