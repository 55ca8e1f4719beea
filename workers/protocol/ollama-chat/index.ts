/**
 * Ollama's `/api/chat`, from both ends: what callers of it speak to us and what Ollama servers speak. A JSON text a line, streamed unless
 * the caller says otherwise, calls with whole objects for arguments, and no ids at all in older servers.
 */
import { createNdjsonFramer } from "../ndjson.ts";
import type { Protocol } from "../protocol.ts";
import { parseUpstreamError } from "../upstream-error.ts";
import { createLineDecoder, parseWholeAnswer } from "./decoder.ts";
import { createLineEncoder } from "./encoder.ts";
import { renderError, renderStreamError } from "./errors.ts";
import { parseRequest } from "./parse-request.ts";
import { renderRequest } from "./render-request.ts";
import { renderWholeAnswer } from "./render-response.ts";
import type { LineShape } from "./shape.ts";
import { spliceRequest, spliceUsageBody, spliceUsageFrame } from "./splice.ts";

/** Everything of an Ollama endpoint but its requests. */
export function ollamaAnswers(shape: LineShape): Omit<Protocol, "parseRequest" | "renderRequest"> {
  return {
    id: shape.protocol,
    streamContentType: "application/x-ndjson",
    framing: "ndjson",
    renderResponse: (events, context) => renderWholeAnswer(events, context, shape),
    createEncoder: (context) => createLineEncoder(shape, context),
    renderError,
    renderStreamError,
    createFramer: createNdjsonFramer,
    createDecoder: () => createLineDecoder(shape),
    parseResponse: (bodyText) => parseWholeAnswer(bodyText, shape),
    parseError: parseUpstreamError,
    spliceRequest,
    spliceUsageFrame,
    spliceUsageBody,
  };
}

export const ollamaChat: Protocol = {
  ...ollamaAnswers({ protocol: "ollama-chat", holder: ["message"], textMember: "content" }),
  parseRequest,
  renderRequest,
  needsMediaBytes: ({ type }) => type === "image",
};
