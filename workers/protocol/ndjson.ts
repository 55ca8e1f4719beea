/**
 * Newline-delimited JSON, split on bytes: a JSON text a line, whatever the chunk boundaries. A frame is the line with its line end (LF or
 * CRLF), so the frames of a stream joined are the stream. A blank line is a frame that says nothing; an unterminated last line counts.
 */
import { LIMITS } from "../../schema/limits.ts";
import type { Frame, Framer } from "./protocol.ts";
import { OVERSIZE_EVENT } from "./sse.ts";

const LF = 10;

/**
 * Makes a framer for one stream. `push` and `end` never throw. A line that outgrows `LIMITS.frameBytes` gives a frame named
 * `OVERSIZE_EVENT`, after which the framer is deaf.
 */
export function createNdjsonFramer(): Framer {
  const decoder = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true });
  // The incomplete line: grown by doubling, so a line fed byte by byte costs linear time.
  let tail = new Uint8Array(0);
  let tailLength = 0;
  let first = true;
  let deaf = false;

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

  /** The kept bytes and these as one piece; nothing is kept any more. */
  function take(part: Uint8Array): Uint8Array {
    if (tailLength === 0) return part;
    keep(part);
    const joined = tail.slice(0, tailLength);
    tailLength = 0;
    return joined;
  }

  function frameOf(bytes: Uint8Array): Frame {
    if (bytes.length > LIMITS.frameBytes) {
      deaf = true;
      tail = new Uint8Array(0);
      return { bytes, event: OVERSIZE_EVENT, data: null };
    }
    let text = decoder.decode(bytes);
    if (first && text.charCodeAt(0) === 0xfeff) text = text.slice(1);
    first = false;
    const line = text.replace(/\r?\n$/, "");
    return { bytes, event: null, data: line.trim() === "" ? null : line };
  }

  return {
    push(bytes) {
      const frames: Frame[] = [];
      let start = 0;
      while (start < bytes.length && !deaf) {
        const lineFeed = bytes.indexOf(LF, start);
        if (lineFeed === -1) break;
        frames.push(frameOf(take(start === 0 && lineFeed === bytes.length - 1 ? bytes : bytes.subarray(start, lineFeed + 1))));
        start = lineFeed + 1;
      }
      if (deaf || start === bytes.length) return frames;
      const rest = bytes.subarray(start);
      if (tailLength + rest.length > LIMITS.frameBytes) frames.push(frameOf(take(rest)));
      else keep(rest);
      return frames;
    },
    end() {
      return deaf || tailLength === 0 ? [] : [frameOf(take(new Uint8Array(0)))];
    },
    pendingBytes: () => tailLength,
  };
}

/** One line. `json` may hold line breaks between its tokens (raw slices of a pretty-printed body); in JSON none stands inside a string. */
export function renderNdjsonLine(json: string): string {
  return `${json.includes("\n") || json.includes("\r") ? json.replace(/[\r\n]+/g, " ") : json}\n`;
}
