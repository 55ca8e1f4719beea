/**
 * Whether a plan of several calls can be run at all: acyclic, of bounded depth and size, every node bounded in time and output, every
 * attempt there. Pure, and asked before anything is held or sent.
 */
import type { EnsembleNode, EnsemblePlan } from "../../../schema/ensemble.ts";
import { LIMITS } from "../../../schema/limits.ts";

/** Kinds that ask a model and so need an attempt. */
const ASKS: ReadonlySet<EnsembleNode["kind"]> = new Set(["call", "aggregate"]);
/** Kinds that are run. A plan may name others, which stored plans of a later time will have; they are refused and never skipped. */
const RUN: ReadonlySet<EnsembleNode["kind"]> = new Set(["call", "aggregate", "select"]);

/** What is wrong with the plan, in words; null when nothing is. `attempts`: how many attempts the plan has. */
export function checkEnsemble(plan: EnsemblePlan, attempts: number): string | null {
  const { nodes } = plan;
  if (nodes.length > LIMITS.ensembleNodes) return `it has ${nodes.length} nodes; ${LIMITS.ensembleNodes} are allowed`;
  const byId = new Map(nodes.map((node) => [node.id, node]));
  if (byId.size < nodes.length) return "two nodes have one id";
  for (const node of nodes) {
    const fault = faultOf(node, byId, attempts);
    if (fault !== null) return `node ${node.id}: ${fault}`;
  }
  const depth = depthOf(byId);
  if (depth === null) return "its nodes wait for each other in a circle";
  if (depth > LIMITS.ensembleDepth) return `it is ${depth} deep; ${LIMITS.ensembleDepth} is allowed`;
  const proposers = nodes.filter((node) => node.role === "proposer").length;
  return plan.quorum > proposers ? `a quorum of ${plan.quorum} cannot come of ${proposers} proposers` : null;
}

function faultOf(node: EnsembleNode, byId: ReadonlyMap<string, EnsembleNode>, attempts: number): string | null {
  if (!RUN.has(node.kind)) return `a node of the kind ${node.kind} is not run here`;
  const missing = node.after.find((id) => !byId.has(id));
  if (missing !== undefined) return `it waits for ${missing}, which is not there`;
  if (new Set(node.after).size < node.after.length) return "it waits for one node twice";
  if (ASKS.has(node.kind) && node.attempt === null) return "it asks nobody";
  if (node.attempt !== null && node.attempt >= attempts) return `it asks attempt ${node.attempt}, which is not there`;
  if (node.deadline_ms <= 0 || node.deadline_ms > LIMITS.ensembleDeadlineMillisecondsMax) return "its deadline is out of range";
  return node.output_tokens_max > 0 ? null : "it has no cap on its output";
}

/** Nodes on the longest way through the graph; null when it has a circle. */
function depthOf(byId: ReadonlyMap<string, EnsembleNode>): number | null {
  const depths = new Map<string, number>();
  let left = [...byId.values()];
  while (left.length > 0) {
    const ready = left.filter((node) => node.after.every((id) => depths.has(id)));
    if (ready.length === 0) return null;
    for (const node of ready) depths.set(node.id, 1 + Math.max(0, ...node.after.map((id) => depths.get(id) ?? 0)));
    left = left.filter((node) => !depths.has(node.id));
  }
  return Math.max(...depths.values());
}
