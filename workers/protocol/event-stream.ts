/**
 * Amazon's binary event stream (`application/vnd.amazon.eventstream`): frames with two checksums, typed headers and a payload.
 *
 * `u32 length | u32 headers length | u32 CRC-32 of these 8 bytes | headers | payload | u32 CRC-32 of all before`, big-endian. A header
 * is `u8 name length | name | u8 type | value`. Source: the Smithy specification of the format; the official test vectors are run in
 * test/protocol/event-stream.test.ts.
 */
import { LIMITS } from "../../schema/limits.ts";
import type { Frame, Framer } from "./protocol.ts";
import { OVERSIZE_EVENT } from "./sse.ts";

/** Event name of bytes that are no frame: a checksum or a length is wrong. The framer is deaf after it, since it no longer knows where frames begin. */
export const CORRUPT_EVENT = "plyrum-corrupt";
/** Event name of a frame whose rest never came. */
export const CUT_EVENT = "plyrum-cut";

/** One header's value with its type. `long` and `timestamp` (milliseconds) are 64-bit; `uuid` is 16 bytes. */
export type HeaderValue =
  | { type: "boolean"; value: boolean }
  | { type: "byte" | "short" | "integer"; value: number }
  | { type: "long" | "timestamp"; value: bigint }
  | { type: "binary" | "uuid"; value: Uint8Array }
  | { type: "string"; value: string };

export interface EventMessage {
  headers: Map<string, HeaderValue>;
  payload: Uint8Array;
}

const PRELUDE_BYTES = 12;
const CHECKSUM_BYTES = 4;
const OVERHEAD_BYTES = PRELUDE_BYTES + CHECKSUM_BYTES;

/** The types by their number on the wire; 0 and 1 are the two booleans. */
const TYPES = ["boolean", "boolean", "byte", "short", "integer", "long", "binary", "string", "timestamp", "uuid"] as const;
/** Bytes of a value of fixed size, by its number; the others begin with their length in two bytes. */
const FIXED_BYTES: Readonly<Record<number, number>> = { 0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16 };

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value >>> 0;
});

/** CRC-32 (ISO 3309) of `bytes` from `start` to `end`. */
export function crc32(bytes: Uint8Array, start = 0, end = bytes.length): number {
  let crc = 0xffffffff;
  for (let index = start; index < end; index++) crc = (CRC_TABLE[(crc ^ (bytes[index] ?? 0)) & 0xff] ?? 0) ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

const textEncoder = new TextEncoder();
const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const looseDecoder = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true });

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Lengths of the frame whose prelude stands at `start`; null when the prelude is wrong in itself. */
function readPrelude(bytes: Uint8Array, start: number): { total: number; headers: number } | null {
  const view = viewOf(bytes);
  const total = view.getUint32(start);
  const headers = view.getUint32(start + 4);
  if (view.getUint32(start + 8) !== crc32(bytes, start, start + 8)) return null;
  if (headers > LIMITS.eventStreamHeaderBytes || total < OVERHEAD_BYTES || headers > total - OVERHEAD_BYTES) return null;
  return { total, headers };
}

/** Reads one whole frame; null when any length, type or checksum of it is wrong. */
export function decodeMessage(bytes: Uint8Array): EventMessage | null {
  if (bytes.length < OVERHEAD_BYTES) return null;
  const prelude = readPrelude(bytes, 0);
  if (prelude === null || prelude.total !== bytes.length) return null;
  const end = bytes.length - CHECKSUM_BYTES;
  if (viewOf(bytes).getUint32(end) !== crc32(bytes, 0, end)) return null;
  const headers = readHeaders(bytes.subarray(PRELUDE_BYTES, PRELUDE_BYTES + prelude.headers));
  return headers === null ? null : { headers, payload: bytes.subarray(PRELUDE_BYTES + prelude.headers, end) };
}

function readHeaders(bytes: Uint8Array): Map<string, HeaderValue> | null {
  const headers = new Map<string, HeaderValue>();
  const view = viewOf(bytes);
  let at = 0;
  while (at < bytes.length) {
    const nameEnd = at + 1 + (bytes[at] ?? 0);
    const code = bytes[nameEnd];
    const name = readText(bytes.subarray(at + 1, nameEnd));
    if (nameEnd === at + 1 || code === undefined || code >= TYPES.length || name === null) return null;
    let start = nameEnd + 1;
    let size = FIXED_BYTES[code];
    if (size === undefined) {
      if (start + 2 > bytes.length) return null;
      size = view.getUint16(start);
      start += 2;
    }
    if (start + size > bytes.length) return null;
    const value = readValue(bytes.subarray(start, start + size), code);
    if (value === null) return null;
    headers.set(name, value);
    at = start + size;
  }
  return headers;
}

/** UTF-8 → text; null when it is none. */
function readText(bytes: Uint8Array): string | null {
  try {
    return strictDecoder.decode(bytes);
  } catch {
    return null;
  }
}

function readValue(bytes: Uint8Array, code: number): HeaderValue | null {
  const view = viewOf(bytes);
  const type = TYPES[code];
  switch (type) {
    case "boolean":
      return { type, value: code === 0 };
    case "byte":
      return { type, value: view.getInt8(0) };
    case "short":
      return { type, value: view.getInt16(0) };
    case "integer":
      return { type, value: view.getInt32(0) };
    case "long":
    case "timestamp":
      return { type, value: view.getBigInt64(0) };
    case "binary":
    case "uuid":
      return { type, value: bytes };
    case "string": {
      const value = readText(bytes);
      return value === null ? null : { type, value };
    }
    default:
      return null;
  }
}

/** Bytes of one header's value, its type's number first. */
function valueBytes(header: HeaderValue): Uint8Array {
  const code = header.type === "boolean" ? (header.value ? 0 : 1) : TYPES.lastIndexOf(header.type);
  const content = header.type === "string" ? textEncoder.encode(header.value) : header.value;
  const fixed = FIXED_BYTES[code];
  const bytes = new Uint8Array(1 + (fixed ?? 2 + (content instanceof Uint8Array ? content.length : 0)));
  const view = viewOf(bytes);
  bytes[0] = code;
  if (content instanceof Uint8Array) {
    if (fixed === undefined) view.setUint16(1, content.length);
    bytes.set(content, fixed === undefined ? 3 : 1);
  } else if (typeof content === "bigint") view.setBigInt64(1, content);
  else if (header.type === "byte") view.setInt8(1, Number(content));
  else if (header.type === "short") view.setInt16(1, Number(content));
  else if (header.type === "integer") view.setInt32(1, Number(content));
  return bytes;
}

/** One frame's bytes. Names have 1 to 255 bytes, strings and binaries at most 65,535. */
export function encodeMessage(headers: Iterable<readonly [string, HeaderValue]>, payload: Uint8Array): Uint8Array {
  return frameOf(headerBytes(headers), payload);
}

function headerBytes(headers: Iterable<readonly [string, HeaderValue]>): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const [name, value] of headers) {
    const nameBytes = textEncoder.encode(name);
    parts.push(Uint8Array.of(nameBytes.length), nameBytes, valueBytes(value));
  }
  return joinBytes(parts);
}

export function joinBytes(parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

function frameOf(headers: Uint8Array, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(OVERHEAD_BYTES + headers.length + payload.length);
  const view = viewOf(bytes);
  view.setUint32(0, bytes.length);
  view.setUint32(4, headers.length);
  view.setUint32(8, crc32(bytes, 0, 8));
  bytes.set(headers, PRELUDE_BYTES);
  bytes.set(payload, PRELUDE_BYTES + headers.length);
  view.setUint32(bytes.length - CHECKSUM_BYTES, crc32(bytes, 0, bytes.length - CHECKSUM_BYTES));
  return bytes;
}

function textHeader(value: string): HeaderValue {
  return { type: "string", value };
}

/** Headers by kind and type, printed once: the types are the few words of the wires themselves. */
const printedHeaders = new Map<string, Uint8Array>();

function headersOf(kind: "event" | "exception", type: string): Uint8Array {
  const key = `${kind} ${type}`;
  const printed =
    printedHeaders.get(key) ??
    headerBytes([
      [`:${kind}-type`, textHeader(type)],
      [":content-type", textHeader("application/json")],
      [":message-type", textHeader(kind)],
    ]);
  printedHeaders.set(key, printed);
  return printed;
}

/** One event, or one exception, with a JSON payload, as the providers of this framing write it. `type` is a word of the wire, never a caller's. */
export function renderEventFrame(kind: "event" | "exception", type: string, json: string): Uint8Array {
  return frameOf(headersOf(kind, type), textEncoder.encode(json));
}

/** The frame with another payload and the very same headers. */
export function withPayload(frame: Uint8Array, json: string): Uint8Array {
  const headersLength = viewOf(frame).getUint32(4);
  return frameOf(frame.subarray(PRELUDE_BYTES, PRELUDE_BYTES + headersLength), textEncoder.encode(json));
}

function readFrame(bytes: Uint8Array): Frame {
  const message = decodeMessage(bytes);
  if (message === null) return { bytes, event: CORRUPT_EVENT, data: null };
  const text = (name: string): string | null => {
    const header = message.headers.get(name);
    return header?.type === "string" ? header.value : null;
  };
  const data = looseDecoder.decode(message.payload);
  switch (text(":message-type")) {
    case "exception":
      return { bytes, event: text(":exception-type"), data, exception: true };
    case "error":
      // An error that the service never modelled has its code and message in headers and no payload.
      return { bytes, event: text(":error-code"), data: JSON.stringify({ message: text(":error-message") }), exception: true };
    default:
      return { bytes, event: text(":event-type"), data };
  }
}

/**
 * Makes a framer for one stream. `push` and `end` never throw. Frames that lie inside one chunk are views of it (no copy); a frame that
 * spans chunks is copied once.
 */
export function createEventStreamFramer(): Framer {
  // The incomplete frame: grown by doubling, so that a length in a prelude reserves nothing.
  let tail = new Uint8Array(0);
  let tailLength = 0;
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

  /** The frame at `start`; null when its rest is still to come. Everything left becomes one frame when its prelude is wrong. */
  function next(bytes: Uint8Array, start: number): Frame | null {
    if (bytes.length - start < PRELUDE_BYTES) return null;
    const prelude = readPrelude(bytes, start);
    const isOversize = prelude !== null && prelude.total > LIMITS.frameBytes;
    if (prelude === null || isOversize) {
      deaf = true;
      return { bytes: bytes.subarray(start), event: isOversize ? OVERSIZE_EVENT : CORRUPT_EVENT, data: null };
    }
    if (bytes.length - start < prelude.total) return null;
    const frame = readFrame(bytes.subarray(start, start + prelude.total));
    deaf = frame.event === CORRUPT_EVENT;
    return frame;
  }

  /** Bytes of the chunk that the incomplete frame still takes: up to its prelude's end, then up to its own. */
  function missing(): number {
    return (tailLength < PRELUDE_BYTES ? PRELUDE_BYTES : viewOf(tail).getUint32(0)) - tailLength;
  }

  return {
    push(bytes) {
      const frames: Frame[] = [];
      let start = 0;
      while (tailLength > 0 && start < bytes.length && !deaf) {
        const taken = Math.min(missing(), bytes.length - start);
        keep(bytes.subarray(start, start + taken));
        start += taken;
        const frame = next(tail.subarray(0, tailLength), 0);
        if (frame === null) continue;
        // The tail's bytes now belong to the frame.
        tail = new Uint8Array(0);
        tailLength = 0;
        frames.push(frame);
      }
      while (start < bytes.length && !deaf) {
        const frame = next(bytes, start);
        if (frame === null) {
          keep(bytes.subarray(start));
          break;
        }
        frames.push(frame);
        start += frame.bytes.length;
      }
      return frames;
    },
    end() {
      if (deaf || tailLength === 0) return [];
      const bytes = tail.slice(0, tailLength);
      tailLength = 0;
      return [{ bytes, event: CUT_EVENT, data: null }];
    },
    pendingBytes: () => tailLength,
  };
}
