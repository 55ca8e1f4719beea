/**
 * Admission: key, idempotency, limits and balance decided in one step, so there is nothing between them to race. A frozen ledger refuses
 * first of all; then the order is the order of blame: who you are, whether this was asked before, what your key allows, what the account can pay.
 */
import type { AdmitCommand, AdmitResult, Refusal, RefusalReason } from "../../schema/ledger.ts";
import { LIMITS } from "../../schema/limits.ts";
import { checkLimits, keyFault, limitOwners, mayUseModel } from "./key-limits.ts";
import { type AccountState, availableOf, type Bucket, type HoldRow, type IdempotencyRow, type KeyState, type LimitOwner } from "./state.ts";

export interface AdmitView {
  account: AccountState;
  /** The ledger is being restored. */
  frozen: boolean;
  /** HELD holds of the whole account. */
  openHolds: number;
  /** The key the command's hash names; null when there is none. */
  key: KeyState | null;
  /** The account's own limits and counters. */
  owner: LimitOwner;
  /** Every bucket of a rate, by its name; one that is not there is full. */
  buckets: ReadonlyMap<string, Bucket>;
  /** The hold that already has the command's request id. */
  existing: HoldRow | null;
  /** What the command's `Idempotency-Key` was used for, and the hold of that request; null when it was not, or is past retention. */
  idempotent: IdempotencyRow | null;
  idempotentHold: HoldRow | null;
}

/** Everything that must become true together. Null writes: nothing changes. */
export interface AdmitWrites {
  hold: HoldRow | null;
  idempotency: IdempotencyRow | null;
  /** Buckets that change with the admission. */
  buckets: ReadonlyMap<string, Bucket>;
}

export interface AdmitDecision {
  result: AdmitResult;
  writes: AdmitWrites | null;
}

const CODE_OF_REASON: Record<RefusalReason, Refusal["code"]> = {
  unknown_key: "invalid_api_key",
  revoked_key: "invalid_api_key",
  expired_key: "invalid_api_key",
  model_not_allowed: "forbidden",
  insufficient_balance: "insufficient_balance",
  account_blocked: "insufficient_balance",
  account_frozen: "overloaded",
  requests_per_minute: "rate_limited",
  tokens_per_minute: "rate_limited",
  request_rate: "rate_limited",
  token_rate: "rate_limited",
  too_many_rates: "rate_limited",
  parallel_requests: "rate_limited",
  spend_per_day: "rate_limited",
  spend_per_month: "rate_limited",
  account_parallel: "rate_limited",
  request_in_progress: "request_in_progress",
  idempotency_mismatch: "idempotency_mismatch",
  request_id_reused: "invalid_transition",
};

/** A restoration takes minutes, and somebody runs it. */
const FROZEN_RETRY_SECONDS = 60;

function refused(reason: RefusalReason, facts: Partial<Omit<Refusal, "ok" | "code" | "reason">> = {}): AdmitDecision {
  return {
    result: {
      ok: false,
      code: CODE_OF_REASON[reason],
      reason,
      needed_micro_rub: facts.needed_micro_rub ?? null,
      available_micro_rub: facts.available_micro_rub ?? null,
      retry_after_seconds: facts.retry_after_seconds ?? null,
      request_id: facts.request_id ?? null,
      key_id: facts.key_id ?? null,
      scope: facts.scope ?? null,
      limit: facts.limit ?? null,
    },
    writes: null,
  };
}

/** Want of balance. Below zero there is more to say: until the debt is paid, nothing at all is admitted. */
function insufficient(keyId: string, needed: bigint, available: bigint): AdmitDecision {
  return refused(available < 0n ? "account_blocked" : "insufficient_balance", {
    needed_micro_rub: needed.toString(),
    available_micro_rub: available.toString(),
    key_id: keyId,
  });
}

function replayOf(hold: HoldRow): AdmitDecision {
  return {
    result: { ok: true, key_id: hold.keyId, replay: { request_id: hold.requestId, state: hold.state, lane: hold.lane } },
    writes: null,
  };
}

/** The same admission again (its answer was lost): the same answer. The same id for something else is a caller's defect. */
function repeated(existing: HoldRow, key: KeyState, command: AdmitCommand): AdmitDecision {
  const same =
    existing.keyId === key.keyId &&
    existing.bodyHash === command.body_hash &&
    existing.model === command.model &&
    existing.lane === command.lane;
  if (!same) return refused("request_id_reused", { request_id: existing.requestId });
  return existing.state === "HELD" ? { result: { ok: true, key_id: key.keyId, replay: null }, writes: null } : replayOf(existing);
}

/** An `Idempotency-Key` seen before: another body is a mismatch, a refusal stands, a running request is waited for, an ended one replayed. */
function replayed(row: IdempotencyRow, hold: HoldRow | null, command: AdmitCommand): AdmitDecision | null {
  if (row.bodyHash !== command.body_hash) return refused("idempotency_mismatch", { request_id: row.requestId });
  if (row.failure !== null) return insufficient(row.keyId, row.failure.needed, row.failure.available);
  if (hold === null) return null;
  return hold.state === "HELD" ? refused("request_in_progress", { request_id: hold.requestId, retry_after_seconds: 1 }) : replayOf(hold);
}

function idempotencyRow(key: KeyState, command: AdmitCommand, failure: IdempotencyRow["failure"], now: number): IdempotencyRow | null {
  if (command.idempotency_key === null) return null;
  return {
    keyId: key.keyId,
    idempotencyKey: command.idempotency_key,
    bodyHash: command.body_hash,
    requestId: command.request_id,
    failure,
    at: now,
  };
}

/**
 * Decides one admission. A refusal writes nothing, save that want of balance is remembered under an `Idempotency-Key`: a retry after
 * a top-up must not turn one request into two outcomes.
 */
export function decideAdmit(view: AdmitView, command: AdmitCommand, now: number): AdmitDecision {
  const { key, account } = view;
  if (view.frozen) return refused("account_frozen", { retry_after_seconds: FROZEN_RETRY_SECONDS });
  const fault = keyFault(key, now);
  if (key === null || fault !== null) return refused(fault ?? "unknown_key");
  if (view.existing !== null) return repeated(view.existing, key, command);
  if (view.idempotent !== null) {
    const earlier = replayed(view.idempotent, view.idempotentHold, command);
    if (earlier !== null) return earlier;
  }
  const owners = limitOwners(key, view.owner);
  for (const { owner, scope } of owners) {
    if (!mayUseModel(owner.limits, command.model)) return refused("model_not_allowed", { key_id: key.keyId, scope });
  }
  if (view.openHolds >= LIMITS.openHoldsPerAccount) return refused("account_parallel", { retry_after_seconds: 1 });
  const limits = checkLimits(owners, view.buckets, command, now);
  if (!limits.ok) {
    const { reason, scope, limit, retryAfterSeconds } = limits;
    return refused(reason, { key_id: key.keyId, scope, limit, retry_after_seconds: retryAfterSeconds });
  }

  const needed = BigInt(command.hold_micro_rub);
  const available = availableOf(account);
  if (needed > available) {
    const row = idempotencyRow(key, command, { needed, available }, now);
    const decision = insufficient(key.keyId, needed, available);
    return { ...decision, writes: row === null ? null : { hold: null, idempotency: row, buckets: new Map() } };
  }
  const hold: HoldRow = {
    requestId: command.request_id,
    keyId: key.keyId,
    state: "HELD",
    amount: needed,
    bodyHash: command.body_hash,
    model: command.model,
    lane: command.lane,
    snapshot: command.snapshot,
    tokensBound: command.tokens_bound,
    rates: limits.rates,
    createdAt: now,
    expiresAt: now + command.ttl_ms,
    seq: null,
  };
  return {
    result: { ok: true, key_id: key.keyId, replay: null },
    writes: {
      hold,
      idempotency: idempotencyRow(key, command, null, now),
      buckets: limits.buckets,
    },
  };
}
