/** A provider's Converse answer → canonical events, from its binary stream or from its whole body. */
import type { GatewayError } from "../../../schema/error.ts";
import { isObject, type JsonObject, parseJson } from "../../../schema/json.ts";
import { faultOf } from "../aws-error.ts";
import type { CanonicalEvent } from "../canonical.ts";
import { sliceAt } from "../json-text.ts";
import type { Decoder, Frame, Quirks } from "../protocol.ts";
import { malformedError, MALFORMED_FRAME, truncatedError, upstreamErrorOf } from "../upstream-error.ts";
import { addOpaque, applyDelta, closeBlock, goesOn, openByDelta, type OpenBlock, readWholeBlock, startBlock } from "./block-reader.ts";
import { readStopReason } from "./stop-reason.ts";
import { readUsage } from "./usage.ts";

interface DecoderState {
  started: boolean;
  /** Blocks by the wire's own index. */
  open: Map<number, OpenBlock>;
  nextBlock: number;
  finished: boolean;
  /** `metadata` came, which is the wire's terminator once the stop has come too. */
  described: boolean;
  ended: boolean;
}

export function createDecoder(_quirks: Quirks): Decoder {
  const state: DecoderState = { started: false, open: new Map(), nextBlock: 0, finished: false, described: false, ended: false };
  return {
    decode(frame) {
      const out: CanonicalEvent[] = [];
      if (!state.ended) decodeFrame(state, frame, out);
      return out;
    },
    end() {
      const out: CanonicalEvent[] = [];
      if (state.ended) return out;
      closeAll(state, out);
      // An answer that has stopped is whole; only its usage may be missing.
      if (state.finished) endWell(state, out);
      else fail(state, out, truncatedError());
      return out;
    },
  };
}

function decodeFrame(state: DecoderState, frame: Frame, out: CanonicalEvent[]): void {
  const fault = faultOf(frame);
  if (fault !== null) {
    closeAll(state, out);
    return fail(state, out, fault);
  }
  const parsed = parseJson(frame.data ?? "");
  if (!parsed.ok || !isObject(parsed.value)) {
    out.push({ type: "opaque", protocol: "bedrock-converse", kind: MALFORMED_FRAME, json: "" });
    return;
  }
  decodeEvent(state, frame.event ?? "", parsed.value, out);
}

function fail(state: DecoderState, out: CanonicalEvent[], error: GatewayError): void {
  state.ended = true;
  out.push({ type: "error", error });
}

function endWell(state: DecoderState, out: CanonicalEvent[]): void {
  state.ended = true;
  out.push({ type: "end" });
}

function decodeEvent(state: DecoderState, type: string, event: JsonObject, out: CanonicalEvent[]): void {
  // The wire names neither the answer nor the model.
  if (!state.started) out.push({ type: "start", id: null, model: null, createdSeconds: null });
  state.started = true;
  const index = Number(event["contentBlockIndex"]);
  switch (type) {
    case "messageStart":
      return;
    case "contentBlockStart": {
      stopBlock(state, index, out);
      const open = isObject(event["start"]) ? startBlock(event["start"], state.nextBlock, out) : null;
      if (open !== null) addBlock(state, index, open);
      return;
    }
    case "contentBlockDelta":
      if (isObject(event["delta"])) addDelta(state, index, event["delta"], out);
      return;
    case "contentBlockStop":
      return stopBlock(state, index, out);
    case "messageStop":
      closeAll(state, out);
      if (!state.finished) addFinish(event, out);
      state.finished = true;
      // Some put the description before the stop.
      if (state.described) endWell(state, out);
      return;
    case "metadata":
      state.described = true;
      if (isObject(event["usage"])) addUsage(event["usage"], out);
      if (state.finished) endWell(state, out);
      return;
    default:
      addOpaque(type, event, out);
  }
}

function addBlock(state: DecoderState, index: number, open: OpenBlock): void {
  state.nextBlock += 1;
  state.open.set(index, open);
}

function addDelta(state: DecoderState, index: number, delta: JsonObject, out: CanonicalEvent[]): void {
  const before = state.open.get(index);
  if (before !== undefined && !goesOn(before, delta)) stopBlock(state, index, out);
  const open = state.open.get(index) ?? openByDelta(delta, state.nextBlock, out);
  if (open === null) return addOpaque(Object.keys(delta)[0] ?? "", delta, out);
  if (!state.open.has(index)) addBlock(state, index, open);
  applyDelta(delta, open, out);
}

function stopBlock(state: DecoderState, index: number, out: CanonicalEvent[]): void {
  const open = state.open.get(index);
  if (open === undefined) return;
  state.open.delete(index);
  closeBlock(open, out);
}

function closeAll(state: DecoderState, out: CanonicalEvent[]): void {
  for (const index of state.open.keys()) stopBlock(state, index, out);
}

function addUsage(raw: JsonObject, out: CanonicalEvent[]): void {
  const read = readUsage(raw);
  if (read !== null) out.push({ type: "usage", usage: read.usage, final: true, anomaly: read.anomaly });
}

/** The stop, with the sequence that caused it where the caller asked the provider for that field. */
function addFinish(from: JsonObject, out: CanonicalEvent[]): void {
  const reason = typeof from["stopReason"] === "string" ? from["stopReason"] : "";
  const extra = isObject(from["additionalModelResponseFields"]) ? from["additionalModelResponseFields"] : {};
  const sequence = extra["stop_sequence"] ?? (isObject(extra["delta"]) ? extra["delta"]["stop_sequence"] : null);
  out.push({
    type: "finish",
    choice: 0,
    unified: readStopReason(reason),
    raw: reason,
    stopSequence: typeof sequence === "string" ? sequence : null,
    detailsJson: null,
  });
}

/** A whole body as the events its stream would give. A body that is no answer is an error event. */
export function parseResponse(bodyText: string, _quirks: Quirks): CanonicalEvent[] {
  const parsed = parseJson(bodyText);
  if (!parsed.ok || !isObject(parsed.value)) return [{ type: "error", error: malformedError("the answer is not JSON") }];
  const answer = parsed.value;
  const output = isObject(answer["output"]) ? answer["output"] : {};
  const message = isObject(output["message"]) ? output["message"] : {};
  const content = message["content"];
  if (!Array.isArray(content)) return [{ type: "error", error: upstreamErrorOf(answer) }];
  const out: CanonicalEvent[] = [{ type: "start", id: null, model: null, createdSeconds: null }];
  let blocks = 0;
  for (const [index, block] of content.entries()) {
    if (!isObject(block)) continue;
    const inputText = isObject(block["toolUse"]) ? sliceAt(bodyText, ["output", "message", "content", index, "toolUse", "input"]) : null;
    readWholeBlock(block, inputText, () => blocks++, out);
  }
  if (isObject(answer["usage"])) addUsage(answer["usage"], out);
  addFinish(answer, out);
  out.push({ type: "end" });
  return out;
}
