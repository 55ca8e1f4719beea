/**
 * A slice of the conformance table, the same in every run: of each provider format some streams, some whole bodies and some refusals, through
 * every client protocol. `npm run conformance` runs all of it.
 */
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { ProtocolId } from "../../schema/protocol.ts";
import { PROTOCOLS } from "../../workers/protocol/index.ts";
import { PROVIDERS } from "../../workers/provider/index.ts";
import { cut } from "../protocol/bodies.ts";
import { type Recording, recordings, recordingsFolder, seededPlaces } from "../protocol/recordings.ts";
import { type CaseResult, SLICE_EFFORT } from "./case.ts";
import { factsOf } from "./facts.ts";
import { NO_WORD_FOR, sayable } from "./no-word-for.ts";
import { addResults, CLIENTS, newReport, summaryOf, UPSTREAMS } from "./report.ts";
import { recordedRequests } from "./requests.ts";
import { runProvider, runRecording, runRequest } from "./run.ts";
import { relayed, relayedCut, relayedPieces, streamSubject } from "./streams.ts";

const LARGEST_BYTES = 24 * 1024;
const PER_KIND = 6;

/** Some of a list, spread over it by a seed. */
function some<T>(list: readonly T[], count: number): T[] {
  if (list.length <= count) return [...list];
  const chosen = new Set<number>();
  for (const place of seededPlaces(list.length, count * 20, list.length - 1)) if (chosen.size < count) chosen.add(place);
  return list.filter((_, index) => chosen.has(index));
}

function sliceOf(protocol: ProtocolId): Recording[] {
  const kind = ({ stream, status }: Recording): string => (status === 200 ? (stream ? "stream" : "whole") : "refusal");
  const small = recordings.filter((recording) => recording.protocol === protocol && recording.bytes.length <= LARGEST_BYTES);
  return ["stream", "whole", "refusal"].flatMap((wanted) => {
    const ofKind = small.filter((recording) => kind(recording) === wanted);
    const own = ofKind.filter(({ provider }) => provider === "own");
    const recorded = ofKind.filter(({ provider }) => provider !== "own");
    return [...some(recorded, PER_KIND), ...some(own, PER_KIND)];
  });
}

const report = newReport();

// SDKs print what they cannot read; here it is part of the question.
beforeAll(() => {
  vi.spyOn(console, "error").mockReturnValue();
  vi.spyOn(console, "warn").mockReturnValue();
});
afterAll(() => {
  vi.restoreAllMocks();
  console.log(`conformance, a slice on ${recordingsFolder ?? "own bodies only"}: ${summaryOf(report).split("\n")[0]}`);
});

function faults(results: readonly CaseResult[]): string[] {
  addResults(report, results);
  return results
    .filter(({ outcome }) => outcome === "failed")
    .map(({ client, upstream, check, body, fault }) => `${client} < ${upstream} ${check} ${body}: ${fault}`);
}

describe.each(UPSTREAMS)("answers and refusals of %s", (protocol) => {
  const bodies = sliceOf(protocol);

  test("reach the clients of every protocol whole", { timeout: 120_000 }, async () => {
    const failed: string[] = [];
    for (const body of bodies) failed.push(...faults(await runRecording(body, CLIENTS, SLICE_EFFORT)));
    expect(failed).toEqual([]);
    expect(bodies.length).toBeGreaterThan(0);
  });
});

test("requests reach the providers of every protocol, or the losses say what does not", async () => {
  const failed: string[] = [];
  for (const request of recordedRequests) failed.push(...faults(await runRequest(request, UPSTREAMS)));
  expect(failed).toEqual([]);
  expect(recordedRequests.length).toBeGreaterThanOrEqual(CLIENTS.length);
});

/** No cuts and splits: a provider's quirks change nothing there. */
const PROVIDER_EFFORT = { ...SLICE_EFFORT, seededCuts: 1, edgeBytes: 0, splits: 0 };

test("every provider of the registry takes requests and is understood, with its quirks", { timeout: 120_000 }, async () => {
  const failed: string[] = [];
  for (const provider of Object.values(PROVIDERS))
    failed.push(...faults(await runProvider(provider, ["anthropic-messages"], PROVIDER_EFFORT)));
  expect(failed).toEqual([]);
  expect(Object.keys(report.providers).toSorted()).toEqual(Object.keys(PROVIDERS).toSorted());
});

describe("the suite itself", () => {
  const stream = recordings.find(({ name }) => name === "openai-chat/tools-streamed.sse");

  test("finds fault with an answer that lost a word, a call, an order or a token", () => {
    const events = [
      { type: "text-start", block: 0, choice: 0, refusal: false },
      { type: "text-delta", block: 0, text: "Hello" },
      { type: "text-end", block: 0 },
      { type: "tool-input-start", block: 1, choice: 0, id: "c", name: "f" },
      { type: "tool-input-delta", block: 1, text: '{"n":9007199254740993}' },
      { type: "tool-input-end", block: 1 },
      { type: "usage", usage: { input_tokens: 3, output_tokens: 2 }, final: true, anomaly: null },
      { type: "finish", choice: 0, unified: "tool-calls", raw: "x", stopSequence: null, detailsJson: null },
    ] as const;
    const whole = JSON.stringify(factsOf(events));
    const without = (index: number): string => JSON.stringify(factsOf(events.filter((_, place) => place !== index)));
    for (const index of [1, 4, 6, 7]) expect(without(index)).not.toBe(whole);
    const turned = [...events.slice(3, 6), ...events.slice(0, 3), ...events.slice(6)];
    expect(JSON.stringify(factsOf(turned))).not.toBe(whole);
    // None of this is a loss that any wire may have.
    for (const protocol of UPSTREAMS) expect(JSON.stringify(sayable(factsOf(events), protocol, "stream").facts)).toBe(whole);
  });

  test("finds fault with a translation that drops a word, and with one that ends a broken answer well", async () => {
    if (stream === undefined) throw new Error("no such body");
    const { createEncoder } = PROTOCOLS["anthropic-messages"];
    const failing = async (): Promise<string[]> =>
      (await runRecording(stream, ["anthropic-messages"], SLICE_EFFORT))
        .filter(({ outcome }) => outcome === "failed")
        .map(({ check }) => check);
    expect(await failing()).toEqual([]);
    const forgetful = vi.spyOn(PROTOCOLS["anthropic-messages"], "createEncoder").mockImplementation((context) => {
      const encoder = createEncoder(context);
      return { encode: (event) => (event.type === "tool-input-delta" ? "" : encoder.encode(event)) };
    });
    expect(await failing()).toEqual(["sdk", "trip", "fold"]);
    forgetful.mockRestore();
    const wellMeaning = vi
      .spyOn(PROTOCOLS["anthropic-messages"], "renderStreamError")
      .mockReturnValue('event: message_stop\ndata: {"type":"message_stop"}\n\n');
    expect(await failing()).toEqual(["cuts"]);
    wellMeaning.mockRestore();
  });

  test("gets the same bytes from what it remembers as from relays that remember nothing", () => {
    const bodies = UPSTREAMS.flatMap((protocol) => sliceOf(protocol).filter((body) => body.stream && body.provider === "own"));
    for (const recording of bodies) {
      const subject = streamSubject(recording);
      const { bytes, protocol } = recording;
      for (const client of CLIENTS) {
        const places = [...seededPlaces(bytes.length, 8, bytes.length), subject.edges[0] ?? 0, bytes.length, bytes.length - 1];
        for (const place of [...places, ...places.slice(0, 3)]) {
          const begun = bytes.subarray(0, place);
          expect(relayedCut(subject, client, place).output.equals(relayed(protocol, client, begun, recording).output)).toBe(true);
        }
        const pieces = relayedPieces(subject, client, cut(bytes, places));
        expect(pieces.output.equals(relayed(protocol, client, bytes, recording).output)).toBe(true);
      }
    }
    expect(bodies.length).toBeGreaterThan(20);
  });

  test("finds fault with a request that lost a word, a tool or a call without a loss that says so", async () => {
    const request = recordedRequests.find(({ name }) => name === "own request of openai-chat");
    if (request === undefined) throw new Error("no such request");
    const { renderRequest } = PROTOCOLS["anthropic-messages"];
    const faultWith = async (change: (given: Parameters<typeof renderRequest>[0]) => Parameters<typeof renderRequest>[0]) => {
      const changed = vi.spyOn(PROTOCOLS["anthropic-messages"], "renderRequest").mockImplementation((given, target) => {
        const { body } = renderRequest(change(given), target);
        return { body, losses: [] };
      });
      const [result] = await runRequest(request, ["anthropic-messages"]);
      changed.mockRestore();
      return result?.fault ?? "";
    };
    expect(await faultWith((given) => ({ ...given, turns: given.turns.slice(1) }))).toMatch(/^said/);
    expect(await faultWith((given) => ({ ...given, tools: [] }))).toMatch(/no loss says so/);
    expect(await faultWith((given) => ({ ...given, stop: [] }))).toMatch(/no loss says so/);
  });

  test("takes a recording that broke off for what it is", async () => {
    if (stream === undefined) throw new Error("no such body");
    const half: Recording = { ...stream, bytes: stream.bytes.subarray(0, stream.bytes.length >> 1) };
    const results = await runRecording(half, ["anthropic-messages"], SLICE_EFFORT);
    expect(results.map(({ check, outcome }) => [check, outcome])).toEqual([
      ["relay", "passed"],
      ["sdk", "passed"],
      ["splits", "passed"],
      ["cuts", "passed"],
    ]);
  });

  test("finds fault with a reader that throws, and goes on", async () => {
    if (stream === undefined) throw new Error("no such body");
    const throwing = vi.spyOn(PROTOCOLS["openai-chat"], "createDecoder").mockImplementation(() => {
      throw new RangeError("out of reach");
    });
    const results = await runRecording(stream, CLIENTS, SLICE_EFFORT);
    throwing.mockRestore();
    expect(results.map(({ outcome, fault }) => [outcome, fault])).toEqual(CLIENTS.map(() => ["failed", "threw RangeError: out of reach"]));
  });

  test("has no row in its table of losses without a wire and a reason", () => {
    for (const { formats, reason } of NO_WORD_FOR) expect([formats.length > 0, reason.length > 20]).toEqual([true, true]);
  });
});
