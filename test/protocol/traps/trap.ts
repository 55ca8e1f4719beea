/**
 * What a trap is, and an answer opened up for its test: the raw documents as they stand in the bytes, what the product reads out of them,
 * and what callers of other protocols get. A trap is something on the wire that a plain reader of a format gets wrong (protocols.md §5).
 */
import { expect } from "vitest";
import type { ProtocolId } from "../../../schema/protocol.ts";
import type { CanonicalEvent } from "../../../workers/protocol/canonical.ts";
import { PROTOCOLS } from "../../../workers/protocol/index.ts";
import type { EncoderContext, Quirks } from "../../../workers/protocol/protocol.ts";
import { createRelay, relayUnary } from "../../../workers/protocol/relay.ts";
import type { Meter } from "../../../workers/protocol/relay-contract.ts";
import { PROVIDERS } from "../../../workers/provider/index.ts";
import { context } from "../bodies.ts";
import { plainFrames } from "../frames.ts";
import { READINGS } from "../readings/index.ts";
import { emptyReading, type Json, parseAll, type Reading } from "../readings/reading.ts";
import type { Recording } from "../recordings.ts";
import { type AnswerSummary, summarise } from "../summary.ts";

/** One body, opened up. */
export interface TrapAnswer {
  recording: Recording;
  text: string;
  /** The JSON of each event, line or frame; one document for a whole body. Frames of an event stream are `{type, payload}`. */
  documents: Json[];
  /** Read by eye. */
  reading: Reading;
  /** An error stands in it, or it breaks off. */
  failed: boolean;
  events: CanonicalEvent[];
  summary: AnswerSummary;
  meter: Readonly<Meter>;
  /** What a caller of this protocol gets, through the relay. */
  bytesFor(caller: ProtocolId, changes?: Partial<EncoderContext>): string;
  /** The same, read by eye. */
  readingFor(caller: ProtocolId): Reading;
}

export interface Trap {
  /** As traps.json names it. */
  name: string;
  /** What must come of it, as a sentence. */
  says: string;
  /** The trap is that the answer fails: `check` is for such answers. Others that fail are only checked to fail for every caller. */
  isFailure?: true;
  /** Bodies of our own that show it. */
  own: readonly string[];
  /** Whose quirks our own bodies are read with, where it matters. */
  provider?: string;
  /** Whether the body really holds the trap, by its raw documents. */
  shows: (answer: TrapAnswer) => boolean;
  check: (answer: TrapAnswer) => void;
}

function documentsOf({ protocol, stream, bytes }: Recording): Json[] {
  if (!stream) return [JSON.parse(bytes.toString().replace(/^\uFEFF/, ""))].flat();
  if (protocol === "bedrock-converse") return plainFrames(bytes).map(({ type, payload }) => ({ type, payload: JSON.parse(payload) }));
  if (protocol === "ollama-chat")
    return bytes
      .toString()
      .split("\n")
      .filter((line) => line.trim() !== "")
      .map((line) => JSON.parse(line));
  const documents: Json[] = parseAll(bytes.toString());
  // Some files hold two answers one after the other; only the first is the stream's.
  const last = documents.findIndex(({ type }) => type === "message_stop" || /^response\.(completed|incomplete|failed)$/.test(type));
  return last === -1 ? documents : documents.slice(0, last + 1);
}

function quirksOf(provider: string): Quirks {
  return PROVIDERS[provider]?.quirks ?? {};
}

interface Told {
  bytes: Buffer;
  meter: Readonly<Meter>;
  events: readonly CanonicalEvent[];
}

function tell(recording: Recording, caller: ProtocolId, changes: Partial<EncoderContext>): Told {
  const quirks = quirksOf(recording.provider);
  const options = { upstream: PROTOCOLS[recording.protocol], caller: PROTOCOLS[caller], quirks, context: context(changes) };
  if (!recording.stream) {
    const { body, meter, events } = relayUnary({ ...options, bodyText: recording.bytes.toString() });
    return { bytes: Buffer.from(body), meter, events };
  }
  const relay = createRelay({ ...options, requestId: "req_1", recordEvents: true });
  const bytes = Buffer.concat([Buffer.from(relay.push(recording.bytes)), Buffer.from(relay.end(null))]);
  return { bytes, meter: relay.meter, events: relay.takeEvents() };
}

function readBytes(protocol: ProtocolId, bytes: Buffer, stream: boolean): Reading {
  const reader = READINGS[protocol];
  if (reader === undefined) throw new Error(`nobody reads ${protocol}`);
  if (!stream && bytes.length === 0) return { ...emptyReading(), error: true };
  return stream ? reader.stream(bytes, "own") : reader.whole(bytes.toString(), "own");
}

/** Neither a terminator nor a finish; or, on Chat, neither a terminator nor the usage that is always asked for, which comes after the finish. */
function breaksOff({ protocol, provider }: Recording, reading: Reading): boolean {
  if (reading.terminated) return false;
  const asksUsage = protocol === "openai-chat" && quirksOf(provider).streamOptions !== false;
  return reading.finish === null || (asksUsage && reading.outputTokens === null);
}

export function openAnswer(recording: Recording): TrapAnswer {
  const { meter, events } = tell(recording, recording.protocol, {});
  const reader = READINGS[recording.protocol];
  if (reader === undefined) throw new Error(`nobody reads ${recording.protocol}`);
  const { bytes, provider, stream } = recording;
  const reading = stream ? reader.stream(bytes, provider) : reader.whole(bytes.toString(), provider);
  return {
    recording,
    text: bytes.toString(),
    documents: documentsOf(recording),
    reading,
    failed: reading.error || breaksOff(recording, reading),
    events: [...events],
    summary: summarise(events),
    meter,
    bytesFor: (caller, changes = {}) => tell(recording, caller, changes).bytes.toString(),
    readingFor: (caller) => readBytes(caller, tell(recording, caller, {}).bytes, stream),
  };
}

/** Arguments by value: what is no JSON is wrapped where a wire demands an object. */
export function argumentsValue(text: string): unknown {
  if (text === "" || text === "null") return {};
  try {
    return JSON.parse(text);
  } catch {
    return { _raw: text };
  }
}

function callsOf(reading: Reading): unknown[] {
  return reading.calls.map((call) => ({ name: call.name, arguments: argumentsValue(call.args) }));
}

/** What the answer says in its first choice: read by the product, and shown to callers of two other wires, it is what stands in the bytes. */
export function expectSaid(answer: TrapAnswer): void {
  const { reading, summary } = answer;
  const first = summary.choices[0];
  expect((first?.text ?? "") + (first?.refusal ?? "")).toBe(reading.texts[0] ?? "");
  for (const caller of ["anthropic-messages", "openai-chat", "bedrock-converse"] as const) {
    if (caller === answer.recording.protocol) continue;
    const shown = answer.readingFor(caller);
    expect({ caller, text: shown.texts[0] ?? "", calls: callsOf(shown), error: shown.error, terminated: shown.terminated }).toEqual({
      caller,
      text: reading.texts[0] ?? "",
      calls: callsOf(reading),
      error: false,
      terminated: true,
    });
  }
}

/** The answer fails for every caller: an error of the caller's own shape, and no word of success after it. */
export function expectFailure(answer: TrapAnswer): void {
  expect(answer.meter.error).not.toBeNull();
  expect(answer.summary.ended).toBe(false);
  for (const caller of ["anthropic-messages", "openai-responses", "ollama-chat", "bedrock-converse"] as const) {
    if (caller === answer.recording.protocol) continue;
    const shown = answer.readingFor(caller);
    expect({ caller, error: shown.error }).toEqual({ caller, error: true });
    if (caller === "anthropic-messages") expect(answer.bytesFor(caller)).not.toContain("message_stop");
    if (caller === "openai-responses") expect(answer.bytesFor(caller)).not.toContain("response.completed");
  }
}

export function occurrences(text: string, part: string): number {
  return text.split(part).length - 1;
}

/** The bytes reach a caller of the same protocol as they are. */
export function expectUntouched(answer: TrapAnswer): void {
  expect(tell(answer.recording, answer.recording.protocol, {}).bytes.equals(answer.recording.bytes)).toBe(true);
}
