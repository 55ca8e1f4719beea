/** What the configuration says of attempts, whatever made their plan: how long they may take, and whether what they bring is recorded. */
import type { ConfigDocument } from "../../schema/document.ts";
import { longestMatch } from "../../schema/glob.ts";
import type { PlanAttempt } from "../../schema/plan.ts";
import type { PlannedRequest } from "../engine/serve-completion.ts";

export function asConfigured(planned: PlannedRequest, { timeouts, record }: ConfigDocument): PlannedRequest {
  if (timeouts === undefined) return { ...planned, record };
  const { plan } = planned;
  const attempts = plan.attempts.map((attempt): PlanAttempt => {
    const key = longestMatch(Object.keys(timeouts), attempt.slug ?? plan.model);
    const found = key === null ? undefined : timeouts[key];
    return found === undefined ? attempt : { ...attempt, timeouts: found };
  });
  return { ...planned, plan: { ...plan, attempts }, record };
}
