/**
 * Server-sent events, split on bytes: the framing of both wire formats here, whatever the chunk boundaries (WHATWG HTML §9.2,
 * with the dialects of real providers).
 *
 * A frame is the bytes up to and including its blank line, so the frames of a stream joined are the stream, and a frame can pass
 * to the caller without being copied or printed again. Lines end in LF, CRLF or a lone CR. Two dialects beyond the standard: an
 * unterminated last event counts, and a field named `error` is an error's data (one runtime ends its streams so, and a
 * parser by the book would take that for a clean end).
 */
import { LIMITS } from "../../schema/limits.ts";
import type { Frame, Framer } from "./protocol.ts";

/** Event name of a frame that outgrew `LIMITS.frameBytes`; the framer is deaf after it, since it no longer knows where frames begin. */
export const OVERSIZE_EVENT = "plyrum-oversize";

/** A comment that keeps idle connections alive. Never an event: some clients restart their watchdog on a `ping` event. */
export const renderHeartbeat = ": plyrum\n\n";

const LF = 10;
const CR = 13;

/** What the scan must remember between chunks. */
interface ScanState {
  /** The current line has no byte yet. */
  lineEmpty: boolean;
  /** The last byte was a CR: an LF that follows belongs to it. */
  afterReturn: boolean;
  /** That CR closed a blank line: the frame is complete once the next byte is known. */
  blankReturn: boolean;
  /** A frame was too large: where the next one begins is no longer known. */
  deaf: boolean;
}

/** Index after the frame that is open at `from`, or -1 when it goes on in the next chunk; `state` carries over. */
function findFrameEnd(bytes: Uint8Array, from: number, state: ScanState): number {
  let index = from;
  if (state.afterReturn && index < bytes.length) {
    if (bytes[index] === LF) index += 1;
    state.afterReturn = false;
    if (state.blankReturn) {
      state.blankReturn = false;
      return index;
    }
  }
  let nextReturn = bytes.indexOf(CR, index);
  while (index < bytes.length) {
    const lineFeed = bytes.indexOf(LF, index);
    if (nextReturn !== -1 && nextReturn < index) nextReturn = bytes.indexOf(CR, index);
    if (lineFeed === -1 && nextReturn === -1) {
      state.lineEmpty = false;
      return -1;
    }
    const byReturn = nextReturn !== -1 && (lineFeed === -1 || nextReturn < lineFeed);
    const lineEnd = byReturn ? nextReturn : lineFeed;
    const blank = state.lineEmpty && lineEnd === index;
    state.lineEmpty = true;
    index = lineEnd + 1;
    if (byReturn) {
      if (index === bytes.length) {
        state.afterReturn = true;
        state.blankReturn = blank;
        return -1;
      }
      if (bytes[index] === LF) index += 1;
    }
    if (blank) return index;
  }
  return -1;
}

function concatenate(first: Uint8Array, firstLength: number, second: Uint8Array): Uint8Array {
  const joined = new Uint8Array(firstLength + second.length);
  joined.set(first.subarray(0, firstLength));
  joined.set(second, firstLength);
  return joined;
}

/**
 * Makes a framer for one stream. `push` and `end` never throw. Frames that lie inside one chunk are views of it (no copy); a
 * frame that spans chunks is copied once.
 */
export function createSseFramer(): Framer {
  const decoder = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true });
  const state: ScanState = { lineEmpty: true, afterReturn: false, blankReturn: false, deaf: false };
  // The incomplete frame: grown by doubling, so a frame fed byte by byte costs linear time.
  let tail = new Uint8Array(0);
  let tailLength = 0;
  let first = true;

  function take(bytes: Uint8Array): Frame {
    tailLength = 0;
    state.lineEmpty = true;
    if (bytes.length > LIMITS.frameBytes) return oversize(bytes);
    let text = decoder.decode(bytes);
    if (first) {
      first = false;
      if (text.charCodeAt(0) === 0xfeff) text = text.slice(1);
    }
    return readFrame(bytes, text);
  }

  function oversize(bytes: Uint8Array): Frame {
    state.deaf = true;
    tail = new Uint8Array(0);
    tailLength = 0;
    return { bytes, event: OVERSIZE_EVENT, data: null };
  }

  function keep(rest: Uint8Array): void {
    const needed = tailLength + rest.length;
    if (needed > tail.length) {
      const grown = new Uint8Array(Math.max(needed, tail.length * 2, 1024));
      grown.set(tail.subarray(0, tailLength));
      tail = grown;
    }
    tail.set(rest, tailLength);
    tailLength = needed;
  }

  return {
    push(bytes) {
      const frames: Frame[] = [];
      let start = 0;
      while (start < bytes.length && !state.deaf) {
        const end = findFrameEnd(bytes, start, state);
        if (end === -1) break;
        const part = start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end);
        frames.push(take(tailLength === 0 ? part : concatenate(tail, tailLength, part)));
        start = end;
      }
      if (state.deaf || start === bytes.length) return frames;
      const rest = bytes.subarray(start);
      if (tailLength + rest.length > LIMITS.frameBytes) frames.push(oversize(concatenate(tail, tailLength, rest)));
      else keep(rest);
      return frames;
    },
    end() {
      if (state.deaf || tailLength === 0) return [];
      const rest = tail.slice(0, tailLength);
      state.afterReturn = false;
      state.blankReturn = false;
      return [take(rest)];
    },
    pendingBytes: () => tailLength,
  };
}

/** The fields of one frame's text. The common shape, a lone `data:` line, is cut out without splitting. */
function readFrame(bytes: Uint8Array, text: string): Frame {
  const returns = text.includes("\r");
  if (!returns && text.startsWith("data:")) {
    const lineEnd = text.indexOf("\n");
    if (lineEnd !== -1 && lineEnd === text.length - 2) {
      return { bytes, event: null, data: text.slice(text.charCodeAt(5) === 32 ? 6 : 5, lineEnd) };
    }
  }
  const lines = returns ? text.split(/\r\n|\n|\r/) : text.split("\n");
  let event: string | null = null;
  let data: string | null = null;
  let error: string | null = null;
  for (const line of lines) {
    const colon = line.indexOf(":");
    if (colon === 0 || line === "") continue;
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? "" : line.slice(line.charCodeAt(colon + 1) === 32 ? colon + 2 : colon + 1);
    if (field === "data") data = data === null ? value : `${data}\n${value}`;
    else if (field === "event") event = value;
    else if (field === "error") error = error === null ? value : `${error}\n${value}`;
  }
  if (error !== null) return { bytes, event: "error", data: error };
  return { bytes, event, data };
}

/**
 * One frame as text. `json` may hold line breaks between its tokens (raw slices of a pretty-printed body); they become spaces,
 * since in JSON a line break never stands inside a string.
 */
export function renderSseFrame(event: string | null, json: string): string {
  const line = json.includes("\n") || json.includes("\r") ? json.replace(/[\r\n]+/g, " ") : json;
  return event === null ? `data: ${line}\n\n` : `event: ${event}\ndata: ${line}\n\n`;
}
