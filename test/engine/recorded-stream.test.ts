/** The events of a recorded stream: each under its number, as it is sent, whatever pieces it came in. */
import { describe, expect, test } from "vitest";
import { numberedEvent, recordedOutlet, tailEvent } from "../../workers/engine/recorded-stream.ts";
import { seededPlaces } from "../protocol/recordings.ts";
import { cut } from "../protocol/bodies.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** What comes out of an outlet, and what was recorded of it. */
function passed(
  text: string,
  options: { counts: boolean; places?: number[] },
): { sent: string; events: [number, string][]; ended: boolean } {
  const events: [number, string][] = [];
  let ended = false;
  const record = {
    add: (number: number, bytes: Uint8Array) => void events.push([number, decoder.decode(bytes)]),
    save: () => undefined,
    end: () => void (ended = true),
    drop: () => undefined,
  };
  const outlet = recordedOutlet(record, options.counts);
  const pieces = cut(encoder.encode(text), options.places ?? []).map((piece) => decoder.decode(outlet.push(piece)));
  return { sent: [...pieces, decoder.decode(outlet.end())].join(""), events, ended };
}

describe("a stream of a wire that does not number its events", () => {
  test("gets an id before each event, and nothing else is changed", () => {
    const { sent, events, ended } = passed("data: a\n\nevent: b\r\ndata: c\r\n\r\ndata: [DONE]\n\n", { counts: false });
    expect(sent).toBe("id: 1\ndata: a\n\nid: 2\nevent: b\r\ndata: c\r\n\r\nid: 3\ndata: [DONE]\n\n");
    expect(events.map(([number]) => number)).toEqual([1, 2, 3]);
    expect(events.map(([, text]) => text).join("")).toBe(sent);
    expect(ended).toBe(true);
  });

  test("is the same however it was cut", () => {
    const text = "\uFEFFdata: привет\n\n: a comment\n\ndata: 世界\n\nid: 77\ndata: x\n\ndata: last";
    const whole = passed(text, { counts: false });
    expect(whole.sent).toBe("\uFEFFid: 1\ndata: привет\n\n: a comment\n\nid: 2\ndata: 世界\n\nid: 3\ndata: x\n\nid: 4\ndata: last");
    for (let seed = 1; seed <= 50; seed++)
      expect(passed(text, { counts: false, places: seededPlaces(seed, 7, encoder.encode(text).length) })).toEqual(whole);
  });

  test("has a provider's comment with the event after it, and a last one for itself", () => {
    const { events } = passed(": one\n\n: two\n\ndata: a\n\n: three\n\n", { counts: false });
    expect(events).toEqual([
      [1, ": one\n\n: two\n\nid: 1\ndata: a\n\n"],
      [2, ": three\n\n"],
    ]);
  });

  test("loses ids that the provider gave, which would count in place of ours", () => {
    expect(decoder.decode(numberedEvent(encoder.encode("id: 9\ndata: x\nid\nidle: y\ndata: id: 3\n\n"), 4))).toBe(
      "id: 4\ndata: x\nidle: y\ndata: id: 3\n\n",
    );
  });
});

describe("a stream of a wire that numbers its events", () => {
  test("passes as it is, under its own numbers", () => {
    const text = 'data: {"sequence_number":0}\n\ndata: {"sequence_number":4}\n\ndata: {"type":"x"}\n\ndata: {"sequence_number":6}\n\n';
    const { sent, events } = passed(text, { counts: true });
    expect(sent).toBe(text);
    expect(events.map(([number]) => number)).toEqual([0, 4, 5, 6]);
  });

  test("has an error of ours in its place, which does not know it", () => {
    const { sent, events } = passed('data: {"sequence_number":3}\n\nevent: error\ndata: {"type":"error","sequence_number":0}\n\n', {
      counts: true,
    });
    expect(sent).toContain('"sequence_number":4');
    expect(events.map(([number]) => number)).toEqual([3, 4]);
  });
});

test("the end of a stream that nobody runs any more comes after what its reader has", () => {
  expect(decoder.decode(tailEvent("data: gone\n\n", 6, true))).toBe("id: 7\ndata: gone\n\n");
  expect(decoder.decode(tailEvent('data: {"sequence_number":0}\n\n', 6, false))).toBe('data: {"sequence_number":7}\n\n');
});
