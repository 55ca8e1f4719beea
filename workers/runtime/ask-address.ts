/** One call of a plan at its address, up to the response's headers: with its retries, its circuit breaker and its credential. */
import { failed, gatewayError, type GatewayError } from "../../schema/error.ts";
import { LIMITS } from "../../schema/limits.ts";
import type { PlanAttempt } from "../../schema/plan.ts";
import type { AttemptRecord } from "../../schema/request.ts";
import { PROTOCOLS } from "../protocol/index.ts";
import { backoffMilliseconds } from "./backoff.ts";
import { classifyFailure } from "./failure-class.ts";
import { type AttemptOutcome, type RuntimePorts, sendAttempt } from "./send-attempt.ts";
import { signRequest } from "./sign-request.ts";
import { timeoutsOf } from "./timeouts.ts";

/** The circuit breakers of addresses, shared by many requests. */
export interface HealthPort {
  /** Null: the call may be sent. Else the milliseconds for which the address is left alone. */
  enter: (address: string) => number | null;
  /** `latency`: milliseconds until a stream began. */
  leave: (address: string, ended: CallEnding, latency?: number) => void;
}

/** One attempt of a plan, with what is sent for it. */
export interface AddressCall {
  attempt: PlanAttempt;
  body: Uint8Array;
  credential: string | null;
  stream: boolean;
  requestId: string;
  /** Headers of the caller, by lower-case name; only those that the attempt passes on are sent. */
  callerHeaders: Readonly<Record<string, string>>;
  /** Ends the call, whatever its state. */
  controller: AbortController;
}

export interface AskPorts {
  runtime: RuntimePorts;
  health: HealthPort;
  /** In [0, 1). */
  random: () => number;
  /** Told of every call that was sent, when its headers came or it failed. */
  onAttempt: (record: AttemptRecord) => void;
}

/** How a call ended for its address. */
export type CallEnding = "well" | "unhealthy" | "neither";

/** Headers of success are no answer yet: whoever reads on says, once, how it ended, when content came or failed to come. Later words are not heard. */
export type AddressOutcome = { ok: true; response: Response; report: (ended: CallEnding) => void } | Extract<AttemptOutcome, { ok: false }>;

/** The name under which the health of what an attempt asks is known. */
export function addressOf({ provider, model, url }: Pick<PlanAttempt, "provider" | "model" | "url">): string {
  return `${provider} ${model} ${new URL(url).origin}`;
}

/** One address, tried again where a moment may heal it; not at all while its circuit breaker rests. */
export async function askAddress(call: AddressCall, ports: AskPorts): Promise<AddressOutcome> {
  const { attempt, controller } = call;
  const address = addressOf(attempt);
  for (let failures = 1; ; failures++) {
    const rest = ports.health.enter(address);
    if (rest !== null) return { ...failed(resting(attempt, rest)), phase: "no-answer", status: null };
    const startedAt = ports.runtime.now();
    const outcome = await askOnce(call, ports);
    if (outcome.ok) {
      let isReported = false;
      const report = (ended: CallEnding): void => {
        if (isReported) return;
        isReported = true;
        // A whole answer begins when it is finished, which says more of its length than of the address.
        ports.health.leave(address, ended, call.stream && ended === "well" ? ports.runtime.now() - startedAt : undefined);
      };
      return { ...outcome, report };
    }
    // Called off from our side: that says nothing of the address. A time-out calls off too, and says enough.
    if (controller.signal.aborted && outcome.error.code !== "provider_timeout") {
      ports.health.leave(address, "neither");
      return outcome;
    }
    const { retry } = classifyFailure(outcome.error);
    ports.health.leave(address, endingOf(outcome.error));
    const retryAfterSeconds = outcome.error.retry_after_seconds;
    const wait = backoffMilliseconds({ failures, retryAfterSeconds, random: ports.random() });
    if (!retry || failures > LIMITS.retriesPerAttempt || wait === null) return outcome;
    await new Promise<void>((resolve) => ports.runtime.after(wait, resolve));
    if (controller.signal.aborted) return outcome;
  }
}

/** What a failure of an answer under way says of its address. */
export function endingOf(error: GatewayError): CallEnding {
  return classifyFailure(error).unhealthy ? "unhealthy" : "neither";
}

function resting(attempt: PlanAttempt, milliseconds: number): GatewayError {
  return gatewayError("overloaded", `${attempt.provider} failed several times in a row and is not asked for a moment.`, {
    retry_after_seconds: Math.ceil(milliseconds / 1000),
    suggestion: "Try again later, or use another model.",
  });
}

async function askOnce(call: AddressCall, { runtime, onAttempt }: AskPorts): Promise<AttemptOutcome> {
  const { attempt, body, credential, controller } = call;
  const startedAt = runtime.now();
  const sent = { url: attempt.url, headers: upstreamHeaders(call), body };
  if (attempt.auth.kind === "sigv4" && credential !== null) sent.headers = await signRequest(sent, attempt.auth, credential, startedAt);
  const outcome = await sendAttempt(sent, { protocol: PROTOCOLS[attempt.protocol], controller, timeouts: timeoutsOf(attempt) }, runtime);
  onAttempt({
    provider: attempt.provider,
    model: attempt.model,
    protocol: attempt.protocol,
    status: outcome.ok ? outcome.response.status : outcome.status,
    error_code: outcome.ok ? null : outcome.error.code,
    started_at: startedAt,
    provider_request_id: outcome.ok ? requestIdOf(outcome.response.headers) : null,
  });
  return outcome;
}

/** The upstream's own id of the call, by the names providers give it. */
function requestIdOf(headers: Headers): string | null {
  return headers.get("x-request-id") ?? headers.get("request-id") ?? headers.get("x-amzn-requestid");
}

function upstreamHeaders({ attempt, credential, stream, requestId, callerHeaders }: AddressCall): Record<string, string> {
  const headers: Record<string, string> = {
    "content-type": "application/json",
    "x-plyrum-request-id": requestId,
    ...attempt.headers,
  };
  headers["accept"] = stream ? PROTOCOLS[attempt.protocol].streamContentType : "application/json";
  for (const name of attempt.passed_headers) {
    const value = callerHeaders[name];
    if (value !== undefined) headers[name] = value;
  }
  if (credential === null) return headers;
  if (attempt.auth.kind === "bearer") headers["authorization"] = `Bearer ${credential}`;
  else if (attempt.auth.kind === "header") headers[attempt.auth.header] = credential;
  return headers;
}
