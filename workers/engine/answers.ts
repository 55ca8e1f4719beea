/** Responses the engine gives to callers, in the caller's own protocol. */
import type { GatewayError } from "../../schema/error.ts";
import type { Refusal } from "../../schema/ledger.ts";
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

/** The ledger's refusal in words. One exhaustive switch from reasons to public errors. */
export function refusalError(refusal: Refusal): GatewayError {
  const retry = { retry_after_seconds: refusal.retry_after_seconds };
  switch (refusal.reason) {
    case "unknown_key":
      return gatewayError("invalid_api_key", "The API key is not valid.", {
        suggestion: "Check the key; it is shown only once, when created.",
      });
    case "revoked_key":
      return gatewayError("invalid_api_key", "The API key has been revoked.", { suggestion: "Use another key." });
    case "expired_key":
      return gatewayError("invalid_api_key", "The API key has expired.", { suggestion: "Use another key." });
    case "model_not_allowed":
      return gatewayError("forbidden", "This key may not use that model.", { param: "model", suggestion: "Use a model the key allows." });
    case "insufficient_balance":
      return gatewayError(
        "insufficient_balance",
        `The balance does not cover this request at its most: ${refusal.needed_micro_rub ?? "?"} micro-RUB needed, ${refusal.available_micro_rub ?? "?"} available.`,
        { suggestion: "Top the balance up, or lower max_tokens." },
      );
    case "requests_per_minute":
      return gatewayError("rate_limited", "The key's requests per minute are used up.", retry);
    case "tokens_per_minute":
      return gatewayError("rate_limited", "The key's tokens per minute are used up.", retry);
    case "parallel_requests":
      return gatewayError("rate_limited", "The key's parallel requests are all under way.", retry);
    case "account_parallel":
      return gatewayError("rate_limited", "The account's parallel requests are all under way.", retry);
    case "spend_per_day":
      return gatewayError("rate_limited", "The key's spend of the day is used up.", retry);
    case "spend_per_month":
      return gatewayError("rate_limited", "The key's spend of the month is used up.", retry);
    case "request_in_progress":
      return gatewayError("request_in_progress", "A request with this Idempotency-Key is under way.", {
        suggestion: "Wait for it to end, then repeat the call.",
      });
    case "idempotency_mismatch":
      return gatewayError("idempotency_mismatch", "This Idempotency-Key was used with another body.", {
        suggestion: "Use a new key for a new request.",
      });
    case "request_id_reused":
      return gatewayError("invalid_transition", "This request id is taken.");
  }
}
