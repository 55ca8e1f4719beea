/** An account as its pages show it live, from the ledger's memory and the lane's own rows: nothing is asked of D1. */
import { parseWith } from "../../schema/json.ts";
import type { Entry, Hold } from "../../schema/ledger.ts";
import { LIMITS } from "../../schema/limits.ts";
import type { LiveEnded, LiveQuestion, LiveRunning, LiveState } from "../../schema/live.ts";
import { requestRecordSchema } from "../../schema/message.ts";
import { priceSnapshotSchema } from "../../schema/price.ts";
import type { StoredRequest } from "../../schema/request.ts";
import { runningCost, runningOutput } from "../cost/running-cost.ts";
import type { Ledger } from "./ledger-store.ts";

type Stored = (requestId: string) => StoredRequest | null;

const ENDS: readonly Entry["kind"][] = ["settle", "late_settle", "release", "expire"];

/** Gives the state of now. Ended requests are read again only when the ledger has a new entry. */
export function liveStates(book: Ledger, stored: Stored): (question: LiveQuestion) => LiveState {
  let ended: LiveEnded[] = [];
  let endedSeq = -1;
  return ({ money, requests }) => {
    const seq = book.lastSeq;
    if (requests && seq !== endedSeq) {
      ended = book.entries(Math.max(0, seq - LIMITS.liveEndedShown), LIMITS.liveEndedShown).flatMap((entry) => endedOf(entry) ?? []);
      endedSeq = seq;
    }
    const holds = requests ? book.openHolds().slice(-LIMITS.liveRunningShown).toReversed() : [];
    return {
      seq,
      money: money ? book.balance() : null,
      requests: requests ? { running: holds.map((hold) => runningOf(hold, stored(hold.request_id))), ended } : null,
    };
  };
}

function runningOf(hold: Hold, request: StoredRequest | null): LiveRunning {
  const { request_id: id, key_id, model, created_at: started_at, hold_micro_rub } = hold;
  const known = { id, key_id, model, started_at, hold_micro_rub };
  const progress = request?.progress ?? null;
  const snapshot = parseWith(priceSnapshotSchema, hold.snapshot);
  // The calls of an ensemble have prices of their own each; what they come to is known when they have ended.
  if (request === null || progress === null || progress.legs !== undefined || !snapshot.ok)
    return { ...known, state: request?.state ?? "dispatched", output_tokens: null, cost_micro_rub: null };
  const answer = { reported: progress.usage, inputMeasure: request.facts.measure, outputCharacters: progress.output_characters };
  return {
    ...known,
    state: request.state,
    output_tokens: runningOutput(answer),
    cost_micro_rub: runningCost(snapshot.value, answer, 0).toString(),
  };
}

function endedOf(entry: Entry): LiveEnded | null {
  if (entry.request_id === null || !ENDS.includes(entry.kind)) return null;
  const record = entry.record === null ? null : parseWith(requestRecordSchema, entry.record);
  if (record?.ok !== true) return null;
  const { model, state, usage, timings } = record.value;
  const input = usage?.input_tokens ?? null;
  return {
    id: entry.request_id,
    kind: entry.kind,
    model,
    state,
    started_at: timings.received_at,
    duration_ms: timings.duration_ms,
    input_tokens: input === null ? null : input + (usage?.cache_read_tokens ?? 0),
    output_tokens: usage?.output_tokens ?? null,
    charged_micro_rub: (-BigInt(entry.amount_micro_rub)).toString(),
  };
}
