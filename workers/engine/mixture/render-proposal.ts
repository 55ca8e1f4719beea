/** A proposal as the caller's answer: its own events in the caller's format, with the usage of all calls in the place of its own. */
import { sumUsage } from "../../../schema/usage.ts";
import type { CanonicalEvent } from "../../protocol/canonical.ts";
import { markEvent } from "../../protocol/opaque-state.ts";
import type { Run } from "../run.ts";
import { usageOfOthers } from "./decide.ts";
import type { Proposal } from "./propose.ts";

/** The events as the caller is to get them. */
export function eventsOfProposal(run: Run, proposal: Proposal): CanonicalEvent[] {
  const usage: CanonicalEvent = { type: "usage", usage: sumUsage(usageOfOthers(run, null)), final: true, anomaly: null };
  const said = proposal.events.filter((event) => event.type !== "usage" && event.type !== "end");
  return [...said.map((event) => markEvent(proposal.protocol, event)), usage, { type: "end" }];
}

/** The caller's bytes, whole. */
export function renderProposal(run: Run, proposal: Proposal): Uint8Array[] {
  const encoder = run.caller.createEncoder(run.context);
  return eventsOfProposal(run, proposal).map((event) => {
    const piece = encoder.encode(event);
    return typeof piece === "string" ? new TextEncoder().encode(piece) : piece;
  });
}
