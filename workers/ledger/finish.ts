/** The three ways a hold ends: settled, released, expired; and the late settlement of one that expired. */
import type { ChargeFacts, EndResult, Entry, HoldState, ReleaseCommand, SettleCommand } from "../../schema/ledger.ts";
import { appendEntry, type Posting, postingsOf } from "./entry.ts";
import { type AccountState, availableOf, type HashText, type HoldRow, type Incident } from "./state.ts";

export interface EndView {
  account: AccountState;
  hold: HoldRow | null;
  /** The entry `hold.seq` names; null while the hold is HELD. */
  ended: Entry | null;
}

export interface EndWrites {
  hold: HoldRow;
  entry: Entry;
  account: AccountState;
  charge: bigint;
}

export interface EndDecision {
  result: EndResult;
  /** Null when nothing changes but perhaps an incident. */
  writes: EndWrites | null;
  incident: Incident | null;
}

/** Text of charge facts in one fixed order: equal facts give equal text. */
export function chargeFactsText(facts: ChargeFacts): string {
  const { usage } = facts;
  return JSON.stringify({
    usage: {
      input_tokens: usage.input_tokens,
      cache_read_tokens: usage.cache_read_tokens,
      cache_write_5m_tokens: usage.cache_write_5m_tokens,
      cache_write_1h_tokens: usage.cache_write_1h_tokens,
      output_tokens: usage.output_tokens,
      reasoning_tokens: usage.reasoning_tokens,
    },
    usage_source: facts.usage_source,
    cost_micro_rub: facts.cost_micro_rub,
    provider_cost_pico_usd: facts.provider_cost_pico_usd,
    // Left out of the text where the sender did not know it.
    provider_cost_micro_rub: facts.provider_cost_micro_rub,
    flagged: facts.flagged,
  });
}

/** What of an entry's cost was never paid. */
export function shortfallOf(entry: Entry): bigint {
  return postingsOf(entry).reduce((sum, [name, amount]) => (name === "house_loss" ? sum - amount : sum), 0n);
}

/** A cost that was charged in part: what the customer pays, the providers' part, what is left, and the loss. Sums to zero. */
export function chargePostings(cost: bigint, charge: bigint, providerCost: bigint): Posting[] {
  const ofProvider: Posting[] = providerCost === 0n ? [] : [["provider_cost", providerCost]];
  const lost: Posting[] = cost === charge ? [] : [["house_loss", charge - cost]];
  return [["customer", -charge], ["revenue", cost - providerCost], ...ofProvider, ...lost];
}

function resultOf(state: EndResult["state"], holdState: HoldState, entry: Entry): EndResult {
  return {
    state,
    hold_state: holdState,
    charged_micro_rub: (-BigInt(entry.amount_micro_rub)).toString(),
    shortfall_micro_rub: shortfallOf(entry).toString(),
    seq: entry.seq,
    balance_after_micro_rub: entry.balance_after_micro_rub,
    held_after_micro_rub: entry.held_after_micro_rub,
  };
}

function unchanged(state: EndResult["state"], account: AccountState, hold: HoldRow | null): EndDecision {
  return {
    result: {
      state,
      hold_state: hold?.state ?? null,
      charged_micro_rub: "0",
      shortfall_micro_rub: "0",
      seq: null,
      balance_after_micro_rub: account.balance.toString(),
      held_after_micro_rub: account.held.toString(),
    },
    writes: null,
    incident: null,
  };
}

function endedEntry(view: EndView, hold: HoldRow): Entry {
  if (view.ended === null || view.ended.seq !== hold.seq)
    throw new Error(`hold ${hold.requestId} is ${hold.state} but its entry was not given`);
  return view.ended;
}

/** A command about a request that has already ended: the first result again, and an incident when the two contradict each other. */
function repeated(view: EndView, hold: HoldRow, incident: Incident | null): EndDecision {
  const state = incident === null ? "exists" : "exists_with_different";
  return { result: resultOf(state, hold.state, endedEntry(view, hold)), writes: null, incident };
}

/** Appends a charge of at most `limit`; what the cost exceeds it by is the house's loss, never the customer's debt. */
function charged(view: EndView, hold: HoldRow, command: SettleCommand, limit: bigint, now: number, hash: HashText): EndDecision {
  const cost = BigInt(command.facts.cost_micro_rub);
  const bounded = limit < 0n ? 0n : limit;
  const charge = cost < bounded ? cost : bounded;
  const shortfall = cost - charge;
  const late = hold.state === "EXPIRED";
  const unheld = late ? 0n : hold.amount;
  const { entry, account } = appendEntry(
    view.account,
    {
      kind: late ? "late_settle" : "settle",
      requestId: hold.requestId,
      externalId: null,
      postings: chargePostings(cost, charge, BigInt(command.facts.provider_cost_micro_rub ?? "0")),
      held: view.account.held - unheld,
      facts: chargeFactsText(command.facts),
      record: command.record,
    },
    now,
    hash,
  );
  const ended: HoldRow = { ...hold, state: late ? "SETTLED_LATE" : "SETTLED", seq: entry.seq };
  return {
    result: resultOf(late ? "settled_late" : "settled", ended.state, entry),
    writes: { hold: ended, entry, account, charge },
    incident: shortfall === 0n ? null : { kind: "shortfall", requestId: hold.requestId, detail: `cost ${cost}, charged ${charge}` },
  };
}

/**
 * Charges a request once. From HELD at most hold + available; from EXPIRED, once, at most what is available. A repeat with the same
 * facts gives the first result; with other facts, or after a release, it changes nothing and leaves an incident.
 */
export function decideSettle(view: EndView, command: SettleCommand, now: number, hash: HashText): EndDecision {
  const { hold, account } = view;
  if (hold === null) return unchanged("not_found", account, null);
  if (hold.state === "HELD") return charged(view, hold, command, hold.amount + availableOf(account), now, hash);
  if (hold.state === "EXPIRED") return charged(view, hold, command, availableOf(account), now, hash);
  const detail = chargeFactsText(command.facts);
  if (hold.state === "RELEASED") return repeated(view, hold, { kind: "settled_after_release", requestId: hold.requestId, detail });
  const same = endedEntry(view, hold).facts === detail;
  return repeated(view, hold, same ? null : { kind: "settled_differently", requestId: hold.requestId, detail });
}

/** Ends a hold without a charge: an entry of amount zero, so that every request has its line in the ledger. */
function withoutCharge(
  view: EndView,
  hold: HoldRow,
  end: { kind: "release" | "expire"; reason: string; record: string | null },
  now: number,
  hash: HashText,
): EndDecision {
  const { entry, account } = appendEntry(
    view.account,
    {
      kind: end.kind,
      requestId: hold.requestId,
      externalId: null,
      postings: [["customer", 0n]],
      held: view.account.held - hold.amount,
      facts: JSON.stringify({ reason: end.reason }),
      record: end.record,
    },
    now,
    hash,
  );
  const ended: HoldRow = { ...hold, state: end.kind === "release" ? "RELEASED" : "EXPIRED", seq: entry.seq };
  return {
    result: resultOf(end.kind === "release" ? "released" : "expired", ended.state, entry),
    writes: { hold: ended, entry, account, charge: 0n },
    incident: null,
  };
}

/** Gives a hold back. A repeat, for whatever reason, and a release of one that expired are the same outcome; of one that was charged, an incident. */
export function decideRelease(view: EndView, command: ReleaseCommand, now: number, hash: HashText): EndDecision {
  const { hold } = view;
  if (hold === null) return unchanged("not_found", view.account, null);
  if (hold.state === "HELD")
    return withoutCharge(view, hold, { kind: "release", reason: command.reason, record: command.record }, now, hash);
  const contradicts = hold.state === "SETTLED" || hold.state === "SETTLED_LATE";
  return repeated(view, hold, contradicts ? { kind: "released_after_settle", requestId: hold.requestId, detail: command.reason } : null);
}

/** The backstop: gives back a hold whose owner never came back, never before its time. */
export function decideExpire(view: EndView, record: string | null, now: number, hash: HashText): EndDecision {
  const { hold } = view;
  if (hold === null) return unchanged("not_found", view.account, null);
  if (hold.state !== "HELD") return repeated(view, hold, null);
  if (now < hold.expiresAt) return unchanged("not_due", view.account, hold);
  return withoutCharge(view, hold, { kind: "expire", reason: "expired", record }, now, hash);
}
