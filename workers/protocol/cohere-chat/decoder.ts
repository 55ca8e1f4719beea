/** A provider's v2 Chat answer → canonical events, from its stream or from its whole body. */
import { isObject, type JsonObject, parseJson } from "../../../schema/json.ts";
import type { CanonicalEvent } from "../canonical.ts";
import type { Decoder, Frame, Quirks } from "../protocol.ts";
import { OVERSIZE_EVENT } from "../sse.ts";
import { malformedError, MALFORMED_FRAME, truncatedError, upstreamErrorOf } from "../upstream-error.ts";
import { FAILED_WORDS, readFinishReason } from "./finish-reason.ts";
import { readUsage } from "./usage.ts";

interface OpenBlock {
  block: number;
  kind: "text" | "reasoning" | "tool-input";
}

interface DecoderState {
  /** Open blocks by the wire's own key: `content.0`, `tool.0`, `plan`. */
  open: Map<string, OpenBlock>;
  nextBlock: number;
  calls: number;
  started: boolean;
  ended: boolean;
}

function newState(): DecoderState {
  return { open: new Map(), nextBlock: 0, calls: 0, started: false, ended: false };
}

export function createDecoder(_quirks: Quirks): Decoder {
  const state = newState();
  return {
    decode(frame) {
      const out: CanonicalEvent[] = [];
      if (!state.ended) decodeFrame(state, frame, out);
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
  if (data === null || data === "") return;
  if (data.trim() === "[DONE]") return fail(state, truncatedError(), out);
  const parsed = parseJson(data);
  if (!parsed.ok || !isObject(parsed.value)) {
    out.push({ type: "opaque", protocol: "cohere-chat", kind: MALFORMED_FRAME, json: "" });
    return;
  }
  const event = parsed.value;
  const type = event["type"];
  if (typeof type !== "string") {
    // An error in the middle of a stream is an error body without a type.
    if ("message" in event || "error" in event) fail(state, upstreamErrorOf(event), out);
    return;
  }
  const delta = isObject(event["delta"]) ? event["delta"] : {};
  const message = isObject(delta["message"]) ? delta["message"] : {};
  decodeEvent(state, { type, id: event["id"], index: String(event["index"] ?? 0), delta, message, data }, out);
}

/** One event of the stream, taken apart. `message` is what its delta adds to the message. */
interface StreamEvent {
  type: string;
  id: unknown;
  index: string;
  delta: JsonObject;
  message: JsonObject;
  data: string;
}

function decodeEvent(state: DecoderState, event: StreamEvent, out: CanonicalEvent[]): void {
  const { index, message } = event;
  switch (event.type) {
    case "message-start":
      return start(state, event.id, out);
    case "content-start":
      return openContent(state, `content.${index}`, message["content"], out);
    case "content-delta":
      return addContent(state, `content.${index}`, message["content"], out);
    case "content-end":
      return close(state, `content.${index}`, out);
    case "tool-plan-delta":
      return addPlan(state, message["tool_plan"], out);
    case "tool-call-start":
      return openCall(state, `tool.${index}`, message["tool_calls"], out);
    case "tool-call-delta":
      return addArguments(state, `tool.${index}`, message["tool_calls"], out);
    case "tool-call-end":
      return close(state, `tool.${index}`, out);
    case "citation-start":
      return addCitation(state.open.get(`content.${index}`)?.block ?? null, message["citations"], out);
    case "citation-end":
      return;
    case "message-end":
      return endMessage(state, event.delta, out);
    default:
      out.push({ type: "opaque", protocol: "cohere-chat", kind: event.type, json: event.data });
  }
}

function start(state: DecoderState, id: unknown, out: CanonicalEvent[]): void {
  if (state.started) return;
  state.started = true;
  out.push({ type: "start", id: typeof id === "string" && id !== "" ? id : null, model: null, createdSeconds: null });
}

function fail(state: DecoderState, error: ReturnType<typeof truncatedError>, out: CanonicalEvent[]): void {
  closeAll(state, out);
  state.ended = true;
  out.push({ type: "error", error });
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function openProse(state: DecoderState, key: string, kind: "text" | "reasoning", out: CanonicalEvent[]): number {
  const known = state.open.get(key);
  if (known !== undefined) {
    if (known.kind === kind) return known.block;
    close(state, key, out);
  }
  const block = state.nextBlock++;
  state.open.set(key, { block, kind });
  if (kind === "text") out.push({ type: "text-start", block, choice: 0, refusal: false });
  else out.push({ type: "reasoning-start", block, choice: 0, kind: "raw", data: null });
  return block;
}

function openContent(state: DecoderState, key: string, content: unknown, out: CanonicalEvent[]): void {
  if (!isObject(content)) return;
  close(state, "plan", out);
  close(state, key, out);
  openProse(state, key, content["type"] === "thinking" ? "reasoning" : "text", out);
  addContent(state, key, content, out);
}

function addContent(state: DecoderState, key: string, content: unknown, out: CanonicalEvent[]): void {
  if (!isObject(content)) return;
  const thought = text(content["thinking"]);
  if (thought !== "") out.push({ type: "reasoning-delta", block: openProse(state, key, "reasoning", out), text: thought });
  const said = text(content["text"]);
  if (said !== "") out.push({ type: "text-delta", block: openProse(state, key, "text", out), text: said });
}

/** What the model says before it calls tools. It is text for the user, though the wire keeps it apart. */
function addPlan(state: DecoderState, plan: unknown, out: CanonicalEvent[]): void {
  const said = text(plan);
  if (said !== "") out.push({ type: "text-delta", block: openProse(state, "plan", "text", out), text: said });
}

function openCall(state: DecoderState, key: string, call: unknown, out: CanonicalEvent[]): void {
  if (!isObject(call)) return;
  close(state, "plan", out);
  close(state, key, out);
  const definition = isObject(call["function"]) ? call["function"] : {};
  const block = state.nextBlock++;
  const id = text(call["id"]) === "" ? `call_${state.calls}` : text(call["id"]);
  state.calls += 1;
  state.open.set(key, { block, kind: "tool-input" });
  out.push({ type: "tool-input-start", block, choice: 0, id, name: text(definition["name"]) });
  addArguments(state, key, call, out);
}

function addArguments(state: DecoderState, key: string, call: unknown, out: CanonicalEvent[]): void {
  const opened = state.open.get(key);
  if (opened === undefined || !isObject(call) || !isObject(call["function"])) return;
  const piece = text(call["function"]["arguments"]);
  if (piece !== "") out.push({ type: "tool-input-delta", block: opened.block, text: piece });
}

function addCitation(block: number | null, citation: unknown, out: CanonicalEvent[]): void {
  for (const each of Array.isArray(citation) ? citation : [citation]) {
    if (isObject(each)) out.push({ type: "source", block, choice: 0, json: JSON.stringify(each) });
  }
}

function close(state: DecoderState, key: string, out: CanonicalEvent[]): void {
  const opened = state.open.get(key);
  if (opened === undefined) return;
  state.open.delete(key);
  out.push({ type: `${opened.kind}-end`, block: opened.block });
}

function closeAll(state: DecoderState, out: CanonicalEvent[]): void {
  for (const key of state.open.keys()) close(state, key, out);
}

/** The end of a message, in a stream's last event or in a whole body: usage, which is owed even beside an error, then the finish. */
function endMessage(state: DecoderState, from: JsonObject, out: CanonicalEvent[]): void {
  closeAll(state, out);
  const read = isObject(from["usage"]) ? readUsage(from["usage"]) : null;
  if (read !== null) out.push({ type: "usage", usage: read.usage, final: true, anomaly: read.anomaly });
  const raw = text(from["finish_reason"]);
  if (FAILED_WORDS.has(raw)) {
    const code = raw === "TIMEOUT" ? "timeout" : "error";
    return fail(state, upstreamErrorOf({ code, message: from["error"] }), out);
  }
  const unified = readFinishReason(raw, state.calls > 0);
  out.push({ type: "finish", choice: 0, unified, raw, stopSequence: null, detailsJson: null });
  state.ended = true;
  out.push({ type: "end" });
}

/** A whole body as the events its stream would give. A body that is no message is an error event. */
export function parseResponse(bodyText: string, _quirks: Quirks): CanonicalEvent[] {
  const parsed = parseJson(bodyText);
  if (!parsed.ok || !isObject(parsed.value)) return [{ type: "error", error: malformedError("the answer is not JSON") }];
  const body = parsed.value;
  const { message } = body;
  if (!isObject(message)) return [{ type: "error", error: upstreamErrorOf(body) }];
  const out: CanonicalEvent[] = [];
  const state = newState();
  start(state, body["id"], out);
  addPlan(state, message["tool_plan"], out);
  for (const [index, content] of listOf(message["content"]).entries()) {
    openContent(state, `content.${index}`, content, out);
    if (isObject(content) && content["type"] !== "thinking" && !("text" in content)) {
      out.push({ type: "opaque", protocol: "cohere-chat", kind: text(content["type"]), json: JSON.stringify(content) });
    }
    close(state, `content.${index}`, out);
  }
  addCitation(null, message["citations"], out);
  for (const [index, call] of listOf(message["tool_calls"]).entries()) {
    openCall(state, `tool.${index}`, call, out);
    close(state, `tool.${index}`, out);
  }
  endMessage(state, body, out);
  return out;
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
