/**
 * Errors in Google's shape: the HTTP status as `code`, a canonical word as `status`, and the contract's own code, param, suggestion and
 * list in a `google.rpc.ErrorInfo`, which is where clients of this wire look for a reason.
 */
import type { GatewayError } from "../../../schema/error.ts";
import { renderSseFrame } from "../sse.ts";

const STATUS_WORDS: Readonly<Record<number, string>> = {
  400: "INVALID_ARGUMENT",
  401: "UNAUTHENTICATED",
  402: "FAILED_PRECONDITION",
  403: "PERMISSION_DENIED",
  404: "NOT_FOUND",
  409: "ABORTED",
  413: "INVALID_ARGUMENT",
  429: "RESOURCE_EXHAUSTED",
  500: "INTERNAL",
  502: "INTERNAL",
  503: "UNAVAILABLE",
  504: "DEADLINE_EXCEEDED",
};

export function renderError(error: GatewayError, requestId: string): string {
  const { status, message, code, param, available, suggestion } = error;
  const word = STATUS_WORDS[status] ?? (status >= 500 ? "INTERNAL" : "INVALID_ARGUMENT");
  const metadata = { ...(param === null ? {} : { param }), request_id: requestId };
  const info = { "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason: code, domain: "plyrum", metadata, available, suggestion };
  const retry =
    error.retry_after_seconds === null
      ? []
      : [{ "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: `${error.retry_after_seconds}s` }];
  return JSON.stringify({ error: { code: status, message, status: word, param, details: [info, ...retry] }, request_id: requestId });
}

/** An error event; the answer has had no finish reason, so that no client takes it for whole. */
export function renderStreamError(error: GatewayError, requestId: string): string {
  return renderSseFrame(null, renderError(error, requestId));
}
