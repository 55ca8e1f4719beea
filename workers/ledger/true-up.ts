/**
 * Correcting the charge of a request that has ended, once the provider's report says what it really cost. A correction is an entry of
 * its own beside the first, which stays; it books the difference between what is owed in all and what was booked already.
 */
import type { Entry, TrueUpCommand, TrueUpResult } from "../../schema/ledger.ts";
import { appendEntry, type Posting, postingsOf } from "./entry.ts";
import { chargeFactsText, chargePostings } from "./finish.ts";
import { type AccountState, type Appended, availableOf, type HashText, type HoldRow, type Incident } from "./state.ts";

export interface TrueUpView {
  account: AccountState;
  hold: HoldRow | null;
  /** The entry that ended the hold; null while it is HELD. */
  ended: Entry | null;
  /** An earlier true-up of the same request. */
  existing: Entry | null;
}

export interface TrueUpDecision {
  result: TrueUpResult;
  /** `charge`: what the customer pays beyond what was charged before; below zero when something is given back. */
  writes: (Appended & { hold: HoldRow; charge: bigint }) | null;
  incident: Incident | null;
}

const BALANCE_MAX = BigInt(Number.MAX_SAFE_INTEGER);

/** The key under which a request is trued up: once, ever. */
export function trueUpId(requestId: string): string {
  return `true_up:${requestId}`;
}

/** The result of a command that did nothing. */
export function notTruedUp(state: "not_settled" | "not_found" | "out_of_range" | "frozen", account: AccountState): TrueUpResult {
  return { state, seq: null, amount_micro_rub: "0", balance_after_micro_rub: account.balance.toString() };
}

function result(state: TrueUpResult["state"], entry: Entry): TrueUpResult {
  return { state, seq: entry.seq, amount_micro_rub: entry.amount_micro_rub, balance_after_micro_rub: entry.balance_after_micro_rub };
}

/** Postings summed by account, without those of zero; the customer's stays, first. */
function difference(wanted: readonly Posting[], booked: readonly Posting[]): Posting[] {
  const sums = new Map<Posting[0], bigint>([["customer", 0n]]);
  for (const [name, amount] of wanted) sums.set(name, (sums.get(name) ?? 0n) + amount);
  for (const [name, amount] of booked) sums.set(name, (sums.get(name) ?? 0n) - amount);
  return [...sums].filter(([name, amount]) => name === "customer" || amount !== 0n);
}

/**
 * Trues a settled or released request up to these facts. The customer pays at most what was charged already + what is available now;
 * the rest is the house's loss, and a loss booked before is taken back as far as it is paid now. A repeat with the same facts gives the
 * first result; with others it changes nothing and leaves an incident. A request that expired is settled late, not trued up.
 */
export function decideTrueUp(view: TrueUpView, command: TrueUpCommand, now: number, hash: HashText): TrueUpDecision {
  const { account, hold, ended, existing } = view;
  const facts = chargeFactsText(command.facts);
  if (hold === null) return { result: notTruedUp("not_found", account), writes: null, incident: null };
  if (existing !== null) {
    if (existing.facts === facts) return { result: result("exists", existing), writes: null, incident: null };
    const incident: Incident = { kind: "trued_up_differently", requestId: hold.requestId, detail: facts };
    return { result: result("exists_with_different", existing), writes: null, incident };
  }
  if (hold.state === "HELD" || hold.state === "EXPIRED")
    return { result: notTruedUp("not_settled", account), writes: null, incident: null };
  if (ended === null) throw new Error(`hold ${hold.requestId} is ${hold.state} but its entry was not given`);
  const charged = -BigInt(ended.amount_micro_rub);
  const available = availableOf(account);
  const payable = charged + (available < 0n ? 0n : available);
  const cost = BigInt(command.facts.cost_micro_rub);
  const charge = cost < payable ? cost : payable;
  if (account.balance + charged - charge > BALANCE_MAX)
    return { result: notTruedUp("out_of_range", account), writes: null, incident: null };
  const wanted = chargePostings(cost, charge, BigInt(command.facts.provider_cost_micro_rub ?? "0"));
  const { entry, account: after } = appendEntry(
    account,
    {
      kind: "true_up",
      requestId: hold.requestId,
      externalId: trueUpId(hold.requestId),
      postings: difference(wanted, postingsOf(ended)),
      held: account.held,
      facts,
      record: null,
    },
    now,
    hash,
  );
  const shortfall: Incident = { kind: "shortfall", requestId: hold.requestId, detail: `cost ${cost}, charged ${charge}` };
  return {
    result: result("trued_up", entry),
    writes: { entry, account: after, hold, charge: charge - charged },
    incident: cost === charge ? null : shortfall,
  };
}
