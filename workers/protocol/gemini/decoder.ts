/** A provider's stream, or its whole answer, → canonical events. */
import { isObject, parseJson } from "../../../schema/json.ts";
import type { CanonicalEvent } from "../canonical.ts";
import { elementSlices } from "../json-text.ts";
import type { Decoder, Frame, Quirks } from "../protocol.ts";
import { OVERSIZE_EVENT } from "../sse.ts";
import { MALFORMED_FRAME, malformedError, upstreamErrorOf } from "../upstream-error.ts";
import { type AnswerReader, createAnswerReader } from "./answer.ts";

/** One decoder an attempt. After an error nothing more comes. */
export function createDecoder(_quirks: Quirks): Decoder {
  const reader = createAnswerReader();
  return {
    decode(frame) {
      const out: CanonicalEvent[] = [];
      if (!reader.ended()) decodeFrame(reader, frame, out);
      return out;
    },
    end() {
      const out: CanonicalEvent[] = [];
      reader.end(false, out);
      return out;
    },
  };
}

function decodeFrame(reader: AnswerReader, frame: Frame, out: CanonicalEvent[]): void {
  if (frame.event === OVERSIZE_EVENT) return reader.fail(malformedError("an event of the stream is too large"), out);
  if (frame.data === null) return readBareError(reader, frame, out);
  if (frame.data.trim() === "[DONE]") return;
  const parsed = parseJson(frame.data);
  if (frame.event === "error") return reader.fail(upstreamErrorOf(parsed.ok ? parsed.value : frame.data), out);
  const isRead = parsed.ok && isObject(parsed.value) && reader.read(parsed.value, frame.data, out);
  if (!isRead) out.push({ type: "opaque", protocol: "gemini", kind: MALFORMED_FRAME, json: "" });
}

/** In the middle of a stream the provider says an error as a bare JSON body, without any SSE around it. */
function readBareError(reader: AnswerReader, frame: Frame, out: CanonicalEvent[]): void {
  const text = new TextDecoder().decode(frame.bytes).trim();
  if (!text.startsWith("{") && !text.startsWith("[")) return;
  const parsed = parseJson(text);
  reader.fail(parsed.ok ? upstreamErrorOf(parsed.value) : malformedError("a part of the stream is no event"), out);
}

/**
 * A 2xx body → the events its stream would give: one answer, or the list of chunks that a stream without `alt=sse` is. An error object
 * sent with status 200, or what is nothing of this wire, gives an error event.
 */
export function parseResponse(bodyText: string, _quirks: Quirks): CanonicalEvent[] {
  const text = bodyText.charCodeAt(0) === 0xfeff ? bodyText.slice(1) : bodyText;
  const reader = createAnswerReader();
  const out: CanonicalEvent[] = [];
  const parsed = parseJson(text);
  const chunks = parsed.ok && Array.isArray(parsed.value) ? parsed.value : [parsed.ok ? parsed.value : null];
  const sources = parsed.ok && Array.isArray(parsed.value) ? elementSlices(text, []) : [text];
  for (const [index, chunk] of chunks.entries()) {
    const isRead = isObject(chunk) && reader.read(chunk, sources[index] ?? "{}", out);
    if (!isRead) reader.fail(malformedError("the body is no answer of this kind"), out);
  }
  reader.end(true, out);
  return out;
}
