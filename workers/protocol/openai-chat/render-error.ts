/** Errors in the OpenAI shape (contract §4): as a body, and inside a stream that has begun. */
import type { GatewayError } from "../../../schema/error.ts";
import { openaiError, renderOpenaiError } from "../openai-error.ts";
import { renderSseFrame } from "../sse.ts";

export const renderError = renderOpenaiError;

/** An error event; no `[DONE]` follows it, so that no client takes the answer for whole. */
export function renderStreamError(error: GatewayError, requestId: string): string {
  return renderSseFrame(null, JSON.stringify({ error: openaiError(error), request_id: requestId }));
}
