/**
 * Every recorded body, through pass-through byte for byte and through the hub without loss, whole and cut in many ways.
 *
 * A decoder sees nothing but frames, so for a cut at every byte it is enough (and fast) that the frames are the same; the whole
 * relay is then driven byte by byte, by the recorded network chunks, at event edges and at seeded places.
 */
import { afterAll, describe, expect, test } from "vitest";
import type { ProtocolId } from "../../schema/protocol.ts";
import type { CanonicalEvent } from "../../workers/protocol/canonical.ts";
import { createGrammarChecker } from "../../workers/protocol/grammar.ts";
import { PROTOCOLS } from "../../workers/protocol/index.ts";
import type { Frame, Framer, Quirks } from "../../workers/protocol/protocol.ts";
import { createRelay, relayUnary } from "../../workers/protocol/relay.ts";
import { context, cut, decodeStream, singleBytes } from "./bodies.ts";
import { type Recording, recordings, recordingsFolder, seededPlaces } from "./recordings.ts";
import { READINGS } from "./readings/index.ts";
import type { PlainReader, Reading } from "./readings/reading.ts";
import { type AnswerSummary, summarise } from "./summary.ts";

/** The format a body takes its trip through. */
function otherOf(protocol: ProtocolId): ProtocolId {
  return protocol === "openai-chat" ? "anthropic-messages" : "openai-chat";
}

function readerOf(recording: Recording): PlainReader {
  const reader = READINGS[recording.protocol];
  if (reader === undefined) throw new Error(`nobody reads ${recording.protocol}`);
  return reader;
}

const EVERY_BYTE_BELOW = 8 * 1024;
const counts = { streams: 0, bodies: 0, errors: 0, cuts: 0, translated: 0 };

function quirksOf(recording: Recording): Quirks {
  return recording.provider === "xai" ? { outputExcludesReasoning: true, inputExcludesCache: true } : {};
}

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

/** Finish reasons that one of the two formats has no word for, by the nearest it has. */
const NEAREST: Readonly<Record<string, string>> = {
  "stop-sequence": "stop",
  pause: "stop",
  malformed: "stop",
  "context-full": "length",
  refusal: "content-filter",
};

/** What must survive a trip through the other format: text, calls, their order, finish, usage. */
function comparable(summary: AnswerSummary, ordered: boolean, original: AnswerSummary): unknown {
  const choice = summary.choices[0];
  const { usage } = summary;
  const finish = choice?.finish ?? "none";
  return {
    text: (choice?.text ?? "") + (choice?.refusal ?? ""),
    reasoning: choice?.reasoning ?? "",
    calls: (choice?.calls ?? []).map((call) => ({ ...call, args: normalArgs(call.args) })),
    order: ordered
      ? joined(
          choice?.order
            .map((kind) => (kind === "refusal" ? "text" : kind))
            .filter((kind) => kind === "call" || (kind === "text" && (choice.text !== "" || choice.refusal !== ""))) ?? [],
        )
      : null,
    // A refusal is told by the text's kind in one format and by the reason in the other. For a call that its provider calls malformed
    // the other formats have no word; there it is a call.
    finish: original.choices[0]?.refusal
      ? "any"
      : (finish === "stop" || finish === "malformed") && (choice?.calls.length ?? 0) > 0
        ? "tool-calls"
        : (NEAREST[finish] ?? finish),
    // What the provider never said is not compared: one format has no way to leave its prompt count out at the start, and another
    // shows no usage at all where the prompt is not counted (an Ollama server that had it all in its cache).
    usage:
      original.usage.output_tokens === null || original.usage.input_tokens === null
        ? "unreported"
        : [
            usage.input_tokens,
            usage.cache_read_tokens ?? 0,
            (usage.cache_write_5m_tokens ?? 0) + (usage.cache_write_1h_tokens ?? 0),
            usage.output_tokens,
          ],
  };
}

function joined(kinds: readonly string[]): string[] {
  return kinds.filter((kind, index) => kind === "call" || kinds[index - 1] !== kind);
}

function encodeStream(protocol: ProtocolId, events: readonly CanonicalEvent[]): Uint8Array {
  const encoder = PROTOCOLS[protocol].createEncoder(context());
  return Buffer.concat(events.map((event) => Buffer.from(encoder.encode(event))));
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

/** Where to cut a long body: each event's edge and three bytes around it, as far as 200 places go, and 200 seeded ones. */
function placesOf(frames: readonly Frame[], length: number, seeded: number): number[] {
  const edges: number[] = [];
  let offset = 0;
  const step = Math.max(1, Math.floor(frames.length / 28));
  for (const [index, frame] of frames.entries()) {
    offset += frame.bytes.length;
    if (index % step === 0) for (let shift = -3; shift <= 3; shift++) edges.push(offset + shift);
  }
  return [...edges, ...seededPlaces(length, seeded, length)].filter((place) => place > 0 && place < length);
}

const streams = recordings.filter((recording) => recording.stream && recording.status === 200);
const bodies = recordings.filter((recording) => !recording.stream && recording.status === 200);
const errors = recordings.filter((recording) => recording.status !== 200);

describe.each(streams)("stream $name", (recording) => {
  const { bytes } = recording;
  const protocol = PROTOCOLS[recording.protocol];
  const whole = pass(recording, [bytes]);
  const summary = summarise(whole.events);
  const reading = readerOf(recording).stream(bytes, recording.provider);
  const broken = !reading.error && !reading.terminated && reading.finish === null;

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
    const everyByte =
      bytes.length < EVERY_BYTE_BELOW
        ? Array.from({ length: bytes.length - 1 }, (_, index) => index + 1)
        : placesOf(frames, bytes.length, 200);
    for (const place of everyByte) {
      if (!sameFrames(framesOf(protocol.createFramer(), cut(bytes, [place])), frames)) expect.fail(`cut at ${place}`);
    }
    counts.cuts += everyByte.length;
    const digest = JSON.stringify(whole.events);
    const recordedChunks =
      recording.chunkLengths
        ?.reduce<number[]>((places, length) => [...places, (places.at(-1) ?? 0) + length], [])
        .filter((place) => place < bytes.length) ?? [];
    const few = placesOf(frames, bytes.length, 200).filter((_, index) => index % 6 === 0);
    for (const chunks of [singleBytes(bytes), cut(bytes, recordedChunks), ...few.map((place) => cut(bytes, [place]))]) {
      const again = pass(recording, chunks);
      expect(again.output.equals(whole.output)).toBe(true);
      expect(JSON.stringify(again.events) === digest).toBe(true);
    }
  });

  // What broke off, failed, or has several choices has no counterpart in the other format.
  if (broken || reading.error || reading.texts.length > 1) return;

  test("survives the trip through the other format and back", () => {
    counts.translated += 1;
    const there = decodeStream(PROTOCOLS[otherOf(recording.protocol)], [encodeStream(otherOf(recording.protocol), whole.events)]);
    const back = decodeStream(protocol, [encodeStream(recording.protocol, there)]);
    expect(comparable(summarise(there), true, summary)).toEqual(comparable(summary, true, summary));
    expect(comparable(summarise(back), true, summary)).toEqual(comparable(summary, true, summary));
  });
});

describe.each(bodies)("body $name", (recording) => {
  const text = recording.bytes.toString();
  const protocol = PROTOCOLS[recording.protocol];
  const passed = relayUnary({ upstream: protocol, caller: protocol, quirks: quirksOf(recording), context: context(), bodyText: text });
  const summary = summarise(passed.events);
  const reading = readerOf(recording).whole(text, recording.provider);

  test("passes unchanged and says what a plain reading says", () => {
    counts.bodies += 1;
    expect(passed.meter.error !== null).toBe(reading.error);
    if (reading.error) return;
    expect(passed.body === text).toBe(true);
    expectReading(summary, reading);
  });

  if (reading.error || reading.texts.length > 1) return;

  test("survives the trip through the other format and back", () => {
    counts.translated += 1;
    const other = PROTOCOLS[otherOf(recording.protocol)];
    const there = other.parseResponse(other.renderResponse(passed.events, context()), {});
    const back = protocol.parseResponse(protocol.renderResponse(there, context()), {});
    const cutOff = Object.values(summary.choices).some((choice) => choice.finish === "length" && choice.calls.length > 0);
    if (cutOff) return;
    expect(comparable(summarise(back), false, summary)).toEqual(comparable(summary, false, summary));
  });
});

describe.each(errors)("error $name", (recording) => {
  test("keeps a caller's mistake as the provider stated it and shows nothing else of the provider", () => {
    counts.errors += 1;
    const protocol = PROTOCOLS[recording.protocol];
    const error = protocol.parseError(recording.status, new Headers(), recording.bytes.toString());
    // Some providers refuse the gateway's own key with 400.
    const refusesKey = recording.status === 400 && /API key not valid|Incorrect API key/.test(recording.bytes.toString());
    const expected =
      refusesKey || [401, 402, 403].includes(recording.status) || recording.status === 500
        ? 502
        : recording.status === 529
          ? 503
          : recording.status;
    expect(error.status).toBe(expected);
    if (expected < 500) expect(recording.bytes.toString().replaceAll("\\", "")).toContain(error.message.slice(0, 30).replaceAll('"', '"'));
    else expect(recording.bytes.toString()).not.toContain(error.message);
  });
});

afterAll(() => {
  const apart = streams.length + bodies.length - counts.translated;
  const where = recordingsFolder ?? "no recordings beside the repository; our own bodies only";
  console.log(
    `recordings: ${counts.streams} streams (${counts.cuts} cuts), ${counts.bodies} bodies, ${counts.errors} errors, ${counts.translated} trips through the other format, ${apart} without one (broken off, in error, or several choices) (${where})`,
  );
});
