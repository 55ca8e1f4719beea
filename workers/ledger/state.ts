/**
 * workers/ledger: the money of one account as pure steps. Each step takes what is known, a command and the time, and gives a result
 * and the writes that make it true; it touches no storage, so the same steps run in an object, in a simulator and in a test.
 *
 * Invariants, held after every step:
 * - balance = Σ entry amounts; held = Σ amounts of HELD holds; available = balance - held, never below zero through inference;
 * - each entry's postings sum to zero; seq is dense from 1; each entry's hash covers it and the hash before it;
 * - a request has at most one entry that charges and one that trues it up, and a charge never exceeds its hold + available;
 * - an account in debt, or whose ledger is being restored, admits nothing;
 * - repeating a command changes nothing and gives the first result's numbers again.
 */
import type { KeyLimits } from "../../schema/key.ts";
import type { AccountLimits } from "../../schema/rate.ts";
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
  /** The rates of tokens its bound was taken from, which get back what it does not use. */
  rates: readonly NamedRate[];
  createdAt: number;
  expiresAt: number;
  /** The entry that ended it last; null while HELD. */
  seq: number | null;
}

/** So many in so many milliseconds. */
export interface Rate {
  limit: number;
  period: number;
}

export interface NamedRate extends Rate {
  /** The bucket it counts in. */
  name: string;
}

/** A rate and how much of it was left at a time, in units of 1/period (workers/ledger/bucket.ts). */
export interface Bucket extends Rate {
  units: number;
  at: number;
}

/** What a key or an account has been charged, by UTC day and month. */
export interface Spend {
  day: string;
  dayAmount: bigint;
  month: string;
  monthAmount: bigint;
}

/** A key, or the account itself: whoever has limits, with what they are checked against. */
export interface LimitOwner {
  limits: AccountLimits;
  /** HELD holds, and their sum. */
  openHolds: number;
  heldAmount: bigint;
  spend: Spend;
}

export interface KeyState extends LimitOwner {
  keyId: string;
  keyHash: string;
  name: string;
  limits: KeyLimits;
  /** `limits.expires_at` in milliseconds; null for never. */
  expiresAt: number | null;
  createdAt: number;
  revokedAt: number | null;
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
  kind:
    | "settled_differently"
    | "settled_after_release"
    | "released_after_settle"
    | "credited_differently"
    | "trued_up_differently"
    | "shortfall"
    | "frozen";
  requestId: string | null;
  detail: string;
}

/** Hex SHA-256 of text; injected, since the runtime's is synchronous only through a platform module. */
export type HashText = (text: string) => string;

export function availableOf(account: AccountState): bigint {
  return account.balance - account.held;
}

/** In debt: more was refunded or charged back than was left. A settlement cannot cause it, and only money from outside ends it. */
export function isBlocked(account: AccountState): boolean {
  return account.balance < 0n;
}

/** An entry, and the account as it is after it. */
export interface Appended {
  entry: Entry;
  account: AccountState;
}
