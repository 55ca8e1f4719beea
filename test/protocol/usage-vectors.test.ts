/**
 * Usage of every answer, own and recorded: what the decoders say against a reading of the raw bytes that shares nothing with them
 * (scripts/usage-vectors), streamed and not, and against the totals that the wires state themselves.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { ProtocolId } from "../../schema/protocol.ts";
import { type UsageVector, usageVectors } from "../../scripts/usage-vectors.ts";
import { type SixClasses, usageOf } from "../../scripts/usage-vectors/reading.ts";
import type { CanonicalEvent } from "../../workers/protocol/canonical.ts";
import { PROTOCOLS } from "../../workers/protocol/index.ts";
import type { Quirks } from "../../workers/protocol/protocol.ts";
import { createRelay, relayUnary } from "../../workers/protocol/relay.ts";
import type { Meter } from "../../workers/protocol/relay-contract.ts";
import { PROVIDERS } from "../../workers/provider/index.ts";
import { context } from "./bodies.ts";
import { READINGS } from "./readings/index.ts";
import { type Recording, recordings, recordingsFolder } from "./recordings.ts";

const answers = recordings.filter((recording) => recording.status === 200);
const CALLERS = ["openai-chat", "openai-responses", "anthropic-messages", "gemini", "bedrock-converse", "cohere-chat"] as const;

function quirksOf(recording: Recording): Quirks {
  return PROVIDERS[recording.provider]?.quirks ?? {};
}

/** What the product reads of an answer on its way to a caller of its own protocol. */
function metered(recording: Recording): { meter: Readonly<Meter>; events: readonly CanonicalEvent[] } {
  const protocol = PROTOCOLS[recording.protocol];
  const options = { upstream: protocol, caller: protocol, quirks: quirksOf(recording), context: context() };
  if (!recording.stream) return relayUnary({ ...options, bodyText: recording.bytes.toString() });
  const relay = createRelay({ ...options, requestId: "req_1", recordEvents: true });
  relay.push(recording.bytes);
  relay.end(null);
  return { meter: relay.meter, events: relay.takeEvents() };
}

/** The answer as a caller of `protocol` would get it, streamed or whole. */
function rendered(protocol: ProtocolId, events: readonly CanonicalEvent[], stream: boolean): Buffer {
  if (!stream) return Buffer.from(PROTOCOLS[protocol].renderResponse(events, context()));
  const encoder = PROTOCOLS[protocol].createEncoder(context());
  return Buffer.concat(events.map((event) => Buffer.from(encoder.encode(event))));
}

/** Input with both cache classes, and output: what every wire can say. */
function totals(usage: SixClasses): { prompt: number | null; output: number | null } {
  const { input_tokens: input, cache_read_tokens: read, cache_write_5m_tokens: write5m, cache_write_1h_tokens: write1h } = usage;
  return { prompt: input === null ? null : input + (read ?? 0) + (write5m ?? 0) + (write1h ?? 0), output: usage.output_tokens };
}

function statedTotals(recording: Recording): number[] {
  return [...recording.bytes.toString().matchAll(/"(?:total_tokens|totalTokens|totalTokenCount)":\s*(\d+)/g)].map(([, total]) =>
    Number(total),
  );
}

describe("usage vectors", () => {
  test("the file holds every body of our own and is what `npm run usage-vectors` writes", () => {
    const file: { vectors: UsageVector[] } = JSON.parse(readFileSync(join(import.meta.dirname, "../vectors/usage.json"), "utf8"));
    expect(file.vectors).toEqual(usageVectors());
    for (const name of Object.keys(file.vectors[0]?.usage ?? {})) {
      const known = file.vectors.filter((vector) => Object.entries(vector.usage).some(([key, tokens]) => key === name && tokens !== null));
      expect(known.length, `bodies that report ${name}`).toBeGreaterThan(3);
    }
  });
});

const counts = { streamed: 0, whole: 0, reported: 0, totals: 0, flagged: 0, pairs: 0, callers: 0 };

describe.each(answers)("usage of $name", (recording) => {
  const expected = usageOf(recording);
  const { meter, events } = metered(recording);

  test("is what an independent reading of the bytes says", () => {
    counts[recording.stream ? "streamed" : "whole"] += 1;
    if (expected.output_tokens !== null) counts.reported += 1;
    expect(meter.usage).toEqual(expected);
  });

  test("adds up to the total that the wire states, or is flagged", () => {
    const stated = statedTotals(recording);
    const { prompt, output } = totals(expected);
    const isStated = stated.length > 0 && prompt !== null && output !== null;
    if (isStated) counts.totals += 1;
    if (meter.usageAnomaly !== null) counts.flagged += 1;
    const addsUp = !isStated || stated.includes(prompt + output);
    expect(addsUp || meter.usageAnomaly !== null).toBe(true);
  });

  // A broken answer has no other form.
  if (meter.error !== null) return;

  test("is the same when the answer is told the other way, streamed for whole and whole for streamed", () => {
    counts.pairs += 1;
    const stream = !recording.stream;
    const bytes = rendered(recording.protocol, events, stream);
    expect(usageOf({ protocol: recording.protocol, provider: "own", stream, bytes })).toEqual(expected);
  });

  test("is the same for callers of other protocols", () => {
    for (const caller of CALLERS.filter((other) => other !== recording.protocol)) {
      for (const stream of [true, false]) {
        const shown = totals(usageOf({ protocol: caller, provider: "own", stream, bytes: rendered(caller, events, stream) }));
        // A wire that must show a number, or cannot show one side alone, says nothing where a side is unknown.
        if (expected.input_tokens === null || expected.output_tokens === null) continue;
        counts.callers += 1;
        expect({ caller, stream, ...shown }).toEqual({ caller, stream, ...totals(expected) });
      }
    }
  });
});

/** What an answer says, as far as it can be told streamed and whole; null where it says nothing or breaks off. */
function wordsOf({ protocol, provider, stream, bytes }: Recording): string | null {
  const reading = stream ? READINGS[protocol]?.stream(bytes, provider) : READINGS[protocol]?.whole(bytes.toString(), provider);
  if (reading === undefined || reading.error || reading.texts.join("") === "") return null;
  return JSON.stringify([protocol, provider, reading.texts, reading.reasoning, reading.calls, reading.promptTokens, reading.outputTokens]);
}

/** The same answer, told once streamed and once whole. */
const whole = new Map(answers.filter(({ stream }) => !stream).map((recording) => [wordsOf(recording), recording]));
const pairs = answers.flatMap((streamed) => {
  const words = streamed.stream ? wordsOf(streamed) : null;
  const other = words === null ? undefined : whole.get(words);
  return other === undefined ? [] : [{ streamed, other, names: `${streamed.name} and ${other.name}` }];
});

test.each(pairs)("$names say the same and have one usage", ({ streamed, other }) => {
  expect(metered(streamed).meter.usage).toEqual(metered(other).meter.usage);
});

afterAll(() => {
  console.log(
    `usage: ${counts.streamed} streams and ${counts.whole} whole bodies read twice (${counts.reported} report output), ${counts.totals} checked against a stated total, ${counts.flagged} flagged, ${counts.pairs} told the other way, ${counts.callers} shown to other callers, ${pairs.length} pairs (${recordingsFolder ?? "no recordings beside the repository; our own bodies only"})`,
  );
});
