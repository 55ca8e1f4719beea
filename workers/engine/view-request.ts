/** A request as people see it: the lane's row, joined with the ledger entry that ended it. Pure. */
import type { LegRecord } from "../../schema/ensemble.ts";
import type { Entry } from "../../schema/ledger.ts";
import { parseWith } from "../../schema/json.ts";
import { requestRecordSchema, type RequestRecord } from "../../schema/message.ts";
import type { LifecycleFrame, RequestState, RequestView, StoredRequest } from "../../schema/request.ts";

type LegView = NonNullable<RequestView["legs"]>[number];

/** `ended` is null while the request has not been settled or released. */
export function viewRequest(stored: StoredRequest, ended: { entry: Entry; recorded: boolean } | null, priceVersion: string): RequestView {
  const record = ended === null ? null : recordOf(ended.entry);
  const { facts, frames } = stored;
  return {
    id: stored.id,
    state: stateShown(stored, ended),
    protocol: facts.protocol,
    model: facts.plan.model,
    stream: facts.stream,
    plan: facts.plan,
    attempts: record?.attempts ?? [],
    ...(record?.legs === undefined ? {} : { legs: record.legs.map(viewLeg) }),
    ...(facts.plan.ensemble === undefined ? {} : { degraded: record?.degraded ?? stored.progress?.degraded ?? null }),
    usage: record?.usage ?? stored.progress?.usage ?? null,
    usage_source: record?.usage_source ?? null,
    cost_micro_rub: amount(record?.cost_micro_rub ?? null),
    charged_micro_rub: ended === null ? null : Math.abs(Number(ended.entry.amount_micro_rub)),
    settlement: settlementOf(ended?.entry ?? null),
    error: errorOf(frames),
    price_version: record?.snapshot.version ?? priceVersion,
    finish_reason: record?.finish_reason ?? null,
    flagged: record?.flagged ?? null,
    evidence: facts.evidence,
    timings: {
      ttft_ms: record?.timings.ttft_ms ?? null,
      duration_ms: record?.timings.duration_ms ?? null,
      output_tokens_per_second: record?.timings.output_tokens_per_second ?? null,
    },
    lifecycle: shownFrames(frames, ended),
  };
}

function viewLeg({ node, model, provider, protocol, state, error_code, finish_reason, usage, usage_source, ...leg }: LegRecord): LegView {
  const cost_micro_rub = Number(leg.cost_micro_rub);
  return { node, model, provider, protocol, state, error_code, finish_reason, usage, usage_source, cost_micro_rub };
}

function amount(text: string | null): number | null {
  return text === null ? null : Number(text);
}

/** The record of an entry; null where the entry has none (an expiry nobody could say more about). */
export function recordOf(entry: Entry): RequestRecord | null {
  if (entry.record === null) return null;
  const parsed = parseWith(requestRecordSchema, entry.record);
  return parsed.ok ? parsed.value : null;
}

function stateShown(stored: StoredRequest, ended: { recorded: boolean } | null): RequestState {
  const isOutcome = stored.state === "failed" || stored.state === "cancelled" || stored.state === "expired";
  return ended?.recorded === true && !isOutcome ? "recorded" : stored.state;
}

function settlementOf(entry: Entry | null): RequestView["settlement"] {
  if (entry === null) return null;
  if (entry.kind === "release") return "released";
  return entry.kind === "expire" ? "expired" : "settled";
}

function errorOf(frames: readonly LifecycleFrame[]): RequestView["error"] {
  const detail = frames.find((frame) => frame.event === "failed" || frame.event === "expired")?.detail;
  if (detail === undefined) return null;
  return { code: String(detail["code"]), message: String(detail["message"]) };
}

/** The watermark is the account's, not the lane's, so `recorded` is shown from it. */
function shownFrames(frames: readonly LifecycleFrame[], ended: { entry: Entry; recorded: boolean } | null): LifecycleFrame[] {
  const last = frames.at(-1);
  if (ended === null || !ended.recorded || last === undefined) return [...frames];
  return [...frames, { seq: last.seq + 1, at: ended.entry.at, event: "recorded" }];
}
