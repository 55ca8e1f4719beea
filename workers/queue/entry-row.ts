/** From a queue message to the rows of D1. Pure: effective prices come from the message's own snapshot and usage, by the one formula. */
import type { EntryRow } from "../../db/entry-rows.ts";
import type { LegRecord } from "../../schema/ensemble.ts";
import { checkWith } from "../../schema/json.ts";
import { requestRecordSchema, type RequestRecord, type UsageMessage } from "../../schema/message.ts";
import { UNKNOWN_USAGE } from "../../schema/usage.ts";
import { costOf } from "../cost/cost.ts";

export interface AppliedEntry extends EntryRow {
  /** Why there is no usage row although there should be one; null when nothing is amiss. */
  fault: string | null;
}

/** The rows of one message. An unreadable record costs the usage row, never the entry: the money is booked, and the fault is to be parked. */
export function entryRow(message: UsageMessage): AppliedEntry {
  const record = recordOf(message);
  return {
    fault: record.fault,
    entry: {
      account_id: message.account_id,
      seq: message.seq,
      kind: message.kind,
      request_id: message.request_id,
      external_id: message.external_id,
      amount_micro_rub: message.amount_micro_rub,
      postings: JSON.stringify(message.postings),
      balance_after_micro_rub: message.balance_after_micro_rub,
      held_after_micro_rub: message.held_after_micro_rub,
      at: message.at,
      prev_hash: message.prev_hash,
      hash: message.hash,
    },
    usage: record.value === null ? null : usageRow(message, record.value),
    source: {
      account_id: message.account_id,
      seq: message.seq,
      hash: message.hash,
      at: message.at,
      facts: message.facts === null ? null : JSON.stringify(message.facts),
      record: message.record === null ? null : JSON.stringify(message.record),
    },
  };
}

/** The request's facts. A charge must have them; a hold that ended without a charge may have none; other money never has. */
function recordOf({ kind, record, request_id }: UsageMessage): { value: RequestRecord | null; fault: string | null } {
  const isCharge = kind === "settle" || kind === "late_settle";
  const isRequest = isCharge || kind === "release" || kind === "expire";
  if (!isRequest || (record === null && !isCharge)) return { value: null, fault: null };
  const read = checkWith(requestRecordSchema, record);
  if (!read.ok) return { value: null, fault: `the record of ${kind}: ${read.message} at ${read.path ?? "the root"}` };
  if (read.value.request_id !== request_id) return { value: null, fault: `the record is of another request, ${read.value.request_id}` };
  return { value: read.value, fault: null };
}

function usageRow(message: UsageMessage, record: RequestRecord): Record<string, string | number | null> {
  const usage = record.usage ?? UNKNOWN_USAGE;
  const prices = Object.fromEntries(
    costOf(record.snapshot, usage).lines.map((line) => [`${line.class}_pico_usd`, line.pricePicoUsd.toString()]),
  );
  return {
    account_id: message.account_id,
    seq: message.seq,
    entry_hash: message.hash,
    request_id: record.request_id,
    kind: message.kind,
    key_id: record.key_id,
    protocol: record.protocol,
    upstream_protocol: record.upstream_protocol,
    model: record.model,
    provider: record.provider,
    stream: record.stream ? 1 : 0,
    state: record.state,
    error_code: record.error_code,
    ...usage,
    usage_source: record.usage_source,
    price_version: record.snapshot.version,
    ...prices,
    fx_micro_rub_per_usd: record.snapshot.fx_micro_rub_per_usd,
    markup_bps: record.snapshot.markup_bps,
    provider_cost_pico_usd: record.provider_cost_pico_usd,
    cost_micro_rub: record.cost_micro_rub,
    charged_micro_rub: (-BigInt(message.amount_micro_rub)).toString(),
    flagged: record.flagged,
    finish_reason: record.finish_reason,
    hold_micro_rub: record.hold_micro_rub,
    attempts: record.attempts.length,
    ttft_ms: record.timings.ttft_ms,
    duration_ms: record.timings.duration_ms,
    output_tokens_per_second: record.timings.output_tokens_per_second,
    evidence: record.evidence,
    at: message.at,
    day: new Date(message.at).toISOString().slice(0, 10),
    legs: record.legs === undefined || record.legs.length === 0 ? null : JSON.stringify(record.legs.map(legRow)),
  };
}

/** One call of an ensemble in the columns of `usage_leg`; integers as text. */
function legRow({ usage, prices, ...leg }: LegRecord): Record<string, string | number | null> {
  const priced = Object.fromEntries(Object.entries(prices).map(([name, price]) => [`${name}_pico_usd`, price ?? prices.input]));
  return { ...leg, ...(usage ?? UNKNOWN_USAGE), ...priced };
}
