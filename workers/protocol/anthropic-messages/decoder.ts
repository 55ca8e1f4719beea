/** A provider's Messages answer → canonical events, from its stream or from its whole body. */
import { isObject, type JsonObject, parseJson } from "../../../schema/json.ts";
import type { CanonicalEvent } from "../canonical.ts";
import { sliceAt } from "../json-text.ts";
import type { Decoder, Frame, Quirks } from "../protocol.ts";
import { OVERSIZE_EVENT } from "../sse.ts";
import { malformedError, MALFORMED_FRAME, truncatedError, upstreamErrorOf } from "../upstream-error.ts";
import { applyDelta, closeBlock, openBlock, type OpenBlock } from "./block-reader.ts";
import { readStopReason } from "./stop-reason.ts";
import { readUsage } from "./usage.ts";

interface DecoderState {
  started: boolean;
  open: Map<number, OpenBlock>;
  nextBlock: number;
  /** Cache writes of one hour as the start stated them: later usage repeats only the total. */
  written1h: number | null;
  finished: boolean;
  ended: boolean;
}

export function createDecoder(_quirks: Quirks): Decoder {
  const state: DecoderState = { started: false, open: new Map(), nextBlock: 0, written1h: null, finished: false, ended: false };
  return {
    decode(frame) {
      const out: CanonicalEvent[] = [];
      if (!state.ended) decodeFrame(state, frame, out);
      return out;
    },
    end() {
      const out: CanonicalEvent[] = [];
      if (!state.ended) endOfBody(state, out);
      return out;
    },
  };
}

function decodeFrame(state: DecoderState, frame: Frame, out: CanonicalEvent[]): void {
  if (frame.event === OVERSIZE_EVENT) return fail(state, out, malformedError("an event of the stream is too large"));
  if (frame.data === null) return;
  const parsed = parseJson(frame.data);
  if (!parsed.ok || !isObject(parsed.value)) {
    out.push({ type: "opaque", protocol: "anthropic-messages", kind: MALFORMED_FRAME, json: "" });
    return;
  }
  // Resellers send the error event of another wire: named so, or an object with nothing but the error.
  const failed = frame.event === "error" || (parsed.value["type"] === undefined && parsed.value["error"] !== undefined);
  if (!failed) return decodeEvent(state, parsed.value, frame.data, out);
  closeAll(state, out);
  fail(state, out, upstreamErrorOf(parsed.value));
}

function fail(state: DecoderState, out: CanonicalEvent[], error: ReturnType<typeof malformedError>): void {
  state.ended = true;
  out.push({ type: "error", error });
}

function decodeEvent(state: DecoderState, event: JsonObject, data: string, out: CanonicalEvent[]): void {
  switch (event["type"]) {
    case "message_start":
      // Some repeat it after a fallback inside the provider; the answer goes on.
      if (!state.started) startMessage(state, isObject(event["message"]) ? event["message"] : {}, out);
      state.started = true;
      return;
    case "ping":
      out.push({ type: "ping" });
      return;
    case "content_block_start":
      return startBlock(state, event, data, out);
    case "content_block_delta": {
      const opened = state.open.get(Number(event["index"]));
      if (opened !== undefined && isObject(event["delta"])) applyDelta(event["delta"], opened, out);
      return;
    }
    case "content_block_stop":
      return stopBlock(state, Number(event["index"]), out);
    case "message_delta":
      return messageDelta(state, event, out);
    case "message_stop":
      closeAll(state, out);
      if (!state.finished) out.push({ type: "finish", choice: 0, unified: "stop", raw: "", stopSequence: null, detailsJson: null });
      state.ended = true;
      out.push({ type: "end" });
      return;
    case "error":
      closeAll(state, out);
      return fail(state, out, upstreamErrorOf(event));
    default:
      out.push({ type: "opaque", protocol: "anthropic-messages", kind: String(event["type"]), json: data });
  }
}

/** The usage of a start holds the prompt; its output count is a placeholder and is left out. */
function startMessage(state: DecoderState, message: JsonObject, out: CanonicalEvent[]): void {
  out.push({
    type: "start",
    id: typeof message["id"] === "string" ? message["id"] : null,
    model: typeof message["model"] === "string" ? message["model"] : null,
    createdSeconds: null,
  });
  const read = isObject(message["usage"]) ? readUsage(message["usage"], null) : null;
  if (read === null) return;
  state.written1h = read.usage.cache_write_1h_tokens ?? null;
  const { output_tokens: _placeholder, reasoning_tokens: _early, ...prompt } = read.usage;
  out.push({ type: "usage", usage: prompt, final: false, anomaly: read.anomaly });
}

function startBlock(state: DecoderState, event: JsonObject, data: string, out: CanonicalEvent[]): void {
  const index = Number(event["index"]);
  stopBlock(state, index, out);
  const content = isObject(event["content_block"]) ? event["content_block"] : {};
  const inputText = content["type"] === "tool_use" ? sliceAt(data, ["content_block", "input"]) : null;
  state.open.set(index, openBlock(content, state.nextBlock++, inputText, out));
}

function stopBlock(state: DecoderState, index: number, out: CanonicalEvent[]): void {
  const opened = state.open.get(index);
  if (opened === undefined) return;
  state.open.delete(index);
  closeBlock(opened, out);
}

function closeAll(state: DecoderState, out: CanonicalEvent[]): void {
  for (const index of state.open.keys()) stopBlock(state, index, out);
}

function messageDelta(state: DecoderState, event: JsonObject, out: CanonicalEvent[]): void {
  const delta = isObject(event["delta"]) ? event["delta"] : {};
  if (isObject(event["usage"])) addUsage(event["usage"], state.written1h, out);
  const reason = delta["stop_reason"];
  if (typeof reason !== "string" || state.finished) return;
  closeAll(state, out);
  state.finished = true;
  addFinish(reason, delta, out);
}

function addUsage(raw: JsonObject, written1h: number | null, out: CanonicalEvent[]): void {
  const read = readUsage(raw, written1h);
  if (read !== null) out.push({ type: "usage", usage: read.usage, final: true, anomaly: read.anomaly });
}

function addFinish(reason: string, from: JsonObject, out: CanonicalEvent[]): void {
  const sequence = from["stop_sequence"];
  out.push({
    type: "finish",
    choice: 0,
    unified: readStopReason(reason),
    raw: reason,
    stopSequence: typeof sequence === "string" ? sequence : null,
    detailsJson: isObject(from["stop_details"]) ? JSON.stringify(from["stop_details"]) : null,
  });
}

function endOfBody(state: DecoderState, out: CanonicalEvent[]): void {
  closeAll(state, out);
  fail(state, out, truncatedError());
}

/** A whole body as the events its stream would give. A body that is no message is an error event. */
export function parseResponse(bodyText: string, _quirks: Quirks): CanonicalEvent[] {
  const parsed = parseJson(bodyText);
  if (!parsed.ok || !isObject(parsed.value)) return [{ type: "error", error: malformedError("the answer is not JSON") }];
  const message = parsed.value;
  if (!Array.isArray(message["content"])) return [{ type: "error", error: upstreamErrorOf(message) }];
  const out: CanonicalEvent[] = [
    {
      type: "start",
      id: typeof message["id"] === "string" ? message["id"] : null,
      model: typeof message["model"] === "string" ? message["model"] : null,
      createdSeconds: null,
    },
  ];
  for (const [block, content] of message["content"].entries()) {
    if (!isObject(content)) continue;
    const inputText = content["type"] === "tool_use" ? sliceAt(bodyText, ["content", block, "input"]) : null;
    closeBlock(openBlock(content, block, inputText, out), out);
  }
  if (isObject(message["usage"])) addUsage(message["usage"], null, out);
  addFinish(typeof message["stop_reason"] === "string" ? message["stop_reason"] : "", message, out);
  out.push({ type: "end" });
  return out;
}
