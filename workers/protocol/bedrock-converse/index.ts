/**
 * Amazon Bedrock's Converse and ConverseStream, from both ends: what callers of `/model/:modelId/converse` speak to us and what that
 * provider speaks. The model is in the address, a stream is binary frames, and errors are told by a header.
 */
import { awsErrorHeaders, parseAwsError, renderAwsError, renderAwsStreamError } from "../aws-error.ts";
import { createEventStreamFramer } from "../event-stream.ts";
import type { Protocol } from "../protocol.ts";
import { createDecoder, parseResponse } from "./decoder.ts";
import { createEncoder } from "./encoder.ts";
import { parseRequest } from "./parse-request.ts";
import { renderRequest } from "./render-request.ts";
import { renderResponse } from "./render-response.ts";
import { spliceRequest, spliceUsageBody, spliceUsageFrame } from "./splice.ts";

export const bedrockConverse: Protocol = {
  id: "bedrock-converse",
  streamContentType: "application/vnd.amazon.eventstream",
  framing: "eventstream",
  parseRequest,
  renderResponse,
  createEncoder,
  renderError: renderAwsError,
  errorHeaders: awsErrorHeaders,
  renderStreamError: renderAwsStreamError,
  renderRequest,
  needsMediaBytes: ({ type }) => type !== "audio",
  createFramer: createEventStreamFramer,
  createDecoder,
  parseResponse,
  parseError: parseAwsError,
  spliceRequest,
  spliceUsageFrame,
  spliceUsageBody,
};
