/** The canonical request → a v2 Chat body, with what it could not carry as it was. */
import type { CanonicalRequest, Loss, ResponseFormat } from "../canonical.ts";
import { RawJson, stringifyWithRaw } from "../json-text.ts";
import { distinctLosses, lossFor, restLosses } from "../losses.ts";
import type { RenderedRequest, RenderTarget } from "../protocol.ts";
import { leaveOutRefused } from "../refused-fields.ts";
import { renderMessages } from "./render-messages.ts";

const TARGET = "cohere-chat";

/** Bounds of the wire's own controls (docs.cohere.com/reference/chat). */
const STOP_SEQUENCES_MAX = 5;
const P_MIN = 0.01;
const P_MAX = 0.99;
const K_MAX = 500;

/** Fields of other callers that this wire has under the same name. */
const SHARED_FIELDS: readonly string[] = ["seed", "frequency_penalty", "presence_penalty"];

export function renderRequest(request: CanonicalRequest, target: RenderTarget): RenderedRequest {
  const losses: Loss[] = [];
  const maxTokens = request.maxOutputTokens ?? target.maxOutputTokens;
  if (request.maxOutputTokens === null) losses.push(lossFor("max_tokens", TARGET, { note: `→${maxTokens}` }));
  const body: Record<string, unknown> = {
    model: target.model,
    messages: renderMessages(request, losses),
    ...(request.stream ? { stream: true } : {}),
    max_tokens: maxTokens,
    ...samplingOf(request, losses),
    ...stopsOf(request, losses),
    ...toolsOf(request, losses),
    ...thinkingOf(request, losses),
    ...(request.responseFormat === null ? {} : { response_format: renderFormat(request.responseFormat) }),
    ...sharedOf(request, losses),
  };
  if (request.choices > 1) losses.push(lossFor("n", TARGET));
  if (request.user !== null) losses.push(lossFor("user", TARGET));
  const carried = request.protocol === TARGET ? Object.keys(request.rest) : SHARED_FIELDS;
  if (request.protocol === TARGET) Object.assign(body, request.rest);
  losses.push(...restLosses(request, TARGET, carried));
  leaveOutRefused(body, target.quirks, losses, TARGET);
  return { body: stringifyWithRaw(body), losses: distinctLosses(losses) };
}

/** A number brought inside the wire's bounds; the change is an approximation. */
function clamped(value: number, min: number, max: number, path: string, losses: Loss[]): number {
  const inside = Math.min(max, Math.max(min, value));
  if (inside !== value) losses.push({ class: "approximation", path, note: `${value}→${inside}` });
  return inside;
}

function samplingOf(request: CanonicalRequest, losses: Loss[]): object {
  const { temperature, topP, topK } = request;
  return {
    ...(temperature === null ? {} : { temperature }),
    ...(topP === null ? {} : { p: clamped(topP, P_MIN, P_MAX, "top_p", losses) }),
    ...(topK === null ? {} : { k: clamped(topK, 0, K_MAX, "top_k", losses) }),
  };
}

/** `seed` and the penalties of another caller. The penalties run from 0 to 1 here. */
function sharedOf(request: CanonicalRequest, losses: Loss[]): object {
  const shared: Record<string, unknown> = {};
  if (request.protocol === TARGET) return shared;
  for (const field of SHARED_FIELDS) {
    const value = request.rest[field];
    if (typeof value !== "number") continue;
    shared[field] = field === "seed" ? value : clamped(value, 0, 1, field, losses);
  }
  return shared;
}

function stopsOf(request: CanonicalRequest, losses: Loss[]): object {
  const { stop } = request;
  if (stop.length > STOP_SEQUENCES_MAX) losses.push(lossFor("stop", TARGET, { note: `${stop.length}→${STOP_SEQUENCES_MAX}` }));
  return stop.length === 0 ? {} : { stop_sequences: stop.slice(0, STOP_SEQUENCES_MAX) };
}

/** A choice of one tool has no word here: that tool is offered alone, and some call is required. */
function toolsOf(request: CanonicalRequest, losses: Loss[]): object {
  const { toolChoice } = request;
  if (request.tools.length === 0) return {};
  const only = toolChoice?.mode === "tool" ? toolChoice.name : null;
  const offered = only === null ? request.tools : request.tools.filter((tool) => tool.name === only);
  if (only !== null && request.tools.length > 1) {
    losses.push({ class: "approximation", path: "tool_choice", note: `${only}→REQUIRED, offered alone` });
  }
  if (offered.some((tool) => tool.cache !== null)) losses.push(lossFor("cache_control", TARGET));
  if (request.parallelToolCalls === false) losses.push(lossFor("parallel_tool_calls", TARGET));
  const isStrict = offered.length > 0 && offered.every((tool) => tool.strict === true);
  if (!isStrict && offered.some((tool) => tool.strict === true)) losses.push({ class: "hint", path: "tools.strict", note: null });
  return {
    tools: offered.map((tool) => ({
      type: "function",
      function: { name: tool.name, description: tool.description ?? undefined, parameters: new RawJson(tool.schemaText) },
    })),
    ...(isStrict ? { strict_tools: true } : {}),
    ...(toolChoice?.mode === "required" || only !== null ? { tool_choice: "REQUIRED" } : {}),
    ...(toolChoice?.mode === "none" ? { tool_choice: "NONE" } : {}),
  };
}

/** The wire knows on, off and a budget; an effort in words can only be on or off. */
function thinkingOf(request: CanonicalRequest, losses: Loss[]): object {
  const { reasoning } = request;
  if (reasoning === null) return {};
  const { effort, budgetTokens, mode } = reasoning;
  if (mode === "disabled" || (budgetTokens === null && effort === "none")) return { thinking: { type: "disabled" } };
  if (budgetTokens !== null) return { thinking: { type: "enabled", token_budget: budgetTokens } };
  if (effort !== null) losses.push(lossFor("reasoning", TARGET, { path: "reasoning_effort", note: `${effort}→enabled` }));
  else if (mode === "adaptive") losses.push(lossFor("reasoning", TARGET, { path: "thinking", note: "adaptive→enabled" }));
  return effort === null && mode === null ? {} : { thinking: { type: "enabled" } };
}

/** A schema's name and `strict` say nothing here: every schema is enforced. */
function renderFormat(format: ResponseFormat): object {
  if (format.kind === "text") return { type: "text" };
  return { type: "json_object", ...(format.kind === "json-schema" ? { json_schema: new RawJson(format.schemaText) } : {}) };
}
