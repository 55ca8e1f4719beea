/**
 * Frames of Amazon's event stream, written and read by Node's own tools and sharing nothing with the code under test: for bodies that are
 * kept as text (one `{"type": payload}` a line), and for plain readings of binary ones.
 */
import { frameOf } from "../../scripts/offline/event-frames.ts";

/** Lines of `{"type": payload}` as the frames they stand for, payloads as they are written. A `chunk` is wrapped as its provider wraps it. */
export function framed(text: string): Buffer {
  const frames = text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => {
      const match = /^\{"(\w+)":\s*(.*)\}\s*$/.exec(line);
      if (match === null) throw new Error(`no frame: ${line.slice(0, 80)}`);
      const [, type = "", payload = ""] = match;
      return frameOf(type, type === "chunk" ? JSON.stringify({ bytes: Buffer.from(payload).toString("base64") }) : payload);
    });
  return Buffer.concat(frames);
}

export interface PlainFrame {
  type: string;
  isException: boolean;
  payload: string;
}

/** The whole frames of a body. Only headers of text are read, which is all that these providers send. */
export function plainFrames(bytes: Buffer): PlainFrame[] {
  const frames: PlainFrame[] = [];
  let at = 0;
  while (at + 16 <= bytes.length && at + bytes.readUInt32BE(at) <= bytes.length) {
    const end = at + bytes.readUInt32BE(at);
    const headersEnd = at + 12 + bytes.readUInt32BE(at + 4);
    const headers = new Map<string, string>();
    for (let place = at + 12; place < headersEnd;) {
      const nameEnd = place + 1 + (bytes[place] ?? 0);
      const valueStart = nameEnd + 3;
      const valueEnd = valueStart + bytes.readUInt16BE(nameEnd + 1);
      headers.set(bytes.toString("utf8", place + 1, nameEnd), bytes.toString("utf8", valueStart, valueEnd));
      place = valueEnd;
    }
    const type = headers.get(":event-type") ?? headers.get(":exception-type") ?? "";
    frames.push({ type, isException: headers.get(":message-type") !== "event", payload: bytes.toString("utf8", headersEnd, end - 4) });
    at = end;
  }
  return frames;
}
