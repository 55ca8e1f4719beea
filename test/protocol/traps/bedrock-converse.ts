/** Traps of Bedrock Converse: brackets that are not there, frames that are no events, and what is counted where. */
import { expect } from "vitest";
import { usageOf } from "../../../scripts/usage-vectors/reading.ts";
import { PROTOCOLS } from "../../../workers/protocol/index.ts";
import { context } from "../bodies.ts";
import { plainFrames } from "../frames.ts";
import type { Json } from "../readings/reading.ts";
import { expectFailure, expectSaid, expectUntouched, type Trap, type TrapAnswer } from "./trap.ts";

function ofType({ documents }: TrapAnswer, type: string): Json[] {
  return documents.filter((document) => document.type === type).map(({ payload }) => payload);
}

function deltas(answer: TrapAnswer): Json[] {
  return ofType(answer, "contentBlockDelta").map(({ delta }) => delta);
}

function reasoningParts(answer: TrapAnswer): Json[] {
  return deltas(answer)
    .map((delta) => delta.reasoningContent)
    .filter((part) => part);
}

/** What an exception under status 200 means for the caller. */
const EXCEPTION_STATUS: Record<string, number> = {
  validationException: 400,
  throttlingException: 429,
  modelStreamErrorException: 502,
  internalServerException: 502,
  serviceUnavailableException: 503,
};

function bytesOf(parts: readonly string[]): string {
  return parts.map((part) => Buffer.from(part, "base64").toString("hex")).join("");
}

/** The answer told whole in its own wire. */
function toldWhole({ events }: TrapAnswer): Json[] {
  const answer: Json = JSON.parse(PROTOCOLS["bedrock-converse"].renderResponse(events, context()));
  return answer.output.message.content;
}

export const BEDROCK_CONVERSE_TRAPS: readonly Trap[] = [
  {
    name: "block-without-start",
    says: "text whose block was never opened is text in a block",
    own: ["text.frames.jsonl"],
    shows: (answer) => {
      const opened = new Set(ofType(answer, "contentBlockStart").map(({ contentBlockIndex }) => contentBlockIndex));
      return ofType(answer, "contentBlockDelta").some(({ contentBlockIndex }) => !opened.has(contentBlockIndex));
    },
    check(answer) {
      expectUntouched(answer);
      const shown = answer.bytesFor("anthropic-messages");
      expect(shown.indexOf("content_block_start")).toBeGreaterThan(0);
      expect(shown.indexOf("content_block_start")).toBeLessThan(shown.indexOf("content_block_delta"));
      expectSaid(answer);
    },
  },
  {
    name: "citation-delta",
    says: "a citation is a source and no text",
    own: ["citation.frames.jsonl"],
    shows: (answer) => deltas(answer).some((delta) => delta.citation),
    check(answer) {
      const sources = answer.events.filter((event) => event.type === "source");
      expect(sources).toHaveLength(deltas(answer).filter((delta) => delta.citation).length);
      expectUntouched(answer);
      expectSaid(answer);
    },
  },
  {
    name: "exception-frame",
    says: "an exception frame under status 200 ends the answer as failed, first or in the middle",
    isFailure: true,
    own: ["exception-first.frames.jsonl", "exception-middle.frames.jsonl", "exception-validation.frames.jsonl"],
    shows: ({ recording }) => plainFrames(recording.bytes).some(({ isException }) => isException),
    check(answer) {
      expectFailure(answer);
      expectUntouched(answer);
      const type = answer.documents.map((document) => document.type).find((one: string) => one.endsWith("Exception"));
      expect([type, answer.meter.error?.status]).toEqual([type, EXCEPTION_STATUS[type]]);
    },
  },
  {
    name: "guardrail-trace",
    says: "a trace beside the usage changes neither, and passes",
    own: ["guardrail.frames.jsonl"],
    shows: (answer) => ofType(answer, "metadata").some(({ trace }) => trace),
    check(answer) {
      expect(answer.meter.usage).toEqual(usageOf(answer.recording));
      expect(answer.meter.usage.output_tokens).not.toBeNull();
      expectUntouched(answer);
      expectSaid(answer);
    },
  },
  {
    name: "reasoning-text",
    says: "reasoning is reasoning and no text",
    own: ["reasoning.frames.jsonl"],
    shows: (answer) => reasoningParts(answer).some(({ text }) => text),
    check(answer) {
      expect(answer.summary.choices[0]?.reasoning).toBe(answer.reading.reasoning);
      expect(answer.readingFor("openai-chat").reasoning).toBe(answer.reading.reasoning);
      expectSaid(answer);
    },
  },
  {
    name: "reasoning-signature",
    says: "the signature stays with its reasoning, byte for byte",
    own: ["reasoning.frames.jsonl", "signature-only.frames.jsonl"],
    shows: (answer) => reasoningParts(answer).some(({ signature }) => signature),
    check(answer) {
      const signatures = reasoningParts(answer).flatMap(({ signature }) => signature ?? []);
      const told = toldWhole(answer).flatMap(({ reasoningContent }) => reasoningContent?.reasoningText?.signature ?? []);
      expect(told.join("")).toBe(signatures.join(""));
      expectUntouched(answer);
    },
  },
  {
    name: "reasoning-redactedContent",
    says: "sealed reasoning has no text and keeps its bytes",
    own: ["reasoning-redacted.frames.jsonl"],
    shows: (answer) => reasoningParts(answer).some(({ redactedContent }) => redactedContent),
    check(answer) {
      const sealed = reasoningParts(answer).flatMap(({ redactedContent }) => redactedContent ?? []);
      const told = toldWhole(answer).flatMap(({ reasoningContent }) => reasoningContent?.redactedContent ?? []);
      expect(bytesOf(told)).toBe(bytesOf(sealed));
      expect(answer.summary.choices[0]?.reasoning).toBe(answer.reading.reasoning);
      expectSaid(answer);
    },
  },
  {
    name: "total-includes-cache",
    says: "input stands beside its caches and is never made smaller by them",
    own: ["cache.frames.jsonl"],
    shows: (answer) =>
      ofType(answer, "metadata").some(
        ({ usage }) => usage.totalTokens > usage.inputTokens + usage.outputTokens && usage.cacheReadInputTokens,
      ),
    check(answer) {
      const usage = ofType(answer, "metadata").at(-1)?.usage;
      const read = answer.meter.usage;
      expect(read).toMatchObject({ input_tokens: usage.inputTokens, cache_read_tokens: usage.cacheReadInputTokens });
      const written = (read.cache_write_5m_tokens ?? 0) + (read.cache_write_1h_tokens ?? 0);
      expect((read.input_tokens ?? 0) + (read.cache_read_tokens ?? 0) + written + (read.output_tokens ?? 0)).toBe(usage.totalTokens);
      expect(answer.readingFor("openai-chat").promptTokens).toBe(usage.totalTokens - usage.outputTokens);
    },
  },
];
