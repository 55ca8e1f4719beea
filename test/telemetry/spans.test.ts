/** What a collector is told of finished requests, and what the audit log keeps of them. */
import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { requestRecordSchema, type RequestRecord } from "../../schema/message.ts";
import { parseTraceparent } from "../../schema/trace.ts";
import { auditLine, obfuscate } from "../../workers/telemetry/audit-line.ts";
import { metricsOf } from "../../workers/telemetry/metrics.ts";
import { spansOf } from "../../workers/telemetry/spans.ts";
import { usageMessage } from "../db/usage-message.ts";
import { EXCERPT, faultsOf, plain, readRegistry } from "./conventions.ts";

const hash = (text: string): string => createHash("sha256").update(text).digest("hex");
const nameOf = (provider: string): string => `well-known ${provider}`;
const ports = { nameOf, hash };

function attempt(at: number, facts: Partial<RequestRecord["attempts"][number]> = {}): RequestRecord["attempts"][number] {
  const base = {
    provider: "alpha",
    model: "one",
    protocol: "openai-chat" as const,
    status: 200,
    error_code: null,
    provider_request_id: null,
  };
  return { ...base, started_at: at, ...facts };
}

function record(facts: Partial<RequestRecord> = {}): RequestRecord {
  const base = requestRecordSchema.parse(usageMessage(1).record);
  const timings = { ...base.timings, received_at: 1000, dispatched_at: 1010, first_byte_at: 1510, finished_at: 3010 };
  return { ...base, timings, attempts: [attempt(1010, { provider_request_id: "chatcmpl-7" })], ...facts };
}

describe("the excerpt of the conventions", () => {
  test("is what the registry says, where the registry is there", () => {
    const registry = readRegistry();
    if (registry === null) return expect(Object.keys(EXCERPT).length).toBeGreaterThan(10);
    expect(EXCERPT).toEqual(Object.fromEntries(Object.keys(EXCERPT).map((key) => [key, registry[key]])));
  });
});

describe("spansOf()", () => {
  test("gives a server span for the request and below it a client span for its call, with the attributes of the conventions", () => {
    const [root, call] = spansOf(record({ stream: true }), ports);
    expect(root).toMatchObject({ name: "plyrum openai-chat", kind: 2, startTimeUnixNano: "1000000000", status: { code: 0 } });
    expect(call).toMatchObject({ name: "chat one", kind: 3, traceId: root?.traceId, parentSpanId: root?.spanId });
    expect([call?.startTimeUnixNano, call?.endTimeUnixNano]).toEqual(["1010000000", "3010000000"]);
    expect(plain(call?.attributes ?? [])).toEqual({
      "gen_ai.operation.name": "chat",
      "gen_ai.provider.name": "well-known alpha",
      "gen_ai.request.model": "one",
      "gen_ai.request.stream": true,
      "gen_ai.response.id": "chatcmpl-7",
      "gen_ai.response.finish_reasons": ["stop"],
      "gen_ai.response.time_to_first_chunk": 0.5,
      "gen_ai.usage.input_tokens": 10,
      "gen_ai.usage.output_tokens": 20,
      "http.response.status_code": 200,
    });
    expect([root, call].flatMap((span) => faultsOf(span?.attributes ?? []))).toEqual([]);
  });

  test("counts caches among the prompt's tokens, as the conventions do", () => {
    const usage = {
      input_tokens: 10,
      cache_read_tokens: 100,
      cache_write_5m_tokens: 7,
      cache_write_1h_tokens: null,
      output_tokens: 5,
      reasoning_tokens: 3,
    };
    const [, call] = spansOf(record({ usage }), ports);
    expect(plain(call?.attributes ?? [])).toMatchObject({
      "gen_ai.usage.input_tokens": 117,
      "gen_ai.usage.cache_read.input_tokens": 100,
      "gen_ai.usage.cache_creation.input_tokens": 7,
      "gen_ai.usage.reasoning.output_tokens": 3,
    });
  });

  test("tells no token count that nobody reported", () => {
    const [root, call] = spansOf(record({ usage_source: "estimated" }), ports);
    expect(Object.keys(plain(call?.attributes ?? [])).filter((key) => key.includes("usage"))).toEqual([]);
    expect(plain(root?.attributes ?? [])["plyrum.usage.source"]).toBe("estimated");
  });

  test("has a span for each attempt, an earlier one ending where the next began, and errors where they were", () => {
    const attempts = [attempt(1010, { status: 503, error_code: "overloaded" }), attempt(1300, { provider: "beta" })];
    const [root, first, second] = spansOf(record({ attempts }), ports);
    expect(first).toMatchObject({ endTimeUnixNano: "1300000000", status: { code: 2, message: "overloaded" } });
    expect(plain(first?.attributes ?? [])).toMatchObject({ "error.type": "overloaded", "http.response.status_code": 503 });
    expect(plain(first?.attributes ?? [])).not.toHaveProperty("gen_ai.usage.input_tokens");
    expect(second).toMatchObject({ startTimeUnixNano: "1300000000", status: { code: 0 } });
    expect(new Set([root, first, second].map((span) => span?.spanId)).size).toBe(3);
  });

  test("gives an ensemble a workflow span with a client span for each of its calls", () => {
    const base = record();
    const leg = {
      node: "proposer-1",
      model: "one",
      provider: "alpha",
      protocol: "openai-chat" as const,
      state: "lost" as const,
      error_code: null,
      finish_reason: null,
      usage: base.usage,
      usage_source: "provider" as const,
      price_key: "alpha/one",
      prices: base.snapshot.prices,
      request_pico_usd: "0",
      provider_cost_pico_usd: "1",
      cost_micro_rub: "1",
    };
    const [root, call] = spansOf(record({ model: "moa/plain", legs: [leg] }), ports);
    expect(root).toMatchObject({ name: "invoke_workflow moa/plain", kind: 1 });
    expect(plain(call?.attributes ?? [])).toMatchObject({ "plyrum.node.id": "proposer-1", "plyrum.node.state": "lost" });
    expect([root, call].flatMap((span) => faultsOf(span?.attributes ?? []))).toEqual([]);
  });

  test("continues the caller's trace, is silent where the caller records none, and gives the same ids when asked again", () => {
    const trace = parseTraceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    const [root] = spansOf(record(trace === null ? {} : { trace }), ports);
    expect(root).toMatchObject({ traceId: "0af7651916cd43dd8448eb211c80319c", parentSpanId: "b7ad6b7169203331" });
    const unsampled = parseTraceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00");
    expect(spansOf(record(unsampled === null ? {} : { trace: unsampled }), ports)).toEqual([]);
    expect(spansOf(record(), ports)).toEqual(spansOf(record(), ports));
  });
});

test.each([
  ["", null],
  ["garbage", null],
  ["00-00000000000000000000000000000000-b7ad6b7169203331-01", null],
  ["00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", null],
  ["ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", null],
  ["00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", null],
  ["01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03-more", true],
])("a traceparent of %j is read as the standard has it", (header, sampled) => {
  expect(parseTraceparent(header)?.sampled ?? null).toBe(sampled);
});

describe("metricsOf()", () => {
  test("has the required instruments, with their units, attributes and buckets", () => {
    const metrics = metricsOf([record({ stream: true }), record({ stream: true, error_code: "provider_error" })], nameOf);
    expect(metrics.map(({ name, unit }) => [name, unit])).toEqual([
      ["gen_ai.client.operation.duration", "s"],
      ["gen_ai.client.token.usage", "{token}"],
      ["gen_ai.client.operation.time_to_first_chunk", "s"],
    ]);
    const [duration, tokens] = metrics.map(({ histogram }) => histogram.dataPoints);
    // One of them failed, so it is counted by its error.
    expect(duration?.map((point) => [point.count, plain(point.attributes)["error.type"]])).toEqual([
      ["1", undefined],
      ["1", "provider_error"],
    ]);
    expect(duration?.[0]).toMatchObject({ sum: 2, explicitBounds: expect.arrayContaining([0.01, 81.92]) });
    expect(duration?.[0]?.bucketCounts.indexOf("1")).toBe(8);
    expect(tokens?.map((point) => [plain(point.attributes)["gen_ai.token.type"], point.count, point.sum])).toEqual([
      ["input", "2", 20],
      ["output", "2", 40],
    ]);
    for (const point of metrics.flatMap(({ histogram }) => histogram.dataPoints)) {
      expect(point.bucketCounts).toHaveLength(point.explicitBounds.length + 1);
      expect(point.bucketCounts.reduce((sum, count) => sum + Number(count), 0)).toBe(Number(point.count));
      expect(faultsOf(point.attributes)).toEqual([]);
    }
  });

  test("has no first chunk of an answer that was not streamed", () => {
    expect(metricsOf([record()], nameOf).map(({ name }) => name)).not.toContain("gen_ai.client.operation.time_to_first_chunk");
  });
});

describe("the audit log", () => {
  test("says who called what, how it ended and what it cost, without anything a person may have written", () => {
    const line = auditLine({ account_id: "acc_1", seq: 7, record: record({ idempotency_key: "ann@example.com order 7" }) }, hash);
    expect(line).toMatchObject({ account_id: "acc_1", seq: 7, request_id: "req_1", state: "settled", cost_micro_rub: "4399" });
    expect(line["idempotency_key"]).toBe(`sha256:${hash("ann@example.com order 7")}`);
    expect(JSON.stringify(line)).not.toContain("ann@example.com");
  });

  test.each([
    ["claude-sonnet-4-5-20250929", "claude-sonnet-4-5-20250929"],
    ["mail ann.b+c@example.co.uk now", "mail [email] now"],
    ["sk-abcdefgh12345678", "[key]"],
    ["4111 1111 1111 1111", "[card]"],
    ["call +7 (912) 345-67-89", "call [phone]"],
  ])("keeps of %j only %j", (text, kept) => {
    expect(obfuscate(text)).toBe(kept);
  });
});
