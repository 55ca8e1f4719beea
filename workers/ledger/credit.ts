/** Money that comes from or goes to the outside: payments, refunds, corrections. Each external id counts once, ever. */
import type { AccountName, CreditCommand, CreditResult, Entry } from "../../schema/ledger.ts";
import { appendEntry } from "./entry.ts";
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
  adjust: "adjustment",
};

/**
 * Books an amount from outside. The same id, kind and amount again gives the first result; the same id with anything else changes
 * nothing and leaves an incident. A refund may take the balance below zero: nothing is admitted until it is paid off.
 */
export function decideCredit(
  view: { account: AccountState; existing: Entry | null },
  command: CreditCommand,
  now: number,
  hash: HashText,
): CreditDecision {
  const amount = command.kind === "refund" ? -BigInt(command.amount_micro_rub) : BigInt(command.amount_micro_rub);
  const { existing } = view;
  if (existing !== null) {
    const same = existing.kind === command.kind && existing.amount_micro_rub === amount.toString();
    return {
      result: {
        state: same ? "exists" : "exists_with_different",
        seq: existing.seq,
        amount_micro_rub: existing.amount_micro_rub,
        balance_after_micro_rub: existing.balance_after_micro_rub,
      },
      writes: null,
      incident: same
        ? null
        : { kind: "credited_differently", requestId: null, detail: `${command.external_id}: ${command.kind} ${amount}` },
    };
  }
  const balance = view.account.balance + amount;
  if (balance > BALANCE_MAX || balance < -BALANCE_MAX) {
    const result = {
      state: "out_of_range",
      seq: null,
      amount_micro_rub: "0",
      balance_after_micro_rub: view.account.balance.toString(),
    } as const;
    return { result, writes: null, incident: null };
  }
  const appended = appendEntry(
    view.account,
    {
      kind: command.kind,
      requestId: null,
      externalId: command.external_id,
      postings: [
        ["customer", amount],
        [COUNTERPART[command.kind], -amount],
      ],
      held: view.account.held,
      facts: null,
      record: command.record,
    },
    now,
    hash,
  );
  return {
    result: {
      state: "credited",
      seq: appended.entry.seq,
      amount_micro_rub: appended.entry.amount_micro_rub,
      balance_after_micro_rub: appended.entry.balance_after_micro_rub,
    },
    writes: appended,
    incident: null,
  };
}
