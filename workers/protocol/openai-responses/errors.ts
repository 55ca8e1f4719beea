/** An error inside a stream that has begun. As a body it has the OpenAI shape, shared by all wires of that family. */
import type { GatewayError } from "../../../schema/error.ts";
import { openaiError } from "../openai-error.ts";
import { renderSseFrame } from "../sse.ts";

/**
 * An `error` event; no terminal event follows it, so that no client takes the answer for whole. The error stands in an object, as the
 * provider sends it, and flat, as its specification has it; clients of both kinds exist. Its place in the sequence is not known
 * here, and clients demand a number, so it is 0.
 */
export function renderStreamError(error: GatewayError, requestId: string): string {
  const inner = openaiError(error);
  const { code, message, param } = inner;
  return renderSseFrame(
    "error",
    JSON.stringify({ type: "error", sequence_number: 0, error: inner, code, message, param, request_id: requestId }),
  );
}
