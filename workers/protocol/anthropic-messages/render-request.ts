/** The canonical request → a Messages body, with what it could not carry as it was. */
import type { CanonicalRequest, Loss } from "../canonical.ts";
import { RawJson, stringifyWithRaw } from "../json-text.ts";
import { distinctLosses, lossFor, restLosses } from "../losses.ts";
import type { RenderedRequest, RenderTarget } from "../protocol.ts";
import { createSpelling } from "../spelling.ts";
import { renderTools } from "./render-tools.ts";
import { renderTurns } from "./render-turns.ts";
import { thinkingOf } from "./thinking.ts";

const TARGET = "anthropic-messages";
const TOOL_NAME_CHARACTERS_MAX = 128;

export function renderRequest(request: CanonicalRequest, target: RenderTarget): RenderedRequest {
  const losses: Loss[] = [];
  const maxTokens = request.maxOutputTokens ?? target.maxOutputTokens;
  if (request.maxOutputTokens === null) losses.push(lossFor("max_tokens", TARGET, { note: `→${maxTokens}` }));
  const toolName = createSpelling(TOOL_NAME_CHARACTERS_MAX);
  // Tools first: what the caller offers keeps its spelling, whatever else the history holds.
  const tools = renderTools(request, toolName, losses);
  const { system, messages } = renderTurns(request, toolName, losses);
  const thinking = thinkingOf(request, maxTokens, messages, losses);
  const body: Record<string, unknown> = {
    model: target.model,
    max_tokens: maxTokens,
    messages,
    ...(system.length === 0 ? {} : { system }),
    ...(request.stream ? { stream: true } : {}),
    ...samplingOf(request, target, thinking !== null && thinking.type !== "disabled", losses),
    ...stopsOf(request, losses),
    ...tools,
    ...(thinking === null ? {} : { thinking }),
    ...formatOf(request, losses),
    ...(request.user === null ? {} : { metadata: { user_id: request.user } }),
  };
  if (request.choices > 1) losses.push(lossFor("n", TARGET));
  const carried = request.protocol === TARGET ? Object.keys(request.rest) : [];
  for (const field of carried) if (!field.startsWith("tools.")) body[field] = request.rest[field];
  losses.push(...restLosses(request, TARGET, carried));
  for (const field of target.quirks.refusedFields ?? []) {
    if (!(field in body)) continue;
    delete body[field];
    losses.push({ class: "hint", path: field, note: null });
  }
  return { body: stringifyWithRaw(body), losses: distinctLosses(losses) };
}

/** Temperature runs from 0 to 1 here, and no sampling may be set beside thinking, nor at all for some models. */
function samplingOf(request: CanonicalRequest, target: RenderTarget, thinks: boolean, losses: Loss[]): object {
  const { temperature, topP, topK } = request;
  const pattern = target.quirks.reasoningModelPattern;
  if (thinks || (pattern !== undefined && new RegExp(pattern).test(target.model))) {
    if (temperature !== null && temperature !== 1) losses.push({ class: "hint", path: "temperature", note: null });
    if (topP !== null && topP !== 1) losses.push(lossFor("top_p", TARGET));
    if (topK !== null) losses.push(lossFor("top_k", TARGET));
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

/** Stop sequences of white space alone are refused here, and an answer that runs past one is not what was asked for. */
function stopsOf(request: CanonicalRequest, losses: Loss[]): object {
  const stops = request.stop.filter((stop) => stop.trim() !== "");
  if (stops.length < request.stop.length) losses.push(lossFor("stop", TARGET));
  return stops.length === 0 ? {} : { stop_sequences: stops };
}

function formatOf(request: CanonicalRequest, losses: Loss[]): object {
  const format = request.responseFormat;
  const isEffortAtHome = request.protocol === TARGET || request.reasoning?.mode === "adaptive";
  const effort = isEffortAtHome ? (request.reasoning?.effort ?? null) : null;
  if (format?.kind === "json-object") losses.push(lossFor("response_format", TARGET));
  const schema = format?.kind === "json-schema" ? { format: { type: "json_schema", schema: new RawJson(format.schemaText) } } : {};
  const config = { ...(effort === null ? {} : { effort }), ...schema };
  return Object.keys(config).length === 0 ? {} : { output_config: config };
}
