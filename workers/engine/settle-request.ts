/**
 * How a request leaves the ledger: from what is known of its answer to one settle or one release, and the record that tells D1.
 * Used at the end of a run and by the watchdog after a crash, with the same rules.
 */
import type { GatewayError } from "../../schema/error.ts";
import type { DispatchPhase } from "../../schema/estimate.ts";
import { parseWith } from "../../schema/json.ts";
import type { ChargeFacts } from "../../schema/ledger.ts";
import { LIMITS } from "../../schema/limits.ts";
import type { RequestRecord } from "../../schema/message.ts";
import { priceSnapshotSchema, type PriceSnapshot } from "../../schema/price.ts";
import type { AttemptRecord, LifecycleEvent, OpenRequest, Progress } from "../../schema/request.ts";
import { UNKNOWN_USAGE, type Usage } from "../../schema/usage.ts";
import { costOf, providerCostMicroRub } from "../cost/cost.ts";
import { estimateUsage, type UsageDecision } from "../cost/unknown-usage.ts";
import { settleLegs } from "./mixture/settle-legs.ts";

/** Everything about a finished run that its end in the ledger depends on. */
export interface Finished {
  id: string;
  lane: string;
  facts: OpenRequest;
  snapshot: PriceSnapshot;
  outcome: "settled" | "failed" | "cancelled" | "expired";
  error: GatewayError | null;
  phase: DispatchPhase;
  /** Not null: the answer was cut at this usage, and is charged by it. */
  cut: Usage | null;
  progress: Progress | null;
  finishReason: string | null;
  attempts: AttemptRecord[];
  /** Index of the plan's candidate that answered, or was asked last. */
  candidate: number;
  finishedAt: number;
}

/** The ledger command that ends a request, with its record as JSON text. */
export type LedgerEnd = { kind: "settle"; facts: ChargeFacts; record: string } | { kind: "release"; reason: string; record: string };

/** Which transition the request shows before its settlement. */
export function endingEvent(outcome: Finished["outcome"]): LifecycleEvent {
  return outcome === "settled" ? "finished" : outcome;
}

/** Snapshots read lately, by their text: thousands of requests share one. Bounded; the oldest goes first. */
const readSnapshots = new Map<string, PriceSnapshot>();

/** Reads a snapshot we stored ourselves; anything else in its place is a defect. */
export function readSnapshot(text: string): PriceSnapshot {
  const known = readSnapshots.get(text);
  if (known !== undefined) return known;
  const parsed = parseWith(priceSnapshotSchema, text);
  if (!parsed.ok) throw new Error(`Cannot settle: stored price snapshot is unreadable (${parsed.message})`);
  if (readSnapshots.size >= LIMITS.snapshotsCached) readSnapshots.delete(readSnapshots.keys().next().value ?? "");
  readSnapshots.set(text, parsed.value);
  return parsed.value;
}

/** What is charged for, or that nothing is. */
function usageDecision({ cut, phase, progress, outcome, facts }: Finished): UsageDecision {
  if (cut !== null) return { kind: "settle", usage: cut, source: "cut", flagged: "hold_exhausted" };
  return estimateUsage({
    phase,
    meterUsage: progress?.usage ?? UNKNOWN_USAGE,
    usageFinal: progress?.usage_final ?? false,
    failed: outcome === "failed" || outcome === "expired",
    inputMeasure: facts.measure,
    outputCharacters: progress?.output_characters ?? 0,
  });
}

/** Decides settle or release by the unknown-usage rule and prices it on the snapshot of the hold. Pure. */
export function ledgerEnd(finished: Finished): LedgerEnd {
  if (finished.facts.plan.ensemble !== undefined) return endOfEnsemble(finished);
  const decision = usageDecision(finished);
  if (decision.kind === "release") {
    return { kind: "release", reason: finished.error?.code ?? decision.reason, record: JSON.stringify(recordOf(finished, null)) };
  }
  const cost = costOf(finished.snapshot, decision.usage);
  const facts: ChargeFacts = {
    usage: decision.usage,
    usage_source: decision.source,
    cost_micro_rub: cost.costMicroRub.toString(),
    provider_cost_pico_usd: cost.providerCostPicoUsd.toString(),
    provider_cost_micro_rub: providerCostMicroRub(cost.providerCostPicoUsd, finished.snapshot).toString(),
    flagged: decision.flagged ?? cost.flagged,
  };
  return { kind: "settle", facts, record: JSON.stringify(recordOf(finished, facts)) };
}

/** The same for several calls: each by what is known of it. */
function endOfEnsemble(finished: Finished): LedgerEnd {
  const { facts, progress, snapshot, error } = finished;
  const snapshotOf = (attempt: number): PriceSnapshot => {
    const text = facts.snapshots?.[attempt];
    return text === undefined ? snapshot : readSnapshot(text);
  };
  const { charge, reason, legs } = settleLegs(progress?.legs ?? [], facts, snapshotOf);
  const providers = new Set(facts.plan.attempts.map((attempt) => attempt.provider));
  const of = { model: facts.plan.model, legs, degraded: progress?.degraded ?? null, ...(providers.size > 1 ? { provider: SEVERAL } : {}) };
  const record = JSON.stringify({ ...recordOf(finished, charge), ...of } satisfies RequestRecord);
  return charge === null ? { kind: "release", reason: error?.code ?? reason, record } : { kind: "settle", facts: charge, record };
}

/** In the place of a provider's id, where the calls of one request went to more than one. */
const SEVERAL = "several";

/** A word of the upstream's, no longer than a row should carry: a record that grew past its limit would keep the settlement from landing. */
function bounded(word: string | null): string | null {
  return word === null ? null : word.slice(0, LIMITS.upstreamWordCharacters);
}

function recordOf(finished: Finished, charge: ChargeFacts | null): RequestRecord {
  const { facts, progress } = finished;
  const attempt = facts.plan.attempts[finished.candidate];
  return {
    request_id: finished.id,
    lane: finished.lane,
    key_id: facts.key_id,
    protocol: facts.protocol,
    model: attempt?.slug ?? facts.plan.model,
    provider: attempt?.provider ?? "",
    upstream_protocol: attempt?.protocol ?? facts.protocol,
    stream: facts.stream,
    state: finished.outcome,
    error_code: finished.error?.code ?? null,
    usage: charge?.usage ?? null,
    usage_source: charge?.usage_source ?? null,
    cost_micro_rub: charge?.cost_micro_rub ?? null,
    provider_cost_pico_usd: charge?.provider_cost_pico_usd ?? null,
    hold_micro_rub: facts.hold_micro_rub,
    snapshot: finished.snapshot,
    flagged: charge?.flagged ?? null,
    attempts: finished.attempts.map((each) => ({ ...each, provider_request_id: bounded(each.provider_request_id) })),
    timings: timingsOf(finished, charge, progress?.first_byte_at ?? null),
    finish_reason: bounded(finished.finishReason),
    evidence: facts.evidence,
    idempotency_key: facts.idempotency_key,
    ...(facts.trace === undefined ? {} : { trace: facts.trace }),
  };
}

function timingsOf(finished: Finished, charge: ChargeFacts | null, firstByteAt: number | null): RequestRecord["timings"] {
  const { received_at, dispatched_at } = finished.facts;
  const outputTokens = charge?.usage.output_tokens ?? null;
  const streamedMilliseconds = firstByteAt === null ? 0 : finished.finishedAt - firstByteAt;
  const isRateKnown = outputTokens !== null && streamedMilliseconds > 0 && finished.facts.stream;
  return {
    received_at,
    dispatched_at,
    first_byte_at: firstByteAt,
    finished_at: finished.finishedAt,
    ttft_ms: firstByteAt === null ? null : firstByteAt - received_at,
    duration_ms: finished.finishedAt - received_at,
    output_tokens_per_second: isRateKnown ? Math.round((outputTokens * 100_000) / streamedMilliseconds) / 100 : null,
  };
}
