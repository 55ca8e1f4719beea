/** Errors in Cohere's shape, `message` at the top, with the contract's code, param and details beside it. */
import type { GatewayError } from "../../../schema/error.ts";
import { renderSseFrame } from "../sse.ts";

function facts(error: GatewayError, requestId: string): object {
  const details = { available: error.available, suggestion: error.suggestion };
  return { code: error.code, param: error.param, details, request_id: requestId };
}

export function renderError(error: GatewayError, requestId: string): string {
  return JSON.stringify({ id: requestId, message: error.message, ...facts(error, requestId) });
}

/** A message that ends in an error, as the wire itself says it; no `[DONE]` follows. */
export function renderStreamError(error: GatewayError, requestId: string): string {
  const delta = { finish_reason: "ERROR", error: error.message };
  return renderSseFrame("message-end", JSON.stringify({ type: "message-end", delta, message: error.message, ...facts(error, requestId) }));
}
