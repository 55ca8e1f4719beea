/** A whole answer: read to its end whether or not the client waits (providers bill it in full), settled, then given. */
import type { GatewayError } from "../../schema/error.ts";
import { relayUnary } from "../protocol/relay.ts";
import { endingOf } from "../runtime/ask-address.ts";
import { readWhole } from "../runtime/read-whole.ts";
import { errorAnswer } from "./answers.ts";
import { finishRequest, noteStreaming } from "./finish-request.ts";
import type { OwnerPorts } from "./ports.ts";
import { type Answered, type AnswerInput, kept, modelHeader } from "./run.ts";

/** Gives the answer with its cost in `x-plyrum-cost-micro-rub`, after the settlement. */
export async function unaryAnswer(input: AnswerInput, ports: OwnerPorts): Promise<Answered> {
  const { run, attempt, upstream, response } = input;
  const { live, caller, envelope } = run;
  const read = await readWhole(response, attempt, { controller: run.controller, runtime: ports.runtime });
  if (typeof read !== "string") return failedAnswer(input, read, ports);
  const { body, meter, events } = relayUnary({ upstream, caller, quirks: attempt.quirks, context: run.context, bodyText: read });
  live.meter = meter;
  run.recorder?.note(events, meter);
  live.phase = meter.contentSeen ? "content" : "no-content";
  if (meter.error !== null) {
    if (!meter.contentSeen) live.phase = "refused";
    return failedAnswer(input, meter.error, ports);
  }
  input.report("well");
  noteStreaming(live, ports.runtime.now(), ports);
  run.keeper?.whole(body);
  const settlement = await finishRequest(run, { outcome: "settled", error: null, finishReason: meter.finish?.raw ?? null }, ports);
  const headers = {
    ...envelope.answer_headers,
    ...modelHeader(run),
    "content-type": jsonTypeOf(response),
    "x-plyrum-request-id": live.id,
    ...(settlement.costMicroRub === null ? {} : { "x-plyrum-cost-micro-rub": settlement.costMicroRub.toString() }),
  };
  return { response: await kept(run, new Response(body, { status: 200, headers }), ports) };
}

/** The upstream's own word for JSON. Any other word for it (a page) would have a browser show what a model wrote. */
function jsonTypeOf(response: Response): string {
  const type = response.headers.get("content-type") ?? "";
  return /^application\/(?:[\w.-]+\+)?json\b/i.test(type) ? type : "application/json";
}

async function failedAnswer(input: AnswerInput, error: GatewayError, ports: OwnerPorts): Promise<Answered> {
  const { run } = input;
  input.report(run.live.cancelled === true ? "neither" : endingOf(error));
  if (run.live.phase !== "content" && input.mayFallBack(error)) return { fellThrough: error };
  await finishRequest(run, { outcome: "failed", error, finishReason: null }, ports);
  return { response: await kept(run, errorAnswer(run.caller, error, run.live.id, run.envelope.answer_headers), ports) };
}
