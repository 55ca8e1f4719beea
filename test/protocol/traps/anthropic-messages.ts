/** Traps of Anthropic Messages: in answers here, in requests below. */
import { expect } from "vitest";
import { usageOf } from "../../../scripts/usage-vectors/reading.ts";
import { PROTOCOLS } from "../../../workers/protocol/index.ts";
import { context } from "../bodies.ts";
import type { Json } from "../readings/reading.ts";
import { expectSaid, expectUntouched, type Trap, type TrapAnswer } from "./trap.ts";

function ofType({ documents }: TrapAnswer, type: string): Json[] {
  return documents.filter((document) => document.type === type);
}

/** Blocks as they begin, or as they stand in a whole body. */
function blocksOf(answer: TrapAnswer): Json[] {
  return answer.recording.stream
    ? ofType(answer, "content_block_start").map((event) => event.content_block)
    : answer.documents.flatMap((document) => document.content ?? []);
}

function deltasOf(answer: TrapAnswer, block: number): Json[] {
  return ofType(answer, "content_block_delta").flatMap(({ index, delta }) => (index === block ? [delta] : []));
}

function stopReason(answer: TrapAnswer): string | undefined {
  return answer.documents.map((document) => document.delta?.stop_reason ?? document.stop_reason).find((reason) => reason);
}

/** The answer told whole in its own wire. */
function toldWhole({ events }: TrapAnswer): Json[] {
  return JSON.parse(PROTOCOLS["anthropic-messages"].renderResponse(events, context())).content;
}

/** Places of the blocks of one type. */
function placesOf(answer: TrapAnswer, type: string): number[] {
  return ofType(answer, "content_block_start").flatMap(({ index, content_block: block }) => (block.type === type ? [index] : []));
}

function signatureOnly(answer: TrapAnswer): number[] {
  return placesOf(answer, "thinking").filter((place) => {
    const deltas = deltasOf(answer, place);
    return deltas.some(({ type }) => type === "signature_delta") && deltas.every(({ thinking }) => !thinking);
  });
}

function sealedData(blocks: readonly Json[]): unknown[] {
  return blocks.filter((block) => block.type === "redacted_thinking").map(({ data }) => data);
}

/** Which of the calls has no arguments at all: -1 for none. */
function withoutArguments(answer: TrapAnswer): number {
  const calls = ofType(answer, "content_block_start").filter((event) => event.content_block.type === "tool_use");
  return calls.findIndex(
    ({ index, content_block: block }) =>
      Object.keys(block.input).length === 0 && deltasOf(answer, index).every(({ partial_json: part }) => part === ""),
  );
}

export const ANTHROPIC_MESSAGES_TRAPS: readonly Trap[] = [
  {
    name: "input-tokens-revised-in-message_delta",
    says: "input that the end counts anew replaces what the start said",
    own: ["input-revised.sse"],
    shows(answer) {
      const [start] = ofType(answer, "message_start");
      const end = ofType(answer, "message_delta").at(-1);
      return (end?.usage?.input_tokens ?? start.message.usage.input_tokens) !== start.message.usage.input_tokens;
    },
    check(answer) {
      const expected = usageOf(answer.recording);
      expect(answer.meter.usage).toEqual(expected);
      expect(expected.input_tokens).toBeGreaterThanOrEqual(ofType(answer, "message_delta").at(-1)?.usage.input_tokens);
      const { input_tokens: input, cache_read_tokens: read, cache_write_5m_tokens: write5m, cache_write_1h_tokens: write1h } = expected;
      expect(answer.readingFor("openai-chat").promptTokens).toBe((input ?? 0) + (read ?? 0) + (write5m ?? 0) + (write1h ?? 0));
      expectUntouched(answer);
    },
  },
  {
    name: "no-content-blocks",
    says: "an answer without blocks is a whole answer of nothing, or the error it is",
    own: ["no-content.sse", "ERR200-first.sse"],
    shows: (answer) => blocksOf(answer).length === 0,
    check(answer) {
      expectUntouched(answer);
      expectSaid(answer);
      expect(answer.readingFor("openai-chat").finish).not.toBeNull();
      const whole: Json = JSON.parse(PROTOCOLS["openai-chat"].renderResponse(answer.events, context()));
      expect(whole.choices[0].message).toMatchObject({ role: "assistant" });
    },
  },
  {
    name: "redacted-thinking",
    says: "sealed thinking has no text and keeps its data",
    own: ["redacted-thinking.sse"],
    shows: (answer) => placesOf(answer, "redacted_thinking").length > 0,
    check(answer) {
      expect(sealedData(toldWhole(answer))).toEqual(sealedData(blocksOf(answer)));
      expect(answer.summary.choices[0]?.reasoning).toBe(answer.reading.reasoning);
      expectUntouched(answer);
      expectSaid(answer);
    },
  },
  {
    name: "thinking-signature-only",
    says: "thinking without text keeps its block and its signature",
    own: ["signature-only.sse"],
    shows: (answer) => signatureOnly(answer).length > 0,
    check(answer) {
      const told = toldWhole(answer).filter((block) => block.type === "thinking");
      for (const place of signatureOnly(answer)) {
        const signature = deltasOf(answer, place)
          .map((delta) => delta.signature ?? "")
          .join("");
        expect(told).toContainEqual(expect.objectContaining({ thinking: "", signature }));
      }
      expectUntouched(answer);
      expectSaid(answer);
    },
  },
  {
    name: "stop-pause_turn",
    says: "a pause is kept as one for its own wire, and is a stop for others",
    own: ["pause.sse", "pause.json"],
    shows: (answer) => stopReason(answer) === "pause_turn",
    check(answer) {
      expect(answer.summary.choices[0]).toMatchObject({ finish: "pause", raw: "pause_turn" });
      expect(answer.readingFor("openai-chat").finish).toBe("stop");
      expect(JSON.parse(PROTOCOLS["anthropic-messages"].renderResponse(answer.events, context())).stop_reason).toBe("pause_turn");
      expectUntouched(answer);
      expectSaid(answer);
    },
  },
  {
    name: "stop-refusal",
    says: "a refusal is told as one",
    own: ["refusal.sse"],
    shows: (answer) => stopReason(answer) === "refusal",
    check(answer) {
      expect(answer.summary.choices[0]).toMatchObject({ finish: "refusal", raw: "refusal" });
      expect(answer.readingFor("openai-chat").finish).toBe("content_filter");
      expectUntouched(answer);
      expectSaid(answer);
    },
  },
  {
    name: "tool-use-empty-args",
    says: "a call without arguments has an object of none",
    own: ["tool-no-arguments.sse"],
    shows: (answer) => withoutArguments(answer) !== -1,
    check(answer) {
      const place = withoutArguments(answer);
      expect(answer.readingFor("openai-chat").calls[place]?.args).toBe("{}");
      expect(answer.readingFor("openai-responses").calls[place]?.args).toBe("{}");
      expectUntouched(answer);
      expectSaid(answer);
    },
  },
];
