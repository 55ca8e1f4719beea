/**
 * Canonical events → the items of an answer in this wire's shape, and the events that announce them. Both a stream and a whole body are
 * written by it: the body is the answer that a stream's terminal event repeats, so the two can never disagree.
 *
 * Items never overlap (block-order.ts), and neighbouring texts are parts of one message, which is finished when something else
 * begins. Only choice 0 has a place here. An item opens with its first content, so an answer without any is an empty list.
 */
import { isObject, parseJson } from "../../../schema/json.ts";
import { mergeUsage, UNKNOWN_USAGE, type Usage } from "../../../schema/usage.ts";
import { createBlockOrder } from "../block-order.ts";
import type { CanonicalEvent, ReasoningKind } from "../canonical.ts";
import { RawJson } from "../json-text.ts";
import type { EncoderContext } from "../protocol.ts";
import { itemId, type ItemIdPrefix } from "./item-id.ts";

export type FinishEvent = Extract<CanonicalEvent, { type: "finish" }>;

/** Takes one event of the wire: its type and its members but for type and sequence number. */
export type Emit = (type: string, members: Record<string, unknown>) => void;

interface TextPart {
  refusal: boolean;
  text: string;
  annotations: RawJson[];
}

interface MessageState {
  index: number;
  id: string;
  parts: TextPart[];
}

/** The block that is being written. */
type OpenBlock =
  | { kind: "text"; refusal: boolean; part: TextPart | null }
  | { kind: "reasoning"; of: ReasoningKind; text: string; encrypted: string; place: { index: number; id: string } | null }
  | { kind: "call"; index: number; item: Record<string, unknown>; argumentsText: string };

type ReasoningBlock = Extract<OpenBlock, { kind: "reasoning" }>;

export interface AnswerWriter {
  write(event: CanonicalEvent): void;
  /** Finishes the open message. */
  finish(): void;
  head(): { id: string; model: string; createdSeconds: number };
  /** The finished items. */
  output(): readonly object[];
  usage(): Usage;
  finishEvent(): FinishEvent | null;
  /** A refusal was written as such. */
  refused(): boolean;
}

interface WriterState {
  context: EncoderContext;
  emit: Emit;
  head: { id: string; model: string; createdSeconds: number } | null;
  nextIndex: number;
  open: OpenBlock | null;
  message: MessageState | null;
  output: object[];
  usage: Usage;
  finish: FinishEvent | null;
  refused: boolean;
}

export function createAnswerWriter(context: EncoderContext, emit: Emit): AnswerWriter {
  const state: WriterState = {
    context,
    emit,
    head: null,
    nextIndex: 0,
    open: null,
    message: null,
    output: [],
    usage: UNKNOWN_USAGE,
    finish: null,
    refused: false,
  };
  const order = createBlockOrder();
  const choices = new Set<number>();
  return {
    write(event) {
      // Blocks of other choices are known by where they opened.
      if ("block" in event && event.block !== null && "choice" in event && event.choice !== 0) choices.add(event.block);
      if ("block" in event && event.block !== null && choices.has(event.block)) return;
      for (const next of order(event)) writeEvent(state, next);
    },
    finish: () => finishMessage(state),
    head: () => headOf(state),
    output: () => state.output,
    usage: () => state.usage,
    finishEvent: () => state.finish,
    refused: () => state.refused,
  };
}

function headOf(state: WriterState): { id: string; model: string; createdSeconds: number } {
  const { id, answerId, model, createdSeconds } = state.context;
  state.head ??= { id: answerId ?? id, model, createdSeconds };
  return state.head;
}

function writeEvent(state: WriterState, event: CanonicalEvent): void {
  switch (event.type) {
    case "start": {
      const { id, answerId, model, createdSeconds } = state.context;
      state.head ??= {
        id: answerId ?? event.id ?? id,
        model: event.model ?? model,
        createdSeconds: event.createdSeconds ?? createdSeconds,
      };
      return;
    }
    case "usage":
      state.usage = mergeUsage(state.usage, event.usage);
      return;
    case "finish":
      if (event.choice === 0) state.finish ??= event;
      return;
    case "text-start":
      state.open = { kind: "text", refusal: event.refusal, part: null };
      return;
    case "reasoning-start":
      state.open = { kind: "reasoning", of: event.kind, text: "", encrypted: event.data ?? "", place: null };
      return;
    case "tool-input-start":
      return startCall(state, event);
    case "file":
      return writeFile(state, event);
    case "text-delta":
    case "reasoning-delta":
    case "tool-input-delta":
      return addText(state, event.text);
    case "source":
      return addAnnotation(state, event.json);
    case "reasoning-signature":
      if (state.open?.kind === "reasoning") state.open.encrypted += event.signature;
      return;
    case "text-end":
    case "reasoning-end":
    case "tool-input-end":
      return closeBlock(state);
    default:
  }
}

function nextPlace(state: WriterState, prefix: ItemIdPrefix): { index: number; id: string } {
  const index = state.nextIndex++;
  return { index, id: itemId(prefix, headOf(state).id, index) };
}

function addItem(state: WriterState, index: number, item: object): void {
  state.emit("response.output_item.added", { output_index: index, item });
}

function doneItem(state: WriterState, index: number, item: object): void {
  state.output.push(item);
  state.emit("response.output_item.done", { output_index: index, item });
}

function addText(state: WriterState, piece: string): void {
  const { open } = state;
  if (open === null || piece === "") return;
  if (open.kind === "text") writeText(state, open, piece);
  else if (open.kind === "reasoning") writeReasoning(state, open, piece);
  // `null` means "no arguments", which this wire writes `{}`.
  else if (open.argumentsText !== "" || piece !== "null") writeArguments(state, open, piece);
}

// --- messages

function partJson(part: TextPart): object {
  if (part.refusal) return { type: "refusal", refusal: part.text };
  return { type: "output_text", text: part.text, annotations: part.annotations, logprobs: [] };
}

function writeText(state: WriterState, open: Extract<OpenBlock, { kind: "text" }>, piece: string): void {
  const message = openMessage(state);
  if (open.part === null) {
    open.part = { refusal: open.refusal, text: "", annotations: [] };
    message.parts.push(open.part);
    state.emit("response.content_part.added", { ...partPlace(message), part: partJson(open.part) });
  }
  state.refused ||= open.refusal;
  open.part.text += piece;
  if (open.refusal) state.emit("response.refusal.delta", { ...partPlace(message), delta: piece });
  else state.emit("response.output_text.delta", { ...partPlace(message), delta: piece, logprobs: [] });
}

function openMessage(state: WriterState): MessageState {
  if (state.message !== null) return state.message;
  const message: MessageState = { ...nextPlace(state, "msg"), parts: [] };
  state.message = message;
  addItem(state, message.index, { id: message.id, type: "message", status: "in_progress", role: "assistant", content: [] });
  return message;
}

/** Where the last part of a message stands. */
function partPlace(message: MessageState): Record<string, unknown> {
  return { item_id: message.id, output_index: message.index, content_index: message.parts.length - 1 };
}

/** Only an annotation of this family has the place in the text that clients of this wire demand. */
function addAnnotation(state: WriterState, json: string): void {
  const { open, message } = state;
  const parsed = parseJson(json);
  if (open?.kind !== "text" || open.part === null || open.refusal || message === null || !parsed.ok || !isObject(parsed.value)) return;
  const { type, url_citation: nested } = parsed.value;
  const annotation = type === "url_citation" && isObject(nested) ? JSON.stringify({ type, ...nested }) : json;
  if (!["url_citation", "file_citation", "container_file_citation", "file_path"].includes(String(type))) return;
  open.part.annotations.push(new RawJson(annotation));
  const annotation_index = open.part.annotations.length - 1;
  state.emit("response.output_text.annotation.added", { ...partPlace(message), annotation_index, annotation: new RawJson(annotation) });
}

function finishMessage(state: WriterState): void {
  const { message } = state;
  if (message === null) return;
  state.message = null;
  const isCut = state.finish?.unified === "length" || state.finish?.unified === "context-full";
  const status = isCut ? "incomplete" : "completed";
  doneItem(state, message.index, { id: message.id, type: "message", status, role: "assistant", content: message.parts.map(partJson) });
}

// --- reasoning

/** Signed reasoning whose text its provider keeps to itself has an empty text all the same, which tells it from redacted reasoning. */
function reasoningJson(id: string, open: ReasoningBlock, isDone: boolean): object {
  const { of, text, encrypted } = open;
  const summary = of === "summary" && isDone && text !== "" ? [{ type: "summary_text", text }] : [];
  const content = of === "raw" ? { content: isDone ? [{ type: "reasoning_text", text }] : [] } : {};
  return { id, type: "reasoning", summary, ...content, ...(isDone && encrypted !== "" ? { encrypted_content: encrypted } : {}) };
}

/** Whether its text goes to the summary; redacted reasoning has none. */
function isSummary(open: ReasoningBlock): boolean {
  return open.of === "summary";
}

function openReasoning(state: WriterState, open: ReasoningBlock): { index: number; id: string } {
  if (open.place !== null) return open.place;
  finishMessage(state);
  open.place = nextPlace(state, "rs");
  addItem(state, open.place.index, reasoningJson(open.place.id, open, false));
  return open.place;
}

/** A reasoning's text is one part, of the summary or of the content. */
function reasoningPlace(open: ReasoningBlock, at: { index: number; id: string }): Record<string, unknown> {
  return { item_id: at.id, output_index: at.index, ...(isSummary(open) ? { summary_index: 0 } : { content_index: 0 }) };
}

function writeReasoning(state: WriterState, open: ReasoningBlock, piece: string): void {
  const isFirst = open.text === "";
  open.text += piece;
  const at = reasoningPlace(open, openReasoning(state, open));
  if (isFirst) {
    if (isSummary(open)) state.emit("response.reasoning_summary_part.added", { ...at, part: { type: "summary_text", text: "" } });
    else state.emit("response.content_part.added", { ...at, part: { type: "reasoning_text", text: "" } });
  }
  state.emit(isSummary(open) ? "response.reasoning_summary_text.delta" : "response.reasoning_text.delta", { ...at, delta: piece });
}

function finishReasoning(state: WriterState, open: ReasoningBlock): void {
  const { text } = open;
  // Neither text nor state: there is nothing to show and nothing to send back.
  if (text === "" && open.encrypted === "") return;
  const opened = openReasoning(state, open);
  if (text !== "") {
    const at = reasoningPlace(open, opened);
    state.emit(isSummary(open) ? "response.reasoning_summary_text.done" : "response.reasoning_text.done", { ...at, text });
    if (isSummary(open)) state.emit("response.reasoning_summary_part.done", { ...at, part: { type: "summary_text", text } });
    else state.emit("response.content_part.done", { ...at, part: { type: "reasoning_text", text } });
  }
  doneItem(state, opened.index, reasoningJson(opened.id, open, true));
}

// --- calls and files

function startCall(state: WriterState, event: Extract<CanonicalEvent, { type: "tool-input-start" }>): void {
  finishMessage(state);
  const { index, id } = nextPlace(state, "fc");
  // Clients send an item back as it came, so state that belongs to the call rides on it.
  const signature = typeof event.signature === "string" ? { signature: event.signature } : {};
  const item = { id, type: "function_call", status: "in_progress", arguments: "", call_id: event.id, name: event.name, ...signature };
  state.open = { kind: "call", index, item, argumentsText: "" };
  addItem(state, index, item);
}

function writeArguments(state: WriterState, open: Extract<OpenBlock, { kind: "call" }>, piece: string): void {
  open.argumentsText += piece;
  const { index, item } = open;
  state.emit("response.function_call_arguments.delta", { item_id: item["id"], output_index: index, delta: piece });
}

function finishCall(state: WriterState, open: Extract<OpenBlock, { kind: "call" }>): void {
  if (open.argumentsText === "") writeArguments(state, open, "{}");
  const { index, item, argumentsText } = open;
  const place = { item_id: item["id"], output_index: index };
  state.emit("response.function_call_arguments.done", { ...place, name: item["name"], arguments: argumentsText });
  doneItem(state, index, { ...item, status: "completed", arguments: argumentsText });
}

function writeFile(state: WriterState, event: Extract<CanonicalEvent, { type: "file" }>): void {
  const { source } = event;
  if (source.kind !== "base64" || !source.mediaType.startsWith("image/")) return;
  finishMessage(state);
  const { index, id } = nextPlace(state, "ig");
  addItem(state, index, { id, type: "image_generation_call", status: "in_progress", result: null });
  const output_format = source.mediaType.slice("image/".length);
  doneItem(state, index, { id, type: "image_generation_call", status: "completed", output_format, result: source.data });
}

function closeBlock(state: WriterState): void {
  const { open, message } = state;
  state.open = null;
  if (open?.kind === "reasoning") finishReasoning(state, open);
  else if (open?.kind === "call") finishCall(state, open);
  else if (open?.kind === "text" && open.part !== null && message !== null) {
    const at = partPlace(message);
    const { text } = open.part;
    if (open.refusal) state.emit("response.refusal.done", { ...at, refusal: text });
    else state.emit("response.output_text.done", { ...at, text, logprobs: [] });
    state.emit("response.content_part.done", { ...at, part: partJson(open.part) });
  }
}
