/** What a ledger answered, in the auditor's one line. */
import { type Fields, fieldsOf } from "./auditor.ts";

function words(result: Fields, ...names: string[]): string {
  return names.map((name) => String(result[name])).join(" ");
}

export function answerOf(method: string, value: unknown): string {
  const result = fieldsOf(value);
  switch (method) {
    case "admit":
      return admitted(result);
    case "extend":
      return words(result, "state", "hold_micro_rub", "expires_at");
    case "credit":
    case "trueUp":
      return words(result, "state", "amount_micro_rub", "balance_after_micro_rub");
    default:
      return ended(result);
  }
}

function admitted(result: Fields): string {
  if (result["ok"] === true) {
    const { replay } = result;
    return replay === null ? "held" : `replay ${words(fieldsOf(replay), "request_id", "state")}`;
  }
  const reason = String(result["reason"]);
  const isMoney = reason === "insufficient_balance" || reason === "account_blocked";
  return isMoney ? `no ${words(result, "reason", "needed_micro_rub", "available_micro_rub")}` : `no ${reason}`;
}

function ended(result: Fields): string {
  const state = String(result["state"]);
  if (state === "not_found" || state === "not_due") return state;
  const numbers = ["charged_micro_rub", "shortfall_micro_rub", "seq", "balance_after_micro_rub", "held_after_micro_rub"];
  return words(result, "state", "hold_state", ...numbers);
}
