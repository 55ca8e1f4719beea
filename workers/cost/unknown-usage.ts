/**
 * The unknown-usage rule: what to do with a request whose end is known but whose usage may not be. A pure decision, in one place, because
 * every other gateway spread it over its exits and lost money on one of them.
 *
 * - not dispatched, no answer, or refused before any content: released. A failure of the upstream is nobody's tokens.
 * - answered but no content ever seen and no final usage: released.
 * - final usage reported: that is charged, `provider`, or `cut` when the stream then broke.
 * - content seen without final usage: what was reported of the prompt, what we counted of the output, `estimated`.
 */
import type { DispatchPhase, PromptMeasure } from "../../schema/estimate.ts";
import type { Usage, UsageSource } from "../../schema/usage.ts";
import { estimateInputTokens, estimateOutputTokens } from "./estimate.ts";

export interface UsageEvidence {
  phase: DispatchPhase;
  /** What the stream reported, merged; placeholders included. */
  meterUsage: Usage;
  /** Whether a report that was not a placeholder is among it. */
  usageFinal: boolean;
  /** The stream broke (upstream closed early, error event, time-out), as against a clean end or a caller that left. */
  failed: boolean;
  inputMeasure: PromptMeasure;
  /** Characters of text, reasoning and tool input seen. Text of an error is never among them. */
  outputCharacters: number;
}

export type UsageDecision =
  | { kind: "release"; reason: "not_dispatched" | "no_answer" | "refused" | "no_content" }
  | { kind: "settle"; usage: Usage; source: UsageSource; flagged: string | null };

/** True for a report that says nothing at all was used, which a provider that served the request cannot mean. */
function isAllZero(usage: Usage): boolean {
  const prompt = [usage.input_tokens, usage.cache_read_tokens, usage.cache_write_5m_tokens, usage.cache_write_1h_tokens];
  return usage.output_tokens === 0 && prompt.every((tokens) => (tokens ?? 0) === 0);
}

/** Whether any class of the prompt was reported above zero: then a null or zero `input_tokens` is a fact (all of it was cached). */
function isPromptReported(usage: Usage): boolean {
  return [usage.input_tokens, usage.cache_read_tokens, usage.cache_write_5m_tokens, usage.cache_write_1h_tokens].some(
    (tokens) => (tokens ?? 0) > 0,
  );
}

function estimated(evidence: UsageEvidence, flagged: string | null): UsageDecision {
  const { meterUsage } = evidence;
  const counted = estimateOutputTokens(evidence.outputCharacters);
  const promptReported = isPromptReported(meterUsage);
  return {
    kind: "settle",
    usage: {
      ...meterUsage,
      input_tokens: promptReported ? (meterUsage.input_tokens ?? 0) : estimateInputTokens(evidence.inputMeasure),
      output_tokens: Math.max(counted, meterUsage.output_tokens ?? 0),
    },
    source: "estimated",
    flagged,
  };
}

/** Decides how a finished request leaves the ledger. Total: each request is either released or settled. */
export function estimateUsage(evidence: UsageEvidence): UsageDecision {
  switch (evidence.phase) {
    case "not-dispatched":
      return { kind: "release", reason: "not_dispatched" };
    case "no-answer":
      return { kind: "release", reason: "no_answer" };
    case "refused":
      return { kind: "release", reason: "refused" };
    case "no-content":
      if (!evidence.usageFinal || isAllZero(evidence.meterUsage)) return { kind: "release", reason: "no_content" };
      break;
    case "content":
      if (!evidence.usageFinal) return estimated(evidence, null);
      if (isAllZero(evidence.meterUsage)) return estimated(evidence, "usage_all_zero");
      if (evidence.outputCharacters > 0 && evidence.meterUsage.output_tokens === 0) return estimated(evidence, "output_zero_but_seen");
      if (evidence.meterUsage.output_tokens === null || evidence.meterUsage.input_tokens === null)
        return estimated(evidence, "usage_incomplete");
      break;
  }
  return { kind: "settle", usage: evidence.meterUsage, source: evidence.failed ? "cut" : "provider", flagged: null };
}
