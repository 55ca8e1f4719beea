/**
 * The consumer of `telemetry`: finished requests to an OpenTelemetry collector (OTLP over HTTP, JSON) and to the audit log in R2. At least
 * once: a batch that comes again gives the same span ids and the same lines. Nothing here has seen a prompt or an answer.
 */
import { createHash } from "node:crypto";
import { checkWith, parseJson } from "../../schema/json.ts";
import { LIMITS } from "../../schema/limits.ts";
import { type TelemetryMessage, telemetryMessageSchema } from "../../schema/telemetry.ts";
import { PROVIDERS } from "../provider/index.ts";
import { auditLine } from "../telemetry/audit-line.ts";
import { metricsOf } from "../telemetry/metrics.ts";
import { metricsBody, tracesBody } from "../telemetry/otlp.ts";
import { spansOf } from "../telemetry/spans.ts";
import { bodyText } from "./consume-usage.ts";
import { type Collector, collectorOf, keepsAuditLog } from "./telemetry-settings.ts";

export async function consumeTelemetry(batch: MessageBatch, env: Env): Promise<void> {
  const requests = batch.messages.flatMap((message) => readRequest(message) ?? []);
  if (requests.length === 0) return batch.ackAll();
  try {
    const collector = collectorOf(env);
    if (collector !== null) await exportTo(collector, requests);
    if (keepsAuditLog(env)) await keepLines(requests, env);
    batch.ackAll();
  } catch (error) {
    console.error("telemetry was not taken; it comes again", requests.length, String(error));
    batch.retryAll({ delaySeconds: LIMITS.telemetryRetrySeconds });
  }
}

/** Null for what nobody can read: it is said, and gone. */
function readRequest(message: Message): TelemetryMessage | null {
  const parsed = parseJson(bodyText(message.body));
  const read = parsed.ok ? checkWith(telemetryMessageSchema, parsed.value) : parsed;
  if (read.ok) return read.value;
  console.error("a message of telemetry is not readable", read.message);
  return null;
}

async function exportTo(collector: Collector, requests: readonly TelemetryMessage[]): Promise<void> {
  const records = requests.map(({ record }) => record);
  const spans = records.flatMap((record) => spansOf(record, { nameOf, hash: sha256 }));
  const metrics = metricsOf(records, nameOf);
  if (spans.length > 0) await post(collector.tracesUrl, tracesBody(collector.serviceName, spans), collector);
  if (metrics.length > 0) await post(collector.metricsUrl, metricsBody(collector.serviceName, metrics), collector);
}

function nameOf(provider: string): string {
  return PROVIDERS[provider]?.telemetry_name ?? provider;
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** A refusal that a repetition will not change (4xx but 429) is said and let go: the batch would come again for nothing. */
async function post(url: string, body: string, { headers }: Collector): Promise<void> {
  const response = await fetch(url, {
    method: "POST",
    headers: { ...headers, "content-type": "application/json" },
    body,
    signal: AbortSignal.timeout(LIMITS.telemetryMilliseconds),
  });
  await response.body?.cancel().catch(() => undefined);
  if (response.ok) return;
  if (response.status >= 500 || response.status === 429) throw new Error(`the collector answered ${response.status}`);
  console.error("the collector refuses our telemetry", url, response.status);
}

/** One object a batch, named by its first request, so that a batch that comes again whole overwrites itself. */
async function keepLines(requests: readonly TelemetryMessage[], env: Env): Promise<void> {
  const [first] = requests;
  if (first === undefined) return;
  const day = new Date(first.record.timings.finished_at).toISOString().slice(0, 10);
  const lines = requests.map(({ account_id, seq, record }) => `${JSON.stringify(auditLine({ account_id, seq, record }, sha256))}\n`);
  await env.ARCHIVE.put(`audit/${day}/${first.account_id}-${first.seq}-${requests.length}.jsonl`, lines.join(""), {
    httpMetadata: { contentType: "application/x-ndjson" },
  });
}
