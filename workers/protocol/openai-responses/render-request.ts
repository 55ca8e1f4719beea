/** The canonical request → a Responses body for a provider, within its declared quirks. */
import type { ProtocolId } from "../../../schema/protocol.ts";
import type { CanonicalRequest, Loss, ReasoningControl, ToolDefinition } from "../canonical.ts";
import { RawJson, stringifyWithRaw } from "../json-text.ts";
import { distinctLosses, lossFor, restLosses } from "../losses.ts";
import type { RenderedRequest, RenderTarget } from "../protocol.ts";
import { renderInput } from "./render-input.ts";

const TARGET = "openai-responses";

/** Fields of Chat callers that this wire has under the same name and with the same meaning. */
const SHARED_FIELDS = ["metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_retention"] as const;

/** Thinking budgets in tokens → effort: up to the bound, this word; above all bounds, `high`. An approximation, named in a header. */
const EFFORT_BY_BUDGET: readonly (readonly [number, string])[] = [
  [2_048, "low"],
  [8_192, "medium"],
];

export function renderRequest(request: CanonicalRequest, target: RenderTarget): RenderedRequest {
  const { quirks } = target;
  const native = request.protocol === TARGET;
  const losses: Loss[] = [];
  const { instructions, input, toolName } = renderInput(request, quirks, losses);
  const body: Record<string, unknown> = { model: target.model, ...(instructions === null ? {} : { instructions }), input };
  if (request.stream) body["stream"] = true;
  addTools(body, request, toolName, losses);
  const cap = request.maxOutputTokens ?? (target.maxOutputTokens > 0 ? target.maxOutputTokens : null);
  if (cap !== null) body["max_output_tokens"] = cap;
  addSampling(body, request, target, losses);
  addReasoning(body, request, losses);
  addText(body, request);
  if (request.user !== null) body["user"] = request.user;
  if (native) {
    for (const [field, value] of Object.entries(request.rest)) if (!field.includes(".")) body[field] = value;
  } else {
    addForeignRest(body, request, losses);
  }
  for (const field of quirks.refusedFields ?? []) {
    if (!(field in body)) continue;
    delete body[field];
    losses.push(lossFor(field, TARGET));
  }
  return { body: stringifyWithRaw(body), losses: distinctLosses(losses) };
}

/** Functions are strict here unless they say otherwise; on every other wire it is the other way round. */
function renderTool(tool: ToolDefinition, native: boolean, toolName: (name: string) => string, losses: Loss[]): unknown {
  const name = toolName(tool.name);
  if (name !== tool.name) losses.push(lossFor("tools.name", TARGET, { note: `→${name}` }));
  if (tool.cache !== null) losses.push(lossFor("cache_control", TARGET));
  return {
    type: "function",
    name,
    description: tool.description ?? undefined,
    parameters: new RawJson(tool.schemaText),
    strict: tool.strict ?? (native ? undefined : false),
  };
}

function addTools(body: Record<string, unknown>, request: CanonicalRequest, toolName: (name: string) => string, losses: Loss[]): void {
  const native = request.protocol === TARGET;
  const tools = request.tools.map((tool) => renderTool(tool, native, toolName, losses));
  if (native) {
    for (const [field, value] of Object.entries(request.rest)) if (field.startsWith("tools.")) tools.push(value);
  }
  if (tools.length === 0) return;
  body["tools"] = tools;
  const choice = request.toolChoice;
  if (choice !== null) body["tool_choice"] = choice.mode === "tool" ? { type: "function", name: toolName(choice.name) } : choice.mode;
  if (request.parallelToolCalls !== null) body["parallel_tool_calls"] = request.parallelToolCalls;
}

function addSampling(body: Record<string, unknown>, request: CanonicalRequest, target: RenderTarget, losses: Loss[]): void {
  const { reasoningModelPattern: pattern } = target.quirks;
  const fixed = pattern !== undefined && new RegExp(pattern).test(target.model);
  for (const [field, value] of [
    ["temperature", request.temperature],
    ["top_p", request.topP],
  ] as const) {
    // A model that takes none works at 1, so asking for 1 asks for nothing.
    if (value === null || (fixed && value === 1)) continue;
    if (fixed) losses.push({ class: "hint", path: field, note: null });
    else body[field] = value;
  }
  if (request.topK !== null) losses.push(lossFor("top_k", TARGET));
  if (request.stop.length > 0)
    losses.push(lossFor("stop", TARGET, { path: request.protocol === "openai-chat" ? "stop" : "stop_sequences" }));
  if (request.choices > 1) losses.push(lossFor("n", TARGET));
}

/**
 * What a caller of another wire gets of reasoning depends on what is asked for here: its state, so that it can come back without the
 * provider storing it, and a summary for a caller who switched visible thinking on.
 */
function addReasoning(body: Record<string, unknown>, request: CanonicalRequest, losses: Loss[]): void {
  const { reasoning, rest } = request;
  const native = request.protocol === TARGET;
  const control: Record<string, unknown> = {};
  if (native) {
    for (const [field, value] of Object.entries(rest))
      if (field.startsWith("reasoning.")) control[field.slice("reasoning.".length)] = value;
  } else if (reasoning?.mode === "enabled" || reasoning?.mode === "adaptive") {
    control["summary"] = "auto";
  }
  const effort = effortOf(reasoning, request.protocol, losses);
  if (effort !== null) control["effort"] = effort;
  if (Object.keys(control).length > 0) body["reasoning"] = control;
  if (native) return;
  body["store"] = false;
  if (Object.keys(control).length > 0 && effort !== "none") body["include"] = ["reasoning.encrypted_content"];
}

/** The effort to ask for; null to leave it to the model. */
function effortOf(reasoning: ReasoningControl | null, caller: ProtocolId, losses: Loss[]): string | null {
  if (reasoning === null) return null;
  const { effort, budgetTokens, mode } = reasoning;
  if (effort !== null) {
    if (effort !== "max" || caller === TARGET) return effort;
    // The scale ends at `xhigh` for most models; another wire's `max` is its nearest.
    losses.push(lossFor("reasoning", TARGET, { path: caller === "openai-chat" ? "reasoning_effort" : "effort", note: "max→xhigh" }));
    return "xhigh";
  }
  if (mode === "disabled") {
    losses.push(lossFor("reasoning", TARGET, { path: "thinking", note: "disabled→the model's own" }));
    return null;
  }
  if (budgetTokens === null) return null;
  const word = EFFORT_BY_BUDGET.find(([bound]) => budgetTokens <= bound)?.[1] ?? "high";
  losses.push(
    lossFor("reasoning", TARGET, {
      path: caller === "openai-chat" ? "reasoning" : "thinking.budget_tokens",
      note: `${budgetTokens}→${word}`,
    }),
  );
  return word;
}

function addText(body: Record<string, unknown>, request: CanonicalRequest): void {
  const { responseFormat: format, rest } = request;
  const text: Record<string, unknown> = {};
  if (format?.kind === "text") text["format"] = { type: "text" };
  else if (format?.kind === "json-object") text["format"] = { type: "json_object" };
  else if (format !== null) {
    const schema = { name: format.name ?? "response", schema: new RawJson(format.schemaText), strict: format.strict ?? undefined };
    text["format"] = { type: "json_schema", ...schema, description: rest["text.format.description"] };
  } else if (rest["text.format"] !== undefined) text["format"] = rest["text.format"];
  const verbosity = rest["text.verbosity"] ?? (request.protocol === "openai-chat" ? rest["verbosity"] : undefined);
  if (verbosity !== undefined) text["verbosity"] = verbosity;
  if (Object.keys(text).length > 0) body["text"] = text;
}

function addForeignRest(body: Record<string, unknown>, request: CanonicalRequest, losses: Loss[]): void {
  if (request.protocol !== "openai-chat") return void losses.push(...restLosses(request, TARGET));
  for (const field of SHARED_FIELDS) if (request.rest[field] !== undefined) body[field] = request.rest[field];
  losses.push(...restLosses(request, TARGET, [...SHARED_FIELDS, "verbosity"]));
}
