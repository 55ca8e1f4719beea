/** Money that comes from or goes to the outside: payments, refunds, chargebacks, corrections. Each external id counts once, ever. */
import type { AccountName, CreditCommand, CreditResult, Entry } from "../../schema/ledger.ts";
import { appendEntry, type Posting, postingsText } from "./entry.ts";
import type { AccountState, Appended, HashText, Incident } from "./state.ts";

export interface CreditDecision {
  result: CreditResult;
  writes: Appended | null;
  incident: Incident | null;
}

const BALANCE_MAX = BigInt(Number.MAX_SAFE_INTEGER);

const COUNTERPART: Record<CreditCommand["kind"], AccountName> = {
  credit: "payment_clearing",
  refund: "payment_clearing",
  chargeback: "payment_clearing",
  adjust: "adjustment",
};

/** What a command books: the customer's side, its counterpart, and what the payment provider kept of it at the house's expense. */
function postingsOf(command: CreditCommand): Posting[] {
  const takesBack = command.kind === "refund" || command.kind === "chargeback";
  const amount = BigInt(command.amount_micro_rub) * (takesBack ? -1n : 1n);
  const fee = BigInt(command.fee_micro_rub ?? "0");
  const booked: Posting[] = [
    ["customer", amount],
    [COUNTERPART[command.kind], fee - amount],
  ];
  return fee === 0n ? booked : [...booked, ["fees", -fee]];
}

function result(state: CreditResult["state"], entry: Entry): CreditResult {
  return { state, seq: entry.seq, amount_micro_rub: entry.amount_micro_rub, balance_after_micro_rub: entry.balance_after_micro_rub };
}

/** The result of a command that did nothing. */
export function uncredited(state: "out_of_range" | "frozen", account: AccountState): CreditResult {
  return { state, seq: null, amount_micro_rub: "0", balance_after_micro_rub: account.balance.toString() };
}

/**
 * Books an amount from outside. The same id, kind and amounts again give the first result; the same id with anything else changes
 * nothing and leaves an incident. A refund or chargeback may take the balance below zero: that is a debt, and nothing is admitted until
 * it is paid.
 */
export function decideCredit(
  view: { account: AccountState; existing: Entry | null },
  command: CreditCommand,
  now: number,
  hash: HashText,
): CreditDecision {
  const postings = postingsOf(command);
  const { existing, account } = view;
  if (existing !== null) {
    if (existing.kind === command.kind && existing.postings === postingsText(postings)) {
      return { result: result("exists", existing), writes: null, incident: null };
    }
    const detail = `${command.external_id}: ${command.kind} ${command.amount_micro_rub}`;
    return {
      result: result("exists_with_different", existing),
      writes: null,
      incident: { kind: "credited_differently", requestId: null, detail },
    };
  }
  const balance = account.balance + (postings[0]?.[1] ?? 0n);
  if (balance > BALANCE_MAX || balance < -BALANCE_MAX) return { result: uncredited("out_of_range", account), writes: null, incident: null };
  const appended = appendEntry(
    account,
    {
      kind: command.kind,
      requestId: null,
      externalId: command.external_id,
      postings,
      held: account.held,
      facts: null,
      record: command.record,
    },
    now,
    hash,
  );
  return { result: result("credited", appended.entry), writes: appended, incident: null };
}
