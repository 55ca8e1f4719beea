import { describe, expect, test } from "vitest";
import { gatewayError } from "../../schema/error.ts";
import { LIMITS } from "../../schema/limits.ts";
import { boundInputTokens } from "../../workers/cost/estimate.ts";
import { estimateUsage } from "../../workers/cost/unknown-usage.ts";
import type { CanonicalRequest, Loss } from "../../workers/protocol/canonical.ts";
import { cohereEmbeddings } from "../../workers/protocol/cohere-embeddings/index.ts";
import { inEncoding } from "../../workers/protocol/embeddings.ts";
import { geminiEmbeddings } from "../../workers/protocol/gemini-embeddings/index.ts";
import { measurePrompt } from "../../workers/protocol/measure.ts";
import { ollamaEmbeddings } from "../../workers/protocol/ollama-embeddings/index.ts";
import { openaiEmbeddings } from "../../workers/protocol/openai-embeddings/index.ts";
import type { Protocol, Quirks } from "../../workers/protocol/protocol.ts";
import { relayUnary } from "../../workers/protocol/relay.ts";
import { context } from "./bodies.ts";

const FORMATS: readonly Protocol[] = [openaiEmbeddings, geminiEmbeddings, cohereEmbeddings, ollamaEmbeddings];

function parse(body: unknown, protocol: Protocol = openaiEmbeddings): CanonicalRequest {
  const parsed = protocol.parseRequest(typeof body === "string" ? body : JSON.stringify(body));
  if (!parsed.ok) throw new Error(parsed.error.message);
  return parsed.value;
}

function render(target: Protocol, body: unknown, quirks: Quirks = {}): { body: unknown; losses: string[] } {
  const rendered = target.renderRequest(parse(body), { model: "vec-1", quirks, maxOutputTokens: 1 });
  const named = rendered.losses.map((loss: Loss) => `${loss.class} ${loss.path}${loss.note === null ? "" : `(${loss.note})`}`);
  return { body: JSON.parse(rendered.body) as unknown, losses: named };
}

/** Numbers that a parse and a print would change, or lose. */
const FIRST = "[0.10, -1.0,1e-7, 0.1234567890123456789]";
const SECOND = "[ 2,3.5 ,-4, 0 ]";

/** One answer as each provider writes it. */
const BODIES: Readonly<Record<string, string>> = {
  "openai-embeddings": `{"object":"list","data":[{"object":"embedding","index":1,"embedding":${SECOND}},{"object":"embedding","index":0,"embedding":${FIRST}}],"model":"vec-1","usage":{"prompt_tokens":7,"total_tokens":7}}`,
  "gemini-embeddings": `{"embeddings":[{"values":${FIRST}},{"values":${SECOND}}],"usageMetadata":{"promptTokenCount":7}}`,
  "cohere-embeddings": `{"id":"e-1","embeddings":{"float":[${FIRST},${SECOND}]},"texts":["a","b"],"meta":{"api_version":{"version":"2"},"billed_units":{"input_tokens":7}},"response_type":"embeddings_by_type"}`,
  "ollama-embeddings": `{"model":"vec-1","embeddings":[${FIRST},${SECOND}],"total_duration":9,"prompt_eval_count":7}`,
};

function bodyOf(protocol: Protocol): string {
  return BODIES[protocol.id] ?? "";
}

describe("a caller's request", () => {
  test("is one user turn an input, with no output at all", () => {
    expect(parse({ model: "m", input: ["one", "two"], dimensions: 256, encoding_format: "base64", user: "u" })).toMatchObject({
      protocol: "openai-embeddings",
      model: "m",
      stream: false,
      maxOutputTokens: 0,
      choices: 1,
      user: "u",
      embedding: { dimensions: 256, encoding: "base64", taskType: null },
      turns: [
        { role: "user", blocks: [{ type: "text", text: "one" }] },
        { role: "user", blocks: [{ type: "text", text: "two" }] },
      ],
      rest: {},
    });
    expect(parse({ model: "m", input: "one" }).turns).toHaveLength(1);
  });

  test("keeps token numbers as the text they came as", () => {
    const blocks = (input: string): unknown[] => parse(`{"model":"m","input":${input}}`).turns.map((turn) => turn.blocks[0]);
    expect(blocks("[1, 22,333]")).toMatchObject([{ type: "opaque", kind: "tokens", json: "[1, 22,333]" }]);
    expect(blocks("[[1, 22],[333]]")).toMatchObject([{ json: "[1, 22]" }, { json: "[333]" }]);
  });

  test.each([
    [{ input_type: "search_query" }, "RETRIEVAL_QUERY"],
    [{ input_type: "passage" }, "RETRIEVAL_DOCUMENT"],
    [{ task_type: "semantic_similarity" }, "SEMANTIC_SIMILARITY"],
    [{ input_type: "something else" }, null],
  ])("may say what the vectors are for, as %j", (more, taskType) => {
    expect(parse({ model: "m", input: "x", ...more }).embedding?.taskType).toBe(taskType);
  });

  test.each([
    [{ model: "m", input: "x", stream: true }, "stream"],
    [{ model: "m", input: [] }, "input"],
    [{ model: "m", input: [1.5] }, "input"],
    [{ model: "m", input: ["x", 1] }, "input"],
    [{ model: "m", input: [[]] }, "input.0"],
    [{ model: "m" }, "input"],
    [{ model: "m", input: Array.from({ length: LIMITS.embeddingInputsPerRequest + 1 }, () => "x") }, "input"],
    [{ model: "m", input: "x", dimensions: 0 }, "dimensions"],
    [{ model: "m", input: "x", encoding_format: "hex" }, "encoding_format"],
    [{ input: "x" }, "model"],
  ])("is refused with the name of its first wrong field, %#", (body, param) => {
    expect(openaiEmbeddings.parseRequest(JSON.stringify(body))).toMatchObject({
      ok: false,
      error: { code: "invalid_request", status: 400, param },
    });
  });
});

describe("the request for a provider", () => {
  const asked = { model: "m", input: ["one", "two"], dimensions: 256, encoding_format: "base64" };

  test("of the caller's own format is its own bytes with another model", () => {
    const text = '{ "model":"openai/vec", "input": ["é", "b"], "dimensions":3, "new": 1.0 }';
    const splice = (quirks: Quirks): string =>
      openaiEmbeddings.spliceRequest(text, parse(text), { model: "vec-1", quirks, maxOutputTokens: 1 });
    expect(splice({})).toBe(text.replace("openai/vec", "vec-1"));
    expect(JSON.parse(splice({ dimensionsField: "output_dimension", refusedFields: ["new"] }))).toEqual({
      model: "vec-1",
      input: ["é", "b"],
      output_dimension: 3,
    });
  });

  test("in Gemini's batch names the model in every request", () => {
    const { body, losses } = render(geminiEmbeddings, { ...asked, task_type: "CLUSTERING" });
    const request = (text: string): object => ({
      model: "models/vec-1",
      content: { parts: [{ text }] },
      taskType: "CLUSTERING",
      outputDimensionality: 256,
    });
    expect(body).toEqual({ requests: [request("one"), request("two")] });
    expect(losses).toEqual([]);
  });

  test("for Cohere says what the vectors are for, guessing aloud where the caller did not, and never lets a text be cut", () => {
    expect(render(cohereEmbeddings, asked)).toEqual({
      body: {
        model: "vec-1",
        texts: ["one", "two"],
        input_type: "search_document",
        embedding_types: ["float"],
        truncate: "NONE",
        output_dimension: 256,
      },
      losses: ["approximation input_type(→search_document)"],
    });
    expect(render(cohereEmbeddings, { ...asked, input_type: "search_query" }).losses).toEqual([]);
    expect(render(cohereEmbeddings, { ...asked, task_type: "FACT_VERIFICATION" }).losses).toEqual([
      "approximation input_type(FACT_VERIFICATION→search_query)",
    ]);
  });

  test("for Ollama never lets a text be cut, and loses the purpose aloud", () => {
    expect(render(ollamaEmbeddings, { ...asked, input_type: "query" })).toEqual({
      body: { model: "vec-1", input: ["one", "two"], truncate: false, dimensions: 256 },
      losses: ["hint task_type"],
    });
  });

  test("for another provider of the same shape is rendered whole, tokens as they came", () => {
    const { body, losses } = render(
      openaiEmbeddings,
      { model: "m", input: [[1, 2], [3]], dimensions: 5, user: "u" },
      { dimensionsField: "output_dimension", refusedFields: ["user"] },
    );
    expect(body).toEqual({ model: "vec-1", input: [[1, 2], [3]], output_dimension: 5 });
    expect(losses).toEqual(["hint user"]);
  });

  test.each(FORMATS.slice(1).map((format) => [format.id, format] as const))(
    "to %s loses token numbers aloud, with the user and unknown fields",
    (_, format) => {
      const { losses } = render(format, { model: "m", input: [[1, 2], [3]], input_type: "query", user: "u", novelty: 1 });
      expect(losses).toEqual(expect.arrayContaining(["content input", "hint user", "hint novelty"]));
    },
  );
});

describe.each(FORMATS.map((format) => [format.id, format] as const))("an answer of %s", (_, format) => {
  test("is the same events as any other's, vectors in the order of the inputs and as the very text they came as", () => {
    const events = format.parseResponse(bodyOf(format), {});
    expect(events.filter((event) => event.type === "embedding").map((event) => event.valuesText)).toEqual([FIRST, SECOND]);
    expect(events.filter((event) => event.type === "usage")).toEqual([
      { type: "usage", usage: { input_tokens: 7, output_tokens: 0 }, final: true, anomaly: null },
    ]);
    expect(events.map((event) => event.type)).toEqual(["start", "embedding", "embedding", "usage", "finish", "end"]);
  });

  test.each(FORMATS.map((caller) => [caller.id, caller] as const))(
    "is given to a caller of %s with its numbers untouched and its cost",
    (_id, caller) => {
      const { body, meter } = relayUnary({
        upstream: format,
        caller,
        quirks: {},
        context: context({ costMicroRub: () => 42 }),
        bodyText: bodyOf(format),
      });
      expect(meter).toMatchObject({ contentSeen: true, usageFinal: true, error: null, outputCharacters: 0 });
      expect(body).toContain(FIRST);
      expect(body).toContain(SECOND);
      expect(body).toContain('"cost_micro_rub":42');
      const again = caller.parseResponse(body, {}).filter((event) => event.type === "embedding" || event.type === "usage");
      expect(again).toEqual(
        format.parseResponse(bodyOf(format), {}).filter((event) => event.type === "embedding" || event.type === "usage"),
      );
    },
  );

  test("without a count has no usage, rather than one of zero", () => {
    const bodyText = bodyOf(format).replace(/:7\b/g, ':"many"');
    const events = format.parseResponse(bodyText, {});
    expect(events.some((event) => event.type === "usage")).toBe(false);
    expect(format.renderResponse(events, context())).not.toMatch(/usage|billed|prompt_eval/);
  });

  test.each([
    ["no JSON at all", () => "<html>"],
    ["an error with status 200", () => '{"error":{"message":"overloaded"}}'],
    ["no vector", (text: string) => text.replace(/\[.*\](?=[,}].{0,60}(usage|texts|total))/s, "[]")],
    ["words in a vector", (text: string) => text.replaceAll("-4", '"-4"')],
    ["an empty vector", (text: string) => text.replaceAll(SECOND, "[]")],
  ])("that holds %s is an error", (_what, spoil) => {
    const events = format.parseResponse(spoil(bodyOf(format)), {});
    expect(events).toMatchObject([{ type: "error", error: { status: 502 } }]);
  });

  test("with an error of ours has the format's own shape, with code and request id", () => {
    const rendered = format.renderError(gatewayError("model_not_found", "No such model.", { available: ["a/b"] }), "req_5");
    expect(rendered).toContain("No such model.");
    expect(rendered).toContain("model_not_found");
    expect(rendered).toContain("req_5");
  });
});

describe("the upstream-only formats as servers", () => {
  test("read what they render, and pass it on with nothing but the model changed", () => {
    const asked = { model: "m", input: ["one", "two"], dimensions: 8, task_type: "RETRIEVAL_QUERY" };
    for (const format of FORMATS.slice(1)) {
      const target = { model: "vec-1", quirks: {}, maxOutputTokens: 1 };
      const { body } = format.renderRequest(parse(asked), target);
      const again = parse(body, format);
      expect(again).toMatchObject({ protocol: format.id, model: "vec-1", maxOutputTokens: 0, embedding: { dimensions: 8 } });
      expect(again.turns.map((turn) => turn.blocks)).toEqual(parse(asked).turns.map((turn) => turn.blocks));
      expect(format.spliceRequest(body, again, { ...target, model: "vec-2" })).toBe(body.replaceAll("vec-1", "vec-2"));
    }
  });

  test("refuse a batch whose inputs are to be treated differently", () => {
    const request = (taskType: string): object => ({ model: "models/m", content: { parts: [{ text: "x" }] }, taskType });
    const text = JSON.stringify({ requests: [request("CLUSTERING"), request("RETRIEVAL_QUERY")] });
    expect(geminiEmbeddings.parseRequest(text)).toMatchObject({ ok: false, error: { param: "requests.1.taskType" } });
  });
});

describe("encodings", () => {
  const list = "[1,-2.5,0.10000000149011612,3.4028234663852886e+38]";
  const base64 = '"AACAPwAAIMDNzMw9//9/fw=="';

  test("base64 is float32, little-endian, and comes back as exactly those values", () => {
    expect(inEncoding(list, "base64")).toBe(base64);
    expect(inEncoding(base64, "float")).toBe(list);
  });

  test("what already is in the wanted encoding is the very same text", () => {
    expect(inEncoding(FIRST, "float")).toBe(FIRST);
    expect(inEncoding(base64, "base64")).toBe(base64);
  });

  test("a caller gets the encoding it asked for, a list when it did not say, whatever the provider gave", () => {
    const events = cohereEmbeddings.parseResponse(`{"embeddings":{"float":[${list}]},"meta":{}}`, {});
    const shown = (embeddingEncoding: "float" | "base64" | null): string =>
      openaiEmbeddings.renderResponse(events, context({ embeddingEncoding }));
    expect(shown("base64")).toContain(`"embedding":${base64}`);
    expect(shown("float")).toContain(`"embedding":${list}`);
    expect(shown(null)).toContain(`"embedding":${list}`);
    const packed = openaiEmbeddings.parseResponse(`{"data":[{"embedding":${base64}}],"usage":{"prompt_tokens":1}}`, {});
    expect(geminiEmbeddings.renderResponse(packed, context({ embeddingEncoding: "base64" }))).toContain(`"values":${list}`);
  });
});

describe("money", () => {
  test("the hold covers every input, token numbers included, and no output", () => {
    const texts = measurePrompt(parse({ model: "m", input: Array.from({ length: 50 }, () => "Ж".repeat(100)) }));
    expect(boundInputTokens(texts)).toBeGreaterThanOrEqual(50 * 200);
    const tokens = measurePrompt(parse({ model: "m", input: [Array.from({ length: 900 }, () => 9)] }));
    expect(boundInputTokens(tokens)).toBeGreaterThanOrEqual(900);
  });

  const evidence = {
    phase: "content" as const,
    failed: false,
    outputCharacters: 0,
    inputMeasure: measurePrompt(parse({ model: "m", input: "a text of some words" })),
  };
  const meterOf = (bodyText: string) =>
    relayUnary({ upstream: geminiEmbeddings, caller: openaiEmbeddings, quirks: {}, context: context(), bodyText }).meter;

  test("a reported input with an output of nothing is billed as reported", () => {
    const { usage, usageFinal } = meterOf(bodyOf(geminiEmbeddings));
    const decision = estimateUsage({ ...evidence, meterUsage: usage, usageFinal });
    expect(decision).toMatchObject({ kind: "settle", source: "provider", flagged: null, usage: { input_tokens: 7, output_tokens: 0 } });
  });

  test("an input that nobody counted is estimated from its text, and its output stays nothing", () => {
    const { usage, usageFinal } = meterOf(`{"embeddings":[{"values":${FIRST}}]}`);
    const decision = estimateUsage({ ...evidence, meterUsage: usage, usageFinal });
    expect(decision).toMatchObject({ kind: "settle", source: "estimated", usage: { output_tokens: 0 } });
    expect(decision.kind === "settle" && decision.usage.input_tokens).toBeGreaterThan(0);
  });
});

test("nothing of an embedding can be streamed", () => {
  expect(() => openaiEmbeddings.createDecoder({})).toThrow("never streamed");
  expect(() => cohereEmbeddings.createEncoder(context())).toThrow("never streamed");
});
