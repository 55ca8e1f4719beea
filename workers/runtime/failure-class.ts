/**
 * What a failed attempt means for the next step: one table for every provider, read by retries, fallbacks and the circuit breaker.
 * The rule behind each row: a fault of the request is the caller's answer and no other provider is asked; a fault of this upstream
 * may be better elsewhere; only faults that a moment heals are tried again at the same address (research/gateways.md §3 D).
 */
import type { ErrorCode, GatewayError } from "../../schema/error.ts";

export interface FailureClass {
  /** The same address may do better in a moment. */
  retry: boolean;
  /** Another candidate may do better. */
  fallback: boolean;
  /** Counts against the address's health. */
  unhealthy: boolean;
}

const CALLERS_FAULT: FailureClass = { retry: false, fallback: false, unhealthy: false };

const BY_CODE: Readonly<Partial<Record<ErrorCode, FailureClass>>> = {
  // A limit is the provider's answer to too much; the address is well, but another one has room.
  rate_limited: { retry: true, fallback: true, unhealthy: false },
  overloaded: { retry: true, fallback: true, unhealthy: true },
  provider_timeout: { retry: false, fallback: true, unhealthy: true },
  provider_error: { retry: true, fallback: true, unhealthy: true },
  internal_error: { retry: false, fallback: true, unhealthy: false },
  // The provider does not have what the catalogue says it has.
  model_not_found: { retry: false, fallback: true, unhealthy: false },
};

/** Quotas and credentials do not heal in a moment, whatever status they come with. */
const LASTING = /insufficient_quota|billing|quota_exceeded|invalid_api_key|authentication|permission/i;

export function classifyFailure(error: GatewayError): FailureClass {
  const found = BY_CODE[error.code] ?? CALLERS_FAULT;
  const isLasting = LASTING.test(`${error.upstream_code ?? ""} ${error.upstream_type ?? ""}`);
  return isLasting ? { ...found, retry: false } : found;
}
