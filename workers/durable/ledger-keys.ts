/**
 * The keys of one account in memory, with the counters their limits are checked against. The rows are the truth: at opening, open holds
 * and spend are read from them; a counter moves only after the write it belongs to.
 */
import type { CreateKeyCommand, KeyRow } from "../../schema/key.ts";
import { LIMITS } from "../../schema/limits.ts";
import { countsSpend, keyFault, spendAt } from "../ledger/key-limits.ts";
import type { HoldRow, KeyState, Spend } from "../ledger/state.ts";
import type { LedgerRows } from "./ledger-rows.ts";

export type CreatedKey = "created" | "exists" | "exists_with_different" | "too_many";

export class LedgerKeys {
  readonly #rows: LedgerRows;
  readonly #byHash = new Map<string, KeyState>();
  readonly #byId = new Map<string, KeyState>();

  constructor(rows: LedgerRows) {
    this.#rows = rows;
    this.#load();
  }

  ofHash(keyHash: string): KeyState | null {
    return this.#byHash.get(keyHash) ?? null;
  }

  ofId(keyId: string): KeyState | null {
    return this.#byId.get(keyId) ?? null;
  }

  /** The id of a key that may be used now; null for one unknown, revoked or expired. */
  usableId(keyHash: string, now: number): string | null {
    const key = this.ofHash(keyHash);
    return key === null || keyFault(key, now) !== null ? null : key.keyId;
  }

  create(command: CreateKeyCommand, now: number): CreatedKey {
    const existing = this.#byId.get(command.key_id) ?? this.#byHash.get(command.key_hash);
    if (existing !== undefined) {
      const sameKey = existing.keyId === command.key_id && existing.keyHash === command.key_hash;
      return sameKey && JSON.stringify(existing.limits) === JSON.stringify(command.limits) ? "exists" : "exists_with_different";
    }
    if (this.#byId.size >= LIMITS.keysPerAccount) return "too_many";
    this.#rows.insertKey(command, now);
    this.#load();
    return "created";
  }

  /** False: no such key. */
  revoke(keyId: string, now: number): boolean {
    const key = this.#byId.get(keyId);
    if (key === undefined) return false;
    if (key.revokedAt !== null) return true;
    this.#rows.revokeKey(keyId, now);
    key.revokedAt = now;
    return true;
  }

  list(now: number): KeyRow[] {
    return [...this.#byId.values()].map((key) => {
      const spend = countsSpend(key.limits) ? spendAt(key.spend, now) : null;
      return {
        key_id: key.keyId,
        name: key.name,
        limits: key.limits,
        created_at: key.createdAt,
        revoked_at: key.revokedAt,
        spent_today_micro_rub: spend?.dayAmount.toString() ?? null,
        spent_month_micro_rub: spend?.monthAmount.toString() ?? null,
      };
    });
  }

  holdOpened(hold: HoldRow): void {
    const key = this.#byId.get(hold.keyId);
    if (key === undefined) return;
    key.openHolds += 1;
    key.heldAmount += hold.amount;
  }

  holdGrew(keyId: string, growth: bigint): void {
    const key = this.#byId.get(keyId);
    if (key !== undefined) key.heldAmount += growth;
  }

  holdClosed(hold: HoldRow): void {
    const key = this.#byId.get(hold.keyId);
    if (key === undefined) return;
    key.openHolds -= 1;
    key.heldAmount -= hold.amount;
  }

  setSpend(keyId: string, spend: Spend): void {
    const key = this.#byId.get(keyId);
    if (key !== undefined) key.spend = spend;
  }

  /** Adds keys that are not in memory yet; those that are keep their counters. */
  #load(): void {
    for (const key of this.#rows.keys()) {
      if (this.#byId.has(key.keyId)) continue;
      this.#byId.set(key.keyId, key);
      this.#byHash.set(key.keyHash, key);
    }
  }
}
