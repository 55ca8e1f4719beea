/** One request on its way through its owner, and what keeps its answer for a later call with the same `Idempotency-Key`. */
import type { PlanAttempt, ServeEnvelope } from "../../schema/plan.ts";
import type { PriceSnapshot } from "../../schema/price.ts";
import type { EncoderContext, Protocol } from "../protocol/protocol.ts";
import type { LiveRequest } from "./live-request.ts";
import type { OwnerPorts } from "./ports.ts";

export interface Run {
  envelope: ServeEnvelope;
  live: LiveRequest;
  snapshot: PriceSnapshot;
  caller: Protocol;
  context: EncoderContext;
  controller: AbortController;
}

/** A 2xx response of an attempt, still to be read. */
export interface AnswerInput {
  run: Run;
  attempt: PlanAttempt;
  upstream: Protocol;
  response: Response;
}

/** Keeps an answer for its `Idempotency-Key`, where there is one, and gives it on. */
export async function kept(run: Run, response: Response, ports: OwnerPorts): Promise<Response> {
  if (run.envelope.idempotency_key === null) return response;
  const body = new Uint8Array(await response.arrayBuffer());
  const headers = Object.fromEntries(response.headers);
  ports.requests.keepAnswer(run.live.id, { status: response.status, headers, body });
  return new Response(body, { status: response.status, headers });
}
