/** Traps of OpenAI Chat Completions in tool calls: how they arrive, what their arguments are, and how the answer says that it called. */
import { expect } from "vitest";
import type { Json } from "../readings/reading.ts";
import { choicesOf } from "./openai-chat.ts";
import { argumentsValue, expectSaid, expectUntouched, type Trap, type TrapAnswer } from "./trap.ts";

/** The lists of calls in the answer, one a chunk (or one for the whole body). */
function callLists(answer: TrapAnswer): Json[][] {
  return choicesOf(answer).map(({ delta, message }) => (delta ?? message)?.tool_calls ?? []);
}

function allCalls(answer: TrapAnswer): Json[] {
  return callLists(answer).flat();
}

/** Every call once, with its own id, name and whole arguments, for us and for callers of other wires. */
function expectCalls(answer: TrapAnswer): void {
  const { reading, summary } = answer;
  expect(reading.calls.length).toBeGreaterThan(0);
  const calls = Object.values(summary.choices).flatMap((choice) => choice.calls);
  expect(calls.map(({ name, args }) => ({ name, args: argumentsValue(args) }))).toEqual(
    reading.calls.map(({ name, args }) => ({ name, args: argumentsValue(args) })),
  );
  expect(new Set(calls.map(({ id }) => id)).size).toBe(calls.length);
  expect(calls.every(({ id }) => id !== "")).toBe(true);
  expectSaid(answer);
}

/** Arguments of nothing reach wires with objects as an object of nothing, and the same wire as they were. */
function expectNoArguments(answer: TrapAnswer, isEmpty: (call: Json) => boolean): void {
  expectCalls(answer);
  expectUntouched(answer);
  const places = allCalls(answer).flatMap((call, index) => (isEmpty(call) ? [index] : []));
  const shown: Json = JSON.parse(answer.bytesFor("anthropic-messages"));
  const blocks = shown.content.filter((block: Json) => block.type === "tool_use");
  for (const place of places) expect(blocks[place].input).toEqual({});
}

/** A call is a call whatever the finish says; a cut-off one stays cut off. */
function finishTrap(word: string, own: string): Trap {
  const [unified, anthropic] = word === "length" ? ["length", "max_tokens"] : ["tool-calls", "tool_use"];
  return {
    name: `tool-calls-but-finish-${word === "" ? "empty" : word}`,
    says: `calls with the finish "${word}" ${word === "length" ? "were cut off, and are not repaired" : "are calls to be answered"}`,
    own: [own],
    shows: (answer) => choicesOf(answer).some(({ finish_reason: finish, message }) => finish === word && message?.tool_calls?.length > 0),
    check(answer) {
      expectCalls(answer);
      expect(answer.summary.choices[0]?.finish).toBe(unified);
      expect(answer.readingFor("anthropic-messages").finish).toBe(anthropic);
      expectUntouched(answer);
    },
  };
}

const arrivalTraps: Trap[] = [
  {
    name: "tool-id+args-in-one-delta",
    says: "arguments beside the id are not lost",
    own: ["tools-parallel.sse"],
    shows: (answer) => allCalls(answer).some((call) => call.id && call.function?.arguments),
    check: expectCalls,
  },
  {
    name: "several-tool-calls-in-one-chunk",
    says: "every call of a chunk is a call",
    own: ["tools-parallel.sse"],
    shows: (answer) => callLists(answer).some((calls) => calls.length > 1),
    check(answer) {
      expectCalls(answer);
      expect(answer.reading.calls.length).toBeGreaterThan(1);
    },
  },
  {
    name: "tool-call+finish-in-one-chunk",
    says: "a call beside the finish is a call, and comes before it",
    own: ["tools-parallel.sse"],
    shows: (answer) => choicesOf(answer).some(({ delta, finish_reason: finish }) => finish && delta?.tool_calls?.length > 0),
    check(answer) {
      expectCalls(answer);
      const shown = answer.bytesFor("anthropic-messages");
      expect(shown.lastIndexOf("content_block_stop")).toBeLessThan(shown.indexOf("event: message_delta"));
    },
  },
  {
    name: "tool-delta-without-index",
    says: "calls without an index are told apart by their ids and their order",
    own: ["tools-without-index.sse"],
    shows: (answer) => allCalls(answer).some((call) => call.index === undefined),
    check: expectCalls,
  },
  {
    name: "tool-delta-without-type",
    says: "a call that does not say that it is a function is one",
    own: ["tools-without-index.sse"],
    shows: (answer) => allCalls(answer).some((call) => call.id && call.type === undefined),
    check: expectCalls,
  },
  {
    name: "tool-without-type",
    says: "a call of a whole body that does not say that it is a function is one",
    own: ["tools-without-type.json"],
    shows: (answer) => answer.recording.stream === false && allCalls(answer).some((call) => call.type === undefined),
    check(answer) {
      expectCalls(answer);
      expectUntouched(answer);
    },
  },
  {
    name: "message-without-content-key",
    says: "a message without content has no text, and stays without it for its own wire",
    own: ["without-content.json"],
    shows: (answer) => choicesOf(answer).some(({ message }) => message && !("content" in message)),
    check(answer) {
      expectSaid(answer);
      expectUntouched(answer);
      expect(answer.events.some((event) => event.type === "text-start" && !event.refusal)).toBe(false);
      const shown: Json = JSON.parse(answer.bytesFor("anthropic-messages"));
      expect(shown.content.some((block: Json) => block.type === "text" && block.text === "")).toBe(false);
    },
  },
];

const argumentTraps: Trap[] = [
  {
    name: "tool-args-''",
    says: "empty arguments are no arguments",
    own: ["tools-no-arguments.json"],
    shows: (answer) => allCalls(answer).some((call) => call.function?.arguments === ""),
    check: (answer) => expectNoArguments(answer, (call) => call.function?.arguments === ""),
  },
  {
    name: "tool-args-'null'",
    says: "arguments of the word null are no arguments",
    own: ["tools-no-arguments.json"],
    shows: (answer) => allCalls(answer).some((call) => call.function?.arguments === "null"),
    check: (answer) => expectNoArguments(answer, (call) => call.function?.arguments === "null"),
  },
  {
    name: "tool-args-None",
    says: "arguments that are not there are no arguments, and a free text is an input",
    own: ["tools-no-arguments.json", "tools.json"],
    shows: (answer) => allCalls(answer).some((call) => (call.function?.arguments ?? null) === null),
    check: (answer) => expectNoArguments(answer, (call) => !call.custom && (call.function?.arguments ?? null) === null),
  },
];

export const OPENAI_CHAT_TOOL_TRAPS: readonly Trap[] = [
  ...arrivalTraps,
  ...argumentTraps,
  finishTrap("", "empty-members.json"),
  finishTrap("stop", "tools.json"),
  finishTrap("length", "tools-cut.json"),
  finishTrap("tool_call", "tools-finish-tool_call.json"),
];
