/**
 * The canonical events of one answer, as whoever reads it may rely on them: well-formed, with one terminal event at most, and nothing after it.
 * An event that breaks the grammar, or that could not be read, ends the answer with an error.
 */
import type { CanonicalEvent } from "./canonical.ts";
import { createGrammarChecker } from "./grammar.ts";
import type { Meter } from "./relay-contract.ts";
import { MALFORMED_FRAME, malformedError } from "./upstream-error.ts";

/** The event itself, or the error that stands in its place. `grammar` is that of the whole answer (grammar.ts). */
export function checkedEvent(event: CanonicalEvent, grammar: (event: CanonicalEvent) => string | null): CanonicalEvent {
  const unreadable = event.type === "opaque" && event.kind === MALFORMED_FRAME;
  const fault = unreadable ? "an event of the stream is not JSON" : grammar(event);
  return fault === null ? event : { type: "error", error: malformedError(fault) };
}

export interface EventReader {
  /** Gives what of the next events counts. `meter` is that of the relay they came from: an error that it alone knows of is an event too. */
  take: (events: readonly CanonicalEvent[], meter: Pick<Meter, "error">) => CanonicalEvent[];
  /** The answer ended, with its end or with an error. */
  isOver: () => boolean;
}

/** Makes the reader of one answer. */
export function createEventReader(): EventReader {
  const grammar = createGrammarChecker();
  let isOver = false;
  return {
    take(events, { error }) {
      const taken: CanonicalEvent[] = [];
      const add = (event: CanonicalEvent): void => {
        if (isOver) return;
        taken.push(event);
        isOver = event.type === "error" || event.type === "end";
      };
      for (const event of events) if (!isOver) add(checkedEvent(event, grammar));
      if (error !== null) add({ type: "error", error });
      return taken;
    },
    isOver: () => isOver,
  };
}
