/** The whole body of a unary answer as text, within its time and size; else what was wrong with it. */
import { gatewayError, type GatewayError } from "../../schema/error.ts";
import { LIMITS } from "../../schema/limits.ts";
import type { PlanAttempt } from "../../schema/plan.ts";
import { readBounded } from "./read-bounded.ts";
import type { RuntimePorts } from "./send-attempt.ts";
import { BROKEN } from "./stream-faults.ts";
import { timeoutsOf } from "./timeouts.ts";

/** `controller` is that of the call; it is aborted when the time is up. Never throws. */
export async function readWhole(
  response: Response,
  attempt: PlanAttempt,
  { controller, runtime }: { controller: AbortController; runtime: Pick<RuntimePorts, "after"> },
): Promise<string | GatewayError> {
  let timedOut = false;
  const calledOff = runtime.after(timeoutsOf(attempt).total, () => {
    timedOut = true;
    controller.abort();
  });
  try {
    const text = await readBounded(response, LIMITS.unaryResponseBytes);
    return text ?? gatewayError("provider_error", "The provider's answer is larger than this gateway carries.");
  } catch {
    return timedOut ? gatewayError("provider_timeout", "The provider did not finish its answer in time.") : BROKEN();
  } finally {
    calledOff();
  }
}
