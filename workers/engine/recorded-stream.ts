/**
 * A stream that is recorded while it runs, so that a caller who lost it gets the rest. Its events are numbered: by an `id:` line that this
 * puts in, which any reader of server-sent events sends back as `Last-Event-ID`, or, where the wire numbers its events itself, by that number.
 * What is recorded is what was sent, byte for byte, but for heartbeats, which are no part of the answer.
 */
import { gatewayError } from "../../schema/error.ts";
import type { Protocol } from "../protocol/protocol.ts";
import { sliceAt } from "../protocol/json-text.ts";
import type { Frame } from "../protocol/protocol.ts";
import { createSseFramer } from "../protocol/sse.ts";
import type { Outlet } from "../runtime/stream-pump.ts";
import { concatenated } from "../runtime/bytes.ts";
import type { OwnerPorts, StreamRecord } from "./ports.ts";
import type { Run } from "./run.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true });

export const INTERRUPTED = gatewayError("provider_error", "The request was interrupted before its end.");
const TOO_LARGE = gatewayError("provider_error", "The answer is larger than is kept of a stream; the rest of it is not here.");

/** Of a run whose caller may come back for its stream. */
export interface Recording {
  outlet: Outlet;
  save: () => void;
  /** The stream never began: there is nothing to come back for. */
  drop: () => void;
}

/** Null where the caller did not ask for it. */
export function recordingOf(run: Run, headers: Record<string, string>, ports: OwnerPorts): Recording | null {
  const { envelope, live, caller, lifecycle } = run;
  if (!envelope.resumable || caller.framing !== "sse") return null;
  const counts = numbersItself(caller) && !lifecycle.replaces;
  const tail = (error: typeof INTERRUPTED): string => String(caller.renderStreamError(error, live.id));
  const record = ports.streams.open(live.id, {
    headers,
    numbered: !counts,
    interrupted: tail(INTERRUPTED),
    too_large: tail(TOO_LARGE),
  });
  return { outlet: recordedOutlet(record, counts), save: () => record.save(), drop: () => record.drop() };
}

/** Whether the events of a wire say their own numbers. */
function numbersItself(caller: Protocol): boolean {
  return caller.id === "openai-responses";
}

/** `counts`: the events say their own numbers, and nothing is put in. */
export function recordedOutlet(record: StreamRecord, counts: boolean): Outlet {
  const framer = createSseFramer();
  let last = counts ? -1 : 0;
  // Comments of the answer itself: they go with the event after them.
  let comments: Uint8Array[] = [];
  const pass = (frame: Frame): Uint8Array => {
    if (frame.data === null) {
      comments.push(frame.bytes.slice());
      return frame.bytes;
    }
    const said = counts ? Number(sliceAt(frame.data, ["sequence_number"]) ?? -1) : -1;
    const bytes = counts ? placed(frame, said, last) : numberedEvent(frame.bytes, last + 1);
    last = Number.isSafeInteger(said) && said > last ? said : last + 1;
    record.add(last, concatenated([...comments, bytes]));
    comments = [];
    return bytes;
  };
  return {
    push: (bytes) => concatenated(framer.push(bytes).map(pass)),
    end: () => {
      const rest = framer.end().map(pass);
      if (comments.length > 0) record.add(last + 1, concatenated(comments));
      record.end();
      return concatenated(rest);
    },
  };
}

/** An error of ours does not know its place in the stream and says 0; here it is known. */
function placed({ event, bytes }: Frame, said: number, last: number): Uint8Array {
  return event === "error" && said === 0 && last >= 0 ? tailEvent(decoder.decode(bytes), last, false) : bytes;
}

const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];

/** The event with an `id:` line before its own. An id of the upstream's would count in its place, so there is none. */
export function numberedEvent(bytes: Uint8Array, number: number): Uint8Array {
  const line = encoder.encode(`id: ${number}\n`);
  const isMarked = BYTE_ORDER_MARK.every((byte, index) => bytes[index] === byte);
  const [mark, rest] = isMarked ? [bytes.subarray(0, 3), bytes.subarray(3)] : [bytes.subarray(0, 0), bytes];
  return concatenated([mark, line, withoutIds(rest)]);
}

const LETTER_I = 105;
const LETTER_D = 100;
const LINE_ENDS = new Set([10, 13]);

function withoutIds(bytes: Uint8Array): Uint8Array {
  const hasId = bytes.some((byte, index) => byte === LETTER_I && bytes[index + 1] === LETTER_D && isLineStart(bytes, index));
  return hasId ? encoder.encode(decoder.decode(bytes).replaceAll(/^id(?::.*)?(?:\r\n|\n|\r)/gm, "")) : bytes;
}

function isLineStart(bytes: Uint8Array, index: number): boolean {
  return index === 0 || LINE_ENDS.has(bytes[index - 1] ?? 0);
}

/** The end of a stream nobody runs any more, as its event after `last`. */
export function tailEvent(text: string, last: number, numbered: boolean): Uint8Array {
  if (numbered) return numberedEvent(encoder.encode(text), last + 1);
  return encoder.encode(text.replace(/"sequence_number":\d+/, `"sequence_number":${last + 1}`));
}
