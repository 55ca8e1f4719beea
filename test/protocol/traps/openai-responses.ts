/** Traps of OpenAI Responses: state that is revised, ids that change, ends that are no success. */
import { expect } from "vitest";
import { PROTOCOLS } from "../../../workers/protocol/index.ts";
import { context } from "../bodies.ts";
import type { Json } from "../readings/reading.ts";
import { expectFailure, expectSaid, expectUntouched, occurrences, type Trap, type TrapAnswer } from "./trap.ts";

function ofType({ documents }: TrapAnswer, type: string): Json[] {
  return documents.filter((document) => document.type === type);
}

/** The item as it began and as it was done, by place. */
function itemPairs(answer: TrapAnswer): { added: Json; done: Json }[] {
  return ofType(answer, "response.output_item.done").flatMap(({ item: done, output_index: place }) => {
    const added = ofType(answer, "response.output_item.added").find(({ output_index: other }) => other === place)?.item;
    return added === undefined ? [] : [{ added, done }];
  });
}

export const OPENAI_RESPONSES_TRAPS: readonly Trap[] = [
  {
    name: "encrypted-content-revised",
    says: "sealed reasoning that is told twice is kept once, as it was told last",
    own: ["reasoning-sealed.sse"],
    shows: (answer) => itemPairs(answer).some(({ added }) => added.encrypted_content),
    check(answer) {
      expectUntouched(answer);
      const told = PROTOCOLS["openai-responses"].renderResponse(answer.events, context());
      for (const { added, done } of itemPairs(answer).filter((pair) => pair.added.encrypted_content)) {
        expect(occurrences(told, done.encrypted_content)).toBe(1);
        expect(told.includes(added.encrypted_content)).toBe(added.encrypted_content === done.encrypted_content);
      }
      expectSaid(answer);
    },
  },
  {
    name: "error",
    says: "an event `error` ends the answer as failed",
    own: ["ERR200-flat.sse"],
    isFailure: true,
    shows: (answer) => ofType(answer, "error").length > 0,
    check: expectFailure,
  },
  {
    name: "response.failed",
    says: "a failed response is an error, not an end",
    own: ["ERR200-failed.sse"],
    isFailure: true,
    shows: (answer) => ofType(answer, "response.failed").length > 0,
    check: expectFailure,
  },
  {
    name: "response.incomplete",
    says: "an incomplete response ends for a reason, and whole",
    own: ["length.sse"],
    shows: (answer) => ofType(answer, "response.incomplete").length > 0,
    check(answer) {
      expect(answer.documents.at(-1)?.response.incomplete_details.reason).toBe("max_output_tokens");
      expect(answer.summary.choices[0]?.finish).toBe("length");
      expect(answer.readingFor("anthropic-messages").finish).toBe("max_tokens");
      expect(answer.readingFor("openai-chat").finish).toBe("length");
      expectSaid(answer);
    },
  },
  {
    name: "item-id-rotates",
    says: "an item whose id changes while it is written is one item",
    own: ["item-id-rotates.sse"],
    shows: (answer) => itemPairs(answer).some(({ added, done }) => added.id !== done.id),
    check(answer) {
      expectUntouched(answer);
      const started = answer.events.filter((event) => event.type === "tool-input-start" || event.type === "text-start");
      expect(started).toHaveLength(ofType(answer, "response.output_item.done").filter(({ item }) => item.type !== "reasoning").length);
      expectSaid(answer);
    },
  },
  {
    name: "no-sequence-number",
    says: "events without a number are read in their order",
    own: ["no-sequence-number.sse"],
    shows: ({ documents }) => documents.every((document) => document.sequence_number === undefined),
    check(answer) {
      expectUntouched(answer);
      expectSaid(answer);
      // Told anew, every event has its number.
      const encoder = PROTOCOLS["openai-responses"].createEncoder(context());
      const told = Buffer.concat(answer.events.map((event) => Buffer.from(encoder.encode(event)))).toString();
      const numbers = [...told.matchAll(/"sequence_number":(\d+)/g)].map(([, number]) => Number(number));
      expect(numbers).toEqual(numbers.map((_, index) => index));
      expect(numbers).toHaveLength(occurrences(told, "event: "));
    },
  },
  {
    name: "sse-comment",
    says: "a comment says nothing and passes",
    own: ["comments-and-done.sse"],
    shows: ({ text }) => /^:/m.test(text),
    check(answer) {
      expectUntouched(answer);
      expectSaid(answer);
    },
  },
  {
    name: "terminal-output-empty",
    says: "an end that repeats nothing of the output takes nothing away from it",
    own: ["output-empty.sse"],
    shows: (answer) => ofType(answer, "response.completed").some(({ response }) => response.output.length === 0),
    check(answer) {
      expect(answer.reading.texts.join("") + answer.reading.calls.map(({ name }) => name).join("")).not.toBe("");
      expectUntouched(answer);
      expectSaid(answer);
    },
  },
];
