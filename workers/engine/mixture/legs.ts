/**
 * The calls of one ensemble while it runs: each with its own meter, so that one that is let go of is charged for what it used, and with
 * enough of it stored that a successor could settle them all.
 */
import type { EnsembleNode, LegProgress } from "../../../schema/ensemble.ts";
import type { GatewayError } from "../../../schema/error.ts";
import type { DispatchPhase, PromptMeasure } from "../../../schema/estimate.ts";
import type { PlanAttempt } from "../../../schema/plan.ts";
import type { PriceSnapshot } from "../../../schema/price.ts";
import type { OpenRequest } from "../../../schema/request.ts";
import { UNKNOWN_USAGE, type Usage } from "../../../schema/usage.ts";
import { estimateUsage, type UsageDecision } from "../../cost/unknown-usage.ts";
import type { Meter } from "../../protocol/relay-contract.ts";
import { isProposing } from "./bounds.ts";

export interface LiveLeg {
  node: EnsembleNode;
  attempt: PlanAttempt;
  index: number;
  snapshot: PriceSnapshot;
  state: LegProgress["state"];
  phase: DispatchPhase;
  meter: Readonly<Meter> | null;
  addedBytes: number;
  cut: Usage | null;
  error: GatewayError | null;
  /** Ends the call, whatever its state. */
  abort: () => void;
}

export function progressOfLeg(leg: LiveLeg): LegProgress {
  const { meter } = leg;
  return {
    node: leg.node.id,
    attempt: leg.index,
    state: leg.state,
    // Of a call that still speaks, the meter knows more.
    phase: leg.phase === "no-content" && meter?.contentSeen === true ? "content" : leg.phase,
    usage: meter?.usage ?? UNKNOWN_USAGE,
    usage_final: meter?.usageFinal ?? false,
    output_characters: meter?.outputCharacters ?? 0,
    added_bytes: leg.addedBytes,
    cut: leg.cut,
    finish_reason: meter?.finish?.raw ?? null,
    error_code: leg.error?.code ?? null,
  };
}

/** What the decision about a call depends on beside the call. */
export type LegFacts = Pick<OpenRequest, "plan" | "measure" | "stream">;

/**
 * What is charged for one call, or that nothing is: the rule of a single call, with the prompt this one had. A provider that ignores the cap it
 * was given is charged up to the cap, so that the hold covers all calls; what it wants beyond that is ours. Only the call that streams to
 * the caller is left as it is: its hold grows with it, or it is cut.
 */
export function decideLeg(leg: LegProgress, { plan, measure, stream }: LegFacts): UsageDecision {
  if (leg.cut !== null) return { kind: "settle", usage: leg.cut, source: "cut", flagged: "hold_exhausted" };
  const decision = decideUncapped(leg, measure);
  const node = plan.ensemble?.nodes.find(({ id }) => id === leg.node);
  if (decision.kind === "release" || node === undefined || (stream && !isProposing(node))) return decision;
  const cap = node.output_tokens_max;
  const { output_tokens, reasoning_tokens } = decision.usage;
  if (output_tokens === null || output_tokens <= cap) return decision;
  const reasoning = reasoning_tokens === null ? null : Math.min(reasoning_tokens, cap);
  return {
    ...decision,
    usage: { ...decision.usage, output_tokens: cap, reasoning_tokens: reasoning },
    source: "cut",
    flagged: "cap_ignored",
  };
}

function decideUncapped(leg: LegProgress, measure: PromptMeasure): UsageDecision {
  return estimateUsage({
    phase: leg.phase,
    meterUsage: leg.usage,
    usageFinal: leg.usage_final,
    failed: leg.state === "failed",
    inputMeasure: { ...measure, text_bytes: measure.text_bytes + leg.added_bytes },
    outputCharacters: leg.output_characters,
  });
}
