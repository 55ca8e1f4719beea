/**
 * Amazon Bedrock's InvokeModel for models that speak Anthropic Messages: the same bodies with a version in place of the model and the
 * streaming switch, which are in the address, and the same events, each wrapped in a binary frame. Spoken by providers only; what it
 * would take to serve callers is there all the same, so that every wire format can be tested in both directions.
 */
import { isObject, parseJson } from "../../../schema/json.ts";
import { anthropicMessages } from "../anthropic-messages/index.ts";
import { awsErrorHeaders, faultOf, parseAwsError, renderAwsError, renderAwsStreamError } from "../aws-error.ts";
import { base64OfText, textOfBase64 } from "../base64.ts";
import { createEventStreamFramer, joinBytes, renderEventFrame, withPayload } from "../event-stream.ts";
import { removeMember, setMember } from "../json-text.ts";
import type { Decoder, Encoder, EncoderContext, Frame, Protocol, Quirks } from "../protocol.ts";
import { createSseFramer } from "../sse.ts";
import { MALFORMED_FRAME } from "../upstream-error.ts";

const VERSION = '"bedrock-2023-05-31"';

/** The body without what the address says, and with the version that this wire demands. */
function adapt(bodyText: string): string {
  const plain = ["model", "stream"].reduce((text, field) => removeMember(text, [field]), bodyText);
  return setMember(plain, ["anthropic_version"], VERSION) ?? plain;
}

/** The event inside a frame, as JSON text; null when the frame holds none. */
function innerText(frame: Frame): string | null {
  const parsed = parseJson(frame.data ?? "");
  const bytes = parsed.ok && isObject(parsed.value) ? parsed.value["bytes"] : null;
  return typeof bytes === "string" ? textOfBase64(bytes) : null;
}

function createDecoder(quirks: Quirks): Decoder {
  const inner = anthropicMessages.createDecoder(quirks);
  return {
    decode(frame) {
      const fault = faultOf(frame);
      // What is open is closed as at a cut, which ends in an error too: ours stands in its place.
      if (fault !== null) return inner.end().map((event) => (event.type === "error" ? { type: "error", error: fault } : event));
      const data = innerText(frame);
      if (data === null) return [{ type: "opaque", protocol: "bedrock-invoke", kind: MALFORMED_FRAME, json: "" }];
      return inner.decode({ bytes: frame.bytes, event: null, data });
    },
    end: () => inner.end(),
  };
}

function chunk(json: string): Uint8Array {
  return renderEventFrame("event", "chunk", JSON.stringify({ bytes: base64OfText(json) }));
}

function createEncoder(context: EncoderContext): Encoder {
  const inner = anthropicMessages.createEncoder(context);
  const framer = createSseFramer();
  return {
    encode(event) {
      const events = inner.encode(event);
      const frames = framer.push(typeof events === "string" ? new TextEncoder().encode(events) : events);
      return joinBytes(frames.flatMap(({ data }) => (data === null ? [] : [chunk(data)])));
    },
  };
}

export const bedrockInvoke: Protocol = {
  ...anthropicMessages,
  id: "bedrock-invoke",
  streamContentType: "application/vnd.amazon.eventstream",
  framing: "eventstream",
  createEncoder,
  renderError: renderAwsError,
  errorHeaders: awsErrorHeaders,
  renderStreamError: renderAwsStreamError,
  renderRequest(request, target) {
    const rendered = anthropicMessages.renderRequest(request, target);
    return { ...rendered, body: adapt(rendered.body) };
  },
  // The wire's own host reads no addresses, unlike the maker's.
  needsMediaBytes: ({ type }) => type !== "audio",
  createFramer: createEventStreamFramer,
  createDecoder,
  parseError: parseAwsError,
  spliceRequest: (bodyText, request, target) => adapt(anthropicMessages.spliceRequest(bodyText, request, target)),
  spliceUsageFrame(frame, options) {
    const text = options.final && options.costMicroRub !== null ? innerText(frame) : null;
    const spliced = text === null ? null : setMember(text, ["usage", "cost_micro_rub"], String(options.costMicroRub));
    return spliced === null ? frame.bytes : withPayload(frame.bytes, JSON.stringify({ bytes: base64OfText(spliced) }));
  },
};
