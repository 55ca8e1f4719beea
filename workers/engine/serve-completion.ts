/**
 * One completion, from a caller's bytes to an answer: authenticate → parse → plan → render → hold → hand over to the owner, who
 * admits, runs and settles (own-request.ts). Everything before the hand-over is free of side effects: a refusal here changed nothing.
 */
import { failed, gatewayError, type Outcome } from "../../schema/error.ts";
import { LIMITS } from "../../schema/limits.ts";
import type { Plan, ServeEnvelope } from "../../schema/plan.ts";
import type { PriceSnapshot } from "../../schema/price.ts";
import type { ProtocolId } from "../../schema/protocol.ts";
import { holdOf } from "../cost/cost.ts";
import { boundInputTokens } from "../cost/estimate.ts";
import type { CanonicalRequest } from "../protocol/canonical.ts";
import { PROTOCOLS } from "../protocol/index.ts";
import type { RequestAddress } from "../protocol/protocol.ts";
import { measurePrompt } from "../protocol/measure.ts";
import { errorAnswer } from "./answers.ts";
import { renderAttempt } from "./render-attempt.ts";

/** A caller's call, as the HTTP edge took it. */
export interface CompletionCall {
  protocol: ProtocolId;
  address: RequestAddress;
  headers: Headers;
  bodyText: string;
  receivedAt: number;
}

/** Who calls: known from the key's own text, before any storage was asked. */
export interface KnownCaller {
  accountId: string;
  keyHash: string;
}

export interface PlannedRequest {
  plan: Plan;
  snapshot: PriceSnapshot;
  /** The same snapshot as JSON text, as the hold stores it. */
  snapshotText: string;
  /** One for each attempt; null where the address takes calls without. */
  credentials: (string | null)[];
}

export interface CompletionPorts {
  authenticate: () => Outcome<KnownCaller>;
  /** The plan for this request, the price it is held and settled by, and the credential of each attempt. */
  plan: (request: CanonicalRequest, hint: string | null) => Promise<Outcome<PlannedRequest>>;
  /** Hands the request to the object that owns it from here on. */
  own: (envelope: Omit<ServeEnvelope, "request_id">) => Promise<Response>;
  hash: (text: string) => string;
  evidence: "live" | "offline";
  /** Id shown with an error that no object ever saw. */
  requestId: string;
}

/** Serves one call. Always answers; every refusal is in the caller's own protocol. */
export async function serveCompletion(call: CompletionCall, ports: CompletionPorts): Promise<Response> {
  const protocol = PROTOCOLS[call.protocol];
  const prepared = await prepare(call, ports);
  return prepared.ok ? ports.own(prepared.value) : errorAnswer(protocol, prepared.error, ports.requestId);
}

async function prepare(call: CompletionCall, ports: CompletionPorts): Promise<Outcome<Omit<ServeEnvelope, "request_id">>> {
  const caller = ports.authenticate();
  if (!caller.ok) return caller;
  const parsed = PROTOCOLS[call.protocol].parseRequest(call.bodyText, call.address);
  if (!parsed.ok) return parsed;
  const request = parsed.value;
  const planned = await ports.plan(request, hintOf(call.headers));
  if (!planned.ok) return planned;
  const { plan, snapshot, snapshotText, credentials } = planned.value;
  const rendered = renderAttempt({ bodyText: call.bodyText, request, plan, lossy: call.headers.get("x-plyrum-compat") === "lossy" });
  if (!rendered.ok) return rendered;
  const idempotencyKey = call.headers.get("idempotency-key");
  if (idempotencyKey !== null && (idempotencyKey === "" || idempotencyKey.length > LIMITS.idempotencyKeyCharacters))
    return badIdempotencyKey();
  const measure = measurePrompt(request);
  const inputTokensMax = boundInputTokens(measure);
  const bounds = {
    inputTokensMax,
    outputTokensMax: request.maxOutputTokens ?? plan.output_tokens_max,
    choices: request.choices,
    inputs: request.embedding === undefined ? 1 : request.turns.length,
  };
  return {
    ok: true,
    value: {
      account_id: caller.value.accountId,
      key_hash: caller.value.keyHash,
      protocol: call.protocol,
      stream: request.stream,
      wants_stream_usage: request.wantsStreamUsage,
      embedding_encoding: request.embedding?.encoding ?? null,
      plan,
      bodies: rendered.value.bodies,
      credentials,
      caller_headers: passedHeaders(call.headers, plan),
      answer_headers: rendered.value.headers,
      snapshot: snapshotText,
      hold_micro_rub: holdOf(snapshot, bounds).toString(),
      tokens_bound: inputTokensMax + bounds.outputTokensMax * bounds.choices,
      measure,
      idempotency_key: idempotencyKey,
      body_hash: idempotencyKey === null ? null : ports.hash(callText(call)),
      on_disconnect: call.headers.get("x-plyrum-on-disconnect") === "finish" ? "finish" : "cancel",
      raw: call.headers.get("x-plyrum-raw") === "1",
      received_at: call.receivedAt,
      evidence: ports.evidence,
    },
  };
}

/** Everything that makes two calls the same: some protocols keep the model and the streaming switch in the path. */
function callText({ protocol, address, bodyText }: CompletionCall): string {
  return [protocol, address.model ?? "", address.stream ?? "", bodyText].join("\n");
}

function hintOf(headers: Headers): string | null {
  return headers.get("x-plyrum-provider-hint") ?? headers.get("x-arch-llm-provider-hint");
}

function badIdempotencyKey(): Outcome<never> {
  return failed(
    gatewayError("invalid_request", `An Idempotency-Key has 1 to ${LIMITS.idempotencyKeyCharacters} characters.`, {
      param: "Idempotency-Key",
    }),
  );
}

function passedHeaders(headers: Headers, plan: Plan): Record<string, string> {
  const passed: Record<string, string> = {};
  for (const name of new Set(plan.attempts.flatMap((attempt) => attempt.passed_headers))) {
    const value = headers.get(name);
    if (value !== null) passed[name] = value;
  }
  return passed;
}
