/** The canonical request → a Messages body, with what it could not carry as it was. */
import type { CanonicalRequest, Loss } from "../canonical.ts";
import { RawJson, stringifyWithRaw } from "../json-text.ts";
import { distinctLosses, lossFor, restLosses } from "../losses.ts";
import type { RenderedRequest, RenderTarget } from "../protocol.ts";
import { renderTurns, toolName } from "./render-turns.ts";

const TARGET = "anthropic-messages";

/**
 * Thinking budgets, in tokens, for the efforts of the OpenAI scale. The wire demands at least 1,024 and less than `max_tokens`; the steps
 * quadruple as the providers' own compatibility layers do (research/protocols.md §3, reasoning control). `none`, `minimal`: no thinking.
 */
const BUDGET_TOKENS: Readonly<Record<string, number>> = { low: 1_024, medium: 4_096, high: 16_384, xhigh: 32_768, max: 32_768 };
const BUDGET_TOKENS_MIN = 1_024;

export function renderRequest(request: CanonicalRequest, target: RenderTarget): RenderedRequest {
  const losses: Loss[] = [];
  const maxTokens = request.maxOutputTokens ?? target.maxOutputTokens;
  if (request.maxOutputTokens === null) losses.push(lossFor("max_tokens", TARGET, { note: `→${maxTokens}` }));
  const { system, messages } = renderTurns(request, losses);
  const thinking = thinkingOf(request, maxTokens, losses);
  const body = {
    model: target.model,
    max_tokens: maxTokens,
    messages,
    ...(system.length === 0 ? {} : { system }),
    ...(request.stream ? { stream: true } : {}),
    ...samplingOf(request, thinking !== null, losses),
    ...(request.stop.length === 0 ? {} : { stop_sequences: request.stop.filter((stop) => stop.trim() !== "") }),
    ...toolsOf(request, losses),
    ...(thinking === null ? {} : { thinking }),
    ...formatOf(request, losses),
    ...(request.user === null ? {} : { metadata: { user_id: request.user } }),
  };
  if (request.choices > 1) losses.push(lossFor("n", TARGET));
  const carried = request.protocol === TARGET ? Object.keys(request.rest) : [];
  losses.push(...restLosses(request, TARGET, carried));
  return { body: stringifyWithRaw({ ...body, ...(carried.length > 0 ? request.rest : {}) }), losses: distinctLosses(losses) };
}

/** Temperature runs from 0 to 1 here, and neither it nor `top_p` may be set beside thinking. */
function samplingOf(request: CanonicalRequest, thinks: boolean, losses: Loss[]): object {
  const { temperature, topP, topK } = request;
  if (thinks) {
    if (temperature !== null && temperature !== 1) losses.push({ class: "hint", path: "temperature", note: null });
    if (topP !== null) losses.push(lossFor("top_p", TARGET));
    return {};
  }
  const clamped = temperature === null ? null : Math.min(1, Math.max(0, temperature));
  if (clamped !== temperature) losses.push(lossFor("temperature", TARGET, { note: `${temperature}→${clamped}` }));
  return {
    ...(clamped === null ? {} : { temperature: clamped }),
    ...(topP === null ? {} : { top_p: topP }),
    ...(topK === null ? {} : { top_k: topK }),
  };
}

function thinkingOf(request: CanonicalRequest, maxTokens: number, losses: Loss[]): object | null {
  const { reasoning } = request;
  if (reasoning === null || reasoning.mode === "disabled") return null;
  if (reasoning.mode === "adaptive") return { type: "adaptive" };
  const wanted = reasoning.budgetTokens ?? BUDGET_TOKENS[reasoning.effort ?? ""] ?? null;
  if (wanted === null) return null;
  const budget = Math.min(wanted, maxTokens - 1);
  if (budget < BUDGET_TOKENS_MIN) {
    losses.push({ class: "hint", path: reasoning.budgetTokens === null ? "reasoning_effort" : "thinking", note: null });
    return null;
  }
  if (reasoning.budgetTokens === null || budget !== wanted) {
    losses.push({ class: "approximation", path: "reasoning_effort", note: `${reasoning.effort ?? wanted}→${budget} tokens` });
  }
  return { type: "enabled", budget_tokens: budget };
}

function toolsOf(request: CanonicalRequest, losses: Loss[]): object {
  if (request.tools.length === 0) return {};
  const tools = request.tools.map((tool) => ({
    name: toolName(tool.name),
    ...(tool.description === null ? {} : { description: tool.description }),
    input_schema: new RawJson(tool.schemaText),
    ...(tool.strict === true ? { strict: true } : {}),
    ...(tool.cache === null ? {} : { cache_control: { type: "ephemeral", ...(tool.cache.ttl === null ? {} : { ttl: tool.cache.ttl }) } }),
  }));
  if (request.tools.some((tool) => tool.strict === false)) losses.push(lossFor("tools.strict", TARGET));
  const choice = choiceOf(request);
  return { tools, ...(choice === null ? {} : { tool_choice: choice }) };
}

/** A choice object is also the only place for "one call at a time", so it is made when that alone was asked for. */
function choiceOf(request: CanonicalRequest): object | null {
  const { toolChoice } = request;
  const serial = request.parallelToolCalls === false ? { disable_parallel_tool_use: true } : {};
  switch (toolChoice?.mode) {
    case undefined:
      return request.parallelToolCalls === false ? { type: "auto", ...serial } : null;
    case "none":
      return { type: "none" };
    case "required":
      return { type: "any", ...serial };
    case "tool":
      return { type: "tool", name: toolName(toolChoice?.mode === "tool" ? toolChoice.name : ""), ...serial };
    default:
      return { type: "auto", ...serial };
  }
}

function formatOf(request: CanonicalRequest, losses: Loss[]): object {
  const format = request.responseFormat;
  const effort = request.protocol === TARGET ? (request.reasoning?.effort ?? null) : null;
  if (format?.kind === "json-object") losses.push(lossFor("response_format", TARGET));
  const schema = format?.kind === "json-schema" ? { format: { type: "json_schema", schema: new RawJson(format.schemaText) } } : {};
  const config = { ...(effort === null ? {} : { effort }), ...schema };
  return Object.keys(config).length === 0 ? {} : { output_config: config };
}
