/** The canonical request → a Converse body, with what it could not carry as it was. The model and the streaming switch go into the address. */
import type { CanonicalRequest, Loss, ToolDefinition } from "../canonical.ts";
import { RawJson, stringifyWithRaw } from "../json-text.ts";
import { distinctLosses, lossFor, restLosses } from "../losses.ts";
import type { RenderedRequest, RenderTarget } from "../protocol.ts";
import { createSpelling } from "../spelling.ts";
import { type ModelFields, modelFieldsOf } from "./model-fields.ts";
import { cachePoint, renderTurns } from "./render-blocks.ts";

const TARGET = "bedrock-converse";
const TOOL_NAME_CHARACTERS_MAX = 64;
/** Where `parseRequest` leaves the description of an answer's schema. */
const SCHEMA_DESCRIPTION = "outputConfig.description";

export function renderRequest(request: CanonicalRequest, target: RenderTarget): RenderedRequest {
  const losses: Loss[] = [];
  const toolName = createSpelling(TOOL_NAME_CHARACTERS_MAX);
  // Tools first: what the caller offers keeps its spelling, whatever else the history holds.
  const tools = renderTools(request, toolName, losses);
  const { system, messages } = renderTurns(request, toolName, losses);
  const extra = modelFieldsOf(request, target, messages, { toolName, losses });
  // A choice among the model's own fields is refused beside the wire's.
  const toolConfig = tools === null || !("tool_choice" in extra.fields) ? tools : { tools: tools.tools };
  const inferenceConfig = inferenceOf(request, target, extra.thinks, losses);
  const outputConfig = outputOf(request, extra, losses);
  const body: Record<string, unknown> = {
    messages,
    ...(system.length === 0 ? {} : { system }),
    inferenceConfig,
    ...(toolConfig === null ? {} : { toolConfig }),
    ...(Object.keys(extra.fields).length === 0 ? {} : { additionalModelRequestFields: extra.fields }),
    ...(Object.keys(outputConfig).length === 0 ? {} : { outputConfig }),
  };
  if (request.choices > 1) losses.push(lossFor("n", TARGET));
  if (request.user !== null) losses.push(lossFor("user", TARGET));
  losses.push(...restLosses(request, TARGET, request.protocol === TARGET ? putBack(request, body) : []));
  for (const field of target.quirks.refusedFields ?? []) {
    if (!(field in body)) continue;
    delete body[field];
    losses.push(lossFor(field, TARGET));
  }
  return { body: stringifyWithRaw(body), losses: distinctLosses(losses) };
}

/** Fields of the wire's own callers go back where they were (`a.b`: member `b` of `a`). Gives the names of those that did. */
function putBack(request: CanonicalRequest, body: Record<string, unknown>): string[] {
  const carried: string[] = [];
  for (const [field, value] of Object.entries(request.rest)) {
    const [parent = field, member] = field.split(/\.(.*)/s);
    if (parent === "messages" || field === "cache_control") continue;
    carried.push(field);
    // Tools are put back with the others, and a schema's description with the schema.
    if (parent === "tools" || field === SCHEMA_DESCRIPTION) continue;
    const before = body[parent];
    if (member === undefined) body[field] = value;
    else body[parent] = { ...(typeof before === "object" ? before : {}), [member]: value };
  }
  return carried;
}

/** Temperature runs from 0 to 1 here, and no sampling may be set beside thinking, nor at all for some models. */
function inferenceOf(request: CanonicalRequest, target: RenderTarget, thinks: boolean, losses: Loss[]): object {
  const { temperature, topP } = request;
  const maxTokens = request.maxOutputTokens ?? target.maxOutputTokens;
  if (request.maxOutputTokens === null) losses.push(lossFor("max_tokens", TARGET, { note: `→${maxTokens}` }));
  const stopSequences = request.stop.filter((stop) => stop.trim() !== "");
  if (stopSequences.length < request.stop.length) losses.push(lossFor("stop", TARGET));
  const common = { maxTokens, ...(stopSequences.length === 0 ? {} : { stopSequences }) };
  const pattern = target.quirks.reasoningModelPattern;
  if (thinks || (pattern !== undefined && new RegExp(pattern).test(target.model))) {
    if (temperature !== null && temperature !== 1) losses.push({ class: "hint", path: "temperature", note: null });
    if (topP !== null && topP !== 1) losses.push(lossFor("top_p", TARGET));
    return common;
  }
  const clamped = temperature === null ? null : Math.min(1, Math.max(0, temperature));
  if (clamped !== temperature) losses.push(lossFor("temperature", TARGET, { note: `${temperature}→${clamped}` }));
  return { ...common, ...(clamped === null ? {} : { temperature: clamped }), ...(topP === null ? {} : { topP }) };
}

function outputOf(request: CanonicalRequest, extra: ModelFields, losses: Loss[]): object {
  const format = request.responseFormat;
  if (format?.kind === "json-object") losses.push(lossFor("response_format", TARGET));
  const described = request.protocol === TARGET ? request.rest[SCHEMA_DESCRIPTION] : undefined;
  // The schema is text inside the JSON here.
  const jsonSchema =
    format?.kind === "json-schema" ? { schema: format.schemaText, name: format.name ?? undefined, description: described } : null;
  return {
    ...(jsonSchema === null ? {} : { textFormat: { type: "json_schema", structure: { jsonSchema } } }),
    ...(extra.effort === null ? {} : { effort: extra.effort }),
  };
}

/** The tools a request offers and which of them it asks for; null where there are none. */
function renderTools(
  request: CanonicalRequest,
  toolName: (name: string) => string,
  losses: Loss[],
): { tools: unknown[]; toolChoice?: object } | null {
  const native = request.protocol === TARGET ? Object.entries(request.rest).filter(([field]) => field.startsWith("tools.")) : [];
  const called = new Set(request.turns.flatMap((turn) => turn.blocks.flatMap((block) => (block.type === "tool-call" ? [block.name] : []))));
  const isForbidden = request.toolChoice?.mode === "none" || (request.tools.length === 0 && native.length === 0);
  // The wire has no `none`: without a call in the history, forbidden tools are simply not named.
  if (isForbidden && called.size === 0) return null;
  const offered = [...request.tools.flatMap((tool) => renderTool(tool, toolName, losses)), ...native.map(([, tool]) => tool)];
  const history = [...called].map((name) => ({ toolSpec: { name: toolName(name), inputSchema: { json: { type: "object" } } } }));
  // A history with calls is refused without definitions: they stay, and what that may lead to is said.
  if (isForbidden) losses.push(lossFor("tool_choice", TARGET, { note: "none→auto" }));
  const choice = isForbidden ? null : renderChoice(request, toolName);
  return { tools: offered.length === 0 ? history : offered, ...(choice === null ? {} : { toolChoice: choice }) };
}

function renderTool(tool: ToolDefinition, toolName: (name: string) => string, losses: Loss[]): object[] {
  const name = toolName(tool.name);
  if (name !== tool.name) losses.push(lossFor("tools.name", TARGET, { note: `→${name}` }));
  const toolSpec = {
    name,
    // An empty description is refused.
    ...(tool.description === null || tool.description === "" ? {} : { description: tool.description }),
    inputSchema: { json: new RawJson(tool.schemaText) },
    ...(tool.strict === true ? { strict: true } : {}),
  };
  return [{ toolSpec }, ...cachePoint(tool.cache)];
}

function renderChoice(request: CanonicalRequest, toolName: (name: string) => string): object | null {
  switch (request.toolChoice?.mode) {
    case "auto":
      return { auto: {} };
    case "required":
      return { any: {} };
    case "tool":
      return { tool: { name: toolName(request.toolChoice.name) } };
    default:
      return null;
  }
}
