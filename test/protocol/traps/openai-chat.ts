/** Traps of OpenAI Chat Completions and of the providers that speak it their own way: streams, errors and usage. */
import { expect } from "vitest";
import { usageOf } from "../../../scripts/usage-vectors/reading.ts";
import type { Json } from "../readings/reading.ts";
import { expectFailure, expectSaid, expectUntouched, occurrences, type Trap, type TrapAnswer } from "./trap.ts";

/** Every choice of every chunk (or of the body). */
export function choicesOf({ documents }: TrapAnswer): Json[] {
  return documents.flatMap((document) => document.choices ?? []);
}

function hasText(content: Json): boolean {
  return (typeof content === "string" || Array.isArray(content)) && content.length > 0;
}

function finishes(answer: TrapAnswer, choice: number): number {
  return choicesOf(answer).filter(({ finish_reason: finish, index }) => finish && (index ?? 0) === choice).length;
}

/** The usage shown to a caller of Anthropic Messages: input with its caches, and output. */
function shownTokens(answer: TrapAnswer): unknown[] {
  const shown = answer.readingFor("anthropic-messages");
  return [shown.promptTokens, shown.outputTokens];
}

function expectUsageOnce(answer: TrapAnswer): void {
  const expected = usageOf(answer.recording);
  expect(answer.meter.usage).toEqual(expected);
  expect(answer.meter.usageFinal).toBe(true);
  const { input_tokens: input, cache_read_tokens: read, cache_write_5m_tokens: write5m, cache_write_1h_tokens: write1h } = expected;
  expect(shownTokens(answer)).toEqual([(input ?? 0) + (read ?? 0) + (write5m ?? 0) + (write1h ?? 0), expected.output_tokens]);
}

function usageChunks({ documents }: TrapAnswer): Json[] {
  return documents.filter((document) => document.usage);
}

const streamTraps: Trap[] = [
  {
    name: "chunk-id-changes",
    says: "the first id that is one names the answer, and there is one answer",
    own: ["empty-first-chunk.sse"],
    shows: ({ documents }) => new Set(documents.map((document) => document.id)).size > 1,
    check(answer) {
      const first = answer.documents.find((document) => document.id)?.id;
      expect(answer.summary.id).toBe(first);
      expect(answer.events.filter((event) => event.type === "start")).toHaveLength(1);
      expect(occurrences(answer.bytesFor("anthropic-messages"), "event: message_start")).toBe(1);
      expectSaid(answer);
    },
  },
  {
    name: "first-chunk-empty-choices",
    says: "a first chunk without choices begins nothing and loses nothing",
    own: ["empty-first-chunk.sse"],
    shows: ({ documents }) => documents[0]?.choices?.length === 0,
    check(answer) {
      expect(answer.summary.id).not.toBe("");
      expect(answer.bytesFor("anthropic-messages")).not.toContain('"id":""');
      expectSaid(answer);
    },
  },
  {
    name: "role+content-in-one-chunk",
    says: "text beside the role is text",
    own: ["choices.sse", "reasoning-and-content.sse"],
    shows: (answer) => choicesOf(answer).some(({ delta }) => delta?.role && hasText(delta.content)),
    check: expectSaid,
  },
  {
    name: "content+finish-in-one-chunk",
    says: "text beside the finish is text, and comes before it",
    own: ["content-with-finish.sse"],
    shows: (answer) => choicesOf(answer).some(({ delta, finish_reason: finish }) => hasText(delta?.content) && finish),
    check(answer) {
      expectSaid(answer);
      const shown = answer.bytesFor("anthropic-messages");
      expect(shown.lastIndexOf("content_block_delta")).toBeLessThan(shown.indexOf("event: message_delta"));
    },
  },
  {
    name: "reasoning+content-in-one-chunk",
    says: "both are kept, reasoning first",
    own: ["reasoning-and-content.sse"],
    shows: (answer) => choicesOf(answer).some(({ delta }) => hasText(delta?.content) && (delta.reasoning || delta.reasoning_content)),
    check(answer) {
      expectSaid(answer);
      expect(answer.summary.choices[0]?.reasoning).toBe(answer.reading.reasoning);
      expect(answer.readingFor("anthropic-messages").reasoning).toBe(answer.reading.reasoning);
      expect(answer.summary.choices[0]?.order.slice(0, 2)).toEqual(["reasoning", "text"]);
    },
  },
  {
    name: "content-is-array",
    says: "parts of a content are read one by one: thinking as reasoning, text as text",
    own: ["thinking-parts.sse"],
    shows: (answer) => choicesOf(answer).some(({ delta, message }) => Array.isArray((delta ?? message).content)),
    check(answer) {
      expectSaid(answer);
      expect(answer.reading.reasoning).not.toBe("");
      expect(answer.summary.choices[0]?.reasoning).toBe(answer.reading.reasoning);
      expect(answer.readingFor("anthropic-messages").reasoning).toBe(answer.reading.reasoning);
    },
  },
  {
    name: "n>1-interleaved-choices",
    says: "each choice keeps its own text, calls and finish",
    own: ["choices.sse"],
    shows: (answer) => new Set(choicesOf(answer).map(({ index }) => index)).size > 1,
    check(answer) {
      const choices = Object.values(answer.summary.choices);
      expect(choices.map(({ text }) => text)).toEqual(answer.reading.texts);
      expect(choices.flatMap(({ calls }) => calls.map(({ name, args }) => ({ name, args })))).toEqual(
        answer.reading.calls.map(({ name, args }) => ({ name, args })),
      );
      expect(choices.every(({ finish }) => finish !== null)).toBe(true);
      // A wire with one choice shows the first, unmixed.
      expect(answer.readingFor("anthropic-messages").texts[0] ?? "").toBe(answer.reading.texts[0]);
      expectUntouched(answer);
    },
  },
  {
    name: "sse-comment",
    says: "a comment says nothing and passes",
    own: ["reasoning.sse"],
    shows: ({ text }) => /^:/m.test(text),
    check(answer) {
      expectUntouched(answer);
      expect(answer.events.some((event) => "text" in event && /OPENROUTER PROCESSING/.test(event.text))).toBe(false);
      expectSaid(answer);
    },
  },
  {
    name: "no-DONE",
    says: "a finish is enough: the caller's own terminator comes once",
    own: ["without-done.sse"],
    shows: ({ text }) => !text.includes("[DONE]"),
    check(answer) {
      const shown = answer.bytesFor("anthropic-messages");
      expect(answer.meter.error).toBeNull();
      expect(occurrences(shown, "event: message_stop")).toBe(1);
      expectSaid(answer);
    },
  },
  {
    name: "two-finish-reasons",
    says: "the answer finishes once, after the last of it",
    own: ["reasoning.sse"],
    shows: (answer) => finishes(answer, 0) > 1 || finishes(answer, 1) > 1,
    check(answer) {
      expect(answer.events.filter((event) => event.type === "finish" && event.choice === 0)).toHaveLength(1);
      const shown = answer.bytesFor("anthropic-messages");
      expect([occurrences(shown, "event: message_delta"), occurrences(shown, "event: message_stop")]).toEqual([1, 1]);
      expectSaid(answer);
    },
  },
];

const errorTraps: Trap[] = [
  {
    name: "bare-error-field",
    says: "a line `error:` that server-sent events know nothing of is an error all the same",
    own: ["error-field.sse"],
    isFailure: true,
    shows: ({ text }) => /^error:/m.test(text),
    check(answer) {
      expectFailure(answer);
      expect(answer.meter.error?.upstream_code).not.toBe("truncated");
    },
  },
  {
    name: "error-in-200",
    says: "an error with status 200 is an error with a status of its own",
    own: ["error-in-200.json"],
    isFailure: true,
    shows: ({ documents, recording }) => recording.status === 200 && Boolean(documents[0]?.error),
    check(answer) {
      expectFailure(answer);
      expect(answer.meter.error?.status).toBe(answer.documents[0]?.error.status ?? 400);
      expect(answer.bytesFor("openai-chat")).toBe("");
    },
  },
  {
    name: "error-object-midstream",
    says: "an error object between chunks ends the answer as failed, whatever terminator follows it",
    own: ["error-chunk.sse", "error-event.sse"],
    isFailure: true,
    shows: ({ documents }) => documents.some((document) => document.error),
    check: expectFailure,
  },
  {
    name: "event-error-midstream",
    says: "an event named error ends the answer as failed, and its own words are kept",
    own: ["error-event.sse"],
    isFailure: true,
    shows: ({ text }) => /^event: error/m.test(text),
    check(answer) {
      expectFailure(answer);
      const stated: string = answer.documents.find((document) => document.error)?.error.message;
      expect(answer.meter.error?.message.slice(0, 30)).toBe(stated.slice(0, 30));
    },
  },
];

const usageTraps: Trap[] = [
  {
    name: "usage-in-empty-choices-chunk",
    says: "usage after the finish counts, and its chunk is kept from a caller who did not ask",
    own: ["text.sse"],
    shows: (answer) => usageChunks(answer).some(({ choices }) => choices?.length === 0),
    check(answer) {
      expectUsageOnce(answer);
      const unasked = answer.bytesFor("openai-chat", { wantsStreamUsage: false });
      expect(/"choices":\s*\[\],?\s*[^\n]*"usage":\s*\{/.test(unasked)).toBe(false);
    },
  },
  {
    name: "usage-with-choices",
    says: "usage beside the finish counts",
    own: ["reasoning-content.sse", "tools-parallel.sse"],
    shows: (answer) => usageChunks(answer).some(({ choices }) => choices?.length > 0),
    check: expectUsageOnce,
  },
  {
    name: "cumulative-usage-many-chunks",
    says: "the last figures count and are never added up",
    own: ["usage-in-every-chunk.sse"],
    shows: (answer) => usageChunks(answer).length > 2,
    check(answer) {
      expectUsageOnce(answer);
      const last = usageChunks(answer).at(-1).usage;
      expect(answer.meter.usage.output_tokens).toBe(last.total_tokens - last.prompt_tokens);
    },
  },
  {
    name: "reasoning-excluded-from-completion",
    says: "reasoning that stands beside the completion is output too",
    own: ["reasoning-beside-completion.sse"],
    provider: "xai",
    shows: (answer) =>
      usageChunks(answer).some(({ usage }) => {
        const reasoning = usage.completion_tokens_details?.reasoning_tokens ?? 0;
        return reasoning > 0 && usage.total_tokens === usage.prompt_tokens + usage.completion_tokens + reasoning;
      }),
    check(answer) {
      const { usage } = usageChunks(answer).at(-1);
      const reasoning = usage.completion_tokens_details.reasoning_tokens;
      expect(answer.meter.usage).toMatchObject({ output_tokens: usage.completion_tokens + reasoning, reasoning_tokens: reasoning });
      expect(answer.meter.usageAnomaly).toBeNull();
      expectUsageOnce(answer);
    },
  },
];

export const OPENAI_CHAT_TRAPS: readonly Trap[] = [...streamTraps, ...errorTraps, ...usageTraps];
