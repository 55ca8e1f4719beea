import { expect, test } from "vitest";
import type { CanonicalEvent } from "../../workers/protocol/canonical.ts";
import { createGrammarChecker } from "../../workers/protocol/grammar.ts";

const faults = (events: readonly CanonicalEvent[]): string[] => events.map(createGrammarChecker()).filter((fault) => fault !== null);
const open = (block: number): CanonicalEvent => ({ type: "text-start", block, choice: 0, refusal: false });
const close = (block: number): CanonicalEvent => ({ type: "text-end", block });
const finish: CanonicalEvent = { type: "finish", choice: 0, unified: "stop", raw: "stop", stopSequence: null, detailsJson: null };

test("a well-formed answer has no fault, also when blocks overlap and usage follows the finish", () => {
  const events: CanonicalEvent[] = [
    { type: "start", id: null, model: null, createdSeconds: null },
    open(0),
    { type: "tool-input-start", block: 1, choice: 0, id: "a", name: "b" },
    { type: "tool-input-delta", block: 1, text: "{" },
    { type: "text-delta", block: 0, text: "x" },
    close(0),
    { type: "tool-input-end", block: 1 },
    finish,
    { type: "usage", usage: {}, final: true, anomaly: null },
    { type: "end" },
  ];
  expect(faults(events)).toEqual([]);
});

test.each<[string, CanonicalEvent[], string]>([
  ["a delta without its block", [{ type: "text-delta", block: 0, text: "x" }], "not an open text block"],
  ["a delta of another kind", [open(0), { type: "reasoning-delta", block: 0, text: "x" }], "not an open reasoning block"],
  ["a delta after the block's end", [open(0), close(0), { type: "text-delta", block: 0, text: "x" }], "not an open text block"],
  ["a block opened twice", [open(0), close(0), open(0)], "opened twice"],
  ["a block closed twice", [open(0), close(0), close(0)], "not an open text block"],
  ["two finishes of one choice", [finish, finish], "finished twice"],
  ["an end with an open block", [open(3), { type: "end" }], "end while block 3 is open"],
  ["anything after the end", [{ type: "end" }, finish], "finish after end"],
  [
    "two starts",
    [
      { type: "start", id: null, model: null, createdSeconds: null },
      { type: "start", id: null, model: null, createdSeconds: null },
    ],
    "start twice",
  ],
])("%s is a fault", (_name, events, fault) => {
  expect(faults(events)).toHaveLength(1);
  expect(faults(events)[0]).toContain(fault);
});
