/** The canonical request → a Chat body for a provider, within its declared quirks. */
import type { CanonicalRequest, Loss, ResponseFormat, ToolChoice, ToolDefinition } from "../canonical.ts";
import { RawJson, stringifyWithRaw } from "../json-text.ts";
import { distinctLosses, lossFor, restLosses } from "../losses.ts";
import type { Quirks, RenderedRequest, RenderTarget } from "../protocol.ts";
import { addReasoningControl } from "./reasoning-control.ts";
import { renderMessages } from "./render-messages.ts";

/** How many stop sequences the API takes. */
const STOP_SEQUENCES_MAX = 4;

export function renderRequest(request: CanonicalRequest, target: RenderTarget): RenderedRequest {
  const { quirks } = target;
  const native = request.protocol === "openai-chat";
  const losses: Loss[] = [];
  const body: Record<string, unknown> = { model: target.model, messages: renderMessages(request, quirks, losses) };
  if (request.stream) {
    body["stream"] = true;
    if (quirks.streamOptions !== false) body["stream_options"] = { include_usage: true };
  }
  addTools(body, request, quirks, losses);
  const cap = request.maxOutputTokens ?? (target.maxOutputTokens > 0 ? target.maxOutputTokens : null);
  if (cap !== null) body[quirks.maxTokensField ?? "max_tokens"] = cap;
  addSampling(body, request, target, losses);
  if (request.choices > 1) body["n"] = request.choices;
  addReasoningControl(body, request.reasoning, { quirks, native }, losses);
  if (request.responseFormat !== null) body["response_format"] = renderFormat(request.responseFormat);
  if (request.user !== null) body["user"] = request.user;
  if (native) {
    for (const [field, value] of Object.entries(request.rest)) if (!field.startsWith("tools.")) body[field] = value;
  } else {
    losses.push(...restLosses(request, "openai-chat"));
  }
  for (const field of quirks.refusedFields ?? []) {
    if (!(field in body)) continue;
    losses.push(...restLosses({ ...request, rest: { [field]: body[field] } }, "openai-chat"));
    delete body[field];
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

function addTools(body: Record<string, unknown>, request: CanonicalRequest, quirks: Quirks, losses: Loss[]): void {
  const native = request.protocol === "openai-chat";
  const tools = request.tools.map((tool) => renderTool(tool, native, losses));
  if (native) {
    for (const [field, value] of Object.entries(request.rest)) if (field.startsWith("tools.")) tools.push(value);
  }
  if (tools.length === 0) return;
  if (quirks.tools === false) return void losses.push(lossFor("tools.unknown", "openai-chat", { path: "tools" }));
  body["tools"] = tools;
  addToolChoice(body, request.toolChoice, quirks, losses);
  if (request.parallelToolCalls !== null) body["parallel_tool_calls"] = request.parallelToolCalls;
}

function addToolChoice(body: Record<string, unknown>, choice: ToolChoice | null, quirks: Quirks, losses: Loss[]): void {
  if (choice === null) return;
  const forced = choice.mode === "tool" || choice.mode === "required";
  if (forced && quirks.forcedToolChoice === false) return void losses.push(lossFor("tool_choice", "openai-chat"));
  body["tool_choice"] = choice.mode === "tool" ? { type: "function", function: { name: choice.name } } : choice.mode;
}

function addSampling(body: Record<string, unknown>, request: CanonicalRequest, target: RenderTarget, losses: Loss[]): void {
  const { reasoningModelPattern: pattern, temperatureMax = Infinity } = target.quirks;
  const fixed = pattern !== undefined && new RegExp(pattern).test(target.model);
  for (const [field, value] of [
    ["temperature", request.temperature],
    ["top_p", request.topP],
  ] as const) {
    // A model that takes none works at 1, so asking for 1 asks for nothing.
    if (value === null || (fixed && value === 1)) continue;
    if (fixed) losses.push(lossFor(field, "openai-chat"));
    else if (field === "temperature" && value > temperatureMax) {
      body[field] = temperatureMax;
      losses.push({ class: "approximation", path: field, note: `${value}→${temperatureMax}` });
    } else body[field] = value;
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

function renderFormat(format: ResponseFormat): unknown {
  if (format.kind === "text") return { type: "text" };
  if (format.kind === "json-object") return { type: "json_object" };
  const schema = { name: format.name ?? "response", schema: new RawJson(format.schemaText), strict: format.strict ?? undefined };
  return { type: "json_schema", json_schema: schema };
}
