/**
 * OpenAI Responses, from both ends: what callers of `/v1/responses` speak to us and what providers of that format speak. An answer is a
 * list of typed items, each with its own brackets in the stream; a terminal event repeats the whole answer. Calls come here
 * with all of their input: what rests on earlier answers was found and put in before (stored-state.ts, workers/http/conversation.ts).
 */
import { renderOpenaiError } from "../openai-error.ts";
import type { Protocol } from "../protocol.ts";
import { createSseFramer } from "../sse.ts";
import { parseUpstreamError } from "../upstream-error.ts";
import { createDecoder, parseResponse } from "./decoder.ts";
import { continued, createEncoder, renderResponse } from "./encoder.ts";
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
  endRepeatsAnswer: true,
  continued,
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
