/**
 * Which events an entry of a ledger is, as a projection of the entry: made again they are the same, to the byte, under the same id. What is
 * no entry (a limit that refused) an account's object tells in a notice. Pure.
 */
import { eventBody, type Notice, type WebhookEvent, type WebhookEventType } from "../../schema/webhook.ts";
import type { AppliedEntry } from "./entry-row.ts";

type Entry = AppliedEntry["entry"];

function amount(entry: Entry, name: string): number {
  return Number(entry[name]);
}

function eventOf(entry: Entry, type: WebhookEventType, data: Record<string, unknown>): WebhookEvent {
  const account_id = String(entry["account_id"]);
  const at = amount(entry, "at");
  return {
    // No point may be in it: one signature could then stand for two ways to split what is signed.
    id: `evt_${account_id}_${entry["seq"]}_${type.replaceAll(".", "_")}`,
    account_id,
    type,
    at,
    body: eventBody(type, at, { account_id, seq: amount(entry, "seq"), ...data }),
  };
}

/** `lowBalance` in micro-RUB; null: no balance is low. */
export function eventsOf({ entry, usage }: AppliedEntry, lowBalance: number | null): WebhookEvent[] {
  const change = amount(entry, "amount_micro_rub");
  const balance = amount(entry, "balance_after_micro_rub");
  const held = amount(entry, "held_after_micro_rub");
  const before = balance - change;
  const events: WebhookEvent[] = [];
  if (entry["kind"] === "settle" || entry["kind"] === "late_settle")
    events.push(eventOf(entry, "request.settled", settledData(entry, usage)));
  if (change !== 0) {
    const { kind, request_id, external_id } = entry;
    const amounts = { amount_micro_rub: change, balance_micro_rub: balance, held_micro_rub: held, available_micro_rub: balance - held };
    events.push(eventOf(entry, "balance.updated", { kind, request_id, external_id, ...amounts }));
  }
  if (lowBalance !== null && before >= lowBalance && balance < lowBalance)
    events.push(eventOf(entry, "balance.low", { balance_micro_rub: balance, threshold_micro_rub: lowBalance }));
  if (before > 0 && balance <= 0) events.push(eventOf(entry, "balance.exhausted", { balance_micro_rub: balance, refused: null }));
  return events;
}

const USAGE = ["input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "output_tokens", "reasoning_tokens"];
const FACTS = ["key_id", "model", "provider", "protocol", "state", "error_code", "finish_reason", "usage_source", "flagged"];

/** A charge nobody can read more of has its amount, and nulls. */
function settledData(entry: Entry, usage: AppliedEntry["usage"]): Record<string, unknown> {
  const facts = Object.fromEntries(FACTS.map((name) => [name, usage?.[name] ?? null]));
  const tokens = Object.fromEntries(USAGE.map((name) => [name, usage?.[name] ?? null]));
  const cost = usage?.["cost_micro_rub"] ?? null;
  return {
    request_id: entry["request_id"],
    ...facts,
    usage: tokens,
    cost_micro_rub: cost === null ? null : Number(cost),
    charged_micro_rub: -amount(entry, "amount_micro_rub"),
    balance_micro_rub: amount(entry, "balance_after_micro_rub"),
  };
}

/** A notice as the event it is. */
export function noticeEvent({ id, account_id, type, at, data }: Notice): WebhookEvent {
  return { id, account_id, type, at, body: eventBody(type, at, { account_id, ...data }) };
}
