import { describe, expect, test } from "vitest";
import { gatewayError } from "../../schema/error.ts";
import { isObject, parseJson } from "../../schema/json.ts";
import type { Usage } from "../../schema/usage.ts";
import { anthropicMessages } from "../../workers/protocol/anthropic-messages/index.ts";
import type { CanonicalEvent, FinishReason } from "../../workers/protocol/canonical.ts";
import { createGrammarChecker } from "../../workers/protocol/grammar.ts";
import { openaiResponses } from "../../workers/protocol/openai-responses/index.ts";
import { createRelay } from "../../workers/protocol/relay.ts";
import { body, bodyNames, context, decodeStream } from "./bodies.ts";
import { choice, decode } from "./openai-responses-answers.ts";
import { summarise } from "./summary.ts";

/** An encoded stream's events as parsed data; the event's name must be the data's type, and the numbers must count from 0. */
function sent(events: readonly CanonicalEvent[], changes = {}): Record<string, unknown>[] {
  const encoder = openaiResponses.createEncoder(context(changes));
  const frames = events.map((event) => encoder.encode(event)).join("");
  const list = String(frames)
    .split("\n\n")
    .filter((frame) => frame !== "")
    .map((frame) => {
      const [first = "", second = ""] = frame.split("\n");
      const data = parseJson(second.slice("data: ".length));
      if (!data.ok || !isObject(data.value)) throw new Error(`not a frame: ${frame}`);
      expect(first).toBe(`event: ${String(data.value["type"])}`);
      return data.value;
    });
  expect(list.map((data) => data["sequence_number"])).toEqual(list.map((_, index) => index));
  return list;
}

function types(list: readonly Record<string, unknown>[]): string[] {
  return list.map((data) => String(data["type"]).replace("response.", ""));
}

const start: CanonicalEvent = { type: "start", id: "up-1", model: "model-1", createdSeconds: 5 };
const end: CanonicalEvent = { type: "end" };
const finish = (unified: FinishReason): CanonicalEvent => ({
  type: "finish",
  choice: 0,
  unified,
  raw: "",
  stopSequence: null,
  detailsJson: null,
});
const text = (block: number, value: string, at = 0): CanonicalEvent[] => [
  { type: "text-start", block, choice: at, refusal: false },
  { type: "text-delta", block, text: value },
  { type: "text-end", block },
];

describe("writing a stream for a caller", () => {
  const pieces: CanonicalEvent[] = [
    start,
    { type: "reasoning-start", block: 0, choice: 0, kind: "summary", data: null },
    { type: "reasoning-delta", block: 0, text: "hm" },
    { type: "reasoning-signature", block: 0, signature: "sig" },
    { type: "reasoning-end", block: 0 },
    ...text(1, "One."),
    ...text(2, "Two."),
    { type: "tool-input-start", block: 3, choice: 0, id: "call_1", name: "f", signature: "thought" },
    { type: "tool-input-delta", block: 3, text: '{"n":' },
    { type: "tool-input-delta", block: 3, text: "1.0}" },
    { type: "tool-input-end", block: 3 },
    finish("tool-calls"),
    { type: "usage", usage: { input_tokens: 5, cache_read_tokens: 2, output_tokens: 3, reasoning_tokens: 1 }, final: true, anomaly: null },
    end,
  ];

  test("gives every item its own brackets, in the order the API has", () => {
    expect(types(sent(pieces))).toEqual(
      (
        "created in_progress " +
        "output_item.added reasoning_summary_part.added reasoning_summary_text.delta reasoning_summary_text.done reasoning_summary_part.done output_item.done " +
        "output_item.added content_part.added output_text.delta output_text.done content_part.done content_part.added output_text.delta output_text.done content_part.done output_item.done " +
        "output_item.added function_call_arguments.delta function_call_arguments.delta function_call_arguments.done output_item.done completed"
      ).split(" "),
    );
  });

  test("repeats the whole answer at the end, with the usage and its cost", () => {
    const all = sent(pieces, { costMicroRub: (usage: Usage) => (usage.output_tokens ?? 0) * 100 });
    const last = all.at(-1);
    expect(last).toMatchObject({
      response: {
        id: "up-1",
        model: "model-1",
        created_at: 5,
        status: "completed",
        output: [
          { type: "reasoning", summary: [{ type: "summary_text", text: "hm" }], encrypted_content: "sig" },
          { type: "message", content: [{ type: "output_text", text: "One." }, { text: "Two." }] },
          { type: "function_call", call_id: "call_1", name: "f", arguments: '{"n":1.0}', signature: "thought", status: "completed" },
        ],
        usage: {
          input_tokens: 7,
          input_tokens_details: { cached_tokens: 2 },
          output_tokens: 3,
          output_tokens_details: { reasoning_tokens: 1 },
          total_tokens: 10,
          cost_micro_rub: 300,
        },
      },
    });
    const done = all.filter((data) => data["type"] === "response.output_item.done").map((data) => data["item"]);
    expect(isObject(last?.["response"]) && last["response"]["output"]).toEqual(done);
    const folded = openaiResponses.renderResponse(pieces, context({ costMicroRub: () => 300 }));
    expect(JSON.parse(folded)).toEqual(last?.["response"]);
  });

  test.each<[FinishReason, string, string | null]>([
    ["stop", "completed", null],
    ["stop-sequence", "completed", null],
    ["pause", "completed", null],
    ["malformed", "completed", null],
    ["length", "incomplete", "max_output_tokens"],
    ["context-full", "incomplete", "max_output_tokens"],
    ["content-filter", "incomplete", "content_filter"],
    ["refusal", "incomplete", "content_filter"],
    ["error", "failed", null],
  ])("ends a finish of %s as %s", (unified, status, reason) => {
    const last = sent([start, ...text(0, "x"), finish(unified), end]).at(-1);
    expect(last).toMatchObject({
      type: `response.${status}`,
      response: { status, incomplete_details: reason === null ? null : { reason } },
    });
  });

  test("completes an answer whose refusal the caller can read", () => {
    const all = sent([
      start,
      { type: "text-start", block: 0, choice: 0, refusal: true },
      { type: "text-delta", block: 0, text: "No." },
      { type: "text-end", block: 0 },
      finish("refusal"),
      end,
    ]);
    expect(types(all)).toContain("refusal.done");
    expect(all.at(-1)).toMatchObject({
      type: "response.completed",
      response: { output: [{ content: [{ type: "refusal", refusal: "No." }] }] },
    });
  });

  test("gives an empty answer its whole envelope, and unknown usage none", () => {
    const all = sent([finish("stop"), end]);
    expect(types(all)).toEqual(["created", "in_progress", "completed"]);
    expect(all.at(-1)).toMatchObject({ response: { id: "ours-1", model: "our-model", output: [], usage: null } });
  });

  test("puts blocks that overlap one after the other, and leaves out other choices", () => {
    const all = sent([
      start,
      { type: "tool-input-start", block: 0, choice: 0, id: "a", name: "f" },
      { type: "tool-input-start", block: 1, choice: 0, id: "b", name: "g" },
      { type: "tool-input-delta", block: 1, text: "null" },
      ...text(2, "not shown", 1),
      { type: "tool-input-delta", block: 0, text: "{}" },
      { type: "tool-input-end", block: 1 },
      { type: "tool-input-end", block: 0 },
      finish("tool-calls"),
      end,
    ]);
    const output = all.filter((data) => data["type"] === "response.output_item.done");
    expect(output.map((data) => [data["output_index"], isObject(data["item"]) && data["item"]["arguments"]])).toEqual([
      [0, "{}"],
      [1, "{}"],
    ]);
    expect(JSON.stringify(all)).not.toContain("not shown");
  });

  test("shows a citation only where its place in the text is known", () => {
    const cite = (json: unknown): CanonicalEvent => ({ type: "source", block: 0, choice: 0, json: JSON.stringify(json) });
    const all = sent([
      start,
      { type: "text-start", block: 0, choice: 0, refusal: false },
      { type: "text-delta", block: 0, text: "See." },
      cite({ type: "url_citation", url_citation: { url: "https://x.test", title: "X", start_index: 0, end_index: 3 } }),
      cite({ type: "web_search_result_location", url: "https://y.test" }),
      { type: "text-end", block: 0 },
      finish("stop"),
      end,
    ]);
    expect(all.at(-1)).toMatchObject({
      response: {
        output: [{ content: [{ annotations: [{ type: "url_citation", url: "https://x.test", start_index: 0, end_index: 3 }] }] }],
      },
    });
    expect(JSON.stringify(all)).not.toContain("y.test");
  });

  test("says nothing of an error itself, and nothing after it or after the end", () => {
    const encoder = openaiResponses.createEncoder(context());
    encoder.encode(start);
    expect(encoder.encode({ type: "error", error: gatewayError("provider_error", "x") })).toBe("");
    expect([...text(0, "more"), finish("stop"), end].map((event) => encoder.encode(event)).join("")).toBe("");
    expect(types(sent([start, finish("stop"), end, end, ...text(1, "late")])).filter((type) => type === "completed")).toHaveLength(1);
  });
});

describe("answers between formats", () => {
  test.each(bodyNames("openai-responses", ".sse"))("%s becomes a stream without faults in its brackets", (name) => {
    const check = createGrammarChecker();
    expect(
      decode(name)
        .map(check)
        .filter((fault) => fault !== null),
    ).toEqual([]);
  });

  const answers = bodyNames("anthropic-messages", ".sse").filter(
    (name) => summarise(decodeStream(anthropicMessages, [body("anthropic-messages", name)])).ended,
  );

  test("signed reasoning whose text is kept from view stays signed, and redacted reasoning redacted", () => {
    const hidden: CanonicalEvent[] = [
      { type: "reasoning-start", block: 0, choice: 0, kind: "raw", data: null },
      { type: "reasoning-signature", block: 0, signature: "sig" },
      { type: "reasoning-end", block: 0 },
      { type: "reasoning-start", block: 1, choice: 0, kind: "redacted", data: "sealed" },
      { type: "reasoning-end", block: 1 },
    ];
    const encoder = openaiResponses.createEncoder(context());
    const there = [start, ...hidden, finish("stop"), end].map((event) => encoder.encode(event)).join("");
    const back = decodeStream(openaiResponses, [Buffer.from(there)]);
    expect(back.filter((event) => event.type.startsWith("reasoning"))).toEqual(hidden);
  });

  test.each(answers)("Anthropic's %s survives the trip through this format", (name) => {
    const events = decodeStream(anthropicMessages, [body("anthropic-messages", name)]);
    const encoder = openaiResponses.createEncoder(context());
    const there = decodeStream(openaiResponses, [Buffer.from(events.map((event) => encoder.encode(event)).join(""))]);
    const before = choice(events);
    const after = choice(there);
    const args = (list: typeof before.calls): unknown[] => list.map((call) => [call.id, call.name, JSON.parse(call.args || "{}")]);
    expect([after.text + after.refusal, after.reasoning, args(after.calls)]).toEqual([
      before.text + before.refusal,
      before.reasoning,
      args(before.calls),
    ]);
    // Redacted reasoning comes back as its state, signed reasoning with its signature.
    expect(after.signatures).toEqual(before.signatures);
    const stated = (list: readonly CanonicalEvent[]): unknown[] =>
      list.flatMap((event) => (event.type === "reasoning-start" && event.data !== null ? [event.data] : []));
    expect(stated(there)).toEqual(stated(events));
  });
});

describe("passing bytes through", () => {
  function passed(name: string, costMicroRub: number): string {
    const relay = createRelay({
      upstream: openaiResponses,
      caller: openaiResponses,
      quirks: {},
      context: context({ costMicroRub: () => costMicroRub }),
      requestId: "req_1",
    });
    return Buffer.concat([relay.push(body("openai-responses", name)), relay.end(null)]).toString();
  }

  test("adds the cost to the usage of the terminal event and of a body, and nothing else", () => {
    const given = body("openai-responses", "text.sse").toString();
    const cost = passed("text.sse", 77);
    expect(cost).toContain('"total_tokens":21,"cost_micro_rub":77}');
    expect(cost.replace(',"cost_micro_rub":77', "")).toBe(given);
    const unary = body("openai-responses", "text.json").toString();
    const spliced = openaiResponses.spliceUsageBody(unary, 77);
    expect(JSON.parse(spliced).usage.cost_micro_rub).toBe(77);
    expect(spliced.replace(',"cost_micro_rub":77', "")).toBe(unary);
  });

  test("keeps CRLF line ends around the cost", () => {
    expect(passed("crlf.sse", 5).replace(',"cost_micro_rub":5', "")).toBe(body("openai-responses", "crlf.sse").toString());
  });

  test("ends a stream that broke off with an error event and no terminal one", () => {
    const output = passed("cut.sse", 1);
    expect(output).toMatch(/event: error\ndata: \{"type":"error".*"request_id":"req_1"\}\n\n$/);
    expect(output).not.toContain("response.completed");
  });
});

describe("errors in this format's shape", () => {
  const error = gatewayError("model_not_found", "No such model.", { param: "model", available: ["a/b"], suggestion: "Take a/b." });

  test("hold message, code, param and details, as a body and in a stream", () => {
    const details = { available: ["a/b"], suggestion: "Take a/b." };
    const inner = { code: "model_not_found", message: "No such model.", type: "invalid_request_error", param: "model", details };
    expect(JSON.parse(openaiResponses.renderError(error, "req_1"))).toEqual({ error: inner, request_id: "req_1" });
    const frame = String(openaiResponses.renderStreamError(error, "req_1"));
    expect(JSON.parse(frame.slice(frame.indexOf("{")))).toMatchObject({
      type: "error",
      error: inner,
      code: "model_not_found",
      request_id: "req_1",
    });
  });

  test("are read from a provider's body", () => {
    const read = openaiResponses.parseError(400, new Headers(), body("openai-responses", "ERR400.json").toString());
    expect(read).toMatchObject({ code: "upstream_rejected", status: 400, param: "input[0].role", upstream_code: "unsupported_value" });
  });
});
