/** What an ensemble can use at most: each of its calls at its worst, since one hold covers them all. Pure. */
import type { EnsembleNode, EnsemblePlan } from "../../../schema/ensemble.ts";
import type { PromptMeasure } from "../../../schema/estimate.ts";
import { LIMITS } from "../../../schema/limits.ts";
import type { ServeEnvelope } from "../../../schema/plan.ts";
import type { PriceSnapshot } from "../../../schema/price.ts";
import { holdOf } from "../../cost/cost.ts";
import { boundInputTokens, estimateInputTokens } from "../../cost/estimate.ts";
import { proposalBytes, referencesBytesMax } from "./references.ts";

/** As the envelope carries it (schema/plan.ts). */
export type EnsembleBounds = Pick<ServeEnvelope, "hold_micro_rub" | "tokens_bound" | "tokens_likely">;

interface Bounds {
  hold: bigint;
  tokens: number;
  likely: number;
}

export function isProposing({ role }: EnsembleNode): boolean {
  return role === "proposer" || role === "spare";
}

export function isAggregating({ role }: EnsembleNode): boolean {
  return role === "aggregator" || role === "second-aggregator";
}

/** The sum over the calls. The direct call is made only where no aggregator is asked, so of the two the dearer counts. */
export function ensembleBounds(plan: EnsemblePlan, snapshots: readonly PriceSnapshot[], measure: PromptMeasure): EnsembleBounds {
  const references = referencesBytesMax(plan.nodes.filter(isProposing).map((node) => proposalBytes(node.output_tokens_max)));
  const boundOf = (node: EnsembleNode): Bounds => {
    const snapshot = node.attempt === null ? undefined : snapshots[node.attempt];
    if (snapshot === undefined) return NOTHING;
    const outputTokensMax = node.output_tokens_max;
    const inputTokensMax = boundInputTokens(measure) + (isAggregating(node) ? references : 0);
    return {
      hold: holdOf(snapshot, { inputTokensMax, outputTokensMax, choices: 1 }),
      tokens: inputTokensMax + outputTokensMax,
      likely: estimateInputTokens(measure) + Math.min(outputTokensMax, LIMITS.outputTokensLikely),
    };
  };
  const of = (test: (node: EnsembleNode) => boolean): Bounds => plan.nodes.filter(test).map(boundOf).reduce(together, NOTHING);
  const aggregate = of(isAggregating);
  const direct = of((node) => node.role === "direct");
  const all = together(of(isProposing), aggregate.hold > direct.hold ? aggregate : direct);
  return {
    hold_micro_rub: all.hold.toString(),
    tokens_bound: Math.min(all.tokens, Number.MAX_SAFE_INTEGER),
    tokens_likely: Math.min(all.likely, all.tokens),
  };
}

const NOTHING: Bounds = { hold: 0n, tokens: 0, likely: 0 };

function together(left: Bounds, right: Bounds): Bounds {
  return { hold: left.hold + right.hold, tokens: left.tokens + right.tokens, likely: left.likely + right.likely };
}
