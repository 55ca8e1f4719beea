/**
 * The contract's error table (§4): one closed list of codes, each with its HTTP status. Inside the system a failure is a
 * `GatewayError` value; each protocol renders it in its own shape, and nothing upstream-internal is in it.
 */
import { z } from "zod";

export const ERROR_STATUS = {
  invalid_request: 400,
  unsupported_parameter: 400,
  invalid_json: 400,
  upstream_rejected: 400,
  invalid_api_key: 401,
  insufficient_balance: 402,
  forbidden: 403,
  not_found: 404,
  model_not_found: 404,
  provider_not_found: 404,
  model_not_priced: 404,
  agent_not_found: 404,
  request_not_found: 404,
  method_not_allowed: 405,
  request_in_progress: 409,
  invalid_transition: 409,
  request_too_large: 413,
  unsupported_media_type: 415,
  idempotency_mismatch: 422,
  rate_limited: 429,
  internal_error: 500,
  provider_error: 502,
  overloaded: 503,
  provider_timeout: 504,
} as const;

export type ErrorCode = keyof typeof ERROR_STATUS;

export const errorCodeSchema = z.enum(Object.keys(ERROR_STATUS) as [ErrorCode, ...ErrorCode[]]);

export const gatewayErrorSchema = z.strictObject({
  code: errorCodeSchema,
  /** What is wrong, for the caller. */
  message: z.string(),
  /** Differs from the code's own status only where an upstream's 4xx keeps its status. */
  status: z.number().int().min(400).max(599),
  param: z.string().nullable(),
  available: z.array(z.string()).nullable(),
  /** What to do. */
  suggestion: z.string().nullable(),
  retry_after_seconds: z.number().nonnegative().nullable(),
  /** The upstream's own error type and code, where the error is the upstream's (`rate_limit_error`, `context_length_exceeded`…). */
  upstream_type: z.string().nullable(),
  upstream_code: z.string().nullable(),
});
export type GatewayError = z.infer<typeof gatewayErrorSchema>;

/** Makes an error of the table; the optional facts default to "not said". */
export function gatewayError(code: ErrorCode, message: string, facts: Partial<Omit<GatewayError, "code" | "message">> = {}): GatewayError {
  return {
    code,
    message,
    status: facts.status ?? ERROR_STATUS[code],
    param: facts.param ?? null,
    available: facts.available ?? null,
    suggestion: facts.suggestion ?? null,
    retry_after_seconds: facts.retry_after_seconds ?? null,
    upstream_type: facts.upstream_type ?? null,
    upstream_code: facts.upstream_code ?? null,
  };
}

export type Outcome<T> = { ok: true; value: T } | { ok: false; error: GatewayError };

export function failed(error: GatewayError): { ok: false; error: GatewayError } {
  return { ok: false, error };
}
