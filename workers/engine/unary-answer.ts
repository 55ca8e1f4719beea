/** A whole answer: read to its end whether or not the client waits (providers bill it in full), settled, then given. */
import { gatewayError, type GatewayError } from "../../schema/error.ts";
import { LIMITS } from "../../schema/limits.ts";
import { relayUnary } from "../protocol/relay.ts";
import { readBounded } from "../runtime/read-bounded.ts";
import { errorAnswer } from "./answers.ts";
import { finishRequest, noteStreaming } from "./finish-request.ts";
import type { OwnerPorts } from "./ports.ts";
import { type AnswerInput, kept } from "./run.ts";

/** Gives the answer with its cost in `x-plyrum-cost-micro-rub`, after the settlement. */
export async function unaryAnswer(input: AnswerInput, ports: OwnerPorts): Promise<Response> {
  const { run, attempt, upstream, response } = input;
  const { live, caller, envelope } = run;
  const read = await readWhole(input, ports);
  if (typeof read !== "string") return failedAnswer(input, read, ports);
  const { body, meter } = relayUnary({ upstream, caller, quirks: attempt.quirks, context: run.context, bodyText: read });
  live.meter = meter;
  live.phase = meter.contentSeen ? "content" : "no-content";
  if (meter.error !== null) {
    if (!meter.contentSeen) live.phase = "refused";
    return failedAnswer(input, meter.error, ports);
  }
  noteStreaming(live, ports.runtime.now(), ports);
  const settlement = await finishRequest(run, { outcome: "settled", error: null, finishReason: meter.finish?.raw ?? null }, ports);
  const headers = {
    ...envelope.answer_headers,
    "content-type": response.headers.get("content-type") ?? "application/json",
    "x-plyrum-request-id": live.id,
    ...(settlement.costMicroRub === null ? {} : { "x-plyrum-cost-micro-rub": settlement.costMicroRub.toString() }),
  };
  return kept(run, new Response(body, { status: 200, headers }), ports);
}

async function readWhole(input: AnswerInput, ports: OwnerPorts): Promise<string | GatewayError> {
  let timedOut = false;
  const calledOff = ports.runtime.after(LIMITS.streamTotalMilliseconds, () => {
    timedOut = true;
    input.run.controller.abort();
  });
  try {
    const text = await readBounded(input.response, LIMITS.unaryResponseBytes);
    return text ?? gatewayError("provider_error", "The provider's answer is larger than this gateway carries.");
  } catch {
    return timedOut
      ? gatewayError("provider_timeout", "The provider did not finish its answer in time.")
      : gatewayError("provider_error", "The provider's answer broke off before its end.");
  } finally {
    calledOff();
  }
}

async function failedAnswer(input: AnswerInput, error: GatewayError, ports: OwnerPorts): Promise<Response> {
  const { run } = input;
  await finishRequest(run, { outcome: "failed", error, finishReason: null }, ports);
  return kept(run, errorAnswer(run.caller, error, run.live.id, run.envelope.answer_headers), ports);
}
