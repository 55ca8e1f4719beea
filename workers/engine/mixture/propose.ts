/** The round of proposers: all at once, until enough of them have answered or the time is up; whoever is then still busy is let go of. */
import type { EnsembleNode } from "../../../schema/ensemble.ts";
import { gatewayError, type GatewayError } from "../../../schema/error.ts";
import type { ProtocolId } from "../../../schema/protocol.ts";
import type { CanonicalEvent, FinishReason } from "../../protocol/canonical.ts";
import { createRelay } from "../../protocol/relay.ts";
import { saveProgress } from "../finish-request.ts";
import type { LiveLeg } from "./legs.ts";
import { type Mixture, tellFinished, tellStarted } from "./mixture.ts";
import { beginLeg, type OpenLeg, readLeg } from "./open-leg.ts";
import { roundStep } from "./quorum.ts";
import { proposalBytes } from "./references.ts";

export interface Proposal {
  leg: LiveLeg;
  protocol: ProtocolId;
  /** What the aggregator reads: the text, and in words what tools would be called. */
  text: string;
  callsTools: boolean;
  events: CanonicalEvent[];
}

/** Ends of an answer that is none. */
const NO_PROPOSAL: ReadonlySet<FinishReason> = new Set(["refusal", "content-filter", "malformed", "error"]);

/** The proposals that came in time, in the order of their nodes. Resolves early when the run is called off. */
export function proposeAll(mixture: Mixture): Promise<Proposal[]> {
  const { run, ports, calls } = mixture;
  const { nodes, quorum } = mixture.ensemble;
  return new Promise((resolve) => {
    const proposals: Proposal[] = [];
    let running = 0;
    let spare = nodes.find((node) => node.role === "spare") ?? null;
    let over = false;
    const end = (): void => {
      if (over) return;
      over = true;
      calledOff();
      run.controller.signal.removeEventListener("abort", end);
      letGo(mixture);
      resolve(proposals.toSorted((left, right) => nodes.indexOf(left.leg.node) - nodes.indexOf(right.leg.node)));
    };
    const step = (): void => {
      if (over) return;
      const next = roundStep({ quorum, running, proposed: proposals.length, spare: spare !== null });
      if (next === "over") return end();
      if (next === "wait" || spare === null) return;
      const standby = spare;
      spare = null;
      start(standby);
    };
    const start = (node: EnsembleNode): void => {
      running += 1;
      const begun = beginLeg({ run, node }, ports);
      tellStarted(mixture, begun.leg);
      const call = propose(begun, run.live.id).then((proposal) => {
        running -= 1;
        if (proposal !== null && !over) proposals.push(proposal);
        if (begun.leg.state === "lost") saveProgress(run.live, ports);
        else tellFinished(mixture, begun.leg);
        step();
      });
      calls.push(call);
    };
    const proposers = nodes.filter((node) => node.role === "proposer");
    const calledOff = ports.runtime.after(Math.min(...proposers.map((node) => node.deadline_ms)), end);
    run.controller.signal.addEventListener("abort", end);
    for (const node of proposers) start(node);
  });
}

/** Whoever is still busy has lost. Where an abort does not stop the bill, its answer is read to the end, since it is owed whole. */
function letGo(mixture: Mixture): void {
  for (const leg of mixture.run.live.legs ?? []) {
    if (leg.state !== "running") continue;
    leg.state = "lost";
    tellFinished(mixture, leg);
    if (leg.attempt.abort_stops_billing) leg.abort();
  }
}

/** Null: no proposal came of it, or it came too late. Never throws. */
async function propose(call: OpenLeg, requestId: string): Promise<Proposal | null> {
  const { leg, upstream } = call;
  const context = { id: requestId, model: "", createdSeconds: 0, wantsStreamUsage: true, costMicroRub: () => null };
  const opened = await call.open(() => {
    return createRelay({ upstream, caller: upstream, quirks: leg.attempt.quirks, context, requestId, recordEvents: true });
  });
  if (!("relay" in opened)) return without(leg, opened);
  const { relay } = opened;
  const most = proposalBytes(leg.node.output_tokens_max);
  const events: CanonicalEvent[] = [];
  const error = await readLeg(
    { leg, ...opened },
    {
      isEnough: () => relay.meter.ended || relay.meter.outputCharacters > most,
      onBytes: () => {
        const seen = relay.takeEvents();
        if (leg.state === "running") events.push(...seen);
      },
    },
  );
  leg.abort();
  if (error !== null) return without(leg, error);
  if (!relay.meter.ended) return without(leg, gatewayError("provider_error", "The proposal went on beyond its cap."));
  const { finish } = relay.meter;
  const text = textOf(events);
  if (finish !== null && NO_PROPOSAL.has(finish.unified)) return without(leg, gatewayError("upstream_rejected", "The model refused."));
  if (text === "") return without(leg, gatewayError("provider_error", "The proposal was empty."));
  if (leg.state !== "running") return null;
  leg.state = "answered";
  const callsTools = events.some((event) => event.type === "tool-input-start");
  return { leg, protocol: upstream.id, text, callsTools, events };
}

function without(leg: LiveLeg, error: GatewayError): null {
  if (leg.state === "running") {
    leg.state = "failed";
    leg.error = error;
  }
  return null;
}

/** An answer's text, without its reasoning; a call of a tool in words. Empty: nothing was proposed. */
export function textOf(events: readonly CanonicalEvent[]): string {
  const refused = new Set<number>();
  const calls = new Map<number, { name: string; input: string }>();
  let text = "";
  for (const event of events) {
    if (event.type === "text-start" && event.refusal) refused.add(event.block);
    else if (event.type === "text-delta" && !refused.has(event.block)) text += event.text;
    else if (event.type === "tool-input-start") calls.set(event.block, { name: event.name, input: "" });
    else if (event.type === "tool-input-delta") {
      const call = calls.get(event.block);
      if (call !== undefined) call.input += event.text;
    }
  }
  const wanted = [...calls.values()].map(({ name, input }) => `[would call the tool ${name} with ${input === "" ? "{}" : input}]`);
  return [text.trim(), ...wanted].filter((part) => part !== "").join("\n");
}
