/** The requests of a run: what each asks for, what its upstream really used, and the facts the product settles it by. */
import { createHash } from "node:crypto";
import type { PriceSnapshot } from "../../schema/price.ts";
import { openRequestSchema, progressSchema } from "../../schema/request.ts";
import { UNKNOWN_USAGE, type Usage } from "../../schema/usage.ts";
import type { Finished } from "../../workers/engine/settle-request.ts";
import type { Operation } from "./operations.ts";

export type Admission = Extract<Operation, { op: "admit" }>;
export type Finish = Extract<Operation, { op: "finish" }>;

/** Prices as they change while requests are under way; round ones, where floating point fails first. */
const SNAPSHOTS: readonly PriceSnapshot[] = [
  snapshot("1", { input: "2500000", cache_read: "250000", output: "10000000" }, 81_234_500, 1500),
  snapshot("2", { input: "250000", cache_read: null, output: "2000000" }, 90_000_000, 0),
  snapshot("3", { input: "1", cache_read: "1", output: "3" }, 100_000_000, 700),
  snapshot("4", { input: "1250000", cache_read: "125000", output: "10000000" }, 90_000_000, 1500),
];

function snapshot(
  version: string,
  prices: { input: string; cache_read: string | null; output: string },
  fx: number,
  markup: number,
): PriceSnapshot {
  return {
    version,
    model: "alpha/one",
    price_key: "alpha/*",
    prices: { ...prices, cache_write_5m: null, cache_write_1h: null },
    request_pico_usd: version === "4" ? "1000000000" : "0",
    tiers: [],
    fx_micro_rub_per_usd: String(fx),
    fx_source: "simulated",
    fx_date: "2026-11-21",
    markup_bps: markup,
    rounding_version: 1,
    context_tokens: null,
    max_output_tokens: 4096,
  };
}

const PLAN = {
  version: 1,
  model: "alpha/one",
  reason: "slug",
  attempts: [
    {
      provider: "alpha",
      model: "one",
      protocol: "openai-chat",
      url: "http://provider.invalid/v1/chat/completions",
      auth: { kind: "bearer" },
      headers: {},
      passed_headers: [],
      abort_stops_billing: true,
      quirks: {},
    },
  ],
  output_tokens_max: 4096,
};

export function snapshotOf(request: number): PriceSnapshot {
  const chosen = SNAPSHOTS[request % SNAPSHOTS.length];
  if (chosen === undefined) throw new Error("there is no snapshot");
  return chosen;
}

export function requestId(request: number): string {
  return `req_${request}`;
}

/** Requests that share an `Idempotency-Key` mostly have the same body, and sometimes not. */
export function bodyHash(admission: Admission): string {
  const shared = admission.idempotency === null || admission.request % 7 === 0 ? admission.request : `k${admission.idempotency}`;
  return createHash("sha256").update(`body ${shared}`).digest("hex").slice(0, 32);
}

export function reported({ input, cached, output }: { input: number; cached: number; output: number }): Usage {
  return { ...UNKNOWN_USAGE, input_tokens: input, cache_read_tokens: cached, output_tokens: output };
}

/** A run that ended, as its lane knows it. */
export function finishedRun(
  admission: Admission,
  finish: Finish | null,
  facts: { accountId: string; keyId: string; at: number },
): Finished {
  const hasReport = finish !== null && (finish.how === "usage" || finish.how === "cut");
  const hasContent = finish !== null && finish.how !== "release";
  return {
    id: requestId(admission.request),
    lane: `lane-${admission.lane}`,
    facts: openRequestSchema.parse({
      account_id: facts.accountId,
      key_id: facts.keyId,
      protocol: "openai-chat",
      stream: true,
      plan: PLAN,
      measure: { text_bytes: 400, blocks: 2, images: 0, file_bytes: 0, files_unsized: 0 },
      hold_micro_rub: String(admission.hold),
      idempotency_key: null,
      received_at: facts.at,
      dispatched_at: facts.at,
      evidence: "offline",
    }),
    snapshot: snapshotOf(admission.request),
    outcome: finish?.how === "usage" ? "settled" : "failed",
    error: null,
    phase: hasContent ? "content" : "no-answer",
    progress: hasContent
      ? progressSchema.parse({
          phase: "content",
          finish_reason: null,
          usage: hasReport ? reported(finish) : UNKNOWN_USAGE,
          usage_final: hasReport,
          output_characters: finish.output * 4,
          content_seen: true,
          first_byte_at: facts.at,
        })
      : null,
    finishReason: null,
    attempts: [],
    cut: null,
    candidate: 0,
    finishedAt: facts.at,
  };
}
