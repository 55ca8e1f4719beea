/**
 * The rules of a well-formed answer, checked event by event between decoder and encoder (gateways.md §3 E: most broken
 * translations are broken brackets). Cheap enough to run in production.
 *
 * Rules: a block opens once and closes once; deltas only in an open block of their kind; one finish a choice; nothing after
 * `end` or `error`; one `start`; `end` only when no block is open. Blocks may overlap, and a finish may come before usage.
 */
import type { CanonicalEvent } from "./canonical.ts";

type BlockKind = "text" | "reasoning" | "tool-input";

/** Which kind of block an event opens, feeds or closes; null for events outside blocks. */
function bracketOf(event: CanonicalEvent): { kind: BlockKind; step: "start" | "delta" | "end"; block: number } | null {
  switch (event.type) {
    case "text-start":
      return { kind: "text", step: "start", block: event.block };
    case "text-delta":
      return { kind: "text", step: "delta", block: event.block };
    case "text-end":
      return { kind: "text", step: "end", block: event.block };
    case "reasoning-start":
      return { kind: "reasoning", step: "start", block: event.block };
    case "reasoning-delta":
    case "reasoning-signature":
      return { kind: "reasoning", step: "delta", block: event.block };
    case "reasoning-end":
      return { kind: "reasoning", step: "end", block: event.block };
    case "tool-input-start":
      return { kind: "tool-input", step: "start", block: event.block };
    case "tool-input-delta":
      return { kind: "tool-input", step: "delta", block: event.block };
    case "tool-input-end":
      return { kind: "tool-input", step: "end", block: event.block };
    default:
      return null;
  }
}

/** Makes a checker for one answer: give it every event in order; it answers what is wrong with the event, or null. */
export function createGrammarChecker(): (event: CanonicalEvent) => string | null {
  const open = new Map<number, BlockKind>();
  const used = new Set<number>();
  const finished = new Set<number>();
  let started = false;
  let terminal: string | null = null;

  return (event) => {
    if (terminal !== null) return `${event.type} after ${terminal}`;
    const bracket = bracketOf(event);
    if (bracket !== null) {
      const { kind, step, block } = bracket;
      if (step === "start") {
        if (used.has(block)) return `block ${block} opened twice`;
        used.add(block);
        open.set(block, kind);
        return null;
      }
      if (open.get(block) !== kind) return `${event.type} in block ${block}, which is not an open ${kind} block`;
      if (step === "end") open.delete(block);
      return null;
    }
    switch (event.type) {
      case "start":
        if (started) return "start twice";
        started = true;
        return null;
      case "file":
        if (used.has(event.block)) return `block ${event.block} opened twice`;
        used.add(event.block);
        return null;
      case "finish":
        if (finished.has(event.choice)) return `choice ${event.choice} finished twice`;
        finished.add(event.choice);
        return null;
      case "error":
        terminal = "error";
        return null;
      case "end":
        if (open.size > 0) return `end while block ${[...open.keys()].join(", ")} is open`;
        terminal = "end";
        return null;
      default:
        return null;
    }
  };
}
