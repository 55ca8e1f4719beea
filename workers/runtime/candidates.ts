/**
 * The one loop over a plan's candidates: in order, the next one only after a failure that another may do better, and only while nothing
 * of an answer was seen. What asking one means is the caller's: the engine relays bytes, `infer` gives events.
 */
import { gatewayError, type GatewayError, type Outcome } from "../../schema/error.ts";
import type { PlanAttempt } from "../../schema/plan.ts";
import { classifyFailure } from "./failure-class.ts";

export interface Candidate {
  attempt: PlanAttempt;
  /** Its place in the plan: that of its body, its credential and its price. */
  index: number;
  /** Whether, after this failure, another candidate is asked. */
  mayFallBack: (error: GatewayError) => boolean;
}

/** The first candidate's answer; else the error of the last one that was asked. `isOver`: whoever wants the answer has called it off. */
export async function tryCandidates<Answer>(
  attempts: readonly PlanAttempt[],
  ask: (candidate: Candidate) => Promise<Outcome<Answer>>,
  isOver: () => boolean,
): Promise<Outcome<Answer>> {
  let failure: GatewayError = gatewayError("internal_error", "The plan has no attempt.");
  for (const [index, attempt] of attempts.entries()) {
    const mayFallBack = (error: GatewayError): boolean => index < attempts.length - 1 && !isOver() && classifyFailure(error).fallback;
    const outcome = await ask({ attempt, index, mayFallBack });
    if (outcome.ok) return outcome;
    failure = outcome.error;
    if (!mayFallBack(failure)) break;
  }
  return { ok: false, error: failure };
}
