/** The telemetry queue: what D1 has is told, a collector that is down gets it later, and nobody's bill waits for it. */
import { env } from "cloudflare:workers";
import { afterEach, expect, test, vi } from "vitest";
import type { UsageMessage } from "../../schema/message.ts";
import { consumeTelemetry } from "../../workers/queue/consume-telemetry.ts";
import { entryRow } from "../../workers/queue/entry-row.ts";
import { tellTelemetry } from "../../workers/queue/tell-telemetry.ts";
import { usageMessage } from "../db/usage-message.ts";

afterEach(() => vi.restoreAllMocks());

const COLLECTOR = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector.test/", OTEL_EXPORTER_OTLP_HEADERS: "x-key=a%20b,broken" };

const ATTEMPT = { provider: "alpha", model: "one", protocol: "openai-chat", status: 200, error_code: null, provider_request_id: null };

/** A request that one attempt answered. */
function finished(seq: number): UsageMessage {
  const message = usageMessage(seq);
  return { ...message, record: { ...message.record, attempts: [{ ...ATTEMPT, started_at: 2 }] } };
}

/** The messages that finished requests become. */
async function told(settings: object, seqs: readonly number[]): Promise<string[]> {
  const sent: string[] = [];
  const queue = { sendBatch: async (batch: { body: string }[]) => void sent.push(...batch.map(({ body }) => body)) };
  const bindings: object = { TELEMETRY_QUEUE: queue, ...settings };
  await tellTelemetry(
    seqs.map((seq) => entryRow(finished(seq))),
    Object.assign(Object.create(null) as Env, env, bindings),
  );
  return sent;
}

interface Consumed {
  fate: string | null;
  calls: Request[];
}

async function consume(settings: object, bodies: readonly string[], status = 200): Promise<Consumed> {
  const calls: Request[] = [];
  vi.spyOn(globalThis, "fetch").mockImplementation(async (input, init) => {
    calls.push(new Request(input as string, init));
    return new Response(null, { status });
  });
  let fate: string | null = null;
  const batch = {
    queue: "telemetry",
    messages: bodies.map((body, index) => ({ id: String(index), body, timestamp: new Date(), attempts: 1 })),
    ackAll: () => (fate = "taken"),
    retryAll: ({ delaySeconds }: { delaySeconds: number }) => (fate = `again in ${delaySeconds} s`),
  };
  await consumeTelemetry(batch as never, Object.assign(Object.create(null) as Env, env, settings));
  return { fate, calls };
}

test("without a collector or an audit log nothing is told", async () => {
  expect(await told({}, [1, 2])).toEqual([]);
});

test("every finished request is told, in batches that a queue takes", async () => {
  expect(await told(COLLECTOR, [1, 2, 3])).toHaveLength(3);
});

test("a batch becomes one call for spans and one for metrics, with the collector's headers", async () => {
  const { fate, calls } = await consume(COLLECTOR, await told(COLLECTOR, [1, 2]));
  expect(fate).toBe("taken");
  expect(calls.map(({ url, headers }) => [url, headers.get("x-key")])).toEqual([
    ["http://collector.test/v1/traces", "a b"],
    ["http://collector.test/v1/metrics", "a b"],
  ]);
  expect(await calls[0]?.json()).toMatchObject({
    resourceSpans: [{ scopeSpans: [{ spans: [{ kind: 2 }, { kind: 3 }, { kind: 2 }, { kind: 3 }] }] }],
  });
});

test("a collector that is down gets the batch again, one that refuses it does not", async () => {
  const bodies = await told(COLLECTOR, [1]);
  expect((await consume(COLLECTOR, bodies, 503)).fate).toMatch(/^again/);
  expect((await consume(COLLECTOR, bodies, 429)).fate).toMatch(/^again/);
  expect((await consume(COLLECTOR, bodies, 400)).fate).toBe("taken");
});

test("a message that nobody can read is let go, and the others are exported", async () => {
  const { fate, calls } = await consume(COLLECTOR, ["{", '{"account_id":1}', ...(await told(COLLECTOR, [1]))]);
  expect([fate, calls.length > 0]).toEqual(["taken", true]);
});

test("the audit log has a line of each request in the bucket, and the same object when the batch comes again", async () => {
  const settings = { PLYRUM_AUDIT_LOG: "r2" };
  const bodies = await told(settings, [11, 12]);
  await consume(settings, bodies);
  await consume(settings, bodies);
  const { objects } = await env.ARCHIVE.list({ prefix: "audit/" });
  expect(objects).toHaveLength(1);
  const text = await (await env.ARCHIVE.get(objects[0]?.key ?? ""))?.text();
  const lines = (text ?? "").trimEnd().split("\n");
  expect(lines.map((line) => JSON.parse(line).request_id)).toEqual(["req_11", "req_12"]);
});
