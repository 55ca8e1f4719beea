/** Errors in the OpenAI shape (contract §4), shared by the wires that speak it. */
import type { GatewayError } from "../../schema/error.ts";

/** The `type` word SDKs of this family sort errors by. */
function errorType(error: GatewayError): string {
  if (error.code === "upstream_rejected" && error.upstream_type !== null) return error.upstream_type;
  if (error.code === "insufficient_balance") return "insufficient_quota";
  if (error.status === 401) return "authentication_error";
  if (error.status === 403) return "permission_error";
  if (error.status === 429) return "rate_limit_error";
  return error.status >= 500 ? "api_error" : "invalid_request_error";
}

export interface OpenaiError {
  code: string;
  message: string;
  type: string;
  param: string | null;
  details: { available: string[] | null; suggestion: string | null };
}

/** The object under `error`. */
export function openaiError(error: GatewayError): OpenaiError {
  // An upstream's own code (`context_length_exceeded`) is what clients of this family branch on.
  const code = error.code === "upstream_rejected" ? (error.upstream_code ?? error.code) : error.code;
  const details = { available: error.available, suggestion: error.suggestion };
  return { code, message: error.message, type: errorType(error), param: error.param, details };
}

/** A whole error body. */
export function renderOpenaiError(error: GatewayError, requestId: string): string {
  return JSON.stringify({ error: openaiError(error), request_id: requestId });
}
