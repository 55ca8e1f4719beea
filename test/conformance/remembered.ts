/**
 * What a framer, a decoder and the encoders made of one body, remembered: a body that is cut at thousands of places for each client has the same
 * beginning every time. All three answer by what they were given before and by nothing else, so an answer that was given once stands for
 * the next asker with the same past. conformance.test.ts holds what comes of it against relays that remember nothing.
 */
import type { CanonicalEvent } from "../../workers/protocol/canonical.ts";
import type { Decoder, Encoder, Frame, Framer, Protocol, Quirks } from "../../workers/protocol/protocol.ts";

/** One input after a given past, and what came of it. */
interface Step<In, Out> {
  before: Step<In, Out> | null;
  given: In | null;
  made: Out | null;
  next: Step<In, Out>[];
}

/**
 * Makes askers of one kind of machine. An input that some asker with the same past gave before is answered from memory; else a machine is
 * brought to that past, unless the last one stands there already.
 */
function createMemory<In, Out>(create: () => (input: In) => Out, isSame: (one: In, other: In) => boolean): () => (input: In) => Out {
  const root: Step<In, Out> = { before: null, given: null, made: null, next: [] };
  let live: { machine: (input: In) => Out; at: Step<In, Out> } | null = null;
  const broughtTo = (step: Step<In, Out>): ((input: In) => Out) => {
    if (live?.at === step) return live.machine;
    const past: In[] = [];
    for (let at: Step<In, Out> | null = step; at !== null; at = at.before) if (at.given !== null) past.push(at.given);
    const machine = create();
    for (const input of past.toReversed()) machine(input);
    return machine;
  };
  return () => {
    let at = root;
    return (input) => {
      const known = at.next.find(({ given }) => given === input || (given !== null && isSame(given, input)));
      if (known !== undefined && known.made !== null) {
        at = known;
        return known.made;
      }
      const machine = broughtTo(at);
      const step: Step<In, Out> = { before: at, given: input, made: machine(input), next: [] };
      at.next.push(step);
      at = step;
      live = { machine, at };
      if (step.made === null) throw new Error("nothing was made of it");
      return step.made;
    };
  };
}

/** The end of the body, as an input beside frames. */
const END: Frame = { bytes: new Uint8Array(0), event: null, data: null };

function isSameFrame(one: Frame, other: Frame): boolean {
  if (one === END || other === END || one.event !== other.event || one.data !== other.data || one.exception !== other.exception)
    return false;
  return one.data !== null || Buffer.compare(one.bytes, other.bytes) === 0;
}

function rememberDecoder(protocol: Protocol, quirks: Quirks): () => Decoder {
  const create = (): ((frame: Frame) => CanonicalEvent[]) => {
    const decoder = protocol.createDecoder(quirks);
    return (frame) => (frame === END ? decoder.end() : decoder.decode(frame));
  };
  const ask = createMemory(create, isSameFrame);
  return () => {
    const decode = ask();
    return { decode, end: () => decode(END) };
  };
}

/** A framer for a relay that gets a beginning of `bytes` in one piece. */
function rememberFramer(protocol: Protocol, bytes: Uint8Array): () => Framer {
  const whole = protocol.createFramer();
  const frames = [...whole.push(bytes), ...whole.end()];
  const known = new Map<number, { count: number; more: readonly Frame[]; rest: readonly Frame[] }>();
  const framed = (beginning: Uint8Array): { count: number; more: readonly Frame[]; rest: readonly Frame[] } => {
    const framer = protocol.createFramer();
    const pushed = framer.push(beginning);
    // As long as the frames are cut alike, they are the same bytes.
    const differs = pushed.findIndex((frame, index) => frame.bytes.length !== frames[index]?.bytes.length);
    const count = differs === -1 ? pushed.length : differs;
    return { count, more: pushed.slice(count), rest: framer.end() };
  };
  return () => {
    let rest: readonly Frame[] | null = null;
    return {
      push(beginning) {
        if (rest !== null) throw new Error("the beginning comes in one piece");
        const memory = known.get(beginning.length) ?? framed(beginning);
        known.set(beginning.length, memory);
        rest = memory.rest;
        const begun = frames.slice(0, memory.count);
        return memory.more.length === 0 ? begun : [...begun, ...memory.more];
      },
      end: () => [...(rest ?? [])],
      pendingBytes: () => 0,
    };
  };
}

export interface Remembered {
  /** Reads pieces as they come. */
  upstream: Protocol;
  /** Reads a beginning of the body that comes in one piece. */
  cutUpstream: Protocol;
  /** A caller's format; one context only. */
  callerOf(caller: Protocol): Protocol;
}

const isSameEvent = (one: CanonicalEvent, other: CanonicalEvent): boolean =>
  one.type === other.type && JSON.stringify(one) === JSON.stringify(other);

/** A body's wire formats with a memory. Not for relays that change what they are given. */
export function remember(upstream: Protocol, quirks: Quirks, bytes: Uint8Array): Remembered {
  const remembering = { ...upstream, createDecoder: rememberDecoder(upstream, quirks) };
  const encoders = new Map<string, () => (event: CanonicalEvent) => ReturnType<Encoder["encode"]>>();
  return {
    upstream: remembering,
    cutUpstream: { ...remembering, createFramer: rememberFramer(upstream, bytes) },
    callerOf: (caller) => ({
      ...caller,
      createEncoder(context) {
        const ask =
          encoders.get(caller.id) ??
          createMemory<CanonicalEvent, string | Uint8Array>(() => {
            const encoder = caller.createEncoder(context);
            return (event) => encoder.encode(event);
          }, isSameEvent);
        encoders.set(caller.id, ask);
        return { encode: ask() };
      },
    }),
  };
}
