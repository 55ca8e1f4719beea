import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LIMITS } from "../../schema/limits.ts";
import type { Frame } from "../../workers/protocol/protocol.ts";
import { createSseFramer, OVERSIZE_EVENT, renderSseFrame } from "../../workers/protocol/sse.ts";

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array): string => new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);

function frames(chunks: readonly Uint8Array[]): Frame[] {
  const framer = createSseFramer();
  return [...chunks.flatMap((chunk) => framer.push(chunk)), ...framer.end()];
}

function plain(list: readonly Frame[]): { text: string; event: string | null; data: string | null }[] {
  return list.map((frame) => ({ text: decode(frame.bytes), event: frame.event, data: frame.data }));
}

function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const sorted = [0, ...places.map((place) => place % (bytes.length + 1)), bytes.length].toSorted((a, b) => a - b);
  return sorted.slice(1).map((end, index) => bytes.slice(sorted[index], end));
}

const STREAMS = [
  'data: {"a":1}\n\ndata:{"b":"привет 😀"}\n\n: comment\n\nevent: error\ndata: x\n\ndata: [DONE]\n\n',
  'event: message_start\r\ndata: {"a":1}\r\n\r\ndata: one\r\ndata: two\r\n\r\n',
  "data: a\r\rdata: b\rdata: c\r\r: c\r\r",
  "\uFEFFdata: bom\n\ndata\n\nid: 7\nretry: 5\n\n\n\ndata: tail without an end 漢",
  'data: {"a":1}\n\nerror: {"message":"died"}\n\n',
  "data: mixed\r\n\ndata: x\n\r\ndata: y\r\r\n\n",
];

describe("createSseFramer", () => {
  test("reads names and data of the usual shapes", () => {
    expect(plain(frames([encode(STREAMS[0] ?? "")])).map(({ event, data }) => [event, data])).toEqual([
      [null, '{"a":1}'],
      [null, '{"b":"привет 😀"}'],
      [null, null],
      ["error", "x"],
      [null, "[DONE]"],
    ]);
    expect(plain(frames([encode(STREAMS[1] ?? "")])).map(({ event, data }) => [event, data])).toEqual([
      ["message_start", '{"a":1}'],
      [null, "one\ntwo"],
    ]);
    expect(plain(frames([encode(STREAMS[2] ?? "")])).map(({ data }) => data)).toEqual(["a", "b\nc", null]);
  });

  test("strips a byte order mark at the start and takes an unterminated last event", () => {
    expect(plain(frames([encode(STREAMS[3] ?? "")])).map(({ data }) => data)).toEqual([
      "bom",
      "",
      null,
      null,
      null,
      "tail without an end 漢",
    ]);
  });

  test("takes a field named error for an error, as the one runtime that ends its streams so means it", () => {
    expect(plain(frames([encode(STREAMS[4] ?? "")]))[1]).toEqual({
      text: 'error: {"message":"died"}\n\n',
      event: "error",
      data: '{"message":"died"}',
    });
  });

  test("gives the same frames for every cut in two and for single bytes, and loses no byte", () => {
    for (const stream of STREAMS) {
      const bytes = encode(stream);
      const whole = plain(frames([bytes]));
      expect(whole.map((frame) => frame.text).join("")).toBe(stream);
      for (let place = 0; place <= bytes.length; place++) expect(plain(frames(cut(bytes, [place])))).toEqual(whole);
      expect(plain(frames(Array.from(bytes, (byte) => Uint8Array.of(byte))))).toEqual(whole);
    }
  });

  test("gives the same frames for any chunking of any mix of lines and line ends", () => {
    const line = fc.tuple(
      fc.constantFrom("data: x", "data:ж😀", ":c", "event: e", "", "error: no", "data"),
      fc.constantFrom("\n", "\r\n", "\r"),
    );
    fc.assert(
      fc.property(fc.array(line, { maxLength: 12 }), fc.array(fc.nat(), { maxLength: 8 }), (lines, places) => {
        const bytes = encode(lines.map(([text, end]) => text + end).join(""));
        const chunks = cut(bytes, places);
        const split = plain(frames(chunks));
        expect(split).toEqual(plain(frames([bytes])));
        expect(split.map((frame) => frame.text).join("")).toBe(decode(bytes));
      }),
      { numRuns: 400 },
    );
  });

  test("hands on views of the chunk, not copies, when frames lie inside it", () => {
    const chunk = encode("data: a\n\ndata: b\n\n");
    const framer = createSseFramer();
    for (const frame of framer.push(chunk)) expect(frame.bytes.buffer).toBe(chunk.buffer);
    const single = encode("data: c\n\n");
    expect(framer.push(single)[0]?.bytes).toBe(single);
    expect(framer.pendingBytes()).toBe(0);
  });

  test("keeps an incomplete tail of a bounded size and says so when it is outgrown", () => {
    const framer = createSseFramer();
    expect(framer.push(encode("data: abc"))).toEqual([]);
    expect(framer.pendingBytes()).toBe(9);
    const half = new Uint8Array(LIMITS.frameBytes / 2).fill(120);
    expect(framer.push(half)).toEqual([]);
    const over = framer.push(half);
    expect(over.map((frame) => frame.event)).toEqual([OVERSIZE_EVENT]);
    expect(framer.pendingBytes()).toBe(0);
    expect(framer.push(encode("data: later\n\n"))).toEqual([]);
    expect(framer.end()).toEqual([]);
  });
});

test("renderSseFrame() keeps JSON with line breaks between its tokens on one data line", () => {
  const text = renderSseFrame("e", '{\n  "a": 1\r\n}');
  expect(text).toBe('event: e\ndata: {   "a": 1 }\n\n');
  expect(frames([encode(text)]).map((frame) => JSON.parse(frame.data ?? "") as unknown)).toEqual([{ a: 1 }]);
});
