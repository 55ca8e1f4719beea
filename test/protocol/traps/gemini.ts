/** Traps of Gemini: parts that are missing, signatures that belong to one part, calls without ids and with the finish of a text. */
import { expect } from "vitest";
import { PROTOCOLS } from "../../../workers/protocol/index.ts";
import { context } from "../bodies.ts";
import type { Json } from "../readings/reading.ts";
import { argumentsValue, expectSaid, occurrences, type Trap, type TrapAnswer } from "./trap.ts";

function candidatesOf({ documents }: TrapAnswer): Json[] {
  return documents.flatMap((document) => document.candidates ?? []);
}

function partsOf(answer: TrapAnswer): Json[] {
  return candidatesOf(answer).flatMap((candidate) => candidate.content?.parts ?? []);
}

/** Parts that begin a call; on Vertex a call may go on in parts without a name. */
function callsOf(answer: TrapAnswer): Json[] {
  return partsOf(answer).filter((part) => part.functionCall?.name);
}

/** The same answer, told in its own wire out of the hub. */
function toldWhole({ events }: TrapAnswer): Json[] {
  return JSON.parse(PROTOCOLS.gemini.renderResponse(events, context())).candidates[0].content.parts;
}

function signaturePattern(parts: readonly Json[]): string {
  return parts
    .filter((part) => part.functionCall?.name)
    .map((part) => (part.thoughtSignature ? "1" : "0"))
    .join("");
}

function callSignatures(parts: readonly Json[]): unknown[] {
  return parts.flatMap((part) => (part.functionCall ? (part.thoughtSignature ?? []) : []));
}

/** Every call once, with a name, arguments by value and an id of its own, in the order in which they came. */
function expectCalls(answer: TrapAnswer): void {
  const calls = Object.values(answer.summary.choices).flatMap((choice) => choice.calls);
  expect(calls.map(({ name, args }) => ({ name, args: argumentsValue(args) }))).toEqual(
    answer.reading.calls.map(({ name, args }) => ({ name, args: argumentsValue(args) })),
  );
  expect(new Set(calls.map(({ id }) => id)).size).toBe(calls.length);
  expectSaid(answer);
}

/** An answer without words is a whole answer all the same. */
function expectEmptyEnvelope(answer: TrapAnswer): void {
  expect(answer.meter.error).toBeNull();
  expect(answer.summary.choices[0]?.finish).not.toBeNull();
  for (const caller of ["openai-chat", "anthropic-messages"] as const) {
    const shown = answer.readingFor(caller);
    expect(shown.finish).not.toBeNull();
    expect(shown.terminated).toBe(true);
  }
  expectSaid(answer);
}

/** Which of the calls of one turn carry a signature: it is theirs, and no other call gets it. */
function signatureTrap(pattern: string, own: string): Trap {
  return {
    name: `parallel-sig-${pattern}`,
    says: `of parallel calls those marked 1 in ${pattern} are signed, and stay the only ones`,
    own: [own],
    shows: (answer) => signaturePattern(partsOf(answer)) === pattern,
    check(answer) {
      expectCalls(answer);
      const told = toldWhole(answer);
      expect(signaturePattern(told)).toBe(pattern);
      expect(callSignatures(told)).toEqual(callSignatures(partsOf(answer)));
    },
  };
}

const contentTraps: Trap[] = [
  {
    name: "content-without-parts",
    says: "a candidate without parts is an empty answer, well-formed and finished",
    own: ["no-content.json", "thoughts-ate-it.sse", "blocked-answer.sse"],
    shows: (answer) => candidatesOf(answer).some((candidate) => candidate.content?.parts === undefined),
    check(answer) {
      expectEmptyEnvelope(answer);
    },
  },
  {
    name: "no-candidates",
    says: "a body without candidates says why, or is an error; it is never an answer of nothing",
    own: ["blocked-prompt.json", "blocked-prompt.sse", "error-in-200.json"],
    shows: (answer) => candidatesOf(answer).length === 0,
    check(answer) {
      const feedback = answer.documents.find((document) => document.promptFeedback)?.promptFeedback;
      expect(answer.summary.choices[0]).toMatchObject({ finish: "content-filter", raw: feedback.blockReason ?? expect.any(String) });
      expect(answer.readingFor("openai-chat").finish).toBe("content_filter");
      expect(answer.readingFor("anthropic-messages").finish).toBe("refusal");
      expectEmptyEnvelope(answer);
    },
  },
  {
    name: "finishReason-twice",
    says: "each candidate finishes once, after the last of its text",
    own: ["finish-twice.sse", "candidates.sse"],
    shows: (answer) => candidatesOf(answer).filter(({ finishReason }) => finishReason).length > 1,
    check(answer) {
      const finished = answer.events.flatMap((event) => (event.type === "finish" ? [event.choice] : []));
      expect(new Set(finished).size).toBe(finished.length);
      expect(Object.values(answer.summary.choices).map(({ text }) => text)).toEqual(answer.reading.texts);
      if (answer.recording.stream) expect(occurrences(answer.bytesFor("anthropic-messages"), "event: message_delta")).toBe(1);
    },
  },
  {
    name: "empty-text-with-signature",
    says: "a signature on a part without text is kept, and adds no text",
    own: ["thoughts.sse"],
    shows: (answer) => partsOf(answer).some((part) => part.text === "" && part.thoughtSignature),
    check: expectSignatures,
  },
  {
    name: "signature-on-text",
    says: "a signature on text is kept beside it",
    own: ["thoughts.json"],
    shows: (answer) => partsOf(answer).some((part) => part.text && part.thoughtSignature),
    check: expectSignatures,
  },
];

function expectSignatures(answer: TrapAnswer): void {
  const signatures = partsOf(answer).flatMap((part) => (part.text === undefined ? [] : (part.thoughtSignature ?? [])));
  const told = JSON.stringify(toldWhole(answer));
  for (const signature of signatures) expect(occurrences(told, signature)).toBe(1);
  expect(answer.bytesFor("openai-chat")).toContain('"finish_reason"');
  expectSaid(answer);
}

const callTraps: Trap[] = [
  {
    name: "function-call-with-STOP",
    says: "an answer that called says so, though its reason is STOP",
    own: ["tool-calls-parallel.sse", "tool-call-with-id.sse"],
    shows: (answer) => callsOf(answer).length > 0 && candidatesOf(answer).some(({ finishReason }) => finishReason === "STOP"),
    check(answer) {
      expect(answer.summary.choices[0]).toMatchObject({ finish: "tool-calls", raw: "STOP" });
      expect(answer.readingFor("openai-chat").finish).toBe("tool_calls");
      expect(answer.readingFor("anthropic-messages").finish).toBe("tool_use");
      expectCalls(answer);
    },
  },
  {
    name: "function-call-with-id",
    says: "an id that the provider gave is the call's id",
    own: ["tool-call-with-id.sse"],
    shows: (answer) => callsOf(answer).some((part) => part.functionCall.id),
    check(answer) {
      const ids = callsOf(answer).map((part) => part.functionCall.id);
      expect(answer.summary.choices[0]?.calls.map(({ id }) => id)).toEqual(ids);
      expect(answer.readingFor("openai-chat").calls.map(({ id }) => id)).toEqual(ids);
      expectCalls(answer);
    },
  },
  {
    name: "function-call-without-args",
    says: "a call without arguments has an object of none",
    own: ["tool-calls.json"],
    shows: (answer) =>
      callsOf(answer).some(({ functionCall }) => functionCall.args === undefined || Object.keys(functionCall.args).length === 0),
    check(answer) {
      expectCalls(answer);
      for (const call of answer.readingFor("openai-chat").calls) expect(() => JSON.parse(call.args)).not.toThrow();
    },
  },
  {
    name: "parallel-function-calls",
    says: "calls of one turn keep their order and get ids of their own",
    own: ["tool-calls.json", "tool-calls-parallel.sse"],
    shows: (answer) => callsOf(answer).length > 1,
    check: expectCalls,
  },
  signatureTrap("00", "parallel-unsigned.json"),
  signatureTrap("000", "parallel-three-unsigned.json"),
  signatureTrap("10", "tool-calls.json"),
  signatureTrap("100", "tool-calls-parallel.sse"),
];

export const GEMINI_TRAPS: readonly Trap[] = [...contentTraps, ...callTraps];
