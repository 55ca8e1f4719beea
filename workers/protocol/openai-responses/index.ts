/**
 * OpenAI Responses, from both ends: what callers of `/v1/responses` speak to us and what providers of that format speak. An answer is a
 * list of typed items, each with its own brackets in the stream; a terminal event repeats the whole answer. Only stateless calls
 * are translated: what rests on an answer stored at the provider passes to a provider of this format and is refused elsewhere.
 */
import { renderOpenaiError } from "../openai-error.ts";
import type { Protocol } from "../protocol.ts";
import { createSseFramer } from "../sse.ts";
import { parseUpstreamError } from "../upstream-error.ts";
import { createDecoder, parseResponse } from "./decoder.ts";
import { createEncoder, renderResponse } from "./encoder.ts";
import { renderStreamError } from "./errors.ts";
import { parseRequest } from "./parse-request.ts";
import { renderRequest } from "./render-request.ts";
import { spliceRequest, spliceUsageBody, spliceUsageFrame } from "./splice.ts";

export const openaiResponses: Protocol = {
  id: "openai-responses",
  streamContentType: "text/event-stream",
  framing: "sse",
  parseRequest,
  renderResponse,
  createEncoder,
  renderError: renderOpenaiError,
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
