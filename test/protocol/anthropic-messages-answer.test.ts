import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { anthropicMessages } from "../../workers/protocol/anthropic-messages/index.ts";
import { readUsage } from "../../workers/protocol/anthropic-messages/usage.ts";
import type { CanonicalEvent } from "../../workers/protocol/canonical.ts";
import { createGrammarChecker } from "../../workers/protocol/grammar.ts";
import { body, bodyNames, cut, decodeStream } from "./bodies.ts";
import { summarise } from "./summary.ts";

const NAMES = bodyNames("anthropic-messages", ".sse");
const stream = (name: string): CanonicalEvent[] => decodeStream(anthropicMessages, [body("anthropic-messages", name)]);
const answer = (name: string): ReturnType<typeof summarise> => summarise(stream(name));
const unary = (name: string): ReturnType<typeof summarise> =>
  summarise(anthropicMessages.parseResponse(body("anthropic-messages", name).toString(), {}));
const frames = (text: string): CanonicalEvent[] => decodeStream(anthropicMessages, [Buffer.from(text)]);

describe("decoding an Anthropic stream", () => {
  test("reads the prompt's usage at once, and the answer's at the end", () => {
    const usages = stream("text.sse").filter((event) => event.type === "usage");
    expect(usages[0]).toMatchObject({ final: false, usage: { input_tokens: 21 } });
    expect(usages[0]?.usage).not.toHaveProperty("output_tokens");
    expect(usages.at(-1)).toMatchObject({ final: true });
  });

  test("reads thinking with its signature, then text", () => {
    expect(answer("thinking-then-text.sse").choices[0]).toMatchObject({
      reasoning: "First think.",
      signatures: ["c2lnbmF0dXJlLW93bg=="],
      text: "Then say.",
      order: ["reasoning", "text"],
    });
  });

  test("keeps redacted thinking as it is", () => {
    expect(stream("redacted-thinking.sse")).toContainEqual({
      type: "reasoning-start",
      block: 0,
      choice: 0,
      kind: "redacted",
      data: "b3BhcXVl",
    });
  });

  test("keeps arguments as text, and calls a tool without any with {}", () => {
    expect(answer("tool-calls-parallel.sse").choices[0]).toMatchObject({
      finish: "tool-calls",
      calls: [
        { id: "toolu_own_1", args: '{"city":"Paris"}' },
        { id: "toolu_own_2", args: '{"zone":"Europe/Moscow","big":9007199254740993,"exact":1.0}' },
      ],
    });
    expect(answer("tool-no-arguments.sse").choices[0]?.calls).toEqual([{ id: "toolu_own_1", name: "list_all", args: "{}" }]);
  });

  test("carries server tools as they are and citations as sources, and shows neither as text or calls", () => {
    const events = stream("web-search.sse");
    expect(events.flatMap((event) => (event.type === "opaque" ? [event.kind] : []))).toEqual(["server_tool_use", "web_search_tool_result"]);
    expect(events.filter((event) => event.type === "source")).toMatchObject([{ json: expect.stringContaining("https://own.test/") }]);
    expect(summarise(events).choices[0]).toMatchObject({ text: "Found it.", calls: [] });
  });

  test.each([
    ["refusal.sse", "refusal", "refusal"],
    ["max-tokens.sse", "length", "max_tokens"],
    ["stop-sequence.sse", "stop-sequence", "stop_sequence"],
    ["no-content.sse", "stop", "end_turn"],
  ])("ends %s with %s", (name, unified, raw) => {
    expect(answer(name).choices[0]).toMatchObject({ finish: unified, raw });
  });

  test("takes the revised input of the end", () => {
    expect(answer("input-revised.sse").usage).toMatchObject({ input_tokens: 25, cache_read_tokens: 4, output_tokens: 8 });
  });

  test.each(["cache-split.sse", "cache-total-only.sse"])("counts every cache write of %s once, in the class the start named", (name) => {
    expect(answer(name).usage).toEqual({
      input_tokens: 9,
      cache_read_tokens: 1200,
      cache_write_5m_tokens: 100,
      cache_write_1h_tokens: 200,
      output_tokens: 6,
      reasoning_tokens: null,
    });
  });

  test("counts the passes that the top level leaves out", () => {
    expect(answer("passes.sse").usage).toMatchObject({ input_tokens: 4050, cache_read_tokens: 800, output_tokens: 127 });
  });

  test.each([
    ["ERR200-overloaded.sse", "overloaded"],
    ["ERR200-first.sse", null],
  ])("reports %s as an error, never as an end", (name, code) => {
    const events = stream(name);
    expect(events.at(-1)).toMatchObject({ type: "error", ...(code === null ? {} : { error: { code } }) });
    expect(summarise(events).ended).toBe(false);
  });

  test("takes an error of another wire's shape for an error", () => {
    expect(summarise(frames('event: error\ndata: {"error":{"message":"no"}}\n\n')).error).not.toBeNull();
    expect(summarise(frames('data: {"error":{"type":"rate_limit_error","message":"slow down"}}\n\n')).error).toBe("rate_limited");
  });

  test("never takes a stream that breaks off for whole", () => {
    const whole = body("anthropic-messages", "tool-calls-parallel.sse");
    const end = whole.indexOf("event: message_stop");
    for (let length = 0; length < end; length += 7) {
      const events = decodeStream(anthropicMessages, [whole.subarray(0, length)]);
      expect(events.at(-1)).toMatchObject({ type: "error", error: { code: "provider_error" } });
    }
  });

  test("keeps events nobody knows yet, and frames nobody can read, apart from the answer", () => {
    const known = body("anthropic-messages", "text.sse").toString();
    const odd = 'event: novelty\ndata: {"type":"novelty","x":1}\n\ndata: {broken\n\n';
    const events = frames(odd + known);
    expect(events.slice(0, 2)).toMatchObject([
      { type: "opaque", kind: "novelty", json: '{"type":"novelty","x":1}' },
      { type: "opaque", kind: "malformed" },
    ]);
    expect(summarise(events)).toEqual(answer("text.sse"));
  });

  test.each(NAMES)("reads %s the same however its bytes are cut, and keeps the grammar", (name) => {
    const bytes = body("anthropic-messages", name);
    const whole = stream(name);
    const check = createGrammarChecker();
    expect(whole.map(check).filter((fault) => fault !== null)).toEqual([]);
    fc.assert(
      fc.property(fc.array(fc.nat(bytes.length), { maxLength: 12 }), (places) => {
        expect(decodeStream(anthropicMessages, cut(bytes, places))).toEqual(whole);
      }),
      { numRuns: 60, seed: 7 },
    );
  });
});

describe("decoding a whole Anthropic body", () => {
  test("reads calls with their numbers as text, thinking, and cache classes", () => {
    expect(unary("tool-call.json").choices[0]).toMatchObject({
      text: "Looking.",
      calls: [{ id: "toolu_own_3", name: "find", args: '{"id":9007199254740993,"exact":1.0,"b":1,"a":2}' }],
      finish: "tool-calls",
    });
    expect(unary("thinking.json").choices[0]).toMatchObject({ reasoning: "Hm.", signatures: ["c2ln"], text: "Yes." });
    expect(unary("cache.json").usage).toMatchObject({ cache_write_5m_tokens: 10, cache_write_1h_tokens: 20, cache_read_tokens: 40 });
  });

  test("takes an error with status 200, and what is not JSON, for errors", () => {
    expect(unary("ERR529.json").error).toBe("overloaded");
    expect(summarise(anthropicMessages.parseResponse("<html>", {})).error).toBe("provider_error");
  });
});

describe("usage figures", () => {
  test("names impossible ones and never goes below zero", () => {
    expect(readUsage({ input_tokens: -4, output_tokens: 2.5 }, null)).toEqual({
      usage: { input_tokens: 0, output_tokens: 3 },
      anomaly: "input_tokens is -4; output_tokens is 2.5",
    });
  });

  test("leaves unknown what nobody reported", () => {
    expect(readUsage({ output_tokens: 3 }, null)?.usage).toEqual({ output_tokens: 3 });
    expect(readUsage({ service_tier: "standard" }, null)).toBeNull();
  });

  test("never counts a write of one hour beyond the total that is stated later", () => {
    const later = readUsage({ cache_creation_input_tokens: 150, output_tokens: 1 }, 200);
    expect(later?.usage).toMatchObject({ cache_write_5m_tokens: 0, cache_write_1h_tokens: 150 });
  });

  test("does not count twice the passes that the top level includes, and flags those of an advisor", () => {
    const pass = { type: "message", input_tokens: 10, output_tokens: 5 };
    expect(readUsage({ input_tokens: 10, output_tokens: 5, iterations: [pass] }, null)).toEqual({
      usage: { input_tokens: 10, output_tokens: 5 },
      anomaly: null,
    });
    const advised = readUsage({ input_tokens: 10, output_tokens: 5, iterations: [pass, { ...pass, type: "advisor_message" }] }, null);
    expect(advised).toMatchObject({ usage: { input_tokens: 20, output_tokens: 10 }, anomaly: expect.stringContaining("advisor") });
  });
});
