/** Errors in Anthropic's shape, with the contract's code, param and details inside: as a body, and inside a stream that has begun. */
import type { GatewayError } from "../../../schema/error.ts";
import { renderSseFrame } from "../sse.ts";

const TYPES: Readonly<Record<number, string>> = {
  401: "authentication_error",
  402: "billing_error",
  403: "permission_error",
  404: "not_found_error",
  413: "request_too_large",
  429: "rate_limit_error",
  503: "overloaded_error",
  529: "overloaded_error",
};

function errorBody(error: GatewayError, requestId: string): string {
  const type = TYPES[error.status] ?? (error.status >= 500 ? "api_error" : "invalid_request_error");
  const details = { available: error.available, suggestion: error.suggestion };
  return JSON.stringify({
    type: "error",
    error: { type, message: error.message, code: error.code, param: error.param, details },
    request_id: requestId,
  });
}

export function renderError(error: GatewayError, requestId: string): string {
  return errorBody(error, requestId);
}

/** An error event; no `message_stop` follows it, so that no client takes the answer for whole. */
export function renderStreamError(error: GatewayError, requestId: string): string {
  return renderSseFrame("error", errorBody(error, requestId));
}
