/**
 * Anthropic Messages, from both ends: what callers of `/v1/messages` speak to us and what providers of that format speak. Typed blocks
 * with their own brackets, usage that is revised at the end, and signatures that must come back byte for byte.
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
import { spliceRequest, spliceUsageBody, spliceUsageFrame } from "./splice.ts";

export const anthropicMessages: Protocol = {
  id: "anthropic-messages",
  streamContentType: "text/event-stream",
  framing: "sse",
  parseRequest,
  renderResponse,
  createEncoder,
  renderError,
  renderStreamError,
  renderRequest,
  createFramer: createSseFramer,
  createDecoder,
  parseResponse,
  parseError: parseUpstreamError,
  spliceRequest,
  spliceUsageFrame,
  spliceUsageBody,
};
