/** One ensemble on its way through its owner, and how what happens to it becomes a frame of the request's life. */
import type { EnsembleNode, EnsemblePlan } from "../../../schema/ensemble.ts";
import type { LifecycleEvent } from "../../../schema/request.ts";
import { saveProgress } from "../finish-request.ts";
import { addFrame } from "../live-request.ts";
import type { OwnerPorts } from "../ports.ts";
import type { Run } from "../run.ts";
import type { LiveLeg } from "./legs.ts";

export interface Mixture {
  run: Run;
  ensemble: EnsemblePlan;
  ports: OwnerPorts;
  /** Everything begun, which a settlement waits for. */
  calls: Promise<unknown>[];
  /** True: a call's answer counts only when it is whole, since the caller gets it in one piece. */
  whole: boolean;
  /** There is a new frame, which the caller may be shown. */
  notice: () => void;
}

/** Adds a frame: stored, and shown to whoever watches. */
export function tell({ run, ports, notice }: Mixture, event: LifecycleEvent, detail: Record<string, unknown>): void {
  const { live } = run;
  ports.publish(live.id, addFrame(live, event, ports.runtime.now(), detail));
  saveProgress(live, ports);
  notice();
}

export function tellStarted(mixture: Mixture, { node, attempt }: LiveLeg): void {
  tell(mixture, "node_started", { node: node.id, role: node.role, provider: attempt.provider, model: attempt.model });
}

export function tellFinished(mixture: Mixture, { node, state, error }: LiveLeg): void {
  tell(mixture, "node_finished", { node: node.id, state, ...(error === null ? {} : { error_code: error.code }) });
}

/** How the answer comes about: the last thing before its first byte. */
export function tellDecided(mixture: Mixture, by: EnsembleNode["role"] | "consensus", proposals: number): void {
  const { run, ensemble } = mixture;
  const degraded = run.live.degraded ?? null;
  const proposers = ensemble.nodes.filter((node) => node.role === "proposer").length;
  tell(mixture, "decided", { by, proposals, proposers, ...(degraded === null ? {} : { degraded }) });
}

/** The answer is less than was planned, for one more reason. */
export function degrade({ run }: Pick<Mixture, "run">, reason: string): void {
  const { live } = run;
  const known = live.degraded ?? null;
  live.degraded = known === null ? reason : known.split(",").includes(reason) ? known : `${known},${reason}`;
}

/** The reasons as a header of the answer; none where it is what was planned, or where that is not known yet. */
export function degradedHeader({ live }: Pick<Run, "live">): Record<string, string> {
  const degraded = live.degraded ?? null;
  return degraded === null ? {} : { "x-plyrum-degraded": degraded };
}
