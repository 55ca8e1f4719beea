import { describe, expect, test } from "vitest";
import type { CanonicalEvent } from "../../workers/protocol/canonical.ts";
import { createGrammarChecker } from "../../workers/protocol/grammar.ts";
import { openaiChat } from "../../workers/protocol/openai-chat/index.ts";
import { readUsage, renderUsage } from "../../workers/protocol/openai-chat/usage.ts";
import { body, bodyNames, context, cut, decodeStream, singleBytes } from "./bodies.ts";
import { summarise } from "./summary.ts";

const stream = (name: string, quirks = {}): CanonicalEvent[] => decodeStream(openaiChat, [body("openai-chat", name)], quirks);
const answer = (name: string, quirks = {}): ReturnType<typeof summarise> => summarise(stream(name, quirks));
const unary = (name: string): ReturnType<typeof summarise> => summarise(openaiChat.parseResponse(body("openai-chat", name).toString(), {}));

describe("decoding a Chat stream", () => {
  test("reads text, finish, and usage with the cache taken out of the input", () => {
    const { choices, usage, id, ended } = answer("text.sse");
    expect(choices[0]).toMatchObject({ text: 'Привет, мир 😀\n"quoted"', finish: "stop", raw: "stop" });
    expect(usage).toEqual({
      input_tokens: 5,
      cache_read_tokens: 16,
      cache_write_5m_tokens: null,
      cache_write_1h_tokens: null,
      output_tokens: 9,
      reasoning_tokens: 4,
    });
    expect([id, ended]).toEqual(["chatcmpl-plyrum1", true]);
  });

  test("keeps two whole calls that came in one delta beside the finish, with their numbers as text", () => {
    expect(answer("tools-parallel.sse").choices[0]).toMatchObject({
      calls: [
        { id: "a1b2c3d4e", name: "weather", args: '{"city": "Paris", "id": 9007199254740993}' },
        { id: "f6g7h8i9j", name: "weather", args: '{"city": "Oslo", "t": 1.0}' },
      ],
      finish: "tool-calls",
    });
    expect(answer("tools-parallel.sse").usage).toMatchObject({ input_tokens: 80, output_tokens: 31, cache_read_tokens: null });
  });

  test("puts streamed calls together and keeps text before them", () => {
    expect(answer("tools-streamed.sse").choices[0]).toMatchObject({
      text: "Let me look.",
      order: ["text", "call", "call"],
      calls: [
        { id: "call_1", name: "search", args: '{"q":"plyrum"}' },
        { id: "call_2", name: "now", args: "{}" },
      ],
    });
  });

  test("tells calls apart without an index, and says tool-calls though the provider said stop", () => {
    expect(answer("tools-without-index.sse").choices[0]).toMatchObject({
      calls: [
        { id: "one", name: "a", args: '{"x":1}' },
        { id: "two", name: "b", args: '{"y":2}' },
      ],
      finish: "tool-calls",
      raw: "stop",
    });
  });

  test("reads a reused index with another id as another call", () => {
    const whole = (id: string, name: string): string =>
      `data: {"id":"x","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"${id}","function":{"name":"${name}","arguments":"{}"}}]}}]}\n\n`;
    const text = `${whole("1", "a")}${whole("2", "b")}data: [DONE]\n\n`;
    expect(summarise(decodeStream(openaiChat, [Buffer.from(text)])).choices[0]?.calls.map((call) => call.name)).toEqual(["a", "b"]);
  });

  test("reads every dialect of reasoning once, with its signature", () => {
    expect(answer("reasoning.sse").choices[0]).toMatchObject({
      reasoning: "First, think.",
      signatures: ["c2ln"],
      text: "Answer",
      order: ["reasoning", "text"],
    });
    expect(answer("reasoning.sse").usage).toMatchObject({
      input_tokens: 8,
      cache_read_tokens: 0,
      cache_write_5m_tokens: 4,
      reasoning_tokens: 20,
    });
    expect(answer("reasoning-content.sse").choices[0]).toMatchObject({ reasoning: "hm yes", text: "42" });
    expect(answer("reasoning-content.sse").usage).toMatchObject({ input_tokens: 4, cache_read_tokens: 6, output_tokens: 12 });
    expect(answer("thinking-parts.sse").choices[0]).toMatchObject({ reasoning: "Let me think", text: "Done" });
  });

  test("finishes once though the provider said so twice", () => {
    expect(stream("reasoning.sse").filter((event) => event.type === "finish")).toHaveLength(1);
  });

  test("keeps interleaved choices apart", () => {
    const { choices } = answer("choices.sse");
    expect([choices[0]?.text, choices[0]?.finish, choices[1]?.text, choices[1]?.finish]).toEqual(["AB", "stop", "XY", "length"]);
  });

  test("knows a refusal from text", () => {
    expect(answer("refusal.sse").choices[0]).toMatchObject({ refusal: "I cannot help.", text: "", finish: "refusal", raw: "stop" });
  });

  test("takes the first id that is one, after a first chunk without choices", () => {
    expect(answer("empty-first-chunk.sse").id).toBe("chatcmpl-real");
  });

  test("takes the last of cumulative usages, and a missing [DONE] for an end when the finish was seen", () => {
    const events = stream("without-done.sse");
    expect(events.filter((event) => event.type === "usage").map((event) => event.final)).toEqual([false, false, true]);
    expect(summarise(events)).toMatchObject({ ended: true, error: null, usage: { input_tokens: 4, output_tokens: 3 } });
  });

  test("takes a stream that ends before its [DONE] and its usage for one that broke off, unless its provider sends no usage", () => {
    const text = 'data: {"id":"x","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}\n\n';
    expect(summarise(decodeStream(openaiChat, [Buffer.from(text)]))).toMatchObject({ ended: false, error: "provider_error" });
    expect(summarise(decodeStream(openaiChat, [Buffer.from(text)], { streamOptions: false }))).toMatchObject({ ended: true, error: null });
  });

  test("takes the last usage for final when no finish reason ever came but [DONE] did", () => {
    const text =
      'data: {"id":"x","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}],"usage":{"prompt_tokens":3,"completion_tokens":1}}\n\ndata: [DONE]\n\n';
    expect(summarise(decodeStream(openaiChat, [Buffer.from(text)]))).toMatchObject({
      usageFinal: true,
      ended: true,
      usage: { output_tokens: 1 },
    });
  });

  test("finds usage in x_groq", () => {
    expect(answer("groq-usage.sse")).toMatchObject({
      usageFinal: true,
      usage: { input_tokens: 30, output_tokens: 2 },
      choices: { 0: { finish: "length" } },
    });
  });

  test("reads the API's first form of calls, with an id of ours", () => {
    expect(answer("legacy-function.sse").choices[0]?.calls).toEqual([{ id: "call_chatcmplplyrum1_0", name: "f", args: '{"a":1}' }]);
  });

  test("hands on the broken arguments of a truncated call as they are", () => {
    expect(answer("truncated-arguments.sse").choices[0]).toMatchObject({ calls: [{ args: '{"text": "unfini' }], finish: "length" });
  });

  test.each([
    ["error-chunk.sse", "provider_error"],
    ["error-event.sse", "upstream_rejected"],
    ["error-field.sse", "provider_error"],
    ["cut.sse", "provider_error"],
  ])("reports %s as an error, never as an end", (name, code) => {
    expect(answer(name)).toMatchObject({ error: code, ended: false });
  });

  test("gives well-formed events for every body and the same answer for every cut", () => {
    for (const name of bodyNames("openai-chat", ".sse")) {
      const bytes = body("openai-chat", name);
      const events = decodeStream(openaiChat, [bytes]);
      const check = createGrammarChecker();
      expect(
        events.map(check).filter((fault) => fault !== null),
        name,
      ).toEqual([]);
      expect(["end", "error"]).toContain(events.at(-1)?.type);
      expect(decodeStream(openaiChat, singleBytes(bytes)), name).toEqual(events);
      for (let place = 1; place < bytes.length; place += 7) expect(decodeStream(openaiChat, cut(bytes, [place]))).toEqual(events);
    }
  });

  test("never calls a stream that broke off before its finish complete, wherever it broke", () => {
    const bytes = body("openai-chat", "tools-streamed.sse");
    const finishAt = bytes.indexOf('"finish_reason":"tool_calls"');
    for (let length = 0; length < finishAt; length++) {
      const events = decodeStream(openaiChat, [bytes.subarray(0, length)]);
      expect(events.at(-1)?.type, `cut at ${length}`).toBe("error");
    }
  });
});

describe("reading a whole Chat answer", () => {
  test("gives the events its stream would give", () => {
    expect(unary("text.json")).toMatchObject({
      choices: { 0: { text: "Привет", finish: "stop" } },
      usage: { input_tokens: 5, cache_read_tokens: 16 },
      ended: true,
    });
    expect(unary("reasoning.json").choices[0]).toMatchObject({ reasoning: "because", text: "so", finish: "length" });
  });

  test("keeps call arguments as their text, empty, null, and free text as JSON", () => {
    expect(unary("tools.json").choices[0]?.calls).toEqual([
      { id: "c1", name: "a", args: '{"n":1.0}' },
      { id: "c2", name: "b", args: "" },
      { id: "c3", name: "free", args: '{"input":"say \\"hi\\"\\n"}' },
    ]);
    expect(unary("without-content.json").choices[0]).toMatchObject({ text: "", calls: [{ args: "null" }], finish: "tool-calls" });
  });

  test("does not take members printed empty for calls", () => {
    expect(unary("empty-members.json").choices[0]).toMatchObject({
      calls: [{ id: "toolu_1", name: "weather", args: '{"city":"Lima"}' }],
      finish: "tool-calls",
      raw: "",
    });
  });

  test("turns an error sent with status 200, and a body that is no answer, into an error", () => {
    const [event] = openaiChat.parseResponse(body("openai-chat", "error-in-200.json").toString(), {});
    expect(event).toMatchObject({
      type: "error",
      error: { code: "upstream_rejected", status: 400, param: "prompt", upstream_code: "content_filter" },
    });
    for (const text of ["<html>oops</html>", "", "[]", "null", '{"choices":[]}', '{"detail":"no"}']) {
      expect(openaiChat.parseResponse(text, {}).at(-1), text).toMatchObject({ type: "error" });
    }
  });
});

describe("usage", () => {
  test("excludes reasoning or cache only where the provider is declared to leave it out, and the figures agree", () => {
    const xai = {
      prompt_tokens: 291,
      completion_tokens: 26,
      total_tokens: 506,
      prompt_tokens_details: { cached_tokens: 244 },
      completion_tokens_details: { reasoning_tokens: 189 },
    };
    expect(readUsage(xai, { outputExcludesReasoning: true, inputExcludesCache: true })).toMatchObject({
      usage: { input_tokens: 47, output_tokens: 215, reasoning_tokens: 189 },
      anomaly: null,
    });
    expect(
      readUsage({ prompt_tokens: 10, completion_tokens: 5, prompt_tokens_details: { cached_tokens: 90 } }, { inputExcludesCache: true })
        ?.usage,
    ).toMatchObject({ input_tokens: 10, cache_read_tokens: 90 });
    expect(
      readUsage(
        { prompt_tokens: 10, completion_tokens: 30, total_tokens: 40, completion_tokens_details: { reasoning_tokens: 20 } },
        { outputExcludesReasoning: true },
      )?.usage.output_tokens,
    ).toBe(30);
  });

  test.each([
    [
      { prompt_tokens: 5, completion_tokens: 3, prompt_tokens_details: { cached_tokens: 9 } },
      { input_tokens: 0, cache_read_tokens: 9, output_tokens: 3 },
    ],
    [
      { prompt_tokens: 5, completion_tokens: 3, completion_tokens_details: { reasoning_tokens: 4 } },
      { output_tokens: 3, reasoning_tokens: 3 },
    ],
    [
      { prompt_tokens: -5, completion_tokens: 1.5 },
      { input_tokens: null, output_tokens: null },
    ],
    [
      { prompt_tokens: "many", completion_tokens: 2 },
      { input_tokens: null, output_tokens: 2 },
    ],
    [
      { prompt_tokens: 66, completion_tokens: 6, total_tokens: 100 },
      { input_tokens: 66, output_tokens: 34 },
    ],
  ])("clamps and names absurd figures: %j", (given, expected) => {
    const read = readUsage(given, {});
    expect(read?.usage).toMatchObject(expected);
    expect(read?.anomaly).not.toBeNull();
  });

  test("stays unknown when nothing was counted, and is never rendered as zero", () => {
    expect(readUsage({}, {})).toBeNull();
    expect(readUsage({ prompt_tokens: 0, completion_tokens: 0 }, {})?.usage).toMatchObject({
      input_tokens: 0,
      output_tokens: 0,
      cache_read_tokens: null,
    });
    expect(
      renderUsage(
        {
          input_tokens: 3,
          output_tokens: null,
          cache_read_tokens: null,
          cache_write_5m_tokens: null,
          cache_write_1h_tokens: null,
          reasoning_tokens: null,
        },
        5,
      ),
    ).toBeNull();
  });
});

describe("encoding for a Chat caller", () => {
  const encode = (events: readonly CanonicalEvent[], changes = {}): string => {
    const encoder = openaiChat.createEncoder(context(changes));
    return events.map((event) => encoder.encode(event)).join("");
  };

  test("shows a call without arguments as one with an empty object, however its provider says so", () => {
    for (const text of ["", "null", "{}"]) {
      const events: CanonicalEvent[] = [
        { type: "tool-input-start", block: 0, choice: 0, id: "c", name: "f" },
        { type: "tool-input-delta", block: 0, text },
        { type: "tool-input-end", block: 0 },
        { type: "finish", choice: 0, unified: "tool-calls", raw: "", stopSequence: null, detailsJson: null },
        { type: "end" },
      ];
      const shown = [
        decodeStream(openaiChat, [Buffer.from(encode(events))]),
        openaiChat.parseResponse(openaiChat.renderResponse(events, context()), {}),
      ];
      for (const each of shown) expect(summarise(each).choices[0]?.calls).toEqual([{ id: "c", name: "f", args: "{}" }]);
    }
  });

  test("gives a stream that reads back as the same answer, for every body that ends", () => {
    for (const name of bodyNames("openai-chat", ".sse")) {
      const events = stream(name);
      if (events.at(-1)?.type !== "end") continue;
      const again = summarise(decodeStream(openaiChat, [Buffer.from(encode(events))]));
      const first = summarise(events);
      const comparable = (summary: typeof first): unknown => ({
        ...summary,
        anomaly: null,
        choices: Object.values(summary.choices).map(
          ({ raw: _raw, signatures: _signatures, order: _order, blocks: _blocks, ...choice }) => choice,
        ),
      });
      expect(comparable(again), name).toEqual(comparable(first));
    }
  });

  test("folds to a whole answer that reads back the same", () => {
    for (const name of bodyNames("openai-chat", ".sse")) {
      const events = stream(name);
      if (events.at(-1)?.type !== "end") continue;
      const again = summarise(openaiChat.parseResponse(openaiChat.renderResponse(events, context()), {}));
      const first = summarise(events);
      expect(
        Object.values(again.choices).map((choice) => [choice.text, choice.refusal, choice.reasoning, choice.calls, choice.finish]),
        name,
      ).toEqual(Object.values(first.choices).map((choice) => [choice.text, choice.refusal, choice.reasoning, choice.calls, choice.finish]));
      expect(again.usage, name).toEqual(first.usage);
    }
  });

  test("shows usage only to a caller that asked, with the cost inside, before [DONE]", () => {
    const text = encode(stream("text.sse"), { costMicroRub: () => 123 });
    expect(
      text.endsWith(
        '"usage":{"prompt_tokens":21,"completion_tokens":9,"total_tokens":30,"prompt_tokens_details":{"cached_tokens":16},"completion_tokens_details":{"reasoning_tokens":4},"cost_micro_rub":123}}\n\ndata: [DONE]\n\n',
      ),
    ).toBe(true);
    expect(encode(stream("text.sse"), { wantsStreamUsage: false })).not.toContain("usage");
    expect(encode(stream("legacy-function.sse"))).not.toContain("usage");
  });

  test("gives a call without arguments an empty object, and an answer without content a whole envelope", () => {
    const events: CanonicalEvent[] = [
      { type: "tool-input-start", block: 0, choice: 0, id: "t", name: "now" },
      { type: "tool-input-end", block: 0 },
      { type: "finish", choice: 0, unified: "tool-calls", raw: "tool_use", stopSequence: null, detailsJson: null },
      { type: "end" },
    ];
    expect(summarise(decodeStream(openaiChat, [Buffer.from(encode(events))])).choices[0]?.calls).toEqual([
      { id: "t", name: "now", args: "{}" },
    ]);
    const empty: CanonicalEvent[] = [
      { type: "finish", choice: 0, unified: "stop", raw: "end_turn", stopSequence: null, detailsJson: null },
      { type: "end" },
    ];
    expect(encode(empty)).toContain('"delta":{"role":"assistant","content":""}');
    expect(JSON.parse(openaiChat.renderResponse(empty, context()))).toMatchObject({
      id: "ours-1",
      model: "our-model",
      choices: [{ message: { role: "assistant", content: "" }, finish_reason: "stop" }],
    });
  });

  test("writes nothing after the end, and no terminator after an error", () => {
    const encoder = openaiChat.createEncoder(context());
    const events = stream("error-chunk.sse");
    expect(events.map((event) => encoder.encode(event)).join("")).not.toContain("[DONE]");
    expect(encoder.encode({ type: "text-delta", block: 0, text: "late" })).toBe("");
  });
});
