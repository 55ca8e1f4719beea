import { describe, expect, test } from "vitest";
import { gatewayError } from "../../schema/error.ts";
import { LIMITS } from "../../schema/limits.ts";
import type { Usage } from "../../schema/usage.ts";
import type { CanonicalEvent } from "../../workers/protocol/canonical.ts";
import { PROTOCOLS } from "../../workers/protocol/index.ts";
import type { EncoderContext } from "../../workers/protocol/protocol.ts";
import { createRelay, relayUnary } from "../../workers/protocol/relay.ts";
import { body, context, decodeStream, singleBytes } from "./bodies.ts";
import { summarise } from "./summary.ts";

const chat = PROTOCOLS["ollama-chat"];
const generate = PROTOCOLS["ollama-generate"];

function read(name: string): CanonicalEvent[] {
  const bytes = body("ollama-chat", name);
  return name.endsWith(".json") ? chat.parseResponse(bytes.toString(), {}) : decodeStream(chat, [bytes]);
}

/** A provider's stream of one format as a caller of another gets it. */
function relayed(
  upstream: "openai-chat" | "anthropic-messages" | "ollama-chat",
  caller: "ollama-chat" | "openai-chat",
  bytes: Uint8Array,
  changes: Partial<EncoderContext> = {},
): string {
  const relay = createRelay({
    upstream: PROTOCOLS[upstream],
    caller: PROTOCOLS[caller],
    quirks: {},
    context: context(changes),
    requestId: "req_1",
  });
  const chunks = [...singleBytes(bytes).map((chunk) => relay.push(chunk)), relay.end(null)];
  return Buffer.concat(chunks.map((chunk) => Buffer.from(chunk))).toString();
}

// What a test reads of a line it has just been given.
function linesOf(text: string): Record<string, unknown>[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}

describe("traps of the recordings", () => {
  test("no-prompt_eval_count: a prompt that was in the cache is unknown, not zero, and no other count is lost", () => {
    for (const name of ["prompt-cached.ndjson", "prompt-cached.json"]) {
      const { usage, usageFinal } = summarise(read(name));
      expect([usage.input_tokens, usage.cache_read_tokens, usageFinal]).toEqual([null, null, true]);
      expect(usage.output_tokens).toBeGreaterThan(0);
    }
    const costs: Usage[] = [];
    relayed("ollama-chat", "ollama-chat", body("ollama-chat", "prompt-cached.ndjson"), { costMicroRub: (usage) => (costs.push(usage), 7) });
    expect(costs[0]?.input_tokens).toBeNull();
  });

  test("thinking-field: thinking is reasoning, before the text it led to", () => {
    const [choice] = Object.values(summarise(read("thinking-then-text.ndjson")).choices);
    expect(choice).toMatchObject({ reasoning: "A boat needs water.", text: "Water.", order: ["reasoning", "text"] });
    expect(summarise(read("thinking.json")).choices[0]).toMatchObject({ reasoning: "Eight fives.\n\nThat is forty.", text: "Forty." });
  });

  test("tool-args-object: arguments keep their own text, whatever a parser would make of it", () => {
    const calls = summarise(read("tools.json")).choices[0]?.calls;
    expect(calls?.map((call) => call.args)).toEqual(['{"zeta": 9007199254740993, "alpha": 1.0,\n        "note": "line\\nbreak"}', "{}"]);
    const told = relayUnary({
      upstream: chat,
      caller: PROTOCOLS["openai-chat"],
      quirks: {},
      context: context(),
      bodyText: body("ollama-chat", "tools.json").toString(),
    });
    expect(JSON.parse(told.body).choices[0].message.tool_calls[0].function.arguments).toContain("9007199254740993");
  });

  test("tool-calls-with-done_reason-stop: a client that waits for calls is told of them", () => {
    for (const name of ["tools-parallel.ndjson", "tools.json"])
      expect(summarise(read(name)).choices[0]).toMatchObject({ finish: "tool-calls", raw: "stop" });
    expect(relayed("ollama-chat", "openai-chat", body("ollama-chat", "tools-parallel.ndjson"))).toContain('"finish_reason":"tool_calls"');
  });

  test("several whole calls in one line, each with id and arguments, are each a call", () => {
    expect(summarise(read("tools-parallel.ndjson")).choices[0]?.calls).toEqual([
      { id: "call_k3v9", name: "sea_level", args: '{"port":"Ульсан","hours":6}' },
      { id: "call_p0q1", name: "wind", args: "{}" },
      { id: "call_z8", name: "sea_level", args: '{"port":"Brest","hours":12}' },
    ]);
  });

  test("calls without ids get ids that differ in one answer and between answers, and are the same each time it is read", () => {
    const ids = (name: string) => summarise(read(name)).choices[0]?.calls.map((call) => call.id);
    expect(ids("tools-without-ids.ndjson")).toEqual(["call_20240902110000123456789_0", "call_20240902110000123456789_1"]);
    expect(ids("tools-without-ids.ndjson")).toEqual(ids("tools-without-ids.ndjson"));
  });

  test("an error line is an error, alone and in the middle, and never a success", () => {
    for (const name of ["error-in-stream.ndjson", "error-first.ndjson", "error-in-200.json"])
      expect(summarise(read(name))).toMatchObject({ error: "provider_error", ended: false });
    const told = relayed("ollama-chat", "openai-chat", body("ollama-chat", "error-in-stream.ndjson"));
    expect(told).toContain('"error"');
    expect(told).not.toMatch(/\[DONE\]|"finish_reason":"/);
    expect(relayed("ollama-chat", "ollama-chat", body("ollama-chat", "error-in-stream.ndjson"))).toBe(
      body("ollama-chat", "error-in-stream.ndjson").toString(),
    );
  });

  test("a stream cut at any byte is an error for its caller, never a success", () => {
    const bytes = body("ollama-chat", "tools-parallel.ndjson");
    const lastLine = bytes.lastIndexOf('"done":true') + '"done":true'.length;
    const taken: number[] = [];
    for (let place = 0; place < lastLine; place++) {
      const told = relayed("ollama-chat", "openai-chat", bytes.subarray(0, place));
      if (!told.includes('"error"') || told.includes("[DONE]")) taken.push(place);
    }
    expect(taken).toEqual([]);
  });

  test("a load is an answer without content and without a count", () => {
    const events = read("load.json");
    expect(summarise(events)).toMatchObject({ ended: true, usageFinal: false, choices: { 0: { finish: "stop", raw: "load", text: "" } } });
  });

  test("counts that are impossible are named and not trusted", () => {
    const line = '{"model":"m","message":{"role":"assistant","content":"x"},"done":true,"prompt_eval_count":-3,"eval_count":1.5}';
    expect(summarise(chat.parseResponse(line, {}))).toMatchObject({
      usage: { input_tokens: null, output_tokens: null },
      anomaly: "prompt_eval_count is -3; eval_count is 1.5",
    });
  });

  test("a line that is no JSON is an error in translation, a line that outgrows the bound an error on any way", () => {
    expect(relayed("ollama-chat", "openai-chat", Buffer.from("<html>\n"))).toContain('"error"');
    const framer = chat.createFramer();
    const frames = framer.push(new Uint8Array(LIMITS.frameBytes + 1).fill(120));
    expect(chat.createDecoder({}).decode(frames[0] ?? { bytes: new Uint8Array(0), event: null, data: null })).toMatchObject([
      { type: "error" },
    ]);
  });
});

describe("an answer for a caller of /api/chat", () => {
  const usage: Usage = {
    input_tokens: 10,
    cache_read_tokens: 5,
    cache_write_5m_tokens: 2,
    cache_write_1h_tokens: null,
    output_tokens: 7,
    reasoning_tokens: 3,
  };
  const start: CanonicalEvent = { type: "start", id: "a1", model: "far-model", createdSeconds: 1_700_000_001 };
  const ending: CanonicalEvent[] = [
    { type: "usage", usage, final: true, anomaly: null },
    { type: "finish", choice: 0, unified: "tool-calls", raw: "tool_calls", stopSequence: null, detailsJson: null },
    { type: "end" },
  ];
  const call = (block: number, argumentsText: string): CanonicalEvent[] => [
    { type: "tool-input-start", block, choice: 0, id: `c${block}`, name: `f${block}` },
    { type: "tool-input-delta", block, text: argumentsText },
    { type: "tool-input-end", block },
  ];
  const encoded = (events: readonly CanonicalEvent[], changes: Partial<EncoderContext> = {}) => {
    const encoder = chat.createEncoder(context(changes));
    return events.map((event) => encoder.encode(event)).join("");
  };

  test("is lines with the model, the time, and the whole prompt's count with its caches", () => {
    const events: CanonicalEvent[] = [
      start,
      { type: "text-start", block: 0, choice: 0, refusal: false },
      { type: "text-delta", block: 0, text: "Hi\n" },
      { type: "text-end", block: 0 },
      ...ending,
    ];
    expect(encoded(events, { costMicroRub: () => 99 })).toBe(
      '{"model":"far-model","created_at":"2023-11-14T22:13:21.000Z","message":{"role":"assistant","content":"Hi\\n"},"done":false}\n' +
        '{"model":"far-model","created_at":"2023-11-14T22:13:21.000Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","prompt_eval_count":17,"eval_count":7,"cost_micro_rub":99}\n',
    );
  });

  test("states no duration and no count that nobody reported", () => {
    const [last] = linesOf(encoded([{ type: "end" }]));
    expect(Object.keys(last ?? {})).toEqual(["model", "created_at", "message", "done", "done_reason"]);
  });

  test("has a call whole, in one line, in the order of opening, its raw text on that line", () => {
    const [one, two] = [call(1, '{"n":9007199254740993,\n"f":1.0}'), call(2, "")];
    const overlapping = [start, ...one.slice(0, 2), ...two, ...one.slice(2), ...ending];
    const text = encoded(overlapping);
    expect(text.split("\n").length).toBe(4);
    expect(text).toContain('"tool_calls":[{"id":"c1","function":{"index":0,"name":"f1","arguments":{"n":9007199254740993, "f":1.0}}}]');
    expect(
      linesOf(text)
        .map((line) => JSON.stringify(line["message"]))
        .at(1),
    ).toContain('"function":{"index":1,"name":"f2","arguments":{}}');
  });

  test("shows the other choices, signatures and citations to nobody, and stays well formed", () => {
    const events: CanonicalEvent[] = [
      start,
      { type: "text-start", block: 0, choice: 1, refusal: false },
      { type: "text-delta", block: 0, text: "second" },
      { type: "text-end", block: 0 },
      { type: "reasoning-start", block: 1, choice: 0, kind: "raw", data: null },
      { type: "reasoning-delta", block: 1, text: "hm" },
      { type: "reasoning-signature", block: 1, signature: "s" },
      { type: "reasoning-end", block: 1 },
      { type: "source", block: null, choice: 0, json: "{}" },
      ...ending,
    ];
    expect(linesOf(encoded(events)).map((line) => line["message"])).toEqual([
      { role: "assistant", content: "", thinking: "hm" },
      { role: "assistant", content: "" },
    ]);
    expect(JSON.parse(chat.renderResponse(events, context())).message).toEqual({ role: "assistant", content: "", thinking: "hm" });
  });

  test("tells a refusal and a filter apart from a stop", () => {
    const reason = (unified: "refusal" | "content-filter" | "length" | "stop-sequence") =>
      linesOf(encoded([{ type: "finish", choice: 0, unified, raw: "", stopSequence: null, detailsJson: null }, { type: "end" }]))[0]?.[
        "done_reason"
      ];
    expect([reason("refusal"), reason("content-filter"), reason("length"), reason("stop-sequence")]).toEqual([
      "refusal",
      "content_filter",
      "length",
      "stop",
    ]);
  });

  test("says nothing after an error, and the error line carries code, param, details, the request's id and a status", () => {
    expect(encoded([start, { type: "error", error: gatewayError("provider_error", "Gone.") }, { type: "end" }])).toBe("");
    const error = gatewayError("model_not_found", "No such model.", { param: "model", available: ["a/b"], suggestion: "Use a/b." });
    const members = {
      error: "No such model.",
      code: "model_not_found",
      param: "model",
      details: { available: ["a/b"], suggestion: "Use a/b." },
      request_id: "req_1",
    };
    expect(JSON.parse(chat.renderError(error, "req_1"))).toEqual(members);
    const line = generate.renderStreamError(error, "req_1");
    expect(linesOf(String(line))).toEqual([{ ...members, status: 404 }]);
  });

  test("is the same whole as streamed", () => {
    const events = [start, ...call(0, '{"a":1}'), ...ending];
    const whole = chat.parseResponse(chat.renderResponse(events, context()), {});
    expect(summarise(whole)).toEqual(summarise(decodeStream(chat, [Buffer.from(encoded(events))])));
  });
});

describe("the cost in bytes that pass", () => {
  test("stands beside the counts of the last line, and every other byte stays", () => {
    for (const name of ["crlf.ndjson", "unterminated.ndjson", "unknown-members.ndjson"]) {
      const bytes = body("ollama-chat", name);
      const told = relayed("ollama-chat", "ollama-chat", bytes, { costMicroRub: () => 12 });
      expect(told.replace(',"cost_micro_rub":12', "")).toBe(bytes.toString());
      expect(linesOf(told).at(-1)).toMatchObject({ done: true, cost_micro_rub: 12 });
    }
  });

  test("stands in a whole body of either endpoint", () => {
    for (const [protocol, folder] of [
      [chat, "ollama-chat"],
      [generate, "ollama-generate"],
    ] as const) {
      const bodyText = body(folder, "text.json").toString();
      const told = relayUnary({ upstream: protocol, caller: protocol, quirks: {}, context: context({ costMicroRub: () => 5 }), bodyText });
      expect(told.body).toBe(`${bodyText.slice(0, -1)},"cost_micro_rub":5}`);
    }
  });
});
