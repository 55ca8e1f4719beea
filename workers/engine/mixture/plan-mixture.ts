/** From an ensemble of the configuration, or a number of samples of one model, to the graph of calls. Pure. */
import type { EnsembleNode, EnsemblePlan } from "../../../schema/ensemble.ts";
import { LIMITS } from "../../../schema/limits.ts";
import { defaultQuorum } from "./quorum.ts";

/** One call the plan may make: which of the plan's attempts it asks, and how much may come of it. */
export interface PlannedCall {
  attempt: number;
  outputTokensMax: number;
}

export interface MixtureShape {
  proposers: PlannedCall[];
  spare: PlannedCall | null;
  aggregator: PlannedCall;
  /** The aggregator's task at another model, should it fail; null where there is none. */
  second: PlannedCall | null;
  /** The caller's own request, should nobody propose anything. */
  direct: PlannedCall;
  quorum: number | null;
  deadlineMilliseconds: number | null;
  seed: number;
}

/** Proposers in parallel → aggregator → the same at another model; beside it the best proposal as it is, and the direct call. */
export function planMixture(shape: MixtureShape): EnsemblePlan {
  const deadline_ms = shape.deadlineMilliseconds ?? LIMITS.ensembleDeadlineMilliseconds;
  const node = (
    id: string,
    role: EnsembleNode["role"],
    kind: EnsembleNode["kind"],
    call: PlannedCall | null,
    after: string[],
  ): EnsembleNode => ({
    id,
    kind,
    role,
    after,
    attempt: call?.attempt ?? null,
    deadline_ms,
    output_tokens_max: call?.outputTokensMax ?? shape.aggregator.outputTokensMax,
  });
  const proposers = shape.proposers.map((call, index) => node(`proposer-${index + 1}`, "proposer", "call", call, []));
  const spares = shape.spare === null ? [] : [node("spare", "spare", "call", shape.spare, [])];
  const proposing = [...proposers, ...spares].map(({ id }) => id);
  return {
    nodes: [
      ...proposers,
      ...spares,
      node("aggregator", "aggregator", "aggregate", shape.aggregator, proposing),
      ...(shape.second === null ? [] : [node("aggregator-2", "second-aggregator", "aggregate", shape.second, ["aggregator"])]),
      node("verbatim", "verbatim", "select", null, proposing),
      node("direct", "direct", "call", shape.direct, proposing),
    ],
    quorum: Math.min(shape.quorum ?? defaultQuorum(proposers.length), proposers.length),
    seed: shape.seed,
  };
}
