/**
 * Ending an answer in the middle, from our side: the open blocks are closed and the answer finishes with `length`, in the caller's own
 * protocol and with its own terminator. Where the caller's stream is written by an encoder, that encoder goes on; where the upstream's bytes
 * pass through, a fresh one is led to where the stream is, unheard, and speaks only the end.
 */
import type { Usage } from "../../schema/usage.ts";
import type { CanonicalEvent } from "./canonical.ts";
import type { Encoder, EncoderContext, Protocol } from "./protocol.ts";

/** What an end from our side says. */
export interface Cut {
  /** What the answer is charged by. */
  usage: Usage;
  /** Why, in one line: a comment in the stream, where the wire has comments. */
  notice: string;
}

type Start = Extract<CanonicalEvent, { type: "text-start" | "reasoning-start" | "tool-input-start" }>;
type Delta = Extract<CanonicalEvent, { type: "text-delta" | "reasoning-delta" | "tool-input-delta" }>;

/** How a stream got where it is, without what it said. */
export interface Outline {
  note(event: CanonicalEvent): void;
  /** One frame of the upstream's passed to the caller. */
  countFrame(): void;
  readonly frames: number;
  /** Events that lead a fresh encoder to where the stream is. */
  opening(): CanonicalEvent[];
  /** Events that end it. */
  closing(usage: Usage): CanonicalEvent[];
}

/** `keepsText`: the wire's end repeats the whole answer, so its text is kept and not only that there was some. */
export function createOutline(keepsText: boolean): Outline {
  const events: CanonicalEvent[] = [];
  const open = new Map<number, Start>();
  const said = new Map<number, Delta>();
  const unfinished = new Set<number>();
  let frames = 0;
  const begin = (event: Start): void => {
    open.set(event.block, event);
    unfinished.add(event.choice);
    events.push(event);
  };
  const say = (event: Delta): void => {
    const before = said.get(event.block);
    if (before !== undefined) {
      if (keepsText) before.text += event.text;
      return;
    }
    if (event.text === "") return;
    const first = { ...event, text: keepsText ? event.text : event.text.slice(0, 1) };
    said.set(event.block, first);
    events.push(first);
  };
  return {
    note(event) {
      switch (event.type) {
        case "text-start":
        case "reasoning-start":
        case "tool-input-start":
          return begin(event);
        case "text-delta":
        case "reasoning-delta":
        case "tool-input-delta":
          return say(event);
        case "text-end":
        case "reasoning-end":
        case "tool-input-end":
          open.delete(event.block);
          events.push(event);
          return;
        case "finish":
          unfinished.delete(event.choice);
          events.push(event);
          return;
        case "start":
          events.push(event);
          return;
        default:
      }
    },
    countFrame: () => (frames += 1),
    get frames() {
      return frames;
    },
    opening: () => events,
    closing: (usage) => [
      ...[...open.values()].map(endOf),
      ...(unfinished.size === 0 && !events.some((event) => event.type === "finish") ? [0] : [...unfinished]).map(cutFinish),
      { type: "usage", usage, final: true, anomaly: null },
      { type: "end" },
    ],
  };
}

function endOf({ type, block }: Start): CanonicalEvent {
  if (type === "text-start") return { type: "text-end", block };
  return { type: type === "reasoning-start" ? "reasoning-end" : "tool-input-end", block };
}

function cutFinish(choice: number): CanonicalEvent {
  return { type: "finish", choice, unified: "length", raw: "length", stopSequence: null, detailsJson: null };
}

/** The caller's bytes that end the answer. `encoder` is the one that wrote what came before; null: the upstream's bytes passed through. */
export function renderCut(
  outline: Outline,
  { usage, notice }: Cut,
  { caller, context, encoder }: { caller: Protocol; context: EncoderContext; encoder: Encoder | null },
): (string | Uint8Array)[] {
  const closing = outline.closing(usage);
  const comment = caller.framing === "sse" ? [`: ${notice.replaceAll(/[\r\n]+/g, " ")}\n\n`] : [];
  if (encoder !== null) return [...comment, ...closing.map((event) => encoder.encode(event))];
  const fresh = caller.createEncoder(context);
  for (const event of outline.opening()) fresh.encode(event);
  const pieces = closing.map((event) => fresh.encode(event));
  return [...comment, ...(caller.continued?.(pieces, outline.frames) ?? pieces)];
}
