/**
 * workers/engine/mixture: one answer of several calls under one hold. Proposers answer in parallel, an aggregator reads what they said and
 * writes the answer (plan-mixture.ts is the graph, decide.ts the way through it); each call is a leg with a meter, prices and a share of the
 * cost of its own (legs.ts, settle-legs.ts). Nothing here buffers the aggregator's text.
 */
import { microRub, toJsonNumber } from "../../../schema/money.ts";
import { sumUsage } from "../../../schema/usage.ts";
import type { CanonicalEvent } from "../../protocol/canonical.ts";
import { markEvent } from "../../protocol/opaque-state.ts";
import { errorAnswer } from "../answers.ts";
import { finishRequest, noteStreaming, saveProgress } from "../finish-request.ts";
import type { OwnerPorts } from "../ports.ts";
import { kept, type Run } from "../run.ts";
import { decide, type Decided, usageOfOthers } from "./decide.ts";
import { legsAtRest } from "./legs-at-rest.ts";
import { type LiveLeg, progressOfLeg } from "./legs.ts";
import { degradedHeader, type Mixture, tellFinished } from "./mixture.ts";
import { eventsOfProposal } from "./render-proposal.ts";
import { settleLegs } from "./settle-legs.ts";
import { streamMixture } from "./stream-mixture.ts";

/** Runs the request of an ensemble to its end. */
export async function answerMixture(given: Run, ports: OwnerPorts): Promise<Response> {
  const { ensemble } = given.envelope.plan;
  if (ensemble === undefined) throw new Error("a plan of a single call was taken for an ensemble");
  given.live.legs = [];
  given.live.degraded = null;
  const run: Run = { ...given, context: { ...given.context, costMicroRub: () => costSoFar(given) } };
  const mixture = { run, ensemble, ports, calls: [] };
  return given.envelope.stream ? streamMixture(mixture) : wholeMixture(mixture);
}

/** What all calls cost, as far as is known now; asked when the caller is shown the usage. */
function costSoFar({ live, envelope }: Run): number | null {
  const legs = live.legs ?? [];
  if (envelope.raw) return null;
  const { charge } = settleLegs(legs.map(progressOfLeg), live.facts, (index) => snapshotOf(legs, index));
  return charge === null ? 0 : toJsonNumber(microRub(BigInt(charge.cost_micro_rub)));
}

function snapshotOf(legs: readonly LiveLeg[], index: number): LiveLeg["snapshot"] {
  const leg = legs.find((candidate) => candidate.index === index);
  if (leg === undefined) throw new Error("a call of an ensemble has no prices");
  return leg.snapshot;
}

/** The answer in one piece: it counts only when it is whole, so up to its end a failure may degrade it. */
async function wholeMixture(given: Omit<Mixture, "notice" | "whole">): Promise<Response> {
  const mixture: Mixture = { ...given, whole: true, notice: () => undefined };
  const { run, ports, calls } = mixture;
  const { live, envelope, caller } = run;
  const stopTicking = ports.everySecond(() => saveProgress(live, ports));
  const decided = await decide(mixture);
  stopTicking();
  if (decided.kind === "stream") {
    decided.leg.state = "answered";
    tellFinished(mixture, decided.leg);
  }
  await legsAtRest(run, { calls, ports, clientGone: false });
  if (decided.kind === "failed") {
    await finishRequest(run, { outcome: "failed", error: decided.error, finishReason: null }, ports);
    return kept(run, errorAnswer(caller, decided.error, live.id, envelope.answer_headers), ports);
  }
  noteStreaming(live, ports.runtime.now(), ports);
  const events = eventsOf(run, decided);
  const finish = events.find((event) => event.type === "finish");
  const body = caller.renderResponse(events, run.context);
  run.keeper?.whole(body);
  const settlement = await finishRequest(run, { outcome: "settled", error: null, finishReason: finish?.raw ?? null }, ports);
  const headers = {
    ...envelope.answer_headers,
    ...degradedHeader(run),
    "content-type": "application/json",
    "x-plyrum-request-id": live.id,
    ...(settlement.costMicroRub === null ? {} : { "x-plyrum-cost-micro-rub": settlement.costMicroRub.toString() }),
  };
  return kept(run, new Response(body, { status: 200, headers }), ports);
}

/** The answer's events, with the usage of all calls. */
function eventsOf(run: Run, decided: Exclude<Decided, { kind: "failed" }>): CanonicalEvent[] {
  if (decided.kind === "proposal") return eventsOfProposal(run, decided.proposal);
  const usage = sumUsage(usageOfOthers(run, null));
  return decided.events.map((event) =>
    event.type === "usage" && event.final ? { ...event, usage } : markEvent(decided.leg.attempt.protocol, event),
  );
}
