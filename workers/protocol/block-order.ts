/**
 * Blocks one after the other, for wires whose blocks never overlap. Other wires open a block before the one before it is closed; here
 * what belongs to a later block waits until its turn has come.
 */
import type { CanonicalEvent } from "./canonical.ts";

type BlockEvent = Extract<CanonicalEvent, { block: number }>;

interface Waiting {
  block: number;
  events: BlockEvent[];
  closed: boolean;
}

function closes(event: BlockEvent): boolean {
  return event.type === "text-end" || event.type === "reasoning-end" || event.type === "tool-input-end" || event.type === "file";
}

/**
 * Makes an ordering for one answer: give it every event in order, and it answers the events that may go out now. The first opened goes
 * first; an event outside blocks goes out at once, which for a finish, an error or an end the caller of this has to want.
 */
export function createBlockOrder(): (event: CanonicalEvent) => CanonicalEvent[] {
  const queue: Waiting[] = [];
  return (event) => {
    if (!("block" in event) || event.block === null || event.type === "source") return [event];
    const open = queue[0];
    // The common case by far: one more piece of the block whose turn it is, of which nothing waits.
    if (open !== undefined && open.block === event.block && !closes(event)) return [event];
    const known = queue.find((waiting) => waiting.block === event.block);
    const waiting = known ?? { block: event.block, events: [], closed: false };
    if (known === undefined) queue.push(waiting);
    waiting.events.push(event);
    waiting.closed ||= closes(event);
    const out: CanonicalEvent[] = [];
    for (let first = queue[0]; first !== undefined; first = queue[0]) {
      out.push(...first.events.splice(0));
      if (!first.closed) break;
      queue.shift();
    }
    return out;
  };
}
