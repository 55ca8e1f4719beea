/** One call of an ensemble, from its dispatch to a body that is being read, and how it is let go of. */
import type { EnsembleNode } from "../../../schema/ensemble.ts";
import { gatewayError, type GatewayError } from "../../../schema/error.ts";
import { PROTOCOLS } from "../../protocol/index.ts";
import type { Protocol } from "../../protocol/protocol.ts";
import type { Relay } from "../../protocol/relay-contract.ts";
import { endingOf } from "../../runtime/ask-address.ts";
import { faultOfDocument, isStream } from "../../runtime/not-a-stream.ts";
import { BROKEN } from "../../runtime/stream-faults.ts";
import { askAttempt } from "../ask-attempt.ts";
import type { OwnerPorts } from "../ports.ts";
import type { Run } from "../run.ts";
import { readSnapshot } from "../settle-request.ts";
import type { LiveLeg } from "./legs.ts";

export interface LegCall {
  run: Run;
  node: EnsembleNode;
  /** In place of the rendered body, where the proposals were put in. */
  body?: Uint8Array<ArrayBuffer>;
  /** Bytes of prompt beside the caller's own. */
  addedBytes?: number;
}

export interface OpenLeg {
  leg: LiveLeg;
  upstream: Protocol;
  /** Asks the address and starts to read; the error of a call that gave nothing to read. Never throws. */
  open: (
    makeRelay: (upstream: Protocol) => Relay,
  ) => Promise<GatewayError | { relay: Relay; reader: ReadableStreamDefaultReader<Uint8Array> }>;
}

const EMPTY = (): GatewayError => gatewayError("provider_error", "The provider's answer was empty.");

/** Enters the call among the request's. Nothing is sent before `open`. */
export function beginLeg({ run, node, body, addedBytes = 0 }: LegCall, ports: OwnerPorts): OpenLeg {
  const { envelope, live } = run;
  const index = node.attempt ?? 0;
  const attempt = envelope.plan.attempts[index];
  if (attempt === undefined) throw new Error(`node ${node.id} of an ensemble asks an attempt that is not there`);
  const controller = new AbortController();
  let reader: ReadableStreamDefaultReader<Uint8Array> | null = null;
  const leg: LiveLeg = {
    node,
    attempt,
    index,
    snapshot: readSnapshot(envelope.snapshots?.[index] ?? envelope.snapshot),
    state: "running",
    phase: "no-answer",
    meter: null,
    addedBytes,
    cut: null,
    error: null,
    // A body is cancelled, not its signal aborted (workers/runtime/stream-pump.ts says why).
    abort: () => (reader === null ? controller.abort() : void reader.cancel().catch(() => undefined)),
  };
  (live.legs ??= []).push(leg);
  const upstream = PROTOCOLS[attempt.protocol];
  const bodies = body === undefined ? envelope.bodies : envelope.bodies.with(index, body);
  const legRun: Run = { ...run, controller, snapshot: leg.snapshot, envelope: { ...envelope, stream: true, bodies } };
  return {
    leg,
    upstream,
    open: async (makeRelay) => {
      const outcome = await askAttempt(legRun, index, ports);
      if (!outcome.ok) {
        leg.phase = outcome.phase;
        return outcome.error;
      }
      const { response, report } = outcome;
      if (!isStream(response, upstream) || response.body === null) {
        leg.phase = "refused";
        const fault = await faultOfDocument(response, upstream);
        report(endingOf(fault));
        return fault;
      }
      report("well");
      leg.phase = "no-content";
      const relay = makeRelay(upstream);
      leg.meter = relay.meter;
      reader = response.body.getReader();
      // Let go of between its headers and here.
      if (controller.signal.aborted) leg.abort();
      return { relay, reader };
    },
  };
}

/**
 * Reads on until `isEnough`, the answer's end or its failure; `onBytes` gets what the relay gives. Gives the error of an answer that ended
 * before it was enough.
 */
export async function readLeg(
  { leg, relay, reader }: { leg: LiveLeg; relay: Relay; reader: ReadableStreamDefaultReader<Uint8Array> },
  { isEnough, onBytes }: { isEnough: () => boolean; onBytes: (bytes: Uint8Array) => void },
): Promise<GatewayError | null> {
  const ended = async (): Promise<boolean> => {
    const { value, done } = await reader.read();
    onBytes(done ? relay.end(null) : relay.push(value));
    return done || relay.meter.ended || relay.meter.error !== null;
  };
  try {
    while (!isEnough()) {
      if (!(await ended())) continue;
      break;
    }
  } catch {
    onBytes(relay.end(BROKEN()));
  }
  if (relay.meter.contentSeen) leg.phase = "content";
  if (isEnough()) return null;
  reader.cancel().catch(() => undefined);
  return relay.meter.error ?? EMPTY();
}
