/** One call to one upstream, up to its response headers: either a 2xx whose body is still to be read, or a classified error. */
import { failed, gatewayError, type GatewayError } from "../../schema/error.ts";
import { LIMITS } from "../../schema/limits.ts";
import type { Protocol } from "../protocol/protocol.ts";
import { readBounded } from "./read-bounded.ts";
import type { Timeouts } from "./timeouts.ts";

export interface AttemptCall {
  url: string;
  headers: Record<string, string>;
  body: Uint8Array;
}

/** What the runtime is given instead of reaching for it. `after` runs `action` once, later, and returns how to call that off. */
export interface RuntimePorts {
  fetch: (url: string, init: RequestInit) => Promise<Response>;
  now: () => number;
  after: (milliseconds: number, action: () => void) => () => void;
}

export type AttemptOutcome =
  | { ok: true; response: Response }
  /** `no-answer`: nothing came back. `refused`: a definite error before any token. Neither owes anything (billing.md §3.3). */
  | { ok: false; error: GatewayError; phase: "no-answer" | "refused"; status: number | null };

/** Sends the call. Never throws; `abort` of the given controller ends it whatever its state. */
export async function sendAttempt(
  call: AttemptCall,
  { protocol, controller, timeouts }: { protocol: Protocol; controller: AbortController; timeouts: Pick<Timeouts, "headers"> },
  ports: RuntimePorts,
): Promise<AttemptOutcome> {
  let timedOut = false;
  const calledOff = ports.after(timeouts.headers, () => {
    timedOut = true;
    controller.abort();
  });
  try {
    const response = await ports.fetch(call.url, {
      method: "POST",
      headers: call.headers,
      body: call.body,
      redirect: "manual",
      signal: controller.signal,
    });
    if (response.status >= 200 && response.status < 300) return { ok: true, response };
    const text = await readBounded(response, LIMITS.errorBodyBytes);
    const error = protocol.parseError(response.status, response.headers, text ?? "");
    return { ok: false, error, phase: "refused", status: response.status };
  } catch {
    const error = timedOut
      ? gatewayError("provider_timeout", "The provider did not answer in time.", { suggestion: "Try again, or use another model." })
      : gatewayError("provider_error", "The provider could not be reached.", { suggestion: "Try again, or use another model." });
    return { ...failed(error), phase: "no-answer", status: null };
  } finally {
    calledOff();
  }
}
