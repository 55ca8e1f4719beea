/** Growing a hold while its request runs: long streams, further legs. Absolute, so a repeat is no further growth. */
import type { ExtendCommand, ExtendResult } from "../../schema/ledger.ts";
import { spendRoom } from "./key-limits.ts";
import { type AccountState, availableOf, type HoldRow, type LimitOwner } from "./state.ts";

export interface ExtendDecision {
  result: ExtendResult;
  /** The hold as it becomes, and by how much it grew; null when nothing changes. */
  writes: { hold: HoldRow; growth: bigint } | null;
}

export interface ExtendView {
  account: AccountState;
  hold: HoldRow | null;
  /** The hold's key and its account: a hold grows within their spend limits. */
  owners: readonly LimitOwner[];
}

/**
 * Makes the hold at least `hold_micro_rub` and its life at least `ttl_ms` from now. Where that much is not available or would pass a spend
 * limit, as much as there is, if that makes it `least_micro_rub`; otherwise nothing.
 */
export function decideExtend({ account, hold, owners }: ExtendView, command: ExtendCommand, now: number): ExtendDecision {
  if (hold === null) return { result: { state: "not_found", hold_micro_rub: "0", expires_at: 0 }, writes: null };
  const current = { hold_micro_rub: hold.amount.toString(), expires_at: hold.expiresAt };
  if (hold.state !== "HELD") return { result: { state: "not_held", ...current }, writes: null };
  const wanted = growthTo(command.hold_micro_rub, hold);
  const least = growthTo(command.least_micro_rub ?? command.hold_micro_rub, hold);
  const available = availableOf(account);
  const room = spendRoom(owners, now);
  const isLimited = room !== null && room < available;
  const most = isLimited ? room : available;
  const growth = wanted <= most || wanted === 0n ? wanted : most;
  if (growth < least || growth < 0n) return { result: { state: isLimited ? "over_limit" : "insufficient", ...current }, writes: null };
  const expiresAt = Math.max(hold.expiresAt, now + command.ttl_ms);
  const grown: HoldRow = { ...hold, amount: hold.amount + growth, expiresAt };
  return {
    result: { state: "extended", hold_micro_rub: grown.amount.toString(), expires_at: expiresAt },
    writes: growth === 0n && expiresAt === hold.expiresAt ? null : { hold: grown, growth },
  };
}

/** By how much a hold must grow to be this large; never below zero. */
function growthTo(amount: string, hold: HoldRow): bigint {
  const growth = BigInt(amount) - hold.amount;
  return growth > 0n ? growth : 0n;
}
