/**
 * OpenAI Chat Completions, from both ends: what callers of `/v1/chat/completions` speak to us and what most providers speak.
 * It is a wire format, not a provider: differences between providers that speak it are `Quirks`, declared as data.
 */
import type { Protocol } from "../protocol.ts";
import { createSseFramer } from "../sse.ts";
import { parseUpstreamError } from "../upstream-error.ts";
import { createDecoder, parseResponse } from "./decoder.ts";
import { createEncoder } from "./encoder.ts";
import { parseRequest } from "./parse-request.ts";
import { renderError, renderStreamError } from "./render-error.ts";
import { renderRequest } from "./render-request.ts";
import { renderResponse } from "./render-response.ts";
import { spliceRequest, spliceUsageBody, spliceUsageFrame } from "./splice.ts";

export const openaiChat: Protocol = {
  id: "openai-chat",
  streamContentType: "text/event-stream",
  framing: "sse",
  parseRequest,
  renderResponse,
  createEncoder,
  renderError,
  renderStreamError,
  renderRequest,
  needsMediaBytes: ({ type }) => type === "file",
  createFramer: createSseFramer,
  createDecoder,
  parseResponse,
  parseError: parseUpstreamError,
  spliceRequest,
  spliceUsageFrame,
  spliceUsageBody,
};
