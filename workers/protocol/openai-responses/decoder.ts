/** A provider's Responses answer → canonical events, from its stream or from its whole body. */
import { isObject, type JsonObject, ownMember, parseJson } from "../../../schema/json.ts";
import type { GatewayError } from "../../../schema/error.ts";
import type { CanonicalEvent, FinishReason } from "../canonical.ts";
import { elementSlices, sliceAt } from "../json-text.ts";
import type { Decoder, Frame, Quirks } from "../protocol.ts";
import { OVERSIZE_EVENT } from "../sse.ts";
import { MALFORMED_FRAME, malformedError, truncatedError, upstreamErrorOf } from "../upstream-error.ts";
import { createItemReader, type ItemReader } from "./item-reader.ts";
import { readUsage } from "./usage.ts";

interface DecoderState {
  quirks: Quirks;
  items: ItemReader;
  started: boolean;
  ended: boolean;
}

const NO_EVENTS: CanonicalEvent[] = [];

function createState(quirks: Quirks): DecoderState {
  return { quirks, items: createItemReader(), started: false, ended: false };
}

/** One decoder an attempt. After the terminal event or an error nothing more comes. */
export function createDecoder(quirks: Quirks): Decoder {
  const state = createState(quirks);
  return {
    decode(frame) {
      if (state.ended) return NO_EVENTS;
      const out: CanonicalEvent[] = [];
      decodeFrame(state, frame, out);
      return out;
    },
    end() {
      const out: CanonicalEvent[] = [];
      if (!state.ended) fail(state, truncatedError(), out);
      return out;
    },
  };
}

function decodeFrame(state: DecoderState, frame: Frame, out: CanonicalEvent[]): void {
  if (frame.event === OVERSIZE_EVENT) return fail(state, malformedError("an event of the stream is too large"), out);
  const { data } = frame;
  // Some end their streams with a `[DONE]` of Chat's; the terminal event has come before it.
  if (data === null || data === "" || data === "[DONE]") return;
  const parsed = parseJson(data);
  if (parsed.ok && isObject(parsed.value)) return decodeEvent(state, parsed.value, { data, event: frame.event }, out);
  if (frame.event === "error") return fail(state, upstreamErrorOf(data), out);
  if (data.startsWith("{")) out.push({ type: "opaque", protocol: "openai-responses", kind: MALFORMED_FRAME, json: "" });
}

function fail(state: DecoderState, error: GatewayError, out: CanonicalEvent[]): void {
  state.items.closeAll(out);
  state.ended = true;
  out.push({ type: "error", error });
}

function numberOf(value: unknown): number {
  return typeof value === "number" ? value : 0;
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function decodeEvent(state: DecoderState, event: JsonObject, raw: { data: string; event: string | null }, out: CanonicalEvent[]): void {
  const type = textOf(event["type"]);
  // Resellers send the error event of another wire: named so, or an object with nothing but the error.
  if (type === "error" || raw.event === "error" || (type === "" && isObject(event["error"])))
    return fail(state, upstreamErrorOf(event), out);
  const response = isObject(event["response"]) ? event["response"] : null;
  switch (type) {
    case "response.created":
    case "response.queued":
    case "response.in_progress":
      return start(state, response, out);
    case "response.completed":
    case "response.incomplete":
    case "response.failed":
      return endOfAnswer(state, response ?? {}, sliceAt(raw.data, ["response"]) ?? "", out);
    case "keepalive":
      return void out.push({ type: "ping" });
    default:
      decodeItemEvent(state, type, event, raw.data, out);
  }
}

/** Events of one item. What only announces or repeats what other events say is passed over. */
function decodeItemEvent(state: DecoderState, type: string, event: JsonObject, data: string, out: CanonicalEvent[]): void {
  const { items } = state;
  const index = numberOf(event["output_index"]);
  const part = numberOf(event["content_index"]);
  const delta = textOf(event["delta"]);
  switch (type) {
    case "response.output_item.added":
      if (isObject(event["item"])) items.add(index, event["item"], out);
      return;
    case "response.output_item.done":
      if (isObject(event["item"])) items.done(index, event["item"], sliceAt(data, ["item"]) ?? "{}", out);
      return;
    case "response.output_text.delta":
      return items.text({ index, part, refusal: false }, delta, out);
    case "response.output_text.done":
      return items.wholeText({ index, part, refusal: false }, textOf(event["text"]), out);
    case "response.refusal.delta":
      return items.text({ index, part, refusal: true }, delta, out);
    case "response.refusal.done":
      return items.wholeText({ index, part, refusal: true }, textOf(event["refusal"]), out);
    case "response.output_text.annotation.added":
      return items.annotation({ index, part }, sliceAt(data, ["annotation"]) ?? "{}", out);
    case "response.reasoning_text.delta":
      return items.reasoning({ index, part, kind: "raw" }, delta, out);
    case "response.reasoning_summary_text.delta":
      return items.reasoning({ index, part: numberOf(event["summary_index"]), kind: "summary" }, delta, out);
    case "response.function_call_arguments.delta":
    case "response.custom_tool_call_input.delta":
      return items.arguments(index, delta, out);
    default:
  }
}

function start(state: DecoderState, response: JsonObject | null, out: CanonicalEvent[]): void {
  if (state.started || response === null) return;
  state.started = true;
  const created = response["created_at"];
  out.push({
    type: "start",
    id: textOf(response["id"]) || null,
    model: textOf(response["model"]) || null,
    createdSeconds: typeof created === "number" && created > 0 ? Math.floor(created) : null,
  });
}

/** The terminal event's response, or a whole body: usage, items nobody streamed, the finish, the end. `json` is its text. */
function endOfAnswer(state: DecoderState, response: JsonObject, json: string, out: CanonicalEvent[]): void {
  const { items } = state;
  const { error, output } = response;
  const failed = isObject(error) || response["status"] === "failed";
  if (!failed) start(state, response, out);
  // Some leave the list empty and some give its items new places; it is read only where no item came before it.
  if (!items.facts().any && Array.isArray(output)) {
    const sources = output.length === 0 ? [] : elementSlices(json, ["output"]);
    for (const [index, item] of output.entries()) if (isObject(item)) items.done(index, item, sources[index] ?? "{}", out);
  }
  items.closeAll(out);
  // Usage beside an error is still owed.
  const read = readUsage(response["usage"], state.quirks);
  if (read !== null) out.push({ type: "usage", usage: read.usage, final: true, anomaly: read.anomaly });
  if (failed) return fail(state, upstreamErrorOf(isObject(error) ? { error } : {}), out);
  out.push({ type: "finish", choice: 0, ...finishOf(response, items), stopSequence: null, detailsJson: null });
  out.push({ type: "end" });
  state.ended = true;
}

const INCOMPLETE_REASONS: Readonly<Record<string, FinishReason>> = {
  max_output_tokens: "length",
  max_tokens: "length",
  content_filter: "content-filter",
};

/** An answer that runs in the background is not finished; whoever asked for it comes back. */
const OTHER_STATUSES: Readonly<Record<string, FinishReason>> = { queued: "pause", in_progress: "pause", cancelled: "error" };

function finishOf(response: JsonObject, items: ItemReader): { unified: FinishReason; raw: string } {
  const details = response["incomplete_details"];
  const reason = isObject(details) ? textOf(details["reason"]) : "";
  if (reason !== "") return { unified: ownMember(INCOMPLETE_REASONS, reason) ?? "stop", raw: reason };
  const status = textOf(response["status"]);
  const other = ownMember(OTHER_STATUSES, status);
  if (other !== undefined) return { unified: other, raw: status };
  const { called, refused } = items.facts();
  return { unified: called ? "tool-calls" : refused ? "refusal" : "stop", raw: status };
}

/** A 2xx unary body → the events its stream would give. What is no response, and a failed one, gives an error event. */
export function parseResponse(bodyText: string, quirks: Quirks): CanonicalEvent[] {
  const state = createState(quirks);
  const out: CanonicalEvent[] = [];
  const parsed = parseJson(bodyText);
  if (!parsed.ok || !isObject(parsed.value)) fail(state, malformedError("the body is not a JSON object"), out);
  else if (!Array.isArray(parsed.value["output"]) && parsed.value["status"] !== "failed") fail(state, upstreamErrorOf(parsed.value), out);
  else endOfAnswer(state, parsed.value, bodyText, out);
  return out;
}
