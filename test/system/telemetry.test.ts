/** The running system and a collector: every execution becomes spans and metrics of the GenAI conventions, and a dead collector costs nobody anything. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { EXCERPT, faultsOf, plain } from "../telemetry/conventions.ts";
import { post } from "./post.ts";
import { type Stage, startStage } from "./shared-system.ts";

const attributeSchema = z.custom<Parameters<typeof faultsOf>[0][number]>(
  (value) => typeof value === "object" && value !== null && "key" in value,
);
const spanSchema = z.object({
  traceId: z.string().regex(/^[0-9a-f]{32}$/),
  spanId: z.string().regex(/^[0-9a-f]{16}$/),
  parentSpanId: z.string().optional(),
  name: z.string(),
  kind: z.number(),
  startTimeUnixNano: z.string().regex(/^\d+$/),
  endTimeUnixNano: z.string().regex(/^\d+$/),
  attributes: z.array(attributeSchema),
});
const tracesSchema = z.object({ resourceSpans: z.array(z.object({ scopeSpans: z.array(z.object({ spans: z.array(spanSchema) })) })) });
type Span = z.infer<typeof spanSchema>;

let collector: Server;
let stage: Stage;
const spans: Span[] = [];
const metricNames = new Set<string>();

beforeAll(async () => {
  collector = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on("data", (piece: Buffer) => pieces.push(piece));
    request.on("end", () => {
      const body: unknown = JSON.parse(Buffer.concat(pieces).toString());
      if (request.url === "/v1/traces")
        spans.push(...tracesSchema.parse(body).resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans)));
      else for (const [, name] of JSON.stringify(body).matchAll(/"name":"(gen_ai[a-z._]+)"/g)) metricNames.add(name ?? "");
      response.end("{}");
    });
  });
  await new Promise<void>((resolve) => collector.listen(0, "127.0.0.1", resolve));
  const { port } = collector.address() as AddressInfo;
  stage = await startStage({ OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` });
});
afterAll(async () => {
  await stage.close();
  await new Promise((resolve) => collector.close(resolve));
});

test("requests of every kind reach the collector as spans of the conventions, in their callers' traces", async () => {
  const account = await stage.account(10_000_000);
  const messages = [{ role: "user", content: "Tell me of the sea." }];
  const call = (model: string, extra: object, digit: string) =>
    post(
      stage,
      account,
      { model, max_tokens: 50, messages, ...extra },
      { headers: { traceparent: `00-${digit.repeat(32)}-b7ad6b7169203331-01` } },
    );
  await call("openai/gpt-5-mini", { stream: true }, "1");
  await call("anthropic/claude-haiku-4-5", {}, "2");
  await call("openai/gpt-5-mini@flaky=1", {}, "3");
  await call("openai/gpt-5-mini@status=400", {}, "4");
  await call("self-moa/3@openai/gpt-5-mini", { stream: true }, "5");
  const of = (digit: string): Span[] => spans.filter((span) => span.traceId === digit.repeat(32));
  await expect.poll(() => ["1", "2", "3", "4", "5"].filter((digit) => of(digit).length === 0), { timeout: 30_000 }).toEqual([]);
  expect(spans.flatMap((span) => faultsOf(span.attributes))).toEqual([]);
  const shape = (digit: string): unknown[] => of(digit).map((span) => [span.kind, span.name]);
  expect(shape("1")).toEqual([
    [2, "plyrum openai-chat"],
    [3, "chat gpt-5-mini"],
  ]);
  expect(plain(of("2")[1]?.attributes ?? [])).toMatchObject({ "gen_ai.provider.name": "anthropic", "gen_ai.operation.name": "chat" });
  // The first attempt failed and is told of beside the one that answered.
  expect(of("3").map((span) => plain(span.attributes)["http.response.status_code"])).toEqual([undefined, 503, 200]);
  expect(plain(of("4")[1]?.attributes ?? [])).toHaveProperty("error.type");
  expect(of("5")[0]).toMatchObject({ kind: 1, name: "invoke_workflow self-moa/3@openai/gpt-5-mini", parentSpanId: "b7ad6b7169203331" });
  expect(
    of("5")
      .slice(1)
      .map((span) => span.kind),
  ).toEqual([3, 3, 3, 3]);
  const required = ["gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model"];
  for (const span of spans.filter(({ kind }) => kind === 3))
    expect(Object.keys(plain(span.attributes))).toEqual(expect.arrayContaining(required));
  expect(required.every((name) => name in EXCERPT)).toBe(true);
  await expect.poll(() => metricNames.size, { timeout: 30_000 }).toBe(3);
});
