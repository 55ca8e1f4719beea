/**
 * Opaque reasoning state (thinking signatures, redacted thinking, encrypted reasoning, thought signatures) belongs to the wire format
 * it came from, and any other provider refuses it. So when an answer is translated, its state is given to the caller with a mark of
 * its origin; when the caller sends it back, only that origin gets it, byte for byte, and every other target goes without.
 */
import { PROTOCOL_IDS, type ProtocolId } from "../../schema/protocol.ts";
import type { Block, CanonicalEvent, CanonicalRequest } from "./canonical.ts";

/** `ply1.<protocol>.<state>`: no provider's own state begins so. */
const MARK = "ply1.";

/** Whether this is state with the mark of its origin. */
export function isMarked(state: string): boolean {
  return state.startsWith(MARK);
}

/** State as a caller of another protocol gets it. */
export function markState(origin: ProtocolId, state: string): string {
  return state === "" || state.startsWith(MARK) ? state : `${MARK}${origin}.${state}`;
}

/** Whose state this is, and the bytes that provider gave. Unmarked state is of the protocol it was sent in. */
export function readState(state: string, sentIn: ProtocolId): { origin: ProtocolId; state: string } {
  if (!state.startsWith(MARK)) return { origin: sentIn, state };
  const rest = state.slice(MARK.length);
  const origin = PROTOCOL_IDS.find((id) => rest.startsWith(`${id}.`));
  return origin === undefined ? { origin: sentIn, state } : { origin, state: rest.slice(origin.length + 1) };
}

/** An event on its way from a provider of `origin` to a caller of another protocol. */
export function markEvent(origin: ProtocolId, event: CanonicalEvent): CanonicalEvent {
  switch (event.type) {
    case "reasoning-signature":
      return { ...event, signature: markState(origin, event.signature) };
    case "reasoning-start":
      return event.data === null ? event : { ...event, data: markState(origin, event.data) };
    case "tool-input-start":
      return typeof event.signature === "string" ? { ...event, signature: markState(origin, event.signature) } : event;
    default:
      return event;
  }
}

function stateOf(block: Block): string[] {
  if (block.type === "reasoning") return [block.signature, block.data].filter((state) => state !== null);
  if (block.type === "tool-call") return typeof block.signature === "string" ? [block.signature] : [];
  return [];
}

/** Whether a request carries state that a provider of its own protocol did not give: then its bytes cannot pass as they are. */
export function hasForeignState(request: CanonicalRequest): boolean {
  return request.turns.some((turn) => turn.blocks.some((block) => stateOf(block).some((state) => state.startsWith(MARK))));
}

/** The state as `target` gave it; null where another provider gave it. */
function stateFor(state: string | null, sentIn: ProtocolId, target: ProtocolId): string | null {
  if (state === null) return null;
  const read = readState(state, sentIn);
  return read.origin === target ? read.state : null;
}

/** The request as a provider of `target` may see it: its own state unmarked, everybody else's left out. */
export function withStateOf(request: CanonicalRequest, target: ProtocolId): CanonicalRequest {
  const { protocol } = request;
  const block = (given: Block): Block[] => {
    if (given.type === "tool-call" && typeof given.signature === "string")
      return [{ ...given, signature: stateFor(given.signature, protocol, target) }];
    if (given.type !== "reasoning" || (given.signature === null && given.data === null)) return [given];
    const kept = { ...given, signature: stateFor(given.signature, protocol, target), data: stateFor(given.data, protocol, target) };
    // Redacted thinking is nothing but its state.
    const isEmpty = kept.text === "" && kept.signature === null && kept.data === null;
    return isEmpty ? [] : [kept];
  };
  return { ...request, turns: request.turns.map((turn) => ({ ...turn, blocks: turn.blocks.flatMap(block) })) };
}
