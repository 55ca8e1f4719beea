/**
 * What one account's ledger keeps in memory: the account, its open holds, its keys with their counters, how far D1 has it, and whether
 * it is frozen. All of it is computed from the rows at opening, and moves only after the write it belongs to has returned.
 */
import type { Freeze } from "../../schema/ledger.ts";
import { EMPTY_ACCOUNT, type AccountState, type Bucket, type HoldRow, type LimitOwner, type Spend } from "../ledger/state.ts";
import { LedgerKeys } from "./ledger-keys.ts";
import { ACCOUNT_SPEND, LedgerLimits } from "./ledger-limits.ts";
import type { LedgerRows } from "./ledger-rows.ts";
import type { LimitRows } from "./limit-rows.ts";

export class LedgerMemory {
  readonly keys: LedgerKeys;
  /** The account's own limits, and the buckets of all rates. */
  readonly limits: LedgerLimits;
  readonly openHolds = new Map<string, HoldRow>();
  account: AccountState = EMPTY_ACCOUNT;
  recordedSeq = 0;
  frozen: Freeze | null;
  /** D1's entries up to this one are no reason to freeze: an operator let the ledger go on without them. */
  partedSeq: number;
  /** Earliest expiry of the open holds; undefined when it must be looked for again. */
  #deadline: number | null | undefined = null;

  constructor(rows: LedgerRows, limitRows: LimitRows) {
    this.keys = new LedgerKeys(rows);
    this.limits = new LedgerLimits(limitRows);
    const entry = rows.lastEntry();
    if (entry !== null) {
      this.account = { balance: BigInt(entry.balance_after_micro_rub), held: 0n, seq: entry.seq, headHash: entry.hash };
    }
    this.recordedSeq = rows.recordedSeq();
    this.frozen = rows.freeze();
    this.partedSeq = rows.partedSeq();
    const rates = limitRows.heldRates();
    for (const hold of rows.openHolds()) this.opened({ ...hold, rates: rates.get(hold.requestId) ?? [] });
  }

  opened(hold: HoldRow): void {
    this.openHolds.set(hold.requestId, hold);
    this.account = { ...this.account, held: this.account.held + hold.amount };
    if (this.#deadline !== undefined && (this.#deadline === null || hold.expiresAt < this.#deadline)) this.#deadline = hold.expiresAt;
    this.keys.holdOpened(hold);
    this.limits.owner.openHolds += 1;
    this.limits.owner.heldAmount += hold.amount;
  }

  grew(hold: HoldRow, growth: bigint): void {
    this.openHolds.set(hold.requestId, hold);
    this.account = { ...this.account, held: this.account.held + growth };
    this.#deadline = undefined;
    this.keys.holdGrew(hold.keyId, growth);
    this.limits.owner.heldAmount += growth;
  }

  /** A hold has ended, or had expired and was settled late. */
  ended(before: HoldRow, account: AccountState): void {
    this.account = account;
    if (this.#deadline === before.expiresAt) this.#deadline = undefined;
    if (!this.openHolds.delete(before.requestId)) return;
    this.keys.holdClosed(before);
    this.limits.owner.openHolds -= 1;
    this.limits.owner.heldAmount -= before.amount;
  }

  /** The spends after a charge of a key's request: its own and the account's, where they are counted. */
  spendsAfter(keyId: string, charge: bigint, now: number): Map<string, Spend> {
    return this.limits.spendsAfter(this.keys.ofId(keyId), charge, now);
  }

  /** Counters that have been written are so. */
  counted(counters: { spends?: ReadonlyMap<string, Spend>; buckets?: ReadonlyMap<string, Bucket> }, now: number): void {
    for (const [name, spend] of counters.spends ?? []) {
      if (name === ACCOUNT_SPEND) this.limits.owner.spend = spend;
      else this.keys.setSpend(name, spend);
    }
    if (counters.buckets !== undefined) this.limits.set(counters.buckets, now);
  }

  /** Whoever has limits that a hold must keep. */
  ownersOf(hold: HoldRow | null): LimitOwner[] {
    const key = hold === null ? null : this.keys.ofId(hold.keyId);
    return key === null ? [this.limits.owner] : [key, this.limits.owner];
  }

  /** Earliest expiry of an open hold, in milliseconds; null when none is open. */
  nextDeadline(): number | null {
    if (this.#deadline === undefined) {
      let earliest = Number.POSITIVE_INFINITY;
      for (const hold of this.openHolds.values()) earliest = Math.min(earliest, hold.expiresAt);
      this.#deadline = Number.isFinite(earliest) ? earliest : null;
    }
    return this.#deadline;
  }
}
