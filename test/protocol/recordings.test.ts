/**
 * Every recorded body, through pass-through byte for byte and read as a careful person would read it by eye. A decoder sees nothing but
 * frames, so for a cut at every byte it is enough (and fast) that the frames are the same. What becomes of the bodies for clients of
 * other formats, and when they break off, is in test/conformance.
 */
import { afterAll, describe, expect, test } from "vitest";
import type { CanonicalEvent } from "../../workers/protocol/canonical.ts";
import { createGrammarChecker } from "../../workers/protocol/grammar.ts";
import { PROTOCOLS } from "../../workers/protocol/index.ts";
import type { Frame, Framer } from "../../workers/protocol/protocol.ts";
import { createRelay, relayUnary } from "../../workers/protocol/relay.ts";
import { type CutEffort, cutPlaces, edgesOf } from "../conformance/places.ts";
import { context, cut } from "./bodies.ts";
import { isBroken, quirksOf, readingOf } from "./recorded-reading.ts";
import { type Recording, recordings, recordingsFolder } from "./recordings.ts";
import type { Reading } from "./readings/reading.ts";
import { type AnswerSummary, summarise } from "./summary.ts";

const EFFORT: CutEffort = { everyByteBelow: 8 * 1024, seededCuts: 50, edgeBytes: 2_000_000 };
const counts = { streams: 0, bodies: 0, cuts: 0 };

interface Passed {
  output: Buffer;
  events: CanonicalEvent[];
}

/** Bytes through the relay, same protocol on both sides, usage wanted and no cost: nothing may change. */
function pass(recording: Recording, chunks: readonly Uint8Array[]): Passed {
  const protocol = PROTOCOLS[recording.protocol];
  const relay = createRelay({
    upstream: protocol,
    caller: protocol,
    quirks: quirksOf(recording),
    context: context(),
    requestId: "req_1",
    recordEvents: true,
  });
  const output = Buffer.concat([...chunks.map((chunk) => Buffer.from(relay.push(chunk))), Buffer.from(relay.end(null))]);
  return { output, events: relay.takeEvents() };
}

function normalArgs(args: string): string {
  if (args === "" || args === "null") return "{}";
  try {
    return JSON.stringify(JSON.parse(args));
  } catch {
    // Arguments that are no JSON travel wrapped where the other format demands an object.
    return JSON.stringify({ _raw: args });
  }
}

function expectReading(summary: AnswerSummary, reading: Reading): void {
  const choices = Object.values(summary.choices);
  expect(choices.map((choice) => choice.text + choice.refusal).join("|")).toBe(reading.texts.join("|"));
  expect(choices.map((choice) => choice.reasoning).join("")).toBe(reading.reasoning);
  const calls = choices.flatMap((choice) => choice.calls);
  expect(calls.map((call) => [call.name, normalArgs(call.args)])).toEqual(reading.calls.map((call) => [call.name, normalArgs(call.args)]));
  for (const [index, call] of reading.calls.entries()) if (call.id !== "") expect(calls[index]?.id).toBe(call.id);
  expect(choices[0]?.raw || null).toBe(reading.finish);
  if (summary.anomaly !== null) return;
  const { usage } = summary;
  const prompt =
    usage.input_tokens === null
      ? null
      : usage.input_tokens + (usage.cache_read_tokens ?? 0) + (usage.cache_write_5m_tokens ?? 0) + (usage.cache_write_1h_tokens ?? 0);
  expect([prompt, usage.output_tokens]).toEqual([reading.promptTokens, reading.outputTokens]);
}

function framesOf(framer: Framer, chunks: readonly Uint8Array[]): Frame[] {
  return [...chunks.flatMap((chunk) => framer.push(chunk)), ...framer.end()];
}

function sameFrames(one: readonly Frame[], other: readonly Frame[]): boolean {
  return (
    one.length === other.length &&
    one.every(
      (frame, index) =>
        frame.data === other[index]?.data && frame.event === other[index]?.event && frame.bytes.length === other[index]?.bytes.length,
    )
  );
}

const streams = recordings.filter((recording) => recording.stream && recording.status === 200);
const bodies = recordings.filter((recording) => !recording.stream && recording.status === 200);

describe.each(streams)("stream $name", (recording) => {
  const { bytes } = recording;
  const protocol = PROTOCOLS[recording.protocol];
  const whole = pass(recording, [bytes]);
  const summary = summarise(whole.events);
  const reading = readingOf(recording);
  const broken = isBroken(recording, reading);

  test("passes byte for byte and says what a plain reading says", () => {
    counts.streams += 1;
    if (broken) expect(whole.output.subarray(0, bytes.length).equals(bytes) || whole.output.includes('"error"')).toBe(true);
    else expect(whole.output.equals(bytes)).toBe(true);
    expect(summary.error !== null).toBe(broken || reading.error);
    if (!broken && !reading.error) expectReading(summary, reading);
    const check = createGrammarChecker();
    expect(whole.events.map(check).filter((fault) => fault !== null)).toEqual([]);
  });

  test("is the same however it is cut", () => {
    const frames = framesOf(protocol.createFramer(), [bytes]);
    expect(Buffer.concat(frames.map((frame) => frame.bytes)).equals(bytes)).toBe(true);
    const places = cutPlaces(bytes, edgesOf(protocol.createFramer(), bytes), EFFORT);
    for (const place of places) {
      if (!sameFrames(framesOf(protocol.createFramer(), cut(bytes, [place])), frames)) expect.fail(`cut at ${place}`);
    }
    counts.cuts += places.length;
  });
});

describe.each(bodies)("body $name", (recording) => {
  const text = recording.bytes.toString();
  const protocol = PROTOCOLS[recording.protocol];
  const passed = relayUnary({ upstream: protocol, caller: protocol, quirks: quirksOf(recording), context: context(), bodyText: text });
  const summary = summarise(passed.events);
  const reading = readingOf(recording);

  test("passes unchanged and says what a plain reading says", () => {
    counts.bodies += 1;
    expect(passed.meter.error !== null).toBe(reading.error);
    if (reading.error) return;
    expect(passed.body === text).toBe(true);
    expectReading(summary, reading);
  });
});

afterAll(() => {
  const where = recordingsFolder ?? "no recordings beside the repository; our own bodies only";
  console.log(`recordings: ${counts.streams} streams (${counts.cuts} cuts), ${counts.bodies} bodies (${where})`);
});
