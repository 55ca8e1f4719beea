/**
 * `additionalModelRequestFields`: what a family of models takes beyond the wire's own fields. A wish that no family of the model can be
 * told is reported as lost, never dropped in silence.
 */
import { ownMember } from "../../../schema/json.ts";
import type { CanonicalRequest, Loss } from "../canonical.ts";
import { thinkingOf } from "../anthropic-messages/thinking.ts";
import { lossFor } from "../losses.ts";
import type { RenderTarget } from "../protocol.ts";
import type { LaidMessage } from "../turn-layout.ts";

const TARGET = "bedrock-converse";

/** Efforts of the second family. Its highest is refused beside an output cap, which is always sent. */
const NOVA_EFFORTS: Readonly<Record<string, string>> = {
  minimal: "low",
  low: "low",
  medium: "medium",
  high: "medium",
  xhigh: "medium",
  max: "medium",
};

export interface ModelFields {
  /** Members of `additionalModelRequestFields`. */
  fields: Record<string, unknown>;
  /** `outputConfig.effort`. */
  effort: string | null;
  /** The model thinks, so no sampling may be set. */
  thinks: boolean;
}

function familyOf(target: RenderTarget): "claude" | "nova" | null {
  return target.quirks.modelFamilies?.find(({ pattern }) => new RegExp(pattern).test(target.model))?.family ?? null;
}

/** The fields for this model. `messages` as rendered; `losses` takes what the model cannot be told; `toolName` spells names as in the tools. */
export function modelFieldsOf(
  request: CanonicalRequest,
  target: RenderTarget,
  messages: readonly LaidMessage[],
  { toolName, losses }: { toolName: (name: string) => string; losses: Loss[] },
): ModelFields {
  const family = familyOf(target);
  if (family === "claude") {
    const claude = claudeFields(request, target, messages, losses);
    return { ...claude, fields: { ...claude.fields, ...serialChoice(request, toolName) } };
  }
  if (family === "nova") return novaFields(request, losses);
  const { reasoning } = request;
  if (request.topK !== null) losses.push(lossFor("top_k", TARGET));
  if (request.parallelToolCalls === false) losses.push(lossFor("parallel_tool_calls", TARGET));
  if (reasoning !== null && reasoning.mode !== "disabled" && reasoning.effort !== "none")
    losses.push({ class: "hint", path: reasoning.budgetTokens === null ? "reasoning_effort" : "thinking.budget_tokens", note: null });
  return { fields: {}, effort: null, thinks: false };
}

function claudeFields(request: CanonicalRequest, target: RenderTarget, messages: readonly LaidMessage[], losses: Loss[]): ModelFields {
  const { reasoning, topK } = request;
  const isEffortAtHome = request.protocol === TARGET || request.protocol === "anthropic-messages";
  const effort = isEffortAtHome || reasoning?.mode === "adaptive" ? (reasoning?.effort ?? null) : null;
  const isOnlyEffort = effort !== null && reasoning?.mode === null && reasoning.budgetTokens === null;
  const thinking = isOnlyEffort
    ? null
    : thinkingOf(request, request.maxOutputTokens ?? target.maxOutputTokens, messages.map(asThinkingSees), losses);
  const thinks = thinking !== null && thinking.type !== "disabled";
  if (topK !== null && thinks) losses.push(lossFor("top_k", TARGET));
  return {
    fields: {
      ...(thinking === null ? {} : { thinking }),
      ...(topK === null || thinks ? {} : { top_k: topK }),
    },
    effort,
    thinks,
  };
}

/** The family's own choice object is the only place for "one call at a time"; it stands instead of the wire's own. */
function serialChoice(request: CanonicalRequest, toolName: (name: string) => string): object {
  if (request.parallelToolCalls !== false || request.tools.length === 0 || request.toolChoice?.mode === "none") return {};
  const choice = request.toolChoice;
  const type =
    choice?.mode === "tool" ? { type: "tool", name: toolName(choice.name) } : { type: choice?.mode === "required" ? "any" : "auto" };
  return { tool_choice: { ...type, disable_parallel_tool_use: true } };
}

/** A message as the rules for thinking look at it: by the types of its blocks. */
function asThinkingSees({ role, content }: LaidMessage): { role: LaidMessage["role"]; content: { type: string }[] } {
  return { role, content: content.map((block) => ({ type: typeOf(block) })) };
}

function typeOf(block: object): string {
  if ("toolUse" in block) return "tool_use";
  return "reasoningContent" in block ? "thinking" : "text";
}

function novaFields(request: CanonicalRequest, losses: Loss[]): ModelFields {
  const { reasoning, topK } = request;
  if (request.parallelToolCalls === false) losses.push(lossFor("parallel_tool_calls", TARGET));
  const wanted = reasoning === null || reasoning.mode === "disabled" || reasoning.effort === "none" ? null : (reasoning.effort ?? "medium");
  const effort = wanted === null ? null : (ownMember(NOVA_EFFORTS, wanted) ?? "medium");
  if (effort !== null && (effort !== reasoning?.effort || reasoning.budgetTokens !== null)) {
    const path = reasoning?.budgetTokens === null ? "reasoning_effort" : "thinking.budget_tokens";
    losses.push(lossFor("reasoning", TARGET, { path, note: `${reasoning?.budgetTokens ?? reasoning?.effort ?? "enabled"}→${effort}` }));
  }
  return {
    fields: {
      ...(effort === null ? {} : { reasoningConfig: { type: "enabled", maxReasoningEffort: effort } }),
      ...(topK === null ? {} : { inferenceConfig: { topK } }),
    },
    effort: null,
    thinks: false,
  };
}
