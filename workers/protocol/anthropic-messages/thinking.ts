/** How much a model may think: from another wire's effort or a budget to this wire's `thinking`, and what must not stand beside it. */
import { ownMember } from "../../../schema/json.ts";
import type { CanonicalRequest, Loss } from "../canonical.ts";

/**
 * Thinking budgets, in tokens, for the efforts of the OpenAI scale. The wire demands at least 1,024 and less than `max_tokens`; the steps
 * quadruple as the providers' own compatibility layers do (research/protocols.md §3, reasoning control). `none`, `minimal`: no thinking.
 */
const BUDGET_TOKENS: Readonly<Record<string, number>> = { low: 1_024, medium: 4_096, high: 16_384, xhigh: 32_768, max: 32_768 };
const BUDGET_TOKENS_MIN = 1_024;
const NO_THINKING: ReadonlySet<string> = new Set(["none", "minimal"]);

/** A message of this wire, as far as thinking is concerned. */
interface Message {
  role: "user" | "assistant";
  content: readonly object[];
}

/** The `thinking` member, or null to leave it out. A wish that cannot be met is added to `losses`. */
export function thinkingOf(
  request: CanonicalRequest,
  maxTokens: number,
  messages: readonly Message[],
  losses: Loss[],
): { type: string; budget_tokens?: number } | null {
  const { reasoning } = request;
  if (reasoning === null) return null;
  const { mode, effort, budgetTokens } = reasoning;
  if (mode === "disabled") return { type: "disabled" };
  if (mode === "adaptive") return { type: "adaptive" };
  if (effort !== null && budgetTokens === null && NO_THINKING.has(effort)) return null;
  // An effort of this wire's own goes out as `output_config`.
  if (request.protocol === "anthropic-messages" && mode === null) return null;
  const path = budgetTokens === null ? (effort === null ? "reasoning" : "reasoning_effort") : "thinking.budget_tokens";
  const wanted = budgetTokens ?? (effort === null ? BUDGET_TOKENS["medium"] : ownMember(BUDGET_TOKENS, effort)) ?? null;
  // A budget made from an effort leaves at least half of the cap for the answer itself.
  const ceiling = budgetTokens === null ? Math.floor(maxTokens / 2) : maxTokens - 1;
  const budget = wanted === null ? 0 : Math.min(Math.max(wanted, BUDGET_TOKENS_MIN), ceiling);
  if (budget < BUDGET_TOKENS_MIN || forcesTool(request) || lacksThinking(messages)) {
    losses.push({ class: "hint", path, note: null });
    return null;
  }
  if (budget !== budgetTokens)
    losses.push({ class: "approximation", path, note: `${budgetTokens ?? effort ?? "enabled"}→${budget} tokens` });
  return { type: "enabled", budget_tokens: budget };
}

/** The wire refuses thinking beside a tool choice that forces a call. */
function forcesTool(request: CanonicalRequest): boolean {
  return request.tools.length > 0 && (request.toolChoice?.mode === "required" || request.toolChoice?.mode === "tool");
}

/**
 * In the middle of a tool loop, and after a prefill, the wire refuses thinking unless the last assistant message begins with the
 * signed thinking it had. Another wire's history has none.
 */
function lacksThinking(messages: readonly Message[]): boolean {
  const position = messages.findLastIndex((message) => message.role === "assistant");
  const last = messages[position];
  if (last === undefined) return false;
  const isOpen = position === messages.length - 1 || last.content.some((block) => typeOf(block) === "tool_use");
  const first = last.content[0];
  return isOpen && (first === undefined || !["thinking", "redacted_thinking"].includes(typeOf(first)));
}

function typeOf(block: object): string {
  return "type" in block && typeof block.type === "string" ? block.type : "";
}
