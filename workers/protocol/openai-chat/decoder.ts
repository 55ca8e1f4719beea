/** A provider's Chat stream, or its whole answer, → canonical events. */
import { isObject, parseJson } from "../../../schema/json.ts";
import type { CanonicalEvent } from "../canonical.ts";
import type { Decoder, Frame, Quirks } from "../protocol.ts";
import { OVERSIZE_EVENT } from "../sse.ts";
import { MALFORMED_FRAME, malformedError, upstreamErrorOf } from "../upstream-error.ts";
import { createAnswerReader } from "./answer.ts";

const NO_EVENTS: CanonicalEvent[] = [];

/** One decoder an attempt. Malformed frames become an error event, after which nothing more comes. */
export function createDecoder(quirks: Quirks): Decoder {
  const reader = createAnswerReader(quirks);
  return {
    decode(frame: Frame) {
      if (reader.ended()) return NO_EVENTS;
      const events: CanonicalEvent[] = [];
      if (frame.event === OVERSIZE_EVENT) {
        reader.fail(malformedError("one event is larger than the gateway accepts"), events);
        return events;
      }
      const { data } = frame;
      if (data === null || data === "") return NO_EVENTS;
      if (data === "[DONE]" || data.trim() === "[DONE]") {
        reader.terminate(events);
        return events;
      }
      const parsed = parseJson(data);
      if (frame.event === "error") reader.fail(upstreamErrorOf(parsed.ok ? parsed.value : data), events);
      else if (!parsed.ok || !isObject(parsed.value)) {
        // What does not even begin like a chunk is some keep-alive of the provider's; a broken chunk is reported, not swallowed.
        if (data.startsWith("{")) events.push({ type: "opaque", protocol: "openai-chat", kind: MALFORMED_FRAME, json: "" });
      } else reader.read(parsed.value, "delta", events);
      return events;
    },
    end() {
      const events: CanonicalEvent[] = [];
      reader.endOfBody(false, events);
      return events;
    },
  };
}

/** A 2xx unary body → the events its stream would give. An error object sent with status 200, or no JSON at all, gives an error event. */
export function parseResponse(bodyText: string, quirks: Quirks): CanonicalEvent[] {
  const reader = createAnswerReader(quirks);
  const events: CanonicalEvent[] = [];
  const parsed = parseJson(bodyText);
  if (!parsed.ok || !isObject(parsed.value)) {
    reader.fail(malformedError("the body is not a JSON object"), events);
    return events;
  }
  reader.read(parsed.value, "message", events);
  reader.endOfBody(true, events);
  return events;
}
