/**
 * What a key and its account may do: their limits against their counters. Decides only; counters move when, and only when, a request is
 * admitted, so one that is refused by any limit has touched none.
 */
import { globMatches } from "../../schema/glob.ts";
import type { AdmitCommand, RefusalReason } from "../../schema/ledger.ts";
import type { AccountLimits } from "../../schema/rate.ts";
import { type LimitOwners, type LimitRefusal, takeRates } from "./rates.ts";
import type { Bucket, KeyState, LimitOwner, NamedRate, Spend } from "./state.ts";

const DAY_MILLISECONDS = 86_400_000;

function dayOf(now: number): string {
  return new Date(now).toISOString().slice(0, 10);
}

function monthOf(now: number): string {
  return new Date(now).toISOString().slice(0, 7);
}

/** Nothing charged yet. */
export const NO_SPEND: Spend = { day: "", dayAmount: 0n, month: "", monthAmount: 0n };

/** The spend as of `now`: a day or month that has passed counts nothing. */
export function spendAt(spend: Spend, now: number): Spend {
  const day = dayOf(now);
  const month = monthOf(now);
  return {
    day,
    dayAmount: spend.day === day ? spend.dayAmount : 0n,
    month,
    monthAmount: spend.month === month ? spend.monthAmount : 0n,
  };
}

/** The spend after a charge at `now`. */
export function spendAfter(spend: Spend, charge: bigint, now: number): Spend {
  const current = spendAt(spend, now);
  return { ...current, dayAmount: current.dayAmount + charge, monthAmount: current.monthAmount + charge };
}

/** What past charges come to, as of `now`: for a limit that is set when there were charges already. */
export function spendOf(charges: Iterable<{ at: number; amount: bigint }>, now: number): Spend {
  const spend = spendAt(NO_SPEND, now);
  for (const { at, amount } of charges) {
    if (monthOf(at) !== spend.month) continue;
    spend.monthAmount += amount;
    if (dayOf(at) === spend.day) spend.dayAmount += amount;
  }
  return spend;
}

/** When the month of `now` began, in milliseconds. */
export function monthStart(now: number): number {
  return Date.parse(`${monthOf(now)}-01T00:00:00Z`);
}

/** Whether charges must be counted at all. */
export function countsSpend(limits: AccountLimits): boolean {
  return limits.spend_micro_rub_per_day !== null || limits.spend_micro_rub_per_month !== null;
}

function secondsToNextDay(now: number): number {
  return Math.ceil((DAY_MILLISECONDS - (now % DAY_MILLISECONDS)) / 1000);
}

function secondsToNextMonth(now: number): number {
  const date = new Date(now);
  return Math.ceil((Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1) - now) / 1000);
}

/** Null when the key may be used at all; otherwise why not. */
export function keyFault(key: KeyState | null, now: number): RefusalReason | null {
  if (key === null) return "unknown_key";
  if (key.revokedAt !== null) return "revoked_key";
  return key.expiresAt !== null && now >= key.expiresAt ? "expired_key" : null;
}

/** True when the list of models has one that matches, or there is no list. */
export function mayUseModel(limits: AccountLimits, model: string): boolean {
  return limits.allowed_models?.some((pattern) => globMatches(pattern, model)) ?? true;
}

/** A key and its account, in the order in which their limits are looked at. */
export function limitOwners(key: KeyState, account: LimitOwner): LimitOwners {
  return [
    { scope: "key", name: key.keyId, owner: key },
    { scope: "account", name: "account", owner: account },
  ];
}

export type LimitCheck = { ok: true; buckets: Map<string, Bucket>; rates: NamedRate[] } | ({ ok: false } & LimitRefusal);

/**
 * Checks every limit and gives the buckets as they will be if the request is admitted. Where several refuse, the one that does so
 * longest is named, so that a caller who waits for it is not refused by another.
 */
export function checkLimits(owners: LimitOwners, buckets: ReadonlyMap<string, Bucket>, command: AdmitCommand, now: number): LimitCheck {
  const refusals = owners.flatMap(({ scope, owner }) => ownerRefusals(owner, BigInt(command.hold_micro_rub), now, scope));
  const taken = takeRates(owners, buckets, command, now);
  const [first, ...others] = [...refusals, ...taken.refusals];
  if (first === undefined) return { ok: true, buckets: taken.buckets, rates: taken.rates };
  const longest = others.reduce((worst, refusal) => (refusal.retryAfterSeconds > worst.retryAfterSeconds ? refusal : worst), first);
  return { ok: false, ...longest };
}

function ownerRefusals(owner: LimitOwner, hold: bigint, now: number, scope: "key" | "account"): LimitRefusal[] {
  const { limits } = owner;
  const isCrowded = limits.parallel_requests !== null && owner.openHolds >= limits.parallel_requests;
  const refusals: LimitRefusal[] = isCrowded ? [{ reason: "parallel_requests", scope, limit: null, retryAfterSeconds: 1 }] : [];
  return [...refusals, ...spendRefusals(owner, hold, now, scope)];
}

/**
 * A spend limit counts open holds as if they were charged in full, so parallel requests cannot pass it together. What only they stand in
 * the way of may go through when they end; what is spent waits for the next day or month.
 */
function spendRefusals(owner: LimitOwner, more: bigint, now: number, scope: "key" | "account"): LimitRefusal[] {
  const { limits, heldAmount } = owner;
  const spend = spendAt(owner.spend, now);
  const refusals: LimitRefusal[] = [];
  const check = (reason: RefusalReason, limit: number | null, spent: bigint, seconds: number): void => {
    if (limit === null || spent + heldAmount + more <= BigInt(limit)) return;
    refusals.push({ reason, scope, limit: null, retryAfterSeconds: spent + more <= BigInt(limit) ? 1 : seconds });
  };
  check("spend_per_day", limits.spend_micro_rub_per_day, spend.dayAmount, secondsToNextDay(now));
  check("spend_per_month", limits.spend_micro_rub_per_month, spend.monthAmount, secondsToNextMonth(now));
  return refusals;
}

/** What may still be committed within the spend limits of a key and its account; null when neither has one. Micro-RUB, below zero when passed. */
export function spendRoom(owners: readonly LimitOwner[], now: number): bigint | null {
  const rooms = owners.flatMap(({ limits, spend, heldAmount }) => {
    const { dayAmount, monthAmount } = spendAt(spend, now);
    const { spend_micro_rub_per_day: day, spend_micro_rub_per_month: month } = limits;
    return [
      ...(day === null ? [] : [BigInt(day) - dayAmount - heldAmount]),
      ...(month === null ? [] : [BigInt(month) - monthAmount - heldAmount]),
    ];
  });
  return rooms.reduce<bigint | null>((least, room) => (least === null || room < least ? room : least), null);
}
