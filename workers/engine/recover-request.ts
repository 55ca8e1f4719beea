/** The watchdog's side: a request whose owner died is driven to its end from what was stored, by the same rules as a live one. */
import type { StoredRequest } from "../../schema/request.ts";
import { applyEnd } from "./finish-request.ts";
import { addFrame, type LiveRequest } from "./live-request.ts";
import type { OwnerPorts } from "./ports.ts";
import { INTERRUPTED } from "./recorded-stream.ts";
import { keepInterrupted } from "./response-keeper.ts";
import { endingEvent, ledgerEnd, readSnapshot, type Finished } from "./settle-request.ts";

/** Ends one orphaned request. `snapshot` is the price snapshot of its hold. Repeating it changes nothing. */
export async function recoverRequest(stored: StoredRequest, snapshot: string, ports: OwnerPorts): Promise<void> {
  const candidate = stored.progress?.candidate ?? 0;
  const live: LiveRequest = {
    id: stored.id,
    facts: stored.facts,
    frames: [...stored.frames],
    attempts: [],
    candidate,
    firstByteAt: stored.progress?.first_byte_at ?? null,
    meter: null,
    phase: stored.progress?.phase ?? "no-answer",
    cut: null,
    progress: stored.progress,
  };
  const ended = stored.frames.find((frame) => ["finished", "failed", "cancelled", "expired"].includes(frame.event));
  const outcome = outcomeOf(ended?.event);
  const finishedAt = ended?.at ?? ports.runtime.now();
  const finished: Finished = {
    id: stored.id,
    lane: ports.lane,
    facts: stored.facts,
    snapshot: readSnapshot(stored.facts.snapshots?.[candidate] ?? snapshot),
    outcome,
    error: outcome === "failed" ? INTERRUPTED : null,
    phase: live.phase,
    cut: null,
    progress: stored.progress,
    finishReason: stored.progress?.finish_reason ?? null,
    attempts: [],
    candidate,
    finishedAt,
  };
  if (ended === undefined)
    ports.publish(live.id, addFrame(live, endingEvent(outcome), finishedAt, { code: INTERRUPTED.code, message: INTERRUPTED.message }));
  await applyEnd(live, ledgerEnd(finished), ports);
  const { account_id: accountId, response_id: responseId, plan, dispatched_at } = stored.facts;
  if (responseId === undefined) return;
  const facts = { accountId, requestId: stored.id, responseId, model: plan.model, createdSeconds: Math.floor(dispatched_at / 1000) };
  await keepInterrupted(facts, INTERRUPTED, ports);
}

function outcomeOf(event: string | undefined): Finished["outcome"] {
  if (event === "finished") return "settled";
  return event === "cancelled" || event === "expired" ? event : "failed";
}
