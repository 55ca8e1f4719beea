/**
 * Bodies made to be slow: long lists of what once was looked up from the beginning for every element. Each step over sixteen thousand of
 * them takes far below the bound here; where its cost grows with their square it takes from ten seconds to minutes.
 */
import { describe, expect, test } from "vitest";
import type { ProtocolId } from "../../schema/protocol.ts";
import { PROTOCOLS } from "../../workers/protocol/index.ts";
import { measurePrompt } from "../../workers/protocol/measure.ts";
import { withStateOf } from "../../workers/protocol/opaque-state.ts";

const COUNT = 16_000;
const STEP_MILLISECONDS = 4_000;
const TARGET = { model: "provider-model", quirks: {}, maxOutputTokens: 1000 };

/** Formats whose renderers have loops of their own. */
const TARGETS = ["openai-responses", "anthropic-messages", "gemini", "bedrock-converse", "ollama-chat"] as const;

function many<T>(make: (index: number) => T, count = COUNT): T[] {
  return Array.from({ length: count }, (_, index) => make(index));
}

const long = "a".repeat(140);
const chatCall = (id: string, name: string): object => ({ id, type: "function", function: { name, arguments: "{}" } });
const inTurns = (call: (id: number) => object, result: (id: number) => object): object[] =>
  many((index) => (index % 2 === 0 ? call(index) : result(index - 1)));

const CASES: readonly (readonly [ProtocolId, string, () => object])[] = [
  ["openai-chat", "parts nobody knows", () => ({ messages: [{ role: "user", content: many((index) => ({ type: "odd", index })) }] })],
  [
    "openai-chat",
    "files of one name",
    () => ({ messages: [{ role: "user", content: many(() => ({ type: "file", file: { filename: "same", file_data: "AAAA" } })) }] }),
  ],
  [
    "openai-chat",
    "ids of one long beginning",
    () => ({ messages: [{ role: "assistant", tool_calls: many((index) => chatCall(`${long}${index}`, "f")) }] }),
  ],
  [
    "openai-chat",
    "names of one long beginning",
    () => ({ messages: [{ role: "assistant", tool_calls: many((index) => chatCall(`c${index}`, `${long}${index}`)) }] }),
  ],
  [
    "openai-chat",
    "results in the reverse order of their calls",
    () => ({
      messages: [
        { role: "assistant", tool_calls: many((index) => chatCall(`c${index}`, "f")) },
        ...many((index) => ({ role: "tool", tool_call_id: `c${COUNT - 1 - index}`, content: "r" }), COUNT - 1),
      ],
    }),
  ],
  [
    "openai-chat",
    "fields nobody knows",
    () => ({ messages: [{ role: "user", content: "x" }], ...Object.fromEntries(many((index) => [`f${index}`, index], 900)) }),
  ],
  ["openai-responses", "parts nobody knows", () => ({ input: [{ role: "user", content: many((index) => ({ type: "odd", index })) }] })],
  [
    "openai-responses",
    "reasoning",
    () => ({ input: many((index) => ({ type: "reasoning", id: `rs_${index}`, summary: [{ text: "x" }] })) }),
  ],
  [
    "anthropic-messages",
    "calls and results",
    () => ({
      max_tokens: 5,
      messages: [
        { role: "assistant", content: many((index) => ({ type: "tool_use", id: `t${index}`, name: "f", input: { a: 1 } })) },
        { role: "user", content: many((index) => ({ type: "tool_result", tool_use_id: `t${index}`, content: "x" })) },
      ],
    }),
  ],
  [
    "gemini",
    "results by id in the reverse order of their calls",
    () => ({
      contents: [
        { role: "model", parts: many((index) => ({ functionCall: { id: `c${index}`, name: "f", args: { a: 1 } } })) },
        {
          role: "user",
          parts: many((index) => ({ functionResponse: { id: `c${COUNT - 1 - index}`, name: "f", response: { output: "x" } } })),
        },
      ],
    }),
  ],
  [
    "gemini",
    "a call and its result in turns",
    () => ({
      contents: inTurns(
        () => ({ role: "model", parts: [{ functionCall: { name: "f", args: { a: 1 } } }] }),
        () => ({ role: "user", parts: [{ functionResponse: { name: "f", response: { output: "x" } } }] }),
      ),
    }),
  ],
  [
    "bedrock-converse",
    "calls and results",
    () => ({
      messages: [
        { role: "assistant", content: many((index) => ({ toolUse: { toolUseId: `t${index}`, name: "f", input: { a: 1 } } })) },
        { role: "user", content: many((index) => ({ toolResult: { toolUseId: `t${index}`, content: [{ json: { a: 1 } }] } })) },
      ],
    }),
  ],
  [
    "bedrock-converse",
    "cache points after blocks that take none",
    () => ({
      messages: [
        { role: "user", content: [...many((index) => ({ odd: { index } })), ...many(() => ({ cachePoint: { type: "default" } }))] },
      ],
    }),
  ],
  [
    "ollama-chat",
    "results by name in the reverse order of their calls",
    () => ({
      messages: [
        { role: "assistant", content: "", tool_calls: many((index) => ({ function: { name: `f${index}`, arguments: { a: 1 } } })) },
        ...many((index) => ({ role: "tool", content: "x", tool_name: `f${COUNT - 1 - index}` }), COUNT - 1),
      ],
    }),
  ],
];

function timed<T>(steps: string[], step: string, work: () => T): T {
  const startedAt = performance.now();
  const result = work();
  const took = performance.now() - startedAt;
  if (took > STEP_MILLISECONDS) steps.push(`${step}: ${Math.round(took)} ms`);
  return result;
}

describe("a body made to be slow costs what its length costs", () => {
  test.each(CASES)("%s: %s", (id, _what, make) => {
    const slow: string[] = [];
    const text = JSON.stringify({ model: "m", ...make() });
    const parsed = timed(slow, "parsed", () => PROTOCOLS[id].parseRequest(text, { model: "m", stream: false }));
    if (!parsed.ok) throw new Error(parsed.error.message);
    timed(slow, "measured", () => measurePrompt(parsed.value));
    timed(slow, "spliced", () => PROTOCOLS[id].spliceRequest(text, parsed.value, TARGET));
    for (const target of TARGETS) {
      timed(slow, `rendered for ${target}`, () => PROTOCOLS[target].renderRequest(withStateOf(parsed.value, target), TARGET));
    }
    expect(slow).toEqual([]);
  });

  test("one long text of backslashes and quotes", () => {
    const text = JSON.stringify({ model: "m", messages: [{ role: "user", content: '\\"'.repeat(2_000_000) }], tools: [] });
    const slow: string[] = [];
    const parsed = timed(slow, "parsed", () => PROTOCOLS["openai-chat"].parseRequest(text));
    if (!parsed.ok) throw new Error(parsed.error.message);
    timed(slow, "spliced", () => PROTOCOLS["openai-chat"].spliceRequest(text, parsed.value, TARGET));
    expect(slow).toEqual([]);
  });

  test("more blocks than a call takes arguments are no overflow", () => {
    const parts = many(() => ({ type: "text", text: "t" }), 130_000);
    for (const role of ["system", "assistant"]) {
      const messages = [
        { role, content: parts.slice(0, 10) },
        { role, content: parts },
      ];
      const parsed = PROTOCOLS["openai-chat"].parseRequest(JSON.stringify({ model: "m", messages }));
      if (!parsed.ok) throw new Error(parsed.error.message);
      for (const target of TARGETS) expect(PROTOCOLS[target].renderRequest(parsed.value, TARGET).body.length).toBeGreaterThan(130_000);
    }
  });
});
