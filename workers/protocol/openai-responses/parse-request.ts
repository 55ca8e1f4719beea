/** A caller's Responses body → the canonical request. */
import type { Outcome } from "../../../schema/error.ts";
import { type ResponsesRequest, responsesRequestSchema } from "../../../schema/wire/openai-responses.ts";
import type { CanonicalRequest, ResponseFormat, ToolChoice, ToolDefinition, Turn } from "../canonical.ts";
import { createJsonSource, type JsonSource, textAt } from "../json-source.ts";
import { demand, readRequestBody, WrongField } from "../request-body.ts";
import { readInput } from "./parse-input.ts";

/** Top-level fields that have a place in the canonical request; every other one goes to `rest`. */
const READ_FIELDS: ReadonlySet<string> = new Set(
  "model input instructions stream tools tool_choice parallel_tool_calls max_output_tokens temperature top_p reasoning text user".split(
    " ",
  ),
);

/** Fields that stand for input kept at the provider: with one of them a call may come without input of its own. */
const STORED_INPUTS = ["previous_response_id", "conversation", "prompt"];

/** Reads and checks a body. Errors: `invalid_json`, `invalid_request` with `param` the dotted path of the first wrong field. */
export function parseRequest(bodyText: string): Outcome<CanonicalRequest> {
  return readRequestBody(bodyText, responsesRequestSchema, (body) => readRequest(body, createJsonSource(bodyText)));
}

function readRequest(body: ResponsesRequest, source: JsonSource): CanonicalRequest {
  const rest: Record<string, unknown> = {};
  for (const [field, value] of Object.entries(body)) {
    if (!READ_FIELDS.has(field) && value !== null && value !== undefined) rest[field] = value;
  }
  if (body.include?.includes("message.output_text.logprobs") === true) rest["include.message.output_text.logprobs"] = true;
  return {
    protocol: "openai-responses",
    model: body.model,
    stream: body.stream === true,
    wantsStreamUsage: true,
    turns: readTurns(body, source, rest),
    tools: readTools(body, source, rest),
    toolChoice: readToolChoice(body, rest),
    parallelToolCalls: body.parallel_tool_calls ?? null,
    maxOutputTokens: body.max_output_tokens ?? null,
    temperature: body.temperature ?? null,
    topP: body.top_p ?? null,
    topK: null,
    stop: [],
    choices: 1,
    reasoning: readReasoning(body, rest),
    responseFormat: readFormat(body, source, rest),
    user: body.user ?? null,
    rest,
  };
}

/** The instructions are the first turn, a system one; then the input's own. */
function readTurns(body: ResponsesRequest, source: JsonSource, rest: Record<string, unknown>): Turn[] {
  const turns: Turn[] = [];
  if (body.instructions) turns.push({ role: "system", name: null, blocks: [{ type: "text", text: body.instructions, cache: null }] });
  if (typeof body.input === "string") {
    turns.push({ role: "user", name: null, blocks: [{ type: "text", text: body.input, cache: null }] });
  } else {
    for (const turn of readInput(body.input ?? [], source, rest)) turns.push(turn);
  }
  const isStored = STORED_INPUTS.some((field) => rest[field] !== undefined);
  if (!isStored && (body.input === null || body.input === undefined)) throw new WrongField("input", "is required");
  if (!isStored && turns.length === 0) throw new WrongField("input", "must hold at least one item");
  return turns;
}

function readTools(body: ResponsesRequest, source: JsonSource, rest: Record<string, unknown>): ToolDefinition[] {
  const tools: ToolDefinition[] = [];
  if (!body.tools || body.tools.length === 0) return tools;
  for (const [index, tool] of body.tools.entries()) {
    if (tool.type !== "function") {
      rest[`tools.${index}`] = tool;
      continue;
    }
    const parameters = tool.parameters ? textAt(source, ["tools", index, "parameters"]) : null;
    tools.push({
      name: demand(tool.name, `tools.${index}.name`),
      description: tool.description ?? null,
      schemaText: parameters ?? '{"type":"object","properties":{}}',
      strict: tool.strict ?? null,
      cache: null,
    });
  }
  return tools;
}

function readToolChoice(body: ResponsesRequest, rest: Record<string, unknown>): ToolChoice | null {
  const choice = body.tool_choice;
  if (choice === null || choice === undefined) return null;
  if (typeof choice === "string") return { mode: choice };
  if (choice.type === "function") return { mode: "tool", name: demand(choice.name, "tool_choice.name") };
  rest["tool_choice"] = choice;
  return null;
}

/** The effort is the hub's; every other wish about reasoning (a summary, a context) goes to `rest` by its own name. */
function readReasoning(body: ResponsesRequest, rest: Record<string, unknown>): CanonicalRequest["reasoning"] {
  for (const [field, value] of Object.entries(body.reasoning ?? {})) {
    if (field !== "effort" && value !== null && value !== undefined) rest[`reasoning.${field}`] = value;
  }
  const effort = body.reasoning?.effort ?? null;
  return effort === null ? null : { effort, budgetTokens: null, mode: null };
}

function readFormat(body: ResponsesRequest, source: JsonSource, rest: Record<string, unknown>): ResponseFormat | null {
  for (const [field, value] of Object.entries(body.text ?? {})) {
    if (field !== "format" && value !== null && value !== undefined) rest[`text.${field}`] = value;
  }
  const format = body.text?.format;
  if (!format) return null;
  if (format.type === "text") return { kind: "text" };
  if (format.type === "json_object") return { kind: "json-object" };
  if (format.type !== "json_schema") {
    rest["text.format"] = format;
    return null;
  }
  if (typeof format.description === "string") rest["text.format.description"] = format.description;
  const schemaText = textAt(source, ["text", "format", "schema"]);
  if (schemaText === null || !format.schema) throw new WrongField("text.format.schema", "is required");
  return { kind: "json-schema", name: format.name ?? null, schemaText, strict: format.strict ?? null };
}
