/** The binary framing: Amazon's own test vectors where they are at hand, frames of our own always, and damage of every kind. */
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { frameOf } from "../../scripts/offline/event-frames.ts";
import { LIMITS } from "../../schema/limits.ts";
import {
  CORRUPT_EVENT,
  crc32,
  createEventStreamFramer,
  CUT_EVENT,
  decodeMessage,
  encodeMessage,
  type HeaderValue,
  renderEventFrame,
  withPayload,
} from "../../workers/protocol/event-stream.ts";
import { OVERSIZE_EVENT } from "../../workers/protocol/sse.ts";
import { cut, singleBytes } from "./bodies.ts";
import { recordingsFolder } from "./recordings.ts";

const folder = recordingsFolder === null ? null : join(recordingsFolder, "eventstream-vectors");
const vectors = folder !== null && existsSync(folder) ? readdirSync(folder) : [];
const read = (name: string): Buffer => readFileSync(join(folder ?? "", name));
/** Vectors whose every length and checksum is right are named so; all others must be refused. */
const isGood = (name: string): boolean => /-valid_|-positive-/.test(name);

function headerOf(name: string, value: HeaderValue): { name: string; type: number; value: unknown } {
  const types = {
    boolean: value.value === false ? 1 : 0,
    byte: 2,
    short: 3,
    integer: 4,
    long: 5,
    binary: 6,
    string: 7,
    timestamp: 8,
    uuid: 9,
  };
  const plain =
    value.type === "string"
      ? Buffer.from(value.value).toString("base64")
      : value.value instanceof Uint8Array
        ? Buffer.from(value.value).toString("base64")
        : typeof value.value === "bigint"
          ? Number(value.value)
          : value.value;
  return { name, type: types[value.type], value: plain };
}

const decodedSchema = z.object({
  headers: z.array(z.object({ name: z.string(), type: z.number(), value: z.unknown() })),
  payload: z.string(),
});

describe("Amazon's test vectors", () => {
  const binary = vectors.filter((name) => name.endsWith(".bin"));

  test("there are 29, of which 20 are binary", (context) => {
    if (folder === null) return context.skip("no folder of recordings is beside the repository");
    expect([vectors.length, binary.length]).toEqual([29, 20]);
  });

  test.each(binary.filter(isGood))("%s is read, and written again byte for byte", (name) => {
    const message = decodeMessage(read(name));
    if (message === null) expect.fail("refused");
    expect(Buffer.from(encodeMessage(message.headers, message.payload)).equals(read(name))).toBe(true);
    const framer = createEventStreamFramer();
    const frames = [...framer.push(read(name)), ...framer.end()];
    expect(frames.map((frame) => frame.event)).not.toContain(CORRUPT_EVENT);
    expect(frames.length).toBe(1);
  });

  test.each(binary.filter((name) => !isGood(name)))("%s is refused", (name) => {
    expect(decodeMessage(read(name))).toBeNull();
    const framer = createEventStreamFramer();
    const frames = [...framer.push(read(name)), ...framer.end()];
    expect([CORRUPT_EVENT, CUT_EVENT]).toContain(frames[0]?.event);
    expect(frames.length).toBe(1);
  });

  test.each(vectors.filter((name) => name.includes("decoded-positive")))("%s says what its binary is read as", (name) => {
    const expected = decodedSchema.parse(JSON.parse(read(name).toString()));
    const message = decodeMessage(read(name.replace("decoded", "encoded").replace(".json", ".bin")));
    expect([...(message?.headers ?? [])].map(([header, value]) => headerOf(header, value))).toEqual(expected.headers);
    expect(Buffer.from(message?.payload ?? []).toString("base64")).toBe(expected.payload);
  });

  test.each(vectors.filter((name) => name.includes("decoded-negative")))("%s has a binary that is refused", (name) => {
    expect(decodeMessage(read(name.replace("decoded", "encoded").replace(".json", ".bin")))).toBeNull();
  });
});

const text = (value: string): HeaderValue => ({ type: "string", value });
const headerValue: fc.Arbitrary<HeaderValue> = fc.oneof(
  fc.boolean().map((value): HeaderValue => ({ type: "boolean", value })),
  fc.integer({ min: -128, max: 127 }).map((value): HeaderValue => ({ type: "byte", value })),
  fc.integer({ min: -32_768, max: 32_767 }).map((value): HeaderValue => ({ type: "short", value })),
  fc.integer().map((value): HeaderValue => ({ type: "integer", value })),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((value): HeaderValue => ({ type: "long", value })),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((value): HeaderValue => ({ type: "timestamp", value })),
  fc.uint8Array({ maxLength: 300 }).map((value): HeaderValue => ({ type: "binary", value })),
  fc.uint8Array({ minLength: 16, maxLength: 16 }).map((value): HeaderValue => ({ type: "uuid", value })),
  fc.string({ unit: "binary", maxLength: 50 }).map(text),
);

describe("frames", () => {
  test("a CRC-32 is the well-known one of the well-known text", () => {
    expect(crc32(new TextEncoder().encode("123456789"))).toBe(0xcbf43926);
  });

  test("headers of every type and any payload come back as they went out", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(fc.string({ minLength: 1, maxLength: 20 }), headerValue), { selector: ([name]) => name, maxLength: 8 }),
        fc.uint8Array({ maxLength: 2_000 }),
        (headers, payload) => {
          const message = decodeMessage(encodeMessage(headers, payload));
          expect(message?.headers).toEqual(new Map(headers));
          expect(Buffer.from(message?.payload ?? []).equals(Buffer.from(payload))).toBe(true);
        },
      ),
    );
  });

  test("a frame of ours is the frame that Node's own CRC and buffers make", () => {
    expect(Buffer.from(renderEventFrame("event", "metadata", '{"a":"ж"}')).equals(frameOf("metadata", '{"a":"ж"}'))).toBe(true);
    expect(Buffer.from(renderEventFrame("exception", "throttlingException", "{}")).equals(frameOf("throttlingException", "{}"))).toBe(true);
  });

  test("another payload under the same headers is a whole frame again", () => {
    expect(
      Buffer.from(withPayload(frameOf("metadata", '{"usage":{}}'), '{"usage":{"n":1}}')).equals(frameOf("metadata", '{"usage":{"n":1}}')),
    ).toBe(true);
  });

  test("any changed bit is noticed", () => {
    const frame = frameOf("contentBlockDelta", '{"delta":{"text":"lamp"}}');
    const unnoticed = Array.from({ length: frame.length * 8 }, (_, bit) => bit).filter((bit) => {
      const damaged = Buffer.from(frame);
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      return decodeMessage(damaged) !== null;
    });
    expect(unnoticed).toEqual([]);
  });
});

describe("the framer", () => {
  const frames = [
    frameOf("messageStart", '{"role":"assistant"}'),
    frameOf("contentBlockDelta", '{"delta":{"text":"маяк"}}'),
    frameOf("x", ""),
  ];
  const stream = Buffer.concat(frames);

  test("gives the same frames however the bytes are cut", () => {
    const whole = createEventStreamFramer().push(stream);
    expect(whole.map(({ event, data }) => [event, data])).toEqual([
      ["messageStart", '{"role":"assistant"}'],
      ["contentBlockDelta", '{"delta":{"text":"маяк"}}'],
      ["x", ""],
    ]);
    const cuts = [singleBytes(stream), ...Array.from({ length: stream.length - 1 }, (_, index) => cut(stream, [index + 1]))];
    for (const chunks of cuts) {
      const framer = createEventStreamFramer();
      const found = [...chunks.flatMap((chunk) => framer.push(chunk)), ...framer.end()];
      expect(found.map(({ event, data }) => [event, data])).toEqual(whole.map(({ event, data }) => [event, data]));
      expect(Buffer.concat(found.map((frame) => frame.bytes)).equals(stream)).toBe(true);
      expect(framer.pendingBytes()).toBe(0);
    }
  });

  test("does not copy frames that lie in one chunk", () => {
    for (const frame of createEventStreamFramer().push(stream)) expect(frame.bytes.buffer).toBe(stream.buffer);
  });

  test("names an unfinished frame at the end for what it is", () => {
    for (const length of [1, 11, 12, 13, frames[0]?.length ?? 0]) {
      const framer = createEventStreamFramer();
      framer.push(stream.subarray(0, (frames[0]?.length ?? 0) + length));
      const [last] = framer.end();
      expect([last?.event, last?.data, last?.bytes.length]).toEqual([CUT_EVENT, null, length]);
    }
  });

  test("is deaf after a damaged frame, since nothing after it can be trusted", () => {
    const damaged = Buffer.concat(frames);
    const place = (frames[0]?.length ?? 0) + 30;
    damaged[place] = (damaged[place] ?? 0) ^ 1;
    const framer = createEventStreamFramer();
    expect(framer.push(damaged).map((frame) => frame.event)).toEqual(["messageStart", CORRUPT_EVENT]);
    expect(framer.push(stream)).toEqual([]);
    expect(framer.end()).toEqual([]);
  });

  test("refuses a frame above the limit at its prelude, before a byte of it is kept", () => {
    const prelude = Buffer.alloc(12);
    prelude.writeUInt32BE(LIMITS.frameBytes + 1, 0);
    prelude.writeUInt32BE(0, 4);
    prelude.writeUInt32BE(crc32(prelude, 0, 8), 8);
    const framer = createEventStreamFramer();
    expect(framer.push(prelude).map((frame) => frame.event)).toEqual([OVERSIZE_EVENT]);
    expect(framer.push(Buffer.alloc(1_000))).toEqual([]);
    expect(framer.pendingBytes()).toBe(0);
  });

  test("refuses headers above the limit of the specification", () => {
    const prelude = Buffer.alloc(12);
    prelude.writeUInt32BE(LIMITS.eventStreamHeaderBytes + 100, 0);
    prelude.writeUInt32BE(LIMITS.eventStreamHeaderBytes + 1, 4);
    prelude.writeUInt32BE(crc32(prelude, 0, 8), 8);
    expect(
      createEventStreamFramer()
        .push(prelude)
        .map((frame) => frame.event),
    ).toEqual([CORRUPT_EVENT]);
  });

  test("reads an error that the service never modelled from its headers", () => {
    const bytes = encodeMessage(
      [
        [":message-type", text("error")],
        [":error-code", text("InternalFailure")],
        [":error-message", text("it broke")],
      ],
      new Uint8Array(0),
    );
    const [frame] = createEventStreamFramer().push(bytes);
    expect([frame?.event, frame?.data, frame?.exception]).toEqual(["InternalFailure", '{"message":"it broke"}', true]);
  });
});
