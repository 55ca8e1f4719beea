/**
 * The account's own limits in memory, with their counters, and the buckets of all rates, its keys' too. The rows are the truth: a bucket is
 * written in the transaction of the hold that took from it and moves here when that has returned.
 */
import { LIMITS } from "../../schema/limits.ts";
import { isFull } from "../ledger/bucket.ts";
import { countsSpend, spendAfter } from "../ledger/key-limits.ts";
import { trueUpRates } from "../ledger/rates.ts";
import type { Bucket, HoldRow, LimitOwner, Spend } from "../ledger/state.ts";
import type { LimitRows } from "./limit-rows.ts";

/** The name under which the account's own spend is stored beside those of its keys. */
export const ACCOUNT_SPEND = "account";

const BUCKETS_BEFORE_PRUNING = 1_000;

export class LedgerLimits {
  readonly rows: LimitRows;
  readonly owner: LimitOwner;
  readonly #buckets: Map<string, Bucket>;
  #pruneAt = BUCKETS_BEFORE_PRUNING;

  constructor(rows: LimitRows) {
    this.rows = rows;
    this.owner = { limits: rows.limits(), openHolds: 0, heldAmount: 0n, spend: rows.spend(ACCOUNT_SPEND) };
    this.#buckets = rows.buckets();
  }

  get buckets(): ReadonlyMap<string, Bucket> {
    return this.#buckets;
  }

  /** The spends after a charge of a key's request, each by its name: those that are counted. */
  spendsAfter(key: (LimitOwner & { keyId: string }) | null, charge: bigint, now: number): Map<string, Spend> {
    const spends = new Map<string, Spend>();
    if (charge === 0n) return spends;
    if (key !== null && countsSpend(key.limits)) spends.set(key.keyId, spendAfter(key.spend, charge, now));
    if (countsSpend(this.owner.limits)) spends.set(ACCOUNT_SPEND, spendAfter(this.owner.spend, charge, now));
    return spends;
  }

  /** Belongs into the transaction of the hold. */
  writeOpened(hold: HoldRow, buckets: ReadonlyMap<string, Bucket>): void {
    this.rows.writeBuckets(buckets);
    if (hold.rates.length > 0) this.rows.insertHeldRates(hold.requestId, hold.rates);
  }

  /** What the end of a hold makes of its buckets; `tokens`: what its request used. */
  trueUp(hold: HoldRow, tokens: number, now: number): Map<string, Bucket> {
    return trueUpRates(hold, this.#buckets, tokens, now);
  }

  /** Belongs into the transaction that ends the hold. */
  writeEnded(hold: HoldRow, buckets: ReadonlyMap<string, Bucket>): void {
    if (hold.rates.length === 0) return;
    this.rows.writeBuckets(buckets);
    this.rows.deleteHeldRates(hold.requestId);
  }

  /** What has been written is so. */
  set(buckets: ReadonlyMap<string, Bucket>, now: number): void {
    for (const [name, bucket] of buckets) this.#buckets.set(name, bucket);
    if (this.#buckets.size >= this.#pruneAt) this.#prune(now);
  }

  /** Lets go of buckets that are full again; each pass pays for itself by the growth before it. */
  #prune(now: number): void {
    const full = [...this.#buckets].filter(([, bucket]) => isFull(bucket, now)).map(([name]) => name);
    this.rows.deleteBuckets(full);
    for (const name of full) this.#buckets.delete(name);
    this.#pruneAt = Math.min(LIMITS.rateBucketsPerAccount, Math.max(BUCKETS_BEFORE_PRUNING, this.#buckets.size * 2));
  }
}
