/** Answers ended in the middle from our side: at every frame of our own bodies, from every wire to every other, read back by the caller's own decoder. */
import { describe, expect, test } from "vitest";
import { operationOf, PROTOCOL_IDS, type ProtocolId } from "../../schema/protocol.ts";
import type { Usage } from "../../schema/usage.ts";
import { PROTOCOLS } from "../../workers/protocol/index.ts";
import type { Protocol } from "../../workers/protocol/protocol.ts";
import { createRelay } from "../../workers/protocol/relay.ts";
import { body, bodyNames, context, decodeStream } from "./bodies.ts";
import { framed } from "./frames.ts";
import { type AnswerSummary, summarise } from "./summary.ts";

const USAGE: Usage = {
  input_tokens: 321,
  cache_read_tokens: null,
  cache_write_5m_tokens: null,
  cache_write_1h_tokens: null,
  output_tokens: 654,
  reasoning_tokens: null,
};

/** Protocols that callers speak. */
const CALLERS: ProtocolId[] = [
  "openai-chat",
  "openai-responses",
  "anthropic-messages",
  "gemini",
  "bedrock-converse",
  "ollama-chat",
  "ollama-generate",
];
const UPSTREAMS = PROTOCOL_IDS.filter((id) => operationOf(id) === "generate");
const ENDINGS = { sse: ".sse", ndjson: ".ndjson", eventstream: ".frames.jsonl" } as const;
/** Bodies that are no whole answers, that some wires end as a refusal whatever is said later, or whose frames are odd on purpose. */
const BROKEN =
  /refusal|metadata-first|blocked|filter|cut|ERR|error|exception|truncated|without|unterminated|finish-twice|no-done|other-maker/;

function bodiesOf(upstream: Protocol): { name: string; bytes: Uint8Array }[] {
  const ending = ENDINGS[upstream.framing];
  return bodyNames(upstream.id, ending)
    .filter((name) => !BROKEN.test(name))
    .map((name) => {
      const bytes = body(upstream.id, name);
      return { name, bytes: upstream.framing === "eventstream" ? framed(bytes.toString("utf8")) : bytes };
    });
}

interface CutAnswer {
  before: AnswerSummary;
  after: AnswerSummary;
  text: string;
  ended: boolean;
}

/** The answer as it is after `frames` frames of the body and a cut. `before` is what the upstream had said by then. */
function cutAfter(upstream: Protocol, caller: Protocol, bytes: Uint8Array, frames: number): CutAnswer | null {
  const all = upstream.createFramer().push(bytes);
  if (frames > all.length) return null;
  const relay = createRelay({
    upstream,
    caller,
    quirks: {},
    context: context({ costMicroRub: () => 77 }),
    requestId: "req_1",
    recordEvents: true,
  });
  const pieces = all.slice(0, frames).map((frame) => relay.push(frame.bytes));
  const ended = relay.meter.ended || relay.meter.finish !== null;
  const before = summarise(relay.takeEvents());
  pieces.push(relay.cut({ usage: { ...relay.meter.usage, input_tokens: 321, output_tokens: 654 }, notice: "cut: the balance\nran out" }));
  const out = Buffer.concat(pieces);
  expect(relay.push(bytes)).toHaveLength(0);
  expect(relay.end(null)).toHaveLength(0);
  return { before, after: summarise(decodeStream(caller, [out])), text: out.toString("utf8"), ended };
}

function promptOf(usage: Usage): number {
  const { input_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens } = usage;
  return (input_tokens ?? 0) + (cache_read_tokens ?? 0) + (cache_write_5m_tokens ?? 0) + (cache_write_1h_tokens ?? 0);
}

/** Wires without a place for reasoning or calls leave them out; what they show must be what was said. */
function saidText(summary: AnswerSummary): string {
  return Object.values(summary.choices)[0]?.text ?? "";
}

describe.each(UPSTREAMS)("a stream of %s that is cut", (upstreamId) => {
  const upstream = PROTOCOLS[upstreamId];
  const bodies = bodiesOf(upstream);

  test.each(CALLERS)("at any frame is a whole answer of %s, ended for its length, charged as said", (callerId) => {
    const caller = PROTOCOLS[callerId];
    let cuts = 0;
    for (const { name, bytes } of bodies) {
      for (let frames = 1; ; frames++) {
        const answer = cutAfter(upstream, caller, bytes, frames);
        if (answer === null) break;
        if (answer.ended) continue;
        const where = `${name} after ${frames} frames`;
        const { before, after } = answer;
        expect(after.error, where).toBeNull();
        expect(after.ended, where).toBe(true);
        const finishes = Object.values(after.choices).map((choice) => choice.finish);
        expect(finishes.length, where).toBeGreaterThan(0);
        expect(
          finishes.every((finish) => finish === "length"),
          `${where}: ${finishes.join()}`,
        ).toBe(true);
        // Some wires show the cached part of a prompt as part of the whole.
        expect(promptOf(after.usage), where).toBe(promptOf({ ...before.usage, input_tokens: 321 }));
        expect(after.usage.output_tokens, where).toBe(654);
        expect(saidText(after), where).toBe(saidText(before));
        expect(answer.text.includes("cost_micro_rub"), where).toBe(true);
        expect(answer.text.includes(": cut: the balance ran out\n\n"), where).toBe(caller.framing === "sse");
        cuts += 1;
      }
    }
    expect(bodies.length === 0 || cuts > 3).toBe(true);
  });
});

test("a Responses stream that passes through and is cut numbers its last frames on and repeats all that was said", () => {
  const protocol = PROTOCOLS["openai-responses"];
  const answer = cutAfter(protocol, protocol, body("openai-responses", "text.sse"), 6);
  const numbers = [...(answer?.text ?? "").matchAll(/"sequence_number":(\d+)/g)].map((match) => Number(match[1]));
  expect(numbers).toEqual(numbers.map((_, index) => index));
  const last = answer?.text.split("\n\n").findLast((frame) => frame.includes("data:")) ?? "";
  expect(last).toContain("event: response.incomplete");
  expect(last).toContain('"incomplete_details":{"reason":"max_output_tokens"}');
  expect(last).toContain(JSON.stringify(saidText(answer?.before ?? summarise([]))));
});

test("an answer that has had its terminator is not ended again", () => {
  const protocol = PROTOCOLS["openai-chat"];
  const relay = createRelay({ upstream: protocol, caller: protocol, quirks: {}, context: context(), requestId: "req_1" });
  relay.push(body("openai-chat", "text.sse"));
  expect(relay.cut({ usage: USAGE, notice: "x" })).toHaveLength(0);
});
