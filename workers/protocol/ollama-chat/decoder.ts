/** An Ollama server's stream, or its whole answer, → canonical events. */
import { isObject, parseJson } from "../../../schema/json.ts";
import type { CanonicalEvent } from "../canonical.ts";
import type { Decoder, Frame } from "../protocol.ts";
import { OVERSIZE_EVENT } from "../sse.ts";
import { MALFORMED_FRAME, malformedError, upstreamErrorOf } from "../upstream-error.ts";
import { createAnswerReader } from "./answer.ts";
import { holderOf, type LineShape } from "./shape.ts";

export function createLineDecoder(shape: LineShape): Decoder {
  const reader = createAnswerReader(shape);
  return {
    decode(frame: Frame) {
      const events: CanonicalEvent[] = [];
      if (reader.ended()) return events;
      if (frame.event === OVERSIZE_EVENT) reader.fail(malformedError("one line is larger than the gateway accepts"), events);
      if (frame.data === null) return events;
      const parsed = parseJson(frame.data);
      if (parsed.ok && isObject(parsed.value)) reader.read(parsed.value, frame.data, events);
      else events.push({ type: "opaque", protocol: shape.protocol, kind: MALFORMED_FRAME, json: "" });
      return events;
    },
    end() {
      const events: CanonicalEvent[] = [];
      reader.endOfBody(events);
      return events;
    },
  };
}

/** A 2xx unary body → the events its stream would give. A body that is no answer of this wire is an error. */
export function parseWholeAnswer(bodyText: string, shape: LineShape): CanonicalEvent[] {
  const reader = createAnswerReader(shape);
  const events: CanonicalEvent[] = [];
  const parsed = parseJson(bodyText);
  if (!parsed.ok || !isObject(parsed.value)) reader.fail(malformedError("the body is not a JSON object"), events);
  else if (holderOf(parsed.value, shape) === null && parsed.value["done"] !== true) reader.fail(upstreamErrorOf(parsed.value), events);
  else reader.read(parsed.value, bodyText, events);
  reader.endOfBody(events);
  return events;
}
