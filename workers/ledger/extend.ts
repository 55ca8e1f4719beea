/** Growing a hold while its request runs: long streams, further legs. Absolute, so a repeat is no further growth. */
import type { ExtendCommand, ExtendResult } from "../../schema/ledger.ts";
import { type AccountState, availableOf, type HoldRow } from "./state.ts";

export interface ExtendDecision {
  result: ExtendResult;
  /** The hold as it becomes, and by how much it grew; null when nothing changes. */
  writes: { hold: HoldRow; growth: bigint } | null;
}

/** Makes the hold at least `hold_micro_rub` and its life at least `ttl_ms` from now; all or nothing. */
export function decideExtend(account: AccountState, hold: HoldRow | null, command: ExtendCommand, now: number): ExtendDecision {
  if (hold === null) return { result: { state: "not_found", hold_micro_rub: "0", expires_at: 0 }, writes: null };
  const current = { hold_micro_rub: hold.amount.toString(), expires_at: hold.expiresAt };
  if (hold.state !== "HELD") return { result: { state: "not_held", ...current }, writes: null };
  const wanted = BigInt(command.hold_micro_rub);
  const growth = wanted > hold.amount ? wanted - hold.amount : 0n;
  if (growth > 0n && growth > availableOf(account)) return { result: { state: "insufficient", ...current }, writes: null };
  const expiresAt = Math.max(hold.expiresAt, now + command.ttl_ms);
  const grown: HoldRow = { ...hold, amount: hold.amount + growth, expiresAt };
  return {
    result: { state: "extended", hold_micro_rub: grown.amount.toString(), expires_at: expiresAt },
    writes: growth === 0n && expiresAt === hold.expiresAt ? null : { hold: grown, growth },
  };
}
