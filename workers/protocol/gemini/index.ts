/**
 * Gemini's `generateContent`, from both ends: what callers of `/v1beta/models/…` speak to us, and what AI Studio and Vertex speak. Contents
 * of parts, streams of whole answers without a terminator, signatures on any part, the model in the address.
 */
import type { Protocol } from "../protocol.ts";
import { createSseFramer } from "../sse.ts";
import { parseUpstreamError } from "../upstream-error.ts";
import { createDecoder, parseResponse } from "./decoder.ts";
import { createEncoder } from "./encoder.ts";
import { renderError, renderStreamError } from "./errors.ts";
import { parseRequest } from "./parse-request.ts";
import { renderRequest } from "./render-request.ts";
import { renderResponse } from "./render-response.ts";
import { needsMediaBytes } from "./render-turns.ts";
import { spliceRequest, spliceUsageBody, spliceUsageFrame } from "./splice.ts";

export const gemini: Protocol = {
  id: "gemini",
  streamContentType: "text/event-stream",
  framing: "sse",
  parseRequest,
  renderResponse,
  createEncoder,
  renderError,
  renderStreamError,
  renderRequest,
  needsMediaBytes,
  createFramer: createSseFramer,
  createDecoder,
  parseResponse,
  parseError: parseUpstreamError,
  spliceRequest,
  spliceUsageFrame,
  spliceUsageBody,
};
