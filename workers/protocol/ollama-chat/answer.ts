/** Reads the answer of an Ollama server, line by line or whole: one reader for both endpoints and both ways, so that they can never disagree. */
import type { GatewayError } from "../../../schema/error.ts";
import { isObject, type JsonObject, parseJson } from "../../../schema/json.ts";
import type { CanonicalEvent } from "../canonical.ts";
import { elementSlices, sliceAt } from "../json-text.ts";
import { truncatedError, upstreamErrorOf } from "../upstream-error.ts";
import { readDoneReason } from "./finish.ts";
import { holderOf, type LineShape } from "./shape.ts";
import { readUsage } from "./usage.ts";

interface AnswerState {
  shape: LineShape;
  /** The block of text or thinking that is open now. */
  open: { kind: "text" | "reasoning"; block: number } | null;
  nextBlock: number;
  calls: number;
  /** The digits of the answer's time of creation: what makes ids of our own differ from one answer to the next. */
  stamp: string;
  started: boolean;
  ended: boolean;
}

export interface AnswerReader {
  /** Reads one line, or a whole body, with its own text. */
  read(line: JsonObject, text: string, out: CanonicalEvent[]): void;
  /** The body ended: an error unless its last line came. */
  endOfBody(out: CanonicalEvent[]): void;
  fail(error: GatewayError, out: CanonicalEvent[]): void;
  ended(): boolean;
}

export function createAnswerReader(shape: LineShape): AnswerReader {
  const state: AnswerState = { shape, open: null, nextBlock: 0, calls: 0, stamp: "answer", started: false, ended: false };
  return {
    read(line, text, out) {
      if (!state.ended) readLine(state, line, text, out);
    },
    endOfBody(out) {
      if (!state.ended) fail(state, truncatedError(), out);
    },
    fail(error, out) {
      fail(state, error, out);
    },
    ended: () => state.ended,
  };
}

function fail(state: AnswerState, error: GatewayError, out: CanonicalEvent[]): void {
  close(state, out);
  state.ended = true;
  out.push({ type: "error", error });
}

function readLine(state: AnswerState, line: JsonObject, text: string, out: CanonicalEvent[]): void {
  const error = line["error"];
  if (isObject(error) || (typeof error === "string" && error !== "")) return fail(state, upstreamErrorOf(line), out);
  const holder = holderOf(line, state.shape);
  if (holder === null && line["done"] !== true) return;
  if (!state.started) start(state, line, out);
  if (holder !== null) readSaid(state, holder, text, out);
  if (line["done"] === true) finish(state, line, out);
}

/** The wire has no id of an answer. */
function start(state: AnswerState, line: JsonObject, out: CanonicalEvent[]): void {
  state.started = true;
  const created = typeof line["created_at"] === "string" ? line["created_at"] : "";
  state.stamp = created.replace(/\D/g, "") || state.stamp;
  const seconds = Math.floor(Date.parse(created) / 1000);
  const model = typeof line["model"] === "string" && line["model"] !== "" ? line["model"] : null;
  out.push({ type: "start", id: null, model, createdSeconds: seconds > 0 ? seconds : null });
}

function readSaid(state: AnswerState, holder: JsonObject, text: string, out: CanonicalEvent[]): void {
  addText(state, "reasoning", holder["thinking"], out);
  addText(state, "text", holder[state.shape.textMember], out);
  if (!Array.isArray(holder["tool_calls"])) return;
  for (const call of elementSlices(text, [...state.shape.holder, "tool_calls"])) addCall(state, call, out);
}

function close(state: AnswerState, out: CanonicalEvent[]): void {
  if (state.open !== null) out.push({ type: `${state.open.kind}-end`, block: state.open.block });
  state.open = null;
}

function addText(state: AnswerState, kind: "text" | "reasoning", text: unknown, out: CanonicalEvent[]): void {
  if (typeof text !== "string" || text === "") return;
  if (state.open?.kind !== kind) {
    close(state, out);
    state.open = { kind, block: state.nextBlock++ };
    if (kind === "text") out.push({ type: "text-start", block: state.open.block, choice: 0, refusal: false });
    else out.push({ type: "reasoning-start", block: state.open.block, choice: 0, kind: "raw", data: null });
  }
  out.push({ type: `${kind}-delta`, block: state.open.block, text });
}

/** One whole call, from its own text. Servers before 0.12.10 give no id: then one is made that another answer's call will not have. */
function addCall(state: AnswerState, source: string, out: CanonicalEvent[]): void {
  const parsed = parseJson(source);
  const call = parsed.ok && isObject(parsed.value) ? parsed.value : {};
  const called = isObject(call["function"]) ? call["function"] : {};
  const id = typeof call["id"] === "string" && call["id"] !== "" ? call["id"] : `call_${state.stamp}_${state.calls}`;
  close(state, out);
  state.calls += 1;
  const block = state.nextBlock++;
  out.push({ type: "tool-input-start", block, choice: 0, id, name: typeof called["name"] === "string" ? called["name"] : "" });
  // Some servers that copy this wire send the arguments as text, as other wires do.
  const given = called["arguments"];
  const argumentsText = typeof given === "string" ? given : (sliceAt(source, ["function", "arguments"]) ?? "");
  out.push({ type: "tool-input-delta", block, text: argumentsText === "" || argumentsText === "null" ? "{}" : argumentsText });
  out.push({ type: "tool-input-end", block });
}

function finish(state: AnswerState, line: JsonObject, out: CanonicalEvent[]): void {
  close(state, out);
  const read = readUsage(line);
  if (read !== null) out.push({ type: "usage", usage: read.usage, final: true, anomaly: read.anomaly });
  const raw = typeof line["done_reason"] === "string" ? line["done_reason"] : "";
  out.push({
    type: "finish",
    choice: 0,
    unified: readDoneReason(raw, state.calls > 0),
    raw,
    stopSequence: null,
    detailsJson: null,
  });
  state.ended = true;
  out.push({ type: "end" });
}
