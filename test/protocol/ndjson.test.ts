import { describe, expect, test } from "vitest";
import { LIMITS } from "../../schema/limits.ts";
import { createNdjsonFramer, renderNdjsonLine } from "../../workers/protocol/ndjson.ts";
import type { Frame } from "../../workers/protocol/protocol.ts";
import { OVERSIZE_EVENT } from "../../workers/protocol/sse.ts";
import { cut, singleBytes } from "./bodies.ts";

function framed(chunks: readonly Uint8Array[]): Frame[] {
  const framer = createNdjsonFramer();
  return [...chunks.flatMap((chunk) => framer.push(chunk)), ...framer.end()];
}

const text = '{"a":"é🌍"}\r\n\n{"b":[1,2]}\n  \r\n{"c":"no end"}';
const bytes = Buffer.from(text);

describe("createNdjsonFramer()", () => {
  test("gives a line a frame, with either line end, and a last line without one", () => {
    expect(framed([bytes]).map((frame) => frame.data)).toEqual(['{"a":"é🌍"}', null, '{"b":[1,2]}', null, '{"c":"no end"}']);
  });

  test("joins to the very bytes, and is the same however the body is cut", () => {
    const whole = framed([bytes]);
    expect(Buffer.concat(whole.map((frame) => frame.bytes)).equals(bytes)).toBe(true);
    const ways = [singleBytes(bytes), ...Array.from({ length: bytes.length }, (_, place) => cut(bytes, [place]))];
    for (const chunks of ways)
      expect(framed(chunks).map((frame) => [frame.data, frame.bytes.length])).toEqual(
        whole.map((frame) => [frame.data, frame.bytes.length]),
      );
  });

  test("takes a byte order mark off the first line only", () => {
    expect(framed([Buffer.from("\uFEFF{}\n\uFEFF{}\n")]).map((frame) => frame.data)).toEqual(["{}", "\uFEFF{}"]);
  });

  test("keeps no more than the bound, and is deaf after a line that outgrew it", () => {
    const framer = createNdjsonFramer();
    const piece = new Uint8Array(LIMITS.frameBytes / 4).fill(120);
    const frames = Array.from({ length: 6 }, () => framer.push(piece)).flat();
    expect(frames.map((frame) => frame.event)).toEqual([OVERSIZE_EVENT]);
    expect(framer.pendingBytes()).toBe(0);
    expect([...framer.push(Buffer.from("{}\n")), ...framer.end()]).toEqual([]);
  });

  test("says how much is kept of a line that has not ended", () => {
    const framer = createNdjsonFramer();
    framer.push(Buffer.from('{}\n{"a'));
    expect(framer.pendingBytes()).toBe(3);
  });
});

test("renderNdjsonLine() keeps raw text of several lines on one", () => {
  expect(renderNdjsonLine('{"a":\r\n 1,\n"b":"\\n"}')).toBe('{"a":  1, "b":"\\n"}\n');
});
