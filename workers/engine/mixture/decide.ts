/**
 * How an ensemble comes to its answer. Before the first token of an aggregator any failure may degrade it: the same task at another model,
 * the best proposal as it is, and where nobody proposed anything the caller's own request at the aggregator's model. After it nothing may:
 * two models' texts are never spliced. Why an answer is less than was planned is kept in `live.degraded`.
 */
import { gatewayError, type GatewayError } from "../../../schema/error.ts";
import { sumUsage, type Usage } from "../../../schema/usage.ts";
import type { CanonicalEvent } from "../../protocol/canonical.ts";
import type { Relay } from "../../protocol/relay-contract.ts";
import { createRelay } from "../../protocol/relay.ts";
import type { Run } from "../run.ts";
import { isAggregating } from "./bounds.ts";
import { agree } from "./consensus.ts";
import { decideLeg, type LiveLeg, progressOfLeg } from "./legs.ts";
import { degrade, type Mixture, tellDecided, tellFinished, tellStarted } from "./mixture.ts";
import { beginLeg, type LegCall, readLeg } from "./open-leg.ts";
import { type Proposal, proposeAll } from "./propose.ts";
import { filledBody, proposalBytes, renderReferences } from "./references.ts";

export type Decided =
  /** A model is answering; `held`: what it said up to its first content. */
  | {
      kind: "stream";
      leg: LiveLeg;
      relay: Relay;
      reader: ReadableStreamDefaultReader<Uint8Array>;
      held: Uint8Array[];
      events: CanonicalEvent[];
    }
  /** A proposal is the answer. */
  | { kind: "proposal"; proposal: Proposal }
  | { kind: "failed"; error: GatewayError };

const STOPPED = gatewayError("provider_error", "The request was called off.");
const BEYOND_CAP = gatewayError("provider_error", "The answer went on beyond its cap.");
const TOO_SLOW = gatewayError("provider_timeout", "The model did not begin its answer in time.");

/** Never throws. */
export async function decide(mixture: Mixture): Promise<Decided> {
  const { run, ensemble } = mixture;
  const proposals = await proposeAll(mixture);
  if (run.controller.signal.aborted) return { kind: "failed", error: STOPPED };
  if (proposals.length === 0) degrade(mixture, "no_proposals");
  else if (proposals.length < ensemble.quorum) degrade(mixture, "quorum_missed");
  const [best] = proposals;
  if (best === undefined) return direct(mixture);
  const isEnough = proposals.length >= ensemble.quorum && !proposals.some((each) => each.callsTools);
  if (!isEnough || !agree(proposals.map((each) => each.text))) return aggregate(mixture, proposals, best);
  tellDecided(mixture, "consensus", proposals.length);
  return { kind: "proposal", proposal: best };
}

async function aggregate(mixture: Mixture, proposals: readonly Proposal[], best: Proposal): Promise<Decided> {
  const { run, ensemble } = mixture;
  const texts = proposals.map(({ text, leg }) => ({ text, bytesMax: proposalBytes(leg.node.output_tokens_max) }));
  const references = renderReferences(texts, ensemble.seed);
  for (const node of ensemble.nodes.filter(isAggregating)) {
    const body = filledBody(run.envelope.bodies[node.attempt ?? 0] ?? new Uint8Array(0), run.envelope.references_mark ?? "", references);
    // The Worker put the mark in; without it there is nothing to aggregate from.
    if (body === null) break;
    const answered = await ask(mixture, { run, node, body, addedBytes: new TextEncoder().encode(references).byteLength });
    if (answered.kind === "stream") tellDecided(mixture, node.role, proposals.length);
    if (answered.kind === "stream" || run.controller.signal.aborted) return answered;
    degrade(mixture, "aggregator_failed");
  }
  degrade(mixture, "verbatim");
  tellDecided(mixture, "verbatim", proposals.length);
  return { kind: "proposal", proposal: best };
}

async function direct(mixture: Mixture): Promise<Decided> {
  const { run, ensemble } = mixture;
  const node = ensemble.nodes.find((candidate) => candidate.role === "direct");
  if (node === undefined) return { kind: "failed", error: gatewayError("provider_error", "No model of the ensemble answered.") };
  const answered = await ask(mixture, { run, node });
  if (answered.kind === "stream") tellDecided(mixture, "direct", 0);
  return answered;
}

/** Asks for the answer, and reads up to its first content, or to its end where only a whole one counts. */
async function ask(mixture: Mixture, call: LegCall): Promise<Decided> {
  const { run, ports, whole } = mixture;
  const begun = beginLeg(call, ports);
  const { leg } = begun;
  run.live.candidate = leg.index;
  run.snapshot = leg.snapshot;
  tellStarted(mixture, leg);
  let late = false;
  const calledOff = ports.runtime.after(call.node.deadline_ms, () => {
    late = true;
    leg.abort();
  });
  const stop = (): void => leg.abort();
  run.controller.signal.addEventListener("abort", stop);
  const fail = (error: GatewayError): Decided => {
    leg.state = run.controller.signal.aborted ? "lost" : "failed";
    leg.error = late ? TOO_SLOW : error;
    tellFinished(mixture, leg);
    return { kind: "failed", error: leg.error };
  };
  try {
    const opened = await begun.open((upstream) => {
      return createRelay({
        upstream,
        caller: run.caller,
        quirks: leg.attempt.quirks,
        context: run.context,
        requestId: run.live.id,
        wholeUsage: (usage) => sumUsage([...usageOfOthers(run, leg), usage]),
        recordEvents: whole,
      });
    });
    if (!("relay" in opened)) return fail(opened);
    const { relay, reader } = opened;
    const held: Uint8Array[] = [];
    const events: CanonicalEvent[] = [];
    const onBytes = (bytes: Uint8Array): void => {
      if (whole) events.push(...relay.takeEvents());
      else held.push(bytes);
    };
    const { meter } = relay;
    const most = proposalBytes(call.node.output_tokens_max);
    const isTooMuch = (): boolean => whole && !meter.ended && meter.outputCharacters > most;
    const isEnough = (): boolean => meter.contentSeen && (whole ? meter.ended || isTooMuch() : meter.error === null);
    const error = await readLeg({ leg, relay, reader }, { isEnough, onBytes });
    if (error !== null) return fail(error);
    if (isTooMuch()) {
      leg.abort();
      return fail(BEYOND_CAP);
    }
    run.live.meter = meter;
    run.live.phase = "content";
    return { kind: "stream", leg, relay, reader, held, events };
  } finally {
    calledOff();
    run.controller.signal.removeEventListener("abort", stop);
  }
}

/** What the other calls of the request used, as far as is known now. */
export function usageOfOthers({ live }: Run, leg: LiveLeg | null): Usage[] {
  return (live.legs ?? []).flatMap((other) => {
    if (other === leg) return [];
    const decision = decideLeg(progressOfLeg(other), live.facts);
    return decision.kind === "settle" ? [decision.usage] : [];
  });
}
