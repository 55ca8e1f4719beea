/** Errors in the OpenAI shape (contract §4): as a body, and inside a stream that has begun. */
import type { GatewayError } from "../../../schema/error.ts";
import { renderSseFrame } from "../sse.ts";

/** The `type` word SDKs of this protocol sort errors by. */
function errorType(error: GatewayError): string {
  if (error.code === "upstream_rejected" && error.upstream_type !== null) return error.upstream_type;
  if (error.code === "insufficient_balance") return "insufficient_quota";
  if (error.status === 401) return "authentication_error";
  if (error.status === 403) return "permission_error";
  if (error.status === 429) return "rate_limit_error";
  return error.status >= 500 ? "api_error" : "invalid_request_error";
}

function errorObject(error: GatewayError): unknown {
  // An upstream's own code (`context_length_exceeded`) is what clients of this protocol branch on.
  const code = error.code === "upstream_rejected" ? (error.upstream_code ?? error.code) : error.code;
  const details = { available: error.available, suggestion: error.suggestion };
  return { code, message: error.message, type: errorType(error), param: error.param, details };
}

export function renderError(error: GatewayError, requestId: string): string {
  return JSON.stringify({ error: errorObject(error), request_id: requestId });
}

/** An error event; no `[DONE]` follows it, so that no client takes the answer for whole. */
export function renderStreamError(error: GatewayError, requestId: string): string {
  return renderSseFrame(null, JSON.stringify({ error: errorObject(error), request_id: requestId }));
}
