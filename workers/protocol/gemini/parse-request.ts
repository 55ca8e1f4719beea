/** A caller's `generateContent` body → the canonical request. The model and the streaming switch are in the address. */
import { z } from "zod";
import { failed, gatewayError, type Outcome } from "../../../schema/error.ts";
import { type GeminiGenerationConfig, type GeminiRequest, geminiRequestSchema } from "../../../schema/wire/gemini.ts";
import type { CanonicalRequest, ReasoningControl, ResponseFormat, ToolChoice, ToolDefinition } from "../canonical.ts";
import { childOf, createJsonSource, type JsonNode, type JsonSource } from "../json-source.ts";
import { NO_ADDRESS, type RequestAddress } from "../protocol.ts";
import { demand, readRequestBody, WrongField } from "../request-body.ts";
import { camelCased, sourceAt } from "./names.ts";
import { readContents, saysSomething } from "./parse-contents.ts";
import { jsonSchemaText } from "./schema-text.ts";

/** Fields that have a place in the canonical request; every other one goes to `rest`, settings by their dotted name. */
const READ_FIELDS: ReadonlySet<string> = new Set("model contents systemInstruction tools toolConfig generationConfig".split(" "));
const READ_SETTINGS: ReadonlySet<string> = new Set(
  "maxOutputTokens temperature topP topK candidateCount stopSequences responseMimeType responseSchema responseJsonSchema thinkingConfig".split(
    " ",
  ),
);

const bodySchema = z.preprocess(camelCased, geminiRequestSchema);

/** Reads and checks a body. Errors: `invalid_json`, `invalid_request` with `param` the dotted path of the first wrong field, in camelCase. */
export function parseRequest(bodyText: string, address: RequestAddress = NO_ADDRESS): Outcome<CanonicalRequest> {
  // A byte order mark is no part of the JSON.
  const text = bodyText.charCodeAt(0) === 0xfeff ? bodyText.slice(1) : bodyText;
  if (address.model === "") return failed(gatewayError("invalid_request", "The address names no model.", { param: "model" }));
  return readRequestBody(text, bodySchema, (body) => readRequest(body, createJsonSource(text), address));
}

function readRequest(body: GeminiRequest, source: JsonSource, address: RequestAddress): CanonicalRequest {
  refuseBothSpellings(source);
  const settings: GeminiGenerationConfig = body.generationConfig ?? {};
  const { turns, unread } = readContents(body, source);
  const rest: Record<string, unknown> = { ...unread };
  const keep = (prefix: string, fields: object, known: ReadonlySet<string>): void => {
    for (const [field, value] of Object.entries(fields)) if (!known.has(field) && saysSomething(value)) rest[prefix + field] = value;
  };
  keep("", body, READ_FIELDS);
  keep("generationConfig.", settings, READ_SETTINGS);
  const includeThoughts = settings.thinkingConfig?.includeThoughts;
  if (typeof includeThoughts === "boolean") rest["generationConfig.thinkingConfig.includeThoughts"] = includeThoughts;
  const tools = readTools(body, source, rest);
  const choice = readToolChoice(body, rest);
  return {
    protocol: "gemini",
    model: demand(address.model ?? body.model, "model").replace(/^models\//, ""),
    stream: address.stream === true,
    wantsStreamUsage: true,
    turns,
    tools: choice.allowed === null ? tools : tools.filter((tool) => choice.allowed?.has(tool.name)),
    toolChoice: choice.toolChoice,
    parallelToolCalls: null,
    maxOutputTokens: settings.maxOutputTokens ?? null,
    temperature: settings.temperature ?? null,
    topP: settings.topP ?? null,
    topK: settings.topK ?? null,
    stop: settings.stopSequences ?? [],
    choices: settings.candidateCount ?? 1,
    reasoning: readReasoning(settings),
    responseFormat: readFormat(settings, source, rest),
    user: null,
    rest,
  };
}

/** A cap that one reader takes from the one spelling and another from the other is no cap. */
function refuseBothSpellings(source: JsonSource): void {
  const inside = (node: JsonNode | null, prefix: string, names: readonly (readonly [string, string])[]): void => {
    for (const [camel, snake] of names) {
      if (node !== null && childOf(source, node, camel) !== null && childOf(source, node, snake) !== null)
        throw new WrongField(prefix + camel, `is given beside ${snake}`);
    }
  };
  inside(source.root, "", [["generationConfig", "generation_config"]]);
  const settings = childOf(source, source.root, "generationConfig") ?? childOf(source, source.root, "generation_config");
  inside(settings, "generationConfig.", [
    ["maxOutputTokens", "max_output_tokens"],
    ["candidateCount", "candidate_count"],
  ]);
}

/** Functions; every other kind of tool (search, code execution…) goes to `rest` as its own tool. */
function readTools(body: GeminiRequest, source: JsonSource, rest: Record<string, unknown>): ToolDefinition[] {
  const tools: ToolDefinition[] = [];
  for (const [index, { functionDeclarations, ...others }] of (body.tools ?? []).entries()) {
    if (Object.keys(others).length > 0) rest[`tools.${index}`] = others;
    for (const [position, declared] of (functionDeclarations ?? []).entries()) {
      const path = ["tools", index, "functionDeclarations", position];
      const older = declared.parametersJsonSchema === null || declared.parametersJsonSchema === undefined;
      const schema = sourceAt(source, [...path, older ? "parameters" : "parametersJsonSchema"]);
      const isObject = schema?.startsWith("{") === true;
      tools.push({
        name: declared.name,
        description: declared.description ?? null,
        schemaText: isObject ? (older ? jsonSchemaText(schema) : schema) : '{"type":"object","properties":{}}',
        strict: null,
        cache: null,
      });
    }
  }
  return tools;
}

/**
 * The mode in the hub's words. `allowed`: only these tools may be called. What has no word there (several allowed names, `VALIDATED`, other
 * settings) stays in `rest` as the caller's whole `toolConfig`.
 */
function readToolChoice(
  body: GeminiRequest,
  rest: Record<string, unknown>,
): { toolChoice: ToolChoice | null; allowed: ReadonlySet<string> | null } {
  const config = body.toolConfig;
  const { mode, allowedFunctionNames: names } = config?.functionCallingConfig ?? {};
  const [first, second] = names ?? [];
  const isWhole = Object.keys(config ?? {}).every((key) => key === "functionCallingConfig");
  if (!isWhole || mode === "VALIDATED" || second !== undefined || (first !== undefined && mode !== "ANY")) rest["toolConfig"] = config;
  const allowed = second === undefined ? null : new Set(names);
  switch (mode?.toUpperCase()) {
    case undefined:
    case "":
    case "MODE_UNSPECIFIED":
      return { toolChoice: null, allowed: null };
    case "AUTO":
    case "VALIDATED":
      return { toolChoice: { mode: "auto" }, allowed };
    case "NONE":
      return { toolChoice: { mode: "none" }, allowed: null };
    case "ANY":
      return { toolChoice: first !== undefined && second === undefined ? { mode: "tool", name: first } : { mode: "required" }, allowed };
    default:
      throw new WrongField("toolConfig.functionCallingConfig.mode", "must be AUTO, ANY, NONE or VALIDATED");
  }
}

/** A budget of 0 means no thinking, of -1 as much as the model sees fit. */
function readReasoning(settings: GeminiGenerationConfig): ReasoningControl | null {
  const { thinkingBudget: budget, thinkingLevel: level } = settings.thinkingConfig ?? {};
  if (typeof level === "string" && level !== "" && level !== "THINKING_LEVEL_UNSPECIFIED")
    return { effort: level.toLowerCase(), budgetTokens: null, mode: null };
  if (typeof budget !== "number") return null;
  if (budget === 0) return { effort: null, budgetTokens: null, mode: "disabled" };
  return budget === -1 ? { effort: null, budgetTokens: null, mode: "adaptive" } : { effort: null, budgetTokens: budget, mode: "enabled" };
}

function readFormat(settings: GeminiGenerationConfig, source: JsonSource, rest: Record<string, unknown>): ResponseFormat | null {
  const { responseMimeType: type } = settings;
  const newer = sourceAt(source, ["generationConfig", "responseJsonSchema"]);
  const older = sourceAt(source, ["generationConfig", "responseSchema"]);
  const schemaText = newer?.startsWith("{") === true ? newer : older?.startsWith("{") === true ? jsonSchemaText(older) : null;
  if (type === "application/json" || (schemaText !== null && !type))
    return schemaText === null ? { kind: "json-object" } : { kind: "json-schema", name: null, schemaText, strict: null };
  if (!type || type === "text/plain") return null;
  rest["generationConfig.responseMimeType"] = type;
  if (settings.responseSchema) rest["generationConfig.responseSchema"] = settings.responseSchema;
  return null;
}
