/** Responses the engine gives to callers, in the caller's own protocol. */
import type { GatewayError } from "../../schema/error.ts";
import type { Refusal, RefusalReason } from "../../schema/ledger.ts";
import { gatewayError } from "../../schema/error.ts";
import type { Protocol } from "../protocol/protocol.ts";

const JSON_TYPE = "application/json; charset=utf-8";

/** An error in the caller's shape, with `retry-after` where one is known. */
export function errorAnswer(protocol: Protocol, error: GatewayError, requestId: string, headers: Record<string, string> = {}): Response {
  const retryAfter = error.retry_after_seconds === null ? {} : { "retry-after": String(Math.ceil(error.retry_after_seconds)) };
  return new Response(protocol.renderError(error, requestId), {
    status: error.status,
    headers: { ...headers, ...retryAfter, ...protocol.errorHeaders?.(error), "content-type": JSON_TYPE, "x-plyrum-request-id": requestId },
  });
}

/** The ledger's refusal in words. */
export function refusalError(refusal: Refusal): GatewayError {
  return REFUSALS[refusal.reason](refusal);
}

/** Every reason the ledger has, as a public error. */
const REFUSALS: Readonly<Record<RefusalReason, (refusal: Refusal) => GatewayError>> = {
  unknown_key: () =>
    gatewayError("invalid_api_key", "The API key is not valid.", { suggestion: "Check the key; it is shown only once, when created." }),
  revoked_key: () => gatewayError("invalid_api_key", "The API key has been revoked.", { suggestion: "Use another key." }),
  expired_key: () => gatewayError("invalid_api_key", "The API key has expired.", { suggestion: "Use another key." }),
  model_not_allowed: (refusal) =>
    gatewayError("forbidden", `This ${whose(refusal)} may not use that model.`, {
      param: "model",
      suggestion: `Use a model the ${whose(refusal)} allows.`,
    }),
  insufficient_balance: ({ needed_micro_rub: needed, available_micro_rub: available }) =>
    gatewayError(
      "insufficient_balance",
      `The balance does not cover this request at its most: ${needed ?? "?"} micro-RUB needed, ${available ?? "?"} available.`,
      { suggestion: "Top the balance up, or lower max_tokens." },
    ),
  account_blocked: () =>
    gatewayError("insufficient_balance", "The account owes more than it has: a payment was taken back after it was spent.", {
      suggestion: "Top the balance up by the debt and what the request needs.",
    }),
  account_frozen: (refusal) =>
    gatewayError("overloaded", "The account is frozen while its ledger is being restored. Nothing was charged.", {
      ...retryOf(refusal),
      suggestion: "Repeat the request later.",
    }),
  requests_per_minute: (refusal) => limited(refusal, "requests per minute", "are used up"),
  tokens_per_minute: (refusal) => limited(refusal, "tokens per minute", "are used up"),
  request_rate: configured,
  token_rate: configured,
  too_many_rates: (refusal) =>
    gatewayError(
      "rate_limited",
      "The account uses more values of a header that limits tell apart than are counted at once.",
      retryOf(refusal),
    ),
  parallel_requests: (refusal) => limited(refusal, "parallel requests", "are all under way"),
  account_parallel: (refusal) => gatewayError("rate_limited", "The account's parallel requests are all under way.", retryOf(refusal)),
  spend_per_day: (refusal) =>
    limited(refusal, "spend of the day", "is used up", "Wait for the next day (UTC), or lower max_tokens: a request counts at its most."),
  spend_per_month: (refusal) =>
    limited(
      refusal,
      "spend of the month",
      "is used up",
      "Wait for the next month (UTC), or lower max_tokens: a request counts at its most.",
    ),
  request_in_progress: () =>
    gatewayError("request_in_progress", "A request with this Idempotency-Key is under way.", {
      suggestion: "Wait for it to end, then repeat the call.",
    }),
  idempotency_mismatch: () =>
    gatewayError("idempotency_mismatch", "This Idempotency-Key was used with another body.", {
      suggestion: "Use a new key for a new request.",
    }),
  request_id_reused: () => gatewayError("invalid_transition", "This request id is taken."),
};

function retryOf({ retry_after_seconds }: Refusal): Pick<Refusal, "retry_after_seconds"> {
  return { retry_after_seconds };
}

function configured(refusal: Refusal): GatewayError {
  return gatewayError("rate_limited", `The configured limit is used up: ${refusal.limit ?? ""}.`, retryOf(refusal));
}

/** Whose limit refused: the key's, unless it was the account's. */
function whose(refusal: Refusal): "key" | "account" {
  return refusal.scope === "account" ? "account" : "key";
}

function limited(refusal: Refusal, limit: string, state: string, suggestion: string | null = null): GatewayError {
  const which = refusal.limit === null ? "" : ` ${refusal.limit}`;
  return gatewayError("rate_limited", `The ${whose(refusal)}'s ${limit}${which} ${state}.`, { ...retryOf(refusal), suggestion });
}
