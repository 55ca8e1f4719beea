/**
 * workers/ledger: the money of one account as pure steps. Each step takes what is known, a command and the time, and gives a result
 * and the writes that make it true; it touches no storage, so the same steps run in an object, in a simulator and in a test.
 *
 * Invariants, held after every step:
 * - balance = Σ entry amounts; held = Σ amounts of HELD holds; available = balance - held, never below zero through inference;
 * - each entry's postings sum to zero; seq is dense from 1; each entry's hash covers it and the hash before it;
 * - a request has at most one entry that charges, and a charge never exceeds its hold + available;
 * - repeating a command changes nothing and gives the first result's numbers again.
 */
import type { KeyLimits } from "../../schema/key.ts";
import type { Entry, HoldState } from "../../schema/ledger.ts";

/** The projection of all entries and open holds. Micro-RUB. */
export interface AccountState {
  balance: bigint;
  held: bigint;
  seq: number;
  /** Hash of entry `seq`; empty before the first. */
  headHash: string;
}

export const EMPTY_ACCOUNT: AccountState = { balance: 0n, held: 0n, seq: 0, headHash: "" };

export interface HoldRow {
  requestId: string;
  keyId: string;
  state: HoldState;
  amount: bigint;
  bodyHash: string | null;
  model: string;
  lane: string;
  /** JSON text of the `PriceSnapshot`. */
  snapshot: string;
  tokensBound: number;
  createdAt: number;
  expiresAt: number;
  /** The entry that ended it last; null while HELD. */
  seq: number | null;
}

/** A token bucket in units of 1/60000 token, so that a limit of N a minute refills exactly N units a millisecond. */
export interface Bucket {
  units: number;
  at: number;
}

/** What a key has been charged, by UTC day and month. */
export interface Spend {
  day: string;
  dayAmount: bigint;
  month: string;
  monthAmount: bigint;
}

export interface KeyState {
  keyId: string;
  keyHash: string;
  name: string;
  limits: KeyLimits;
  /** `limits.expires_at` in milliseconds; null for never. */
  expiresAt: number | null;
  createdAt: number;
  revokedAt: number | null;
  /** HELD holds of this key, and their sum. */
  openHolds: number;
  heldAmount: bigint;
  /** Null until first used, and for a key without that limit. */
  requestBucket: Bucket | null;
  tokenBucket: Bucket | null;
  spend: Spend;
}

/** What an `Idempotency-Key` was used for: a request, or a refusal that stands. */
export interface IdempotencyRow {
  keyId: string;
  idempotencyKey: string;
  bodyHash: string | null;
  requestId: string;
  /** Not null: the admission was refused for want of balance, and stays so under this key. */
  failure: { needed: bigint; available: bigint } | null;
  at: number;
}

/** Something an operator must look at. Never blocks the step that found it. */
export interface Incident {
  kind: "settled_differently" | "settled_after_release" | "released_after_settle" | "credited_differently" | "shortfall";
  requestId: string | null;
  detail: string;
}

/** Hex SHA-256 of text; injected, since the runtime's is synchronous only through a platform module. */
export type HashText = (text: string) => string;

export function availableOf(account: AccountState): bigint {
  return account.balance - account.held;
}

/** An entry, and the account as it is after it. */
export interface Appended {
  entry: Entry;
  account: AccountState;
}
