/** The one exit of a run: decides settle or release, makes the ledger do it, and shows it in the request's life. */
import type { GatewayError } from "../../schema/error.ts";
import type { EndResult } from "../../schema/ledger.ts";
import { addFrame, progressOf, stateOf, type LiveRequest } from "./live-request.ts";
import type { OwnerPorts } from "./ports.ts";
import type { Run } from "./run.ts";
import { secretsOf } from "./upstream-recorder.ts";
import { endingEvent, ledgerEnd, type Finished, type LedgerEnd } from "./settle-request.ts";

export interface Ending {
  outcome: Finished["outcome"];
  error: GatewayError | null;
  finishReason: string | null;
}

export interface Settlement {
  /** Micro-RUB really taken; null while the ledger has not answered yet. */
  chargedMicroRub: bigint | null;
  /** The cost by the formula; null when nothing is charged. */
  costMicroRub: bigint | null;
}

/** Ends the request. Resolves when the ledger has it, or when it has not for `waitMilliseconds` (then it goes on by itself). */
export async function finishRequest(run: Run, ending: Ending, ports: OwnerPorts): Promise<Settlement> {
  const { live } = run;
  const now = ports.runtime.now();
  const end = ledgerEnd({
    id: live.id,
    lane: ports.lane,
    facts: live.facts,
    snapshot: run.snapshot,
    outcome: ending.outcome,
    error: ending.error,
    phase: live.phase,
    cut: live.cut,
    progress: progressOf(live),
    finishReason: ending.finishReason,
    attempts: live.attempts,
    candidate: live.candidate,
    finishedAt: now,
  });
  const detail = ending.error === null ? undefined : { code: ending.error.code, message: ending.error.message };
  ports.publish(live.id, addFrame(live, endingEvent(ending.outcome), now, detail));
  if (!ports.ledgerIsLocal) saveProgress(live, ports);
  const costMicroRub = end.kind === "settle" ? BigInt(end.facts.cost_micro_rub) : null;
  let result: EndResult | null = null;
  const ended = ports.untilDone(async () => {
    result = await applyEnd(live, end, ports);
  });
  ports.keepAlive(ended);
  keepRecording(run, ending, ports);
  await Promise.all([ended, run.keeper?.end(ending)]);
  return { chargedMicroRub: chargedOf(result), costMicroRub };
}

/** What upstreams sent goes to where it is kept, after the answer and apart from its money. */
function keepRecording({ recorder, live, envelope }: Run, { outcome, error }: Ending, ports: OwnerPorts): void {
  if (recorder === null || envelope.record === null) return;
  const secrets = secretsOf(envelope.credentials);
  const record = recorder.finish(outcome === "cancelled" || live.cut !== null || live.drainedOut === true, { error, secrets });
  if (record === null) return;
  const recordedAt = ports.runtime.now();
  const facts = {
    version: 1 as const,
    request_id: live.id,
    account_id: envelope.account_id,
    protocol: envelope.protocol,
    stream: envelope.stream,
    plan: envelope.plan,
    recorded_at: recordedAt,
    expires_at: recordedAt + envelope.record.keep_days * DAY_MILLISECONDS,
  };
  ports.keepAlive(ports.recordings.keep(facts, record));
}

const DAY_MILLISECONDS = 86_400_000;

function chargedOf(result: EndResult | null): bigint | null {
  return result === null ? null : BigInt(result.charged_micro_rub);
}

/** Sends the end to the ledger and stores what it answered. Repeating it changes nothing. */
export async function applyEnd(live: LiveRequest, end: LedgerEnd, ports: OwnerPorts): Promise<EndResult> {
  const result =
    end.kind === "settle"
      ? await ports.ledger.settle({ request_id: live.id, facts: end.facts, record: end.record })
      : await ports.ledger.release({ request_id: live.id, reason: end.reason, record: end.record });
  const charged = Number(result.charged_micro_rub);
  const isSettled = end.kind === "settle";
  const detail = isSettled ? { charged_micro_rub: charged, usage_source: end.facts.usage_source } : { reason: end.reason };
  const frame = addFrame(live, isSettled ? "settled" : "released", ports.runtime.now(), detail);
  saveProgress(live, ports);
  ports.publish(live.id, frame);
  return result;
}

/** The first byte of an answer came: shown at once, stored with the next progress write. */
export function noteStreaming(live: LiveRequest, at: number, ports: OwnerPorts): void {
  if (live.firstByteAt !== null) return;
  live.firstByteAt = at;
  ports.publish(live.id, addFrame(live, "streaming", at));
}

/** Stores how far the answer got. */
export function saveProgress(live: LiveRequest, ports: OwnerPorts): void {
  ports.requests.save(live.id, { state: stateOf(live.frames), frames: live.frames, progress: progressOf(live) });
}
