/** The canonical request → a Chat body for a provider, within its declared quirks. */
import type { CanonicalRequest, Loss, ReasoningControl, ResponseFormat, ToolChoice, ToolDefinition } from "../canonical.ts";
import { RawJson, stringifyWithRaw } from "../json-text.ts";
import { distinctLosses, lossFor, restLosses } from "../losses.ts";
import type { RenderedRequest, RenderTarget } from "../protocol.ts";
import { renderMessages } from "./render-messages.ts";

/** How many stop sequences the API takes. */
const STOP_SEQUENCES_MAX = 4;

/** Thinking budgets in tokens → effort: up to the bound, this word; above all bounds, `high`. An approximation, named in a header. */
const EFFORT_BY_BUDGET: readonly (readonly [number, string])[] = [
  [2_048, "low"],
  [8_192, "medium"],
];

export function renderRequest(request: CanonicalRequest, target: RenderTarget): RenderedRequest {
  const { quirks } = target;
  const native = request.protocol === "openai-chat";
  const losses: Loss[] = [];
  const body: Record<string, unknown> = { model: target.model, messages: renderMessages(request, quirks, losses) };
  if (request.stream) {
    body["stream"] = true;
    if (quirks.streamOptions !== false) body["stream_options"] = { include_usage: true };
  }
  addTools(body, request, losses, native);
  const cap = request.maxOutputTokens ?? (target.maxOutputTokens > 0 ? target.maxOutputTokens : null);
  if (cap !== null) body[quirks.maxTokensField ?? "max_tokens"] = cap;
  addSampling(body, request, target, losses);
  if (request.choices > 1) body["n"] = request.choices;
  addReasoningEffort(body, request.reasoning, native, losses);
  if (request.responseFormat !== null) body["response_format"] = renderFormat(request.responseFormat);
  if (request.user !== null) body["user"] = request.user;
  if (native) {
    for (const [field, value] of Object.entries(request.rest)) if (!field.startsWith("tools.")) body[field] = value;
  } else {
    losses.push(...restLosses(request, "openai-chat"));
  }
  for (const field of quirks.refusedFields ?? []) {
    if (!(field in body)) continue;
    delete body[field];
    losses.push({ class: "hint", path: field, note: null });
  }
  return { body: stringifyWithRaw(body), losses: distinctLosses(losses) };
}

function renderTool(tool: ToolDefinition, native: boolean, losses: Loss[]): unknown {
  if (tool.cache !== null && !native) losses.push(lossFor("cache_control", "openai-chat"));
  const definition = {
    name: tool.name,
    description: tool.description ?? undefined,
    parameters: new RawJson(tool.schemaText),
    strict: tool.strict ?? undefined,
  };
  return { type: "function", function: definition };
}

function addTools(body: Record<string, unknown>, request: CanonicalRequest, losses: Loss[], native: boolean): void {
  const tools = request.tools.map((tool) => renderTool(tool, native, losses));
  if (native) {
    for (const [field, value] of Object.entries(request.rest)) if (field.startsWith("tools.")) tools.push(value);
  }
  if (tools.length === 0) return;
  body["tools"] = tools;
  if (request.toolChoice !== null) body["tool_choice"] = renderToolChoice(request.toolChoice);
  if (request.parallelToolCalls !== null) body["parallel_tool_calls"] = request.parallelToolCalls;
}

function renderToolChoice(choice: ToolChoice): unknown {
  return choice.mode === "tool" ? { type: "function", function: { name: choice.name } } : choice.mode;
}

function addSampling(body: Record<string, unknown>, request: CanonicalRequest, target: RenderTarget, losses: Loss[]): void {
  const pattern = target.quirks.reasoningModelPattern;
  const fixed = pattern !== undefined && new RegExp(pattern).test(target.model);
  for (const [field, value] of [
    ["temperature", request.temperature],
    ["top_p", request.topP],
  ] as const) {
    if (value === null) continue;
    if (fixed) losses.push(lossFor(field, "openai-chat"));
    else body[field] = value;
  }
  if (request.topK !== null) losses.push(lossFor("top_k", "openai-chat"));
  if (request.stop.length === 0) return;
  body["stop"] = request.stop.slice(0, STOP_SEQUENCES_MAX);
  if (request.stop.length > STOP_SEQUENCES_MAX) {
    losses.push(
      lossFor("stop", "openai-chat", {
        path: request.protocol === "openai-chat" ? "stop" : "stop_sequences",
        note: `${request.stop.length}→${STOP_SEQUENCES_MAX}`,
      }),
    );
  }
}

function addReasoningEffort(body: Record<string, unknown>, reasoning: ReasoningControl | null, native: boolean, losses: Loss[]): void {
  if (reasoning === null) return;
  if (reasoning.effort !== null) {
    // The scale ends at `xhigh` here; another protocol's `max` is its nearest.
    body["reasoning_effort"] = reasoning.effort === "max" ? "xhigh" : reasoning.effort;
    if (reasoning.effort === "max") losses.push(lossFor("reasoning", "openai-chat", { path: "effort", note: "max→xhigh" }));
    return;
  }
  const budget = reasoning.budgetTokens;
  if (budget === null || reasoning.mode === "disabled") return;
  const effort = EFFORT_BY_BUDGET.find(([bound]) => budget <= bound)?.[1] ?? "high";
  body["reasoning_effort"] = effort;
  losses.push(lossFor("reasoning", "openai-chat", { path: native ? "reasoning" : "thinking.budget_tokens", note: `${budget}→${effort}` }));
}

function renderFormat(format: ResponseFormat): unknown {
  if (format.kind === "text") return { type: "text" };
  if (format.kind === "json-object") return { type: "json_object" };
  const schema = { name: format.name ?? "response", schema: new RawJson(format.schemaText), strict: format.strict ?? undefined };
  return { type: "json_schema", json_schema: schema };
}
