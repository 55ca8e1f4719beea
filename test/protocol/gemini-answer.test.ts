/** Answers of Gemini's wire, read and written: the traps of research/protocols.md §5 and of the recordings that concern it, each by its name. */
import { describe, expect, test } from "vitest";
import { gatewayError } from "../../schema/error.ts";
import { isObject, parseJson } from "../../schema/json.ts";
import type { CanonicalEvent } from "../../workers/protocol/canonical.ts";
import { gemini } from "../../workers/protocol/gemini/index.ts";
import { createRelay, relayUnary } from "../../workers/protocol/relay.ts";
import { PROTOCOLS } from "../../workers/protocol/index.ts";
import { body, context, cut, decodeStream } from "./bodies.ts";
import { type AnswerSummary, summarise } from "./summary.ts";

const events = (name: string): CanonicalEvent[] =>
  name.endsWith(".json") ? gemini.parseResponse(body("gemini", name).toString(), {}) : decodeStream(gemini, [body("gemini", name)]);
const summary = (name: string): AnswerSummary => summarise(events(name));
const ofType = <T extends CanonicalEvent["type"]>(list: readonly CanonicalEvent[], type: T): Extract<CanonicalEvent, { type: T }>[] =>
  list.filter((event): event is Extract<CanonicalEvent, { type: T }> => event.type === type);

/** A Gemini stream as a caller of that wire sees it, each event's data parsed. */
function written(list: readonly CanonicalEvent[]): Record<string, unknown>[] {
  const encoder = gemini.createEncoder(context({ costMicroRub: () => 42 }));
  const text = list.map((event) => encoder.encode(event)).join("");
  return text
    .split("\r\n\r\n")
    .filter((frame) => frame !== "")
    .map((frame) => {
      const parsed = parseJson(frame.replace(/^data: /, ""));
      if (!parsed.ok || !isObject(parsed.value)) throw new Error(`no event: ${frame}`);
      return parsed.value;
    });
}

describe("traps of this wire's answers", () => {
  test("content-without-parts: a candidate whose budget went into thinking is a whole, empty answer", () => {
    for (const name of ["thoughts-ate-it.sse", "no-content.json"])
      expect(summary(name)).toMatchObject({ error: null, ended: true, choices: { 0: { text: "", finish: "length", raw: "MAX_TOKENS" } } });
  });

  test("empty-text-with-signature: the signature at a stream's end is state by itself, and no text", () => {
    const list = events("thoughts.sse");
    expect(summarise(list).choices[0]).toMatchObject({ text: "Go at noon, by boat.", order: ["reasoning", "text", "reasoning"] });
    expect(ofType(list, "reasoning-signature")).toHaveLength(1);
    expect(ofType(list, "reasoning-start").every((event) => event.kind === "summary")).toBe(true);
  });

  test("signature-on-text: a signed part closes the thoughts before it and is not joined to unsigned text", () => {
    const list = events("thoughts.json");
    const types = list.map((event) => event.type);
    expect(types.indexOf("reasoning-signature")).toBeLessThan(types.indexOf("text-start"));
    expect(ofType(list, "reasoning-start")).toHaveLength(1);
  });

  test("finishReason-twice: content between is kept, and the last reason is the one that counts", () => {
    const list = events("finish-twice.sse");
    expect(summarise(list).choices[0]).toMatchObject({ text: "Half a poem, and the rest", finish: "content-filter", raw: "RECITATION" });
    expect(ofType(list, "finish")).toHaveLength(1);
  });

  test("function-call-with-STOP: a stop beside calls is a stop for them", () => {
    expect(summary("tool-calls.json").choices[0]).toMatchObject({ finish: "tool-calls", raw: "STOP" });
  });

  test("function-call-with-id: the provider's id is kept; without one, ids are made that differ and stay the same", () => {
    expect(summary("tool-call-with-id.sse").choices[0]?.calls[0]?.id).toBe("call_90210");
    const ids = (): unknown => summary("tool-calls-parallel.sse").choices[0]?.calls.map((call) => call.id);
    expect(ids()).toEqual(["call_kQ7ZaPlyrumOwnBody01_0", "call_kQ7ZaPlyrumOwnBody01_1", "call_kQ7ZaPlyrumOwnBody01_2"]);
    expect(ids()).toEqual(ids());
  });

  test("function-call-without-args: nothing is an empty object", () => {
    expect(summary("tool-calls.json").choices[0]?.calls[1]).toMatchObject({ name: "get_wind", args: "{}" });
  });

  test("no-candidates: a blocked prompt is a filtered answer, whole and streamed, with the provider's reason", () => {
    expect(summary("blocked-prompt.sse")).toMatchObject({
      error: null,
      ended: true,
      usageFinal: true,
      choices: { 0: { finish: "content-filter", raw: "PROHIBITED_CONTENT" } },
    });
    const [finish] = ofType(events("blocked-prompt.json"), "finish");
    expect(finish).toMatchObject({ unified: "content-filter", raw: "SAFETY", detailsJson: expect.stringContaining("asks for harm") });
  });

  test("parallel-function-calls: several calls in one part list are calls of their own, in order", () => {
    expect(summary("tool-calls-parallel.sse").choices[0]?.calls.map(({ name, args }) => [name, args])).toEqual([
      ["get_tide", '{"port": "Brest", "id": 1}'],
      ["get_tide", '{"port": "Calais", "id": 2}'],
      ["get_wind", "{}"],
    ]);
  });

  test("parallel-sig-100: only the first parallel call is signed, and the others are not given its signature", () => {
    const starts = ofType(events("tool-calls-parallel.sse"), "tool-input-start");
    expect(starts.map((event) => event.signature ?? null)).toEqual(["EqIBCp8BPlyrumOwnSignatureOne+/==", null, null]);
  });

  test("a signed call is also signed thinking, for callers whose calls have no place for a signature", () => {
    const encoder = PROTOCOLS["anthropic-messages"].createEncoder(context());
    const text = events("tool-calls-parallel.sse")
      .map((event) => encoder.encode(event))
      .join("");
    expect(text.match(/"signature_delta","signature":"EqIBCp8BPlyrumOwnSignatureOne/g)).toHaveLength(1);
  });

  test("arguments in pieces are put together at their places", () => {
    const [call] = summary("tool-call-in-pieces.sse").choices[0]?.calls ?? [];
    expect(call).toMatchObject({
      name: "plan_trip",
      args: '{"trip":{"stops":[{"port":"Brest","nights":2,"dinghy":true},{"port":"Ouessant"}],"note":null}}',
    });
  });

  test("arguments keep numbers above 2^53, 1.0 and the order of keys", () => {
    expect(summary("tool-call-raw-numbers.sse").choices[0]?.calls[0]?.args).toBe('{ "b" : 1.0, "a":9007199254740993 }');
  });

  test("what only this wire knows passes by, and the text around it stays", () => {
    const list = events("code-execution.sse");
    expect(ofType(list, "opaque").map((event) => event.kind)).toEqual(["executableCode", "codeExecutionResult"]);
    expect(summarise(list).choices[0]?.text).toBe("It is 156.");
    expect(ofType(events("grounded.sse"), "source")[0]?.json).toContain("ferry.test");
    expect(ofType(events("image.json"), "file")[0]?.source).toEqual({ kind: "base64", mediaType: "image/png", data: "iVBORw0KGgo=" });
  });

  test("a body that is a list of chunks is the answer they are pieces of", () => {
    expect(summary("chunks.json")).toMatchObject({
      ended: true,
      choices: { 0: { text: "A list of chunks." } },
      usage: { output_tokens: 5 },
    });
  });
});

describe("usage of this wire", () => {
  test("counts the cache apart, thoughts with the output, and what tools fed in with the prompt", () => {
    expect(summary("cache.sse")).toMatchObject({
      usage: { input_tokens: 148, cache_read_tokens: 1900, output_tokens: 26, reasoning_tokens: 17 },
    });
    expect(summary("code-execution.sse").usage).toMatchObject({ input_tokens: 89, output_tokens: 15, cache_read_tokens: null });
  });

  test("takes the last count and never the sum, and calls only that one final", () => {
    const usages = ofType(events("text.sse"), "usage");
    expect(usages.map((event) => [event.usage.output_tokens, event.final])).toEqual([
      [2, false],
      [7, false],
      [8, true],
    ]);
    expect(ofType(events("traffic-type-only.sse"), "usage")).toHaveLength(1);
  });

  const read = (usageMetadata: object): AnswerSummary =>
    summarise(gemini.parseResponse(JSON.stringify({ candidates: [{ content: {}, finishReason: "STOP" }], usageMetadata }), {}));
  test("reads what is not printed out of the total, and leaves what nobody said unknown", () => {
    expect(read({ promptTokenCount: 5, thoughtsTokenCount: 9, totalTokenCount: 14 }).usage).toMatchObject({ output_tokens: 9 });
    expect(read({ promptTokenCount: 5, totalTokenCount: 5 }).usage).toMatchObject({ output_tokens: 0, reasoning_tokens: null });
    expect(read({ promptTokenCount: 5 }).usage).toMatchObject({ input_tokens: 5, output_tokens: null });
    expect(read({ trafficType: "ON_DEMAND" }).usageFinal).toBe(false);
  });

  test("names impossible counts, and bills the higher reading of a total that its parts do not make", () => {
    expect(read({ promptTokenCount: 5, cachedContentTokenCount: 9, candidatesTokenCount: 1, totalTokenCount: 6 })).toMatchObject({
      usage: { input_tokens: 0, cache_read_tokens: 9 },
      anomaly: expect.stringContaining("exceed prompt"),
    });
    expect(read({ promptTokenCount: 5, candidatesTokenCount: 1, totalTokenCount: 16 })).toMatchObject({
      usage: { output_tokens: 11 },
      anomaly: expect.stringContaining("by 10"),
    });
    expect(read({ promptTokenCount: -3, candidatesTokenCount: 1.5 }).anomaly).toContain("promptTokenCount is -3");
  });
});

describe("errors and ends", () => {
  test("an end without a finish reason is a truncation, at every byte", () => {
    expect(summary("cut.sse")).toMatchObject({ ended: false, error: "provider_error" });
    const bytes = body("gemini", "text.sse");
    const finished = bytes.indexOf("finishReason");
    for (let place = 1; place < finished; place++) {
      const [start] = cut(bytes, [place]);
      const relay = createRelay({ upstream: gemini, caller: PROTOCOLS["openai-chat"], quirks: {}, context: context(), requestId: "r" });
      const text = Buffer.concat([relay.push(start ?? bytes), relay.end(null)]).toString();
      if (text.includes("[DONE]") || !text.includes('"error"')) expect.fail(`cut at ${place}`);
    }
  });

  test("an error with status 200 is an error, as bare JSON in a stream, as an event, and alone", () => {
    for (const name of ["ERR200-bare.sse", "ERR200-event.sse", "error-in-200.json"])
      expect(summary(name)).toMatchObject({ ended: false, error: "overloaded" });
  });

  test("a bare error in a stream passes to a caller of this wire untouched, with nothing after it", () => {
    const relay = createRelay({ upstream: gemini, caller: gemini, quirks: {}, context: context(), requestId: "r" });
    const bytes = body("gemini", "ERR200-bare.sse");
    expect(Buffer.concat([relay.push(bytes), relay.end(null)]).equals(bytes)).toBe(true);
    expect(relay.meter.error?.code).toBe("overloaded");
  });

  test("an upstream's refusal of the gateway's key, with status 400 here, is not the caller's fault", () => {
    const said = { error: { code: 400, message: "API key not valid. Please pass a valid API key.", status: "INVALID_ARGUMENT" } };
    expect(gemini.parseError(400, new Headers(), JSON.stringify(said))).toMatchObject({ code: "provider_error", status: 502 });
  });

  test("a wait that stands in the details is a wait", () => {
    const details = [{ "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "37s" }];
    const said = { error: { code: 429, message: "Quota exceeded.", status: "RESOURCE_EXHAUSTED", details } };
    expect(gemini.parseError(429, new Headers(), JSON.stringify(said))).toMatchObject({
      code: "rate_limited",
      retry_after_seconds: 37,
      upstream_type: "RESOURCE_EXHAUSTED",
    });
  });

  test("an error is rendered in Google's shape, with the contract's code, param and details inside", () => {
    const error = gatewayError("model_not_found", "No such model.", { param: "model", available: ["a/b"], suggestion: "Use a/b." });
    const whole = parseJson(gemini.renderError(error, "req_1"));
    expect(whole).toMatchObject({
      value: {
        error: {
          code: 404,
          message: "No such model.",
          status: "NOT_FOUND",
          param: "model",
          details: [{ reason: "model_not_found", domain: "plyrum", available: ["a/b"], suggestion: "Use a/b." }],
        },
        request_id: "req_1",
      },
    });
    const waiting = gatewayError("rate_limited", "Wait.", { retry_after_seconds: 7 });
    expect(gemini.renderStreamError(waiting, "req_1")).toMatch(/^data: .*"retryDelay":"7s".*\n\n$/);
  });
});

describe("answers written in this wire", () => {
  const tools: CanonicalEvent[] = [
    { type: "start", id: "msg_1", model: "claude", createdSeconds: null },
    { type: "tool-input-start", block: 0, choice: 0, id: "t1", name: "f" },
    { type: "tool-input-start", block: 1, choice: 0, id: "t2", name: "g" },
    { type: "tool-input-delta", block: 1, text: "null" },
    { type: "tool-input-delta", block: 0, text: '{"a": 1.0' },
    { type: "tool-input-end", block: 1 },
    { type: "tool-input-delta", block: 0, text: "}" },
    { type: "tool-input-end", block: 0 },
    { type: "finish", choice: 0, unified: "tool-calls", raw: "tool_use", stopSequence: null, detailsJson: null },
    { type: "usage", usage: { input_tokens: 10, cache_read_tokens: 4, output_tokens: 9, reasoning_tokens: 5 }, final: true, anomaly: null },
    { type: "end" },
  ];

  test("calls are whole, in the order they began, and the end comes once with finish, usage and cost", () => {
    const chunks = written(tools);
    expect(chunks.slice(0, -1)).toMatchObject([
      {
        candidates: [{ content: { parts: [{ functionCall: { id: "t1", name: "f", args: { a: 1 } } }] } }],
        responseId: "msg_1",
        modelVersion: "claude",
      },
      { candidates: [{ content: { parts: [{ functionCall: { id: "t2", name: "g", args: {} } }] } }] },
    ]);
    expect(chunks.at(-1)).toEqual({
      candidates: [{ content: { parts: [{ text: "" }], role: "model" }, finishReason: "STOP", index: 0 }],
      usageMetadata: {
        promptTokenCount: 14,
        candidatesTokenCount: 4,
        thoughtsTokenCount: 5,
        cachedContentTokenCount: 4,
        totalTokenCount: 23,
        cost_micro_rub: 42,
      },
      modelVersion: "claude",
      responseId: "msg_1",
    });
    const encoder = gemini.createEncoder(context());
    expect(tools.map((event) => encoder.encode(event)).join("")).toContain('"args":{"a": 1.0}');
  });

  test("an answer of nothing is still a whole one, and usage nobody told is left out", () => {
    expect(written([{ type: "end" }])).toEqual([
      {
        candidates: [{ content: { parts: [{ text: "" }], role: "model" }, finishReason: "STOP", index: 0 }],
        modelVersion: "our-model",
        responseId: "ours-1",
      },
    ]);
  });

  test("several choices finish side by side", () => {
    const chunks = written(events("candidates.sse"));
    expect(chunks.at(-1)).toMatchObject({
      candidates: [
        { index: 0, finishReason: "STOP" },
        { index: 1, finishReason: "STOP" },
      ],
    });
  });

  test("nothing follows an error", () => {
    const encoder = gemini.createEncoder(context());
    expect(encoder.encode({ type: "error", error: gatewayError("provider_error", "x") })).toBe("");
    expect(encoder.encode({ type: "end" })).toBe("");
  });

  test("a whole body joins running text, keeps other parts apart, and says what its stream says", () => {
    for (const name of ["thoughts.sse", "tool-calls-parallel.sse", "text-unicode.sse", "image.json"]) {
      const list = events(name);
      const whole = gemini.renderResponse(list, context());
      expect(summarise(gemini.parseResponse(whole, {})).choices[0]).toMatchObject({
        text: summarise(list).choices[0]?.text,
        reasoning: summarise(list).choices[0]?.reasoning,
        calls: summarise(list).choices[0]?.calls,
      });
    }
    const parsed = parseJson(gemini.renderResponse(events("text.sse"), context()));
    expect(parsed).toMatchObject({ value: { candidates: [{ content: { parts: [{ text: "The lighthouse is open on Sundays." }] } }] } });
  });

  test("a same-wire body and stream get the cost beside their own usage and nothing else", () => {
    const text = body("gemini", "text.json").toString();
    const unary = relayUnary({
      upstream: gemini,
      caller: gemini,
      quirks: {},
      context: context({ costMicroRub: () => 42 }),
      bodyText: text,
    });
    expect(unary.body.replace(/,"cost_micro_rub":42/, "")).toBe(text);
    const relay = createRelay({
      upstream: gemini,
      caller: gemini,
      quirks: {},
      context: context({ costMicroRub: () => 42 }),
      requestId: "r",
    });
    const bytes = body("gemini", "text.sse");
    const passed = Buffer.concat([relay.push(bytes), relay.end(null)]).toString();
    expect(passed.match(/"cost_micro_rub":42/g)).toHaveLength(1);
    expect(passed.replace(',"cost_micro_rub":42', "")).toBe(bytes.toString());
  });
});
