/** A ledger on Node's SQLite, with a clock the test moves. */
import { type KeyLimits, keyLimitsSchema } from "../../schema/key.ts";
import { type Ledger, openLedger } from "../../workers/durable/ledger-store.ts";
import { creditCommand, KEY_HASH, KEY_ID } from "./commands.ts";
import { FakeStorage, sha256 } from "./fake-storage.ts";

export interface TestLedger {
  ledger: Ledger;
  storage: FakeStorage;
  clock: { now: number };
  /** Opens the ledger again on the same rows, as after a restart. */
  reopen: () => Ledger;
}

/** A ledger with one key and `balance` micro-RUB. */
export function ledgerWith(balance: bigint | number, limits: Partial<KeyLimits> = {}): TestLedger {
  const storage = new FakeStorage();
  const clock = { now: Date.UTC(2026, 10, 21, 12, 0, 0) };
  const reopen = (): Ledger => openLedger(storage, { now: () => clock.now, hash: sha256 });
  const ledger = reopen();
  ledger.createKey({ key_id: KEY_ID, key_hash: KEY_HASH, name: "first", limits: keyLimitsSchema.parse(limits) });
  if (BigInt(balance) > 0n) ledger.credit(creditCommand("opening", balance));
  return { ledger, storage, clock, reopen };
}
