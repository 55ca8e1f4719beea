/**
 * Errors in Ollama's shape, where `error` is the message itself; the contract's code, param and details stand beside it (contract §4).
 */
import type { GatewayError } from "../../../schema/error.ts";
import type { JsonObject } from "../../../schema/json.ts";
import { renderNdjsonLine } from "../ndjson.ts";

function errorMembers(error: GatewayError, requestId: string): JsonObject {
  const details = { available: error.available, suggestion: error.suggestion };
  return { error: error.message, code: error.code, param: error.param, details, request_id: requestId };
}

export function renderError(error: GatewayError, requestId: string): string {
  return JSON.stringify(errorMembers(error, requestId));
}

/** An error line, with the status that the answer would have had; no `done` line follows it, so that no client takes the answer for whole. */
export function renderStreamError(error: GatewayError, requestId: string): string {
  return renderNdjsonLine(JSON.stringify({ ...errorMembers(error, requestId), status: error.status }));
}
