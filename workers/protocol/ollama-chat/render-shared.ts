/** What `/api/chat` and `/api/generate` share of a rendered request: streaming, options, format, thinking, and what has no place here. */
import { ownMember } from "../../../schema/json.ts";
import type { ProtocolId } from "../../../schema/protocol.ts";
import type { CanonicalRequest, Loss, ReasoningControl, ResponseFormat } from "../canonical.ts";
import { RawJson, stringifyWithRaw } from "../json-text.ts";
import { distinctLosses, lossFor, restLosses } from "../losses.ts";
import type { RenderedRequest, RenderTarget } from "../protocol.ts";
import { leaveOutRefused } from "../refused-fields.ts";

/** Fields of OpenAI Chat callers that are options here, with the same name and meaning. */
const SAME_OPTIONS = ["seed", "presence_penalty", "frequency_penalty"];
/** Fields that both endpoints have and no other wire. */
const DIALECT_FIELDS = ["keep_alive", "truncate", "shift", "logprobs", "top_logprobs"];
const OPTION_PREFIX = "options.";

/** Efforts with no level here → the nearest level that servers of every version take. */
const NEAREST_LEVEL: Readonly<Record<string, string>> = { minimal: "low", xhigh: "high", max: "high" };

/** Whether the caller speaks Ollama too, at either endpoint. */
export function isDialect(request: CanonicalRequest): boolean {
  return request.protocol === "ollama-chat" || request.protocol === "ollama-generate";
}

/** Finishes a body from its own members (prompt, messages, tools). Everything that neither they nor the rest of the wire carry is a loss. */
export function renderBody(
  request: CanonicalRequest,
  target: RenderTarget,
  own: { protocol: ProtocolId; members: Record<string, unknown>; losses: Loss[]; carried: readonly string[] },
): RenderedRequest {
  const { protocol, losses } = own;
  const carried = [...own.carried, ...carriedFields(request)];
  const options = renderOptions(request, target, protocol, losses);
  const think = renderThink(request.reasoning, isDialect(request), losses);
  const body: Record<string, unknown> = {
    model: target.model,
    ...own.members,
    // Left out, it would mean a stream.
    stream: request.stream,
    ...(think === null ? {} : { think }),
    ...renderFormat(request.responseFormat),
    ...(Object.keys(options).length === 0 ? {} : { options }),
  };
  if (isDialect(request)) for (const field of DIALECT_FIELDS) if (field in request.rest) body[field] = request.rest[field];
  if (request.choices > 1) losses.push(lossFor("n", protocol));
  if (request.user !== null) losses.push(lossFor("user", protocol));
  losses.push(...restLosses(request, protocol, carried));
  leaveOutRefused(body, target.quirks, losses, protocol);
  return { body: stringifyWithRaw(body), losses: distinctLosses(losses) };
}

function carriedFields(request: CanonicalRequest): string[] {
  if (!isDialect(request)) return SAME_OPTIONS;
  return [...DIALECT_FIELDS, ...Object.keys(request.rest).filter((field) => field.startsWith(OPTION_PREFIX))];
}

function renderOptions(request: CanonicalRequest, target: RenderTarget, protocol: ProtocolId, losses: Loss[]): Record<string, unknown> {
  const cap = request.maxOutputTokens ?? (target.maxOutputTokens > 0 ? target.maxOutputTokens : null);
  if (request.maxOutputTokens === null && cap !== null) losses.push(lossFor("max_tokens", protocol, { note: `→${cap}` }));
  const options: Record<string, unknown> = {
    ...(cap === null ? {} : { num_predict: cap }),
    ...(request.temperature === null ? {} : { temperature: request.temperature }),
    ...(request.topP === null ? {} : { top_p: request.topP }),
    ...(request.topK === null ? {} : { top_k: request.topK }),
    ...(request.stop.length === 0 ? {} : { stop: request.stop }),
  };
  for (const [field, value] of Object.entries(request.rest)) {
    if (isDialect(request) && field.startsWith(OPTION_PREFIX)) options[field.slice(OPTION_PREFIX.length)] = value;
    else if (SAME_OPTIONS.includes(field)) options[field] = value;
  }
  return options;
}

/** `think` is a switch or a level; models without levels take a level for "on". A budget of tokens has no place and becomes "on". */
function renderThink(reasoning: ReasoningControl | null, native: boolean, losses: Loss[]): boolean | string | null {
  if (reasoning === null) return null;
  const { effort, budgetTokens, mode } = reasoning;
  if (mode === "disabled" || effort === "none") return false;
  if (effort !== null) {
    const level = native ? effort : (ownMember(NEAREST_LEVEL, effort) ?? effort);
    if (level !== effort) losses.push({ class: "approximation", path: "reasoning_effort", note: `${effort}→${level}` });
    return level;
  }
  if (budgetTokens !== null) losses.push({ class: "approximation", path: "thinking.budget_tokens", note: `${budgetTokens}→on` });
  return budgetTokens !== null || mode !== null ? true : null;
}

function renderFormat(format: ResponseFormat | null): object {
  if (format === null || format.kind === "text") return {};
  return { format: format.kind === "json-object" ? "json" : new RawJson(format.schemaText) };
}
