/** How long one attempt may take, in its four stretches: the plan's own word, else our bounds. */
import { LIMITS } from "../../schema/limits.ts";
import type { PlanAttempt } from "../../schema/plan.ts";

/** All in milliseconds. */
export interface Timeouts {
  /** From the call to the response's headers, connecting included: `fetch` does not tell the two apart. */
  headers: number;
  /** From the response's headers to the first token, reasoning included. Signs of life without content do not count. */
  firstToken: number;
  /** Between any two pieces of the answer. */
  idle: number;
  /** From the response's headers to the answer's end. */
  total: number;
}

export function timeoutsOf({ timeouts = {} }: Pick<PlanAttempt, "timeouts">): Timeouts {
  return {
    headers: timeouts.headers_ms ?? LIMITS.upstreamHeadersMilliseconds,
    firstToken: timeouts.first_token_ms ?? LIMITS.upstreamFirstTokenMilliseconds,
    idle: timeouts.idle_ms ?? LIMITS.upstreamIdleMilliseconds,
    total: timeouts.total_ms ?? LIMITS.streamTotalMilliseconds,
  };
}
