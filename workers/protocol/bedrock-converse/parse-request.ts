/** A caller's Converse body → the canonical request. The model and the streaming switch are in the address. */
import type { Outcome } from "../../../schema/error.ts";
import { isObject, type JsonObject, parseJson } from "../../../schema/json.ts";
import { LIMITS } from "../../../schema/limits.ts";
import { type ConverseRequest, converseRequestSchema } from "../../../schema/wire/bedrock-converse.ts";
import type { CanonicalRequest, ReasoningControl, ResponseFormat, ToolChoice, ToolDefinition, Turn } from "../canonical.ts";
import { createJsonSource, type JsonSource, textAt } from "../json-source.ts";
import { NO_ADDRESS, type RequestAddress } from "../protocol.ts";
import { demand, readRequestBody, WrongField } from "../request-body.ts";
import { readCachePoint, readContent } from "./read-content.ts";

/** Top-level fields that have a place in the canonical request; every other one goes to `rest`. */
const READ_FIELDS: ReadonlySet<string> = new Set(
  "modelId messages system inferenceConfig toolConfig additionalModelRequestFields outputConfig".split(" "),
);

/** Members of `inferenceConfig` that have a place. */
const READ_INFERENCE: ReadonlySet<string> = new Set(["maxTokens", "temperature", "topP", "stopSequences"]);

/** Reads and checks a body. Errors: `invalid_json`, `invalid_request` with `param` the dotted path of the first wrong field. */
export function parseRequest(bodyText: string, address: RequestAddress = NO_ADDRESS): Outcome<CanonicalRequest> {
  return readRequestBody(bodyText, converseRequestSchema, (body) => readRequest(body, createJsonSource(bodyText), address));
}

function readRequest(body: ConverseRequest, source: JsonSource, address: RequestAddress): CanonicalRequest {
  const rest: Record<string, unknown> = {};
  for (const [field, value] of Object.entries(body)) if (!READ_FIELDS.has(field) && value !== null) rest[field] = value;
  for (const [field, value] of Object.entries(body.inferenceConfig ?? {}))
    if (!READ_INFERENCE.has(field)) rest[`inferenceConfig.${field}`] = value;
  const system = readContent(body.system ?? [], ["system"], source, rest);
  const turns = body.messages.map(({ role, content }, index): Turn => {
    return { role, name: null, blocks: readContent(content, ["messages", index, "content"], source, rest) };
  });
  const tools = readTools(body, source, rest);
  const extra = readExtra(body, rest);
  return {
    protocol: "bedrock-converse",
    model: readModel(address.model),
    stream: address.stream === true,
    wantsStreamUsage: true,
    turns: system.length === 0 ? turns : [{ role: "system", name: null, blocks: system }, ...turns],
    tools,
    toolChoice: readToolChoice(body),
    parallelToolCalls: extra.parallelToolCalls,
    maxOutputTokens: body.inferenceConfig?.maxTokens ?? null,
    temperature: body.inferenceConfig?.temperature ?? null,
    topP: body.inferenceConfig?.topP ?? null,
    topK: extra.topK,
    stop: body.inferenceConfig?.stopSequences ?? [],
    choices: 1,
    reasoning: extra.reasoning,
    responseFormat: readFormat(body, rest),
    user: null,
    rest,
  };
}

function readModel(model: string | null): string {
  const named = demand(model, "modelId");
  if (named.length > LIMITS.modelNameCharacters) throw new WrongField("modelId", `has more than ${LIMITS.modelNameCharacters} characters`);
  return named;
}

function readTools(body: ConverseRequest, source: JsonSource, rest: Record<string, unknown>): ToolDefinition[] {
  const tools: ToolDefinition[] = [];
  const given = body.toolConfig?.tools ?? [];
  for (const [index, { toolSpec, cachePoint, ...other }] of given.entries()) {
    const last = tools.at(-1);
    if (cachePoint && last !== undefined) last.cache = readCachePoint(cachePoint);
    if (!toolSpec) {
      if (!cachePoint) rest[`tools.${index}`] = other;
      continue;
    }
    tools.push({
      name: toolSpec.name,
      description: toolSpec.description ?? null,
      schemaText: textAt(source, ["toolConfig", "tools", index, "toolSpec", "inputSchema", "json"]) ?? '{"type":"object","properties":{}}',
      strict: toolSpec.strict ?? null,
      cache: null,
    });
  }
  return tools;
}

function readToolChoice(body: ConverseRequest): ToolChoice | null {
  const choice = body.toolConfig?.toolChoice;
  if (!choice) return null;
  if (choice.tool) return { mode: "tool", name: choice.tool.name };
  if ("any" in choice) return { mode: "required" };
  if ("auto" in choice) return { mode: "auto" };
  throw new WrongField("toolConfig.toolChoice", "must be auto, any or tool");
}

/** A schema comes as text inside the JSON. A format that is no JSON schema stays unread. */
function readFormat(body: ConverseRequest, rest: Record<string, unknown>): ResponseFormat | null {
  const format = body.outputConfig?.textFormat;
  if (!format) return null;
  const schema = format.structure?.jsonSchema;
  if (format.type === "json_schema" && schema) {
    // It becomes part of another body as it is, so it must be an object and nothing more.
    const parsed = parseJson(schema.schema);
    if (!parsed.ok || !isObject(parsed.value))
      throw new WrongField("outputConfig.textFormat.structure.jsonSchema.schema", "must be a JSON object");
    if (schema.description) rest["outputConfig.description"] = schema.description;
    return { kind: "json-schema", name: schema.name ?? null, schemaText: schema.schema, strict: true };
  }
  rest["outputConfig.textFormat"] = format;
  return null;
}

interface Extra {
  topK: number | null;
  reasoning: ReasoningControl | null;
  parallelToolCalls: boolean | null;
}

/** What the fields of a model's own say that other wires can say too; the other ones are named one by one in `rest`. */
function readExtra(body: ConverseRequest, rest: Record<string, unknown>): Extra {
  const {
    top_k: topK,
    thinking,
    reasoning_config,
    reasoningConfig,
    tool_choice: choice,
    ...other
  } = body.additionalModelRequestFields ?? {};
  const extra: Extra = {
    topK: typeof topK === "number" ? topK : null,
    reasoning: readReasoning(body.outputConfig?.effort ?? null, [thinking, reasoning_config, reasoningConfig].find(isObject) ?? null),
    parallelToolCalls: isObject(choice) && choice["disable_parallel_tool_use"] === true ? false : null,
  };
  for (const [field, value] of Object.entries(other)) {
    const inner = field === "inferenceConfig" && isObject(value) ? value["topK"] : null;
    if (typeof inner === "number") extra.topK = inner;
    else rest[`additionalModelRequestFields.${field}`] = value;
  }
  return extra;
}

/** `thinking` and `reasoning_config` are one model family's, with a budget; `reasoningConfig` is another's, with an effort. */
function readReasoning(outputEffort: string | null, control: JsonObject | null): ReasoningControl | null {
  if (control === null) return outputEffort === null ? null : { effort: outputEffort, budgetTokens: null, mode: null };
  const { type, budget_tokens: budget, maxReasoningEffort: own } = control;
  const mode = type === "enabled" || type === "disabled" || type === "adaptive" ? type : null;
  const budgetTokens = typeof budget === "number" && Number.isSafeInteger(budget) && budget > 0 ? budget : null;
  return { effort: outputEffort ?? (typeof own === "string" ? own : null), budgetTokens, mode };
}
