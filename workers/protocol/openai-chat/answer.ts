/**
 * Reads the answer of a Chat provider, chunk by chunk or whole: one reader for both, so that the two can never disagree.
 *
 * It sees every chunk of every stream, so shapes are narrowed by hand and unknown members cost nothing. The many dialects of
 * reasoning, tool calls and usage are those of protocols.md §3 and §5.
 */
import type { GatewayError } from "../../../schema/error.ts";
import { isObject, type JsonObject, ownMember } from "../../../schema/json.ts";
import type { CanonicalEvent, FinishReason, ReasoningKind } from "../canonical.ts";
import type { Quirks } from "../protocol.ts";
import { truncatedError, upstreamErrorOf } from "../upstream-error.ts";
import { readPartsOf, reasoningPieces } from "./content.ts";
import { createToolCallReader, type ToolCallReader } from "./tool-calls.ts";
import { readUsage } from "./usage.ts";

const FINISH_REASONS: Readonly<Record<string, FinishReason>> = {
  stop: "stop",
  eos: "stop",
  eos_token: "stop",
  end_turn: "stop",
  stop_sequence: "stop-sequence",
  length: "length",
  max_tokens: "length",
  model_length: "length",
  tool_calls: "tool-calls",
  tool_call: "tool-calls",
  tool_use: "tool-calls",
  function_call: "tool-calls",
  content_filter: "content-filter",
  refusal: "refusal",
  malformed_function_call: "malformed",
};

interface ChoiceState {
  index: number;
  text: { block: number; refusal: boolean } | null;
  reasoning: { block: number; kind: ReasoningKind } | null;
  tools: ToolCallReader;
  refused: boolean;
  finished: boolean;
}

interface AnswerState {
  quirks: Quirks;
  choices: Map<number, ChoiceState>;
  nextBlock: number;
  answerId: string | null;
  synthesisedIds: number;
  /** The last usage, while no final one has come. */
  provisionalUsage: Extract<CanonicalEvent, { type: "usage" }> | null;
  usageSeen: boolean;
  started: boolean;
  ended: boolean;
}

export interface AnswerReader {
  /** Reads one chunk, or a whole body when `member` is `message`. */
  read(body: JsonObject, member: "delta" | "message", out: CanonicalEvent[]): void;
  /** The wire's terminator: closes everything, finishes what has no finish, ends. */
  terminate(out: CanonicalEvent[]): void;
  /**
   * The body ended without a terminator. A `whole` body needs none. A stream ends well when every choice is finished and the usage that was
   * asked for has come; else it broke off on the way there.
   */
  endOfBody(whole: boolean, out: CanonicalEvent[]): void;
  fail(error: GatewayError, out: CanonicalEvent[]): void;
  ended(): boolean;
}

export function createAnswerReader(quirks: Quirks): AnswerReader {
  const state: AnswerState = {
    quirks,
    choices: new Map(),
    nextBlock: 0,
    answerId: null,
    synthesisedIds: 0,
    provisionalUsage: null,
    usageSeen: false,
    started: false,
    ended: false,
  };
  return {
    read(body, member, out) {
      if (!state.ended) readBody(state, body, member, out);
    },
    terminate(out) {
      if (state.ended) return;
      for (const choice of state.choices.values()) if (!choice.finished) finish(choice, "", out);
      endOfBody(state, out);
    },
    endOfBody(whole, out) {
      if (state.ended) return;
      const isCounted = whole || state.usageSeen || quirks.streamOptions === false;
      if (isCounted) endOfBody(state, out);
      else fail(state, truncatedError(), out);
    },
    fail(error, out) {
      fail(state, error, out);
    },
    ended: () => state.ended,
  };
}

function fail(state: AnswerState, error: GatewayError, out: CanonicalEvent[]): void {
  state.ended = true;
  out.push({ type: "error", error });
}

function endOfBody(state: AnswerState, out: CanonicalEvent[]): void {
  const choices = [...state.choices.values()];
  if (choices.length === 0 || choices.some((choice) => !choice.finished)) return fail(state, truncatedError(), out);
  for (const choice of choices) {
    // Content that came after its choice's finish is still open.
    closeProse(choice, out);
    choice.tools.closeAll(out);
  }
  // Some never send a finish reason: the last usage before a proper end is the final one.
  if (state.provisionalUsage !== null) out.push({ ...state.provisionalUsage, final: true });
  state.ended = true;
  out.push({ type: "end" });
}

function readBody(state: AnswerState, body: JsonObject, member: "delta" | "message", out: CanonicalEvent[]): void {
  const error = body["error"];
  const list = Array.isArray(body["choices"]) ? body["choices"] : null;
  let failed = isObject(error) || (typeof error === "string" && error !== "") || body["object"] === "error";
  // A body of another shape that explains itself is an error too, whatever its status.
  if (list === null && !isObject(body["usage"])) failed ||= "detail" in body || "message" in body;
  if (!state.started && !failed) start(state, body, out);
  for (const [position, entry] of (list ?? []).entries()) {
    if (isObject(entry) && !readChoice(state, entry, member, position, out)) failed = true;
  }
  // Usage beside an error is still owed.
  addUsage(state, body, list ?? [], out);
  if (failed) fail(state, upstreamErrorOf(body), out);
}

function start(state: AnswerState, body: JsonObject, out: CanonicalEvent[]): void {
  const id = typeof body["id"] === "string" && body["id"] !== "" ? body["id"] : null;
  const list = body["choices"];
  // Some send a first chunk without id and choices; the real id comes with the next one.
  if (id === null && !(Array.isArray(list) && list.length > 0) && !isObject(body["usage"])) return;
  state.started = true;
  state.answerId = id;
  const model = typeof body["model"] === "string" && body["model"] !== "" ? body["model"] : null;
  const created = body["created"];
  out.push({ type: "start", id, model, createdSeconds: typeof created === "number" && created > 0 ? Math.floor(created) : null });
}

function addUsage(state: AnswerState, body: JsonObject, list: readonly unknown[], out: CanonicalEvent[]): void {
  const first = list[0];
  const groq = body["x_groq"];
  const usage = [body["usage"], isObject(groq) ? groq["usage"] : null, isObject(first) ? first["usage"] : null].find(isObject);
  const read = usage === undefined ? null : readUsage(usage, state.quirks);
  if (read === null) return;
  state.usageSeen = true;
  const finished = state.choices.size > 0 && [...state.choices.values()].every((choice) => choice.finished);
  const event = { type: "usage" as const, usage: read.usage, final: finished || list.length === 0, anomaly: read.anomaly };
  state.provisionalUsage = event.final ? null : event;
  out.push(event);
}

function choiceAt(state: AnswerState, index: number): ChoiceState {
  const known = state.choices.get(index);
  if (known !== undefined) return known;
  const tools = createToolCallReader({
    choice: index,
    nextBlock: () => state.nextBlock++,
    synthesiseId: () => `call_${(state.answerId ?? "answer").replace(/[^a-zA-Z0-9]/g, "").slice(-24)}_${state.synthesisedIds++}`,
    beforeOpen: (out) => closeProse(choice, out),
  });
  const choice: ChoiceState = { index, text: null, reasoning: null, tools, refused: false, finished: false };
  state.choices.set(index, choice);
  return choice;
}

/** Reads one entry of `choices`. False when it finishes with an error. */
function readChoice(state: AnswerState, entry: JsonObject, member: "delta" | "message", position: number, out: CanonicalEvent[]): boolean {
  const choice = choiceAt(state, typeof entry["index"] === "number" ? entry["index"] : position);
  const delta = entry[member] ?? entry[member === "delta" ? "message" : "delta"];
  if (isObject(delta)) readDelta(state, choice, delta, member === "message", out);
  const reason = entry["finish_reason"];
  if (reason === "error") return false;
  // In a stream an empty reason means "not yet"; in a whole body there is no later one.
  if (typeof reason === "string" && reason !== "") finish(choice, reason, out);
  else if (member === "message") finish(choice, "", out);
  return true;
}

function readDelta(state: AnswerState, choice: ChoiceState, delta: JsonObject, whole: boolean, out: CanonicalEvent[]): void {
  for (const piece of reasoningPieces(delta)) {
    const block = openReasoning(state, choice, piece.kind, piece.data, out);
    if (piece.text !== "") out.push({ type: "reasoning-delta", block, text: piece.text });
    if (piece.signature !== null) out.push({ type: "reasoning-signature", block, signature: piece.signature });
  }
  const content = delta["content"];
  if (typeof content === "string") addText(state, choice, content, false, out);
  else if (Array.isArray(content)) addParts(state, choice, content, out);
  if (typeof delta["refusal"] === "string") addText(state, choice, delta["refusal"], true, out);
  if (Array.isArray(delta["tool_calls"])) choice.tools.read(delta["tool_calls"], whole, out);
  // The API's first form of tools: one call a message, without id and index.
  const single = delta["function_call"];
  if (isObject(single) && (isFilled(single["name"]) || isFilled(single["arguments"])))
    choice.tools.read([{ index: -1, function: single }], whole, out);
  if (Array.isArray(delta["annotations"])) {
    for (const annotation of delta["annotations"]) addSource(choice, JSON.stringify(annotation), out);
  }
  const audio = delta["audio"];
  if (isObject(audio) && isFilled(audio["data"]))
    out.push({ type: "opaque", protocol: "openai-chat", kind: "audio", json: JSON.stringify(audio) });
}

function isFilled(value: unknown): boolean {
  return typeof value === "string" && value !== "";
}

function addParts(state: AnswerState, choice: ChoiceState, content: readonly unknown[], out: CanonicalEvent[]): void {
  for (const part of readPartsOf(content)) {
    if (part.kind === "text") addText(state, choice, part.text, false, out);
    else if (part.kind === "source") addSource(choice, part.json, out);
    else out.push({ type: "reasoning-delta", block: openReasoning(state, choice, "raw", null, out), text: part.text });
  }
}

function addSource(choice: ChoiceState, json: string, out: CanonicalEvent[]): void {
  out.push({ type: "source", block: choice.text?.block ?? null, choice: choice.index, json });
}

function closeProse(choice: ChoiceState, out: CanonicalEvent[]): void {
  if (choice.reasoning !== null) out.push({ type: "reasoning-end", block: choice.reasoning.block });
  if (choice.text !== null) out.push({ type: "text-end", block: choice.text.block });
  choice.reasoning = null;
  choice.text = null;
}

function addText(state: AnswerState, choice: ChoiceState, text: string, refusal: boolean, out: CanonicalEvent[]): void {
  if (text === "") return;
  if (choice.text === null || choice.text.refusal !== refusal) {
    closeProse(choice, out);
    choice.tools.closeComplete(out);
    choice.text = { block: state.nextBlock++, refusal };
    out.push({ type: "text-start", block: choice.text.block, choice: choice.index, refusal });
  }
  if (refusal) choice.refused = true;
  out.push({ type: "text-delta", block: choice.text.block, text });
}

/** The block that takes this piece of reasoning: the open one of the same kind, else a new one. Redacted data is always a new one. */
function openReasoning(state: AnswerState, choice: ChoiceState, kind: ReasoningKind, data: string | null, out: CanonicalEvent[]): number {
  if (choice.reasoning?.kind === kind && data === null) return choice.reasoning.block;
  closeProse(choice, out);
  choice.tools.closeComplete(out);
  choice.reasoning = { block: state.nextBlock++, kind };
  out.push({ type: "reasoning-start", block: choice.reasoning.block, choice: choice.index, kind, data });
  return choice.reasoning.block;
}

function finish(choice: ChoiceState, raw: string, out: CanonicalEvent[]): void {
  closeProse(choice, out);
  choice.tools.closeAll(out);
  // Some providers finish twice, the second time beside the usage.
  if (choice.finished) return;
  choice.finished = true;
  let unified = ownMember(FINISH_REASONS, raw.toLowerCase()) ?? "stop";
  // Providers say `stop` beside calls and refusals; a client that waits for calls must be told of them.
  if (unified === "stop" && choice.tools.count() > 0) unified = "tool-calls";
  else if (unified === "stop" && choice.refused) unified = "refusal";
  out.push({ type: "finish", choice: choice.index, unified, raw, stopSequence: null, detailsJson: null });
}
