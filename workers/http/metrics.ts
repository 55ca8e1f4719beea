/** `GET /metrics` in Prometheus text: totals from D1's rollups, so they are the same in every isolate, and never sampled. */
import type { Context, Hono } from "hono";
import { countWaiting } from "../../db/dead-letters.ts";
import { countParked } from "../../db/payments.ts";
import { usageByModel } from "../../db/usage.ts";
import { usageShards } from "../../db/usage-shards.ts";
import { LIMITS } from "../../schema/limits.ts";
import { FX_POLICY, isRateStale, rateAgeDays } from "../cost/exchange-rate.ts";
import type { AppEnv } from "./app-env.ts";
import { type Documents, loadDocuments } from "./documents.ts";

interface Metric {
  name: string;
  help: string;
  kind: "counter" | "gauge";
  samples: { labels: Record<string, string>; value: number }[];
}

let cached: { text: string; at: number } | null = null;

export function registerMetrics(app: Hono<AppEnv>): void {
  app.get("/metrics", showMetrics);
}

async function showMetrics(context: Context<AppEnv>): Promise<Response> {
  if (cached === null || Date.now() - cached.at > LIMITS.metricsCacheMilliseconds)
    cached = { text: await metricsText(context), at: Date.now() };
  return new Response(cached.text, { headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" } });
}

async function metricsText({ env, executionCtx }: Context<AppEnv>): Promise<string> {
  const documents = await loadDocuments(env, (work) => executionCtx.waitUntil(work));
  const [models, waiting, parked] = await Promise.all([
    usageByModel((await usageShards(env)).all, LIMITS.pageRowsMax),
    countWaiting(env.DB),
    countParked(env.DB),
  ]);
  const of = (name: string, help: string, value: (row: (typeof models)[number]) => number): Metric => ({
    name,
    help,
    kind: "counter",
    samples: models.map((row) => ({ labels: { model: row.model, provider: row.provider }, value: value(row) })),
  });
  const metrics: Metric[] = [
    of("plyrum_requests_total", "Finished requests recorded in D1.", (row) => row.requests),
    of("plyrum_requests_failed_total", "Recorded requests that failed, were cancelled or expired.", (row) => row.failed),
    of("plyrum_input_tokens_total", "Prompt tokens, caches excluded.", (row) => row.input_tokens),
    of("plyrum_cache_read_tokens_total", "Prompt tokens read from a cache.", (row) => row.cache_read_tokens),
    of("plyrum_output_tokens_total", "Output tokens, reasoning included.", (row) => row.output_tokens),
    of("plyrum_charged_micro_rub_total", "Micro-RUB charged.", (row) => row.charged_micro_rub),
    {
      name: "plyrum_dead_letters_waiting",
      help: "Parked queue messages nobody replayed.",
      kind: "gauge",
      samples: [{ labels: {}, value: waiting }],
    },
    {
      name: "plyrum_payments_parked",
      help: "Payment notices that wait for another event or for a person.",
      kind: "gauge",
      samples: [{ labels: {}, value: parked }],
    },
    ...rateMetrics(documents, Date.now()),
  ];
  return metrics.map(metricText).join("");
}

function gauge(name: string, help: string, value: number): Metric {
  return { name, help, kind: "gauge", samples: [{ labels: {}, value }] };
}

function rateMetrics({ prices, config }: Documents, now: number): Metric[] {
  const { date } = prices.fx;
  const stale = isRateStale(date, now, config.fx ?? FX_POLICY);
  return [
    gauge("plyrum_fx_age_days", "Days since the day of the exchange rate in force.", rateAgeDays(date, now)),
    gauge("plyrum_fx_stale", "1 when the exchange rate is older than the configuration allows.", stale ? 1 : 0),
    gauge("plyrum_fx_micro_rub_per_usd", "The exchange rate in force.", prices.fx.micro_rub_per_usd),
  ];
}

function metricText(metric: Metric): string {
  const lines = metric.samples.map(({ labels, value }) => `${metric.name}${labelText(labels)} ${value}\n`);
  return `# HELP ${metric.name} ${metric.help}\n# TYPE ${metric.name} ${metric.kind}\n${lines.join("")}`;
}

function labelText(labels: Record<string, string>): string {
  const pairs = Object.entries(labels).map(
    ([name, value]) => `${name}="${value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`,
  );
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}
