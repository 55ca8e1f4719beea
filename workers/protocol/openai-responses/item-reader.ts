/**
 * Reads the items of an answer, piece by piece from a stream or whole from a body, into canonical blocks.
 *
 * An item is known by its `output_index`, since some providers change its id from event to event. Every piece of text comes twice, as
 * deltas and whole at the end; what the whole adds to the deltas is sent, so a provider that streams no deltas loses nothing. Of a
 * call only `call_id` can be sent back elsewhere; of reasoning only the encrypted content of the finished item.
 */
import { isObject, type JsonObject } from "../../../schema/json.ts";
import type { CanonicalEvent } from "../canonical.ts";
import { PART_SEPARATOR } from "./parse-input.ts";

/** A part of a message, or a run of reasoning of one kind: one block. */
interface TextBlock {
  block: number;
  /** What was sent so far. */
  text: string;
  closed: boolean;
  annotations: number;
}

interface ReasoningBlock extends TextBlock {
  kind: "raw" | "summary";
  /** The part that is being written; a new one begins after a blank line. */
  part: number;
}

interface CallBlock {
  block: number;
  custom: boolean;
  argumentsText: string;
  opened: boolean;
}

interface ItemState {
  type: string;
  parts: Map<number, TextBlock>;
  reasoning: ReasoningBlock | null;
  call: CallBlock | null;
  done: boolean;
}

export interface ItemReader {
  add(index: number, item: JsonObject, out: CanonicalEvent[]): void;
  /** A piece of a message's text or refusal. */
  text(at: { index: number; part: number; refusal: boolean }, piece: string, out: CanonicalEvent[]): void;
  /** The whole of it, once it is complete. */
  wholeText(at: { index: number; part: number; refusal: boolean }, whole: string, out: CanonicalEvent[]): void;
  annotation(at: { index: number; part: number }, json: string, out: CanonicalEvent[]): void;
  reasoning(at: { index: number; part: number; kind: "raw" | "summary" }, piece: string, out: CanonicalEvent[]): void;
  arguments(index: number, piece: string, out: CanonicalEvent[]): void;
  /** The finished item. `json` is its own text. */
  done(index: number, item: JsonObject, json: string, out: CanonicalEvent[]): void;
  /** Closes what is open. */
  closeAll(out: CanonicalEvent[]): void;
  /** Whether anything was read at all, functions were called, something was refused. */
  facts(): { any: boolean; called: boolean; refused: boolean };
}

interface ReaderState {
  items: Map<number, ItemState>;
  nextBlock: number;
  called: boolean;
  refused: boolean;
}

export function createItemReader(): ItemReader {
  const state: ReaderState = { items: new Map(), nextBlock: 0, called: false, refused: false };
  return {
    add(index, item, out) {
      const known = itemAt(state, index, textOf(item["type"]));
      if (isCall(known.type)) openCall(state, known, item, out);
    },
    text: (at, piece, out) => addText(state, at, piece, out),
    wholeText: (at, whole, out) => addRest(state, at, whole, out),
    annotation(at, json, out) {
      const part = itemAt(state, at.index, "message").parts.get(at.part);
      if (part !== undefined) part.annotations += 1;
      out.push({ type: "source", block: part?.block ?? null, choice: 0, json });
    },
    reasoning: (at, piece, out) => addReasoning(state, itemAt(state, at.index, "reasoning"), at, piece, out),
    arguments(index, piece, out) {
      const item = itemAt(state, index, "function_call");
      if (item.call !== null) addArguments(item.call, piece, out);
    },
    done: (index, item, json, out) => finishItem(state, index, { item, json }, out),
    closeAll(out) {
      for (const item of state.items.values()) closeItem(item, out);
    },
    facts: () => ({ any: state.items.size > 0, called: state.called, refused: state.refused }),
  };
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function isCall(type: string): boolean {
  return type === "function_call" || type === "custom_tool_call";
}

function itemAt(state: ReaderState, index: number, type: string): ItemState {
  const known = state.items.get(index);
  if (known !== undefined) return known;
  const item: ItemState = { type, parts: new Map(), reasoning: null, call: null, done: false };
  state.items.set(index, item);
  return item;
}

function addText(state: ReaderState, at: { index: number; part: number; refusal: boolean }, piece: string, out: CanonicalEvent[]): void {
  if (piece === "") return;
  const { parts } = itemAt(state, at.index, "message");
  let part = parts.get(at.part);
  if (part === undefined) {
    part = { block: state.nextBlock++, text: "", closed: false, annotations: 0 };
    parts.set(at.part, part);
    out.push({ type: "text-start", block: part.block, choice: 0, refusal: at.refusal });
  }
  if (at.refusal) state.refused = true;
  if (part.closed) return;
  part.text += piece;
  out.push({ type: "text-delta", block: part.block, text: piece });
}

function addRest(state: ReaderState, at: { index: number; part: number; refusal: boolean }, whole: string, out: CanonicalEvent[]): void {
  const sent = itemAt(state, at.index, "message").parts.get(at.part)?.text ?? "";
  if (whole.startsWith(sent)) addText(state, at, whole.slice(sent.length), out);
}

function closeText(part: TextBlock, out: CanonicalEvent[]): void {
  if (part.closed) return;
  part.closed = true;
  out.push({ type: "text-end", block: part.block });
}

function addReasoning(
  state: ReaderState,
  item: ItemState,
  at: { part: number; kind: "raw" | "summary" },
  piece: string,
  out: CanonicalEvent[],
): void {
  if (piece === "") return;
  if (item.reasoning !== null && item.reasoning.kind !== at.kind) closeReasoning(item, null, out);
  let text = piece;
  if (item.reasoning === null) {
    item.reasoning = { block: state.nextBlock++, text: "", closed: false, annotations: 0, kind: at.kind, part: at.part };
    out.push({ type: "reasoning-start", block: item.reasoning.block, choice: 0, kind: at.kind, data: null });
  } else if (item.reasoning.part !== at.part) {
    item.reasoning.part = at.part;
    text = PART_SEPARATOR + piece;
  }
  item.reasoning.text += text;
  out.push({ type: "reasoning-delta", block: item.reasoning.block, text });
}

/** Closes the open run of reasoning, with the state that belongs to it. */
function closeReasoning(item: ItemState, encrypted: string | null, out: CanonicalEvent[]): void {
  if (item.reasoning === null) return;
  const { block } = item.reasoning;
  if (encrypted !== null) out.push({ type: "reasoning-signature", block, signature: encrypted });
  out.push({ type: "reasoning-end", block });
  item.reasoning = null;
}

/** Opens a call once its name is known; some name it only in the finished item. */
function openCall(state: ReaderState, item: ItemState, wire: JsonObject, out: CanonicalEvent[]): void {
  const custom = item.type === "custom_tool_call";
  item.call ??= { block: state.nextBlock++, custom, argumentsText: "", opened: false };
  const { call } = item;
  const name = textOf(wire["name"]);
  if (call.opened || name === "") return;
  call.opened = true;
  state.called = true;
  const signature = textOf(wire["signature"]);
  out.push({
    type: "tool-input-start",
    block: call.block,
    choice: 0,
    id: textOf(wire["call_id"]) || textOf(wire["id"]),
    name,
    ...(signature === "" ? {} : { signature }),
  });
  if (custom) out.push({ type: "tool-input-delta", block: call.block, text: '{"input":"' });
  if (call.argumentsText !== "") sendArguments(call, call.argumentsText, out);
}

function addArguments(call: CallBlock, piece: string, out: CanonicalEvent[]): void {
  call.argumentsText += piece;
  if (call.opened && piece !== "") sendArguments(call, piece, out);
}

/** A custom tool's input is free text; in the hub it is the one member of a JSON object, escaped piece by piece. */
function sendArguments(call: CallBlock, piece: string, out: CanonicalEvent[]): void {
  out.push({ type: "tool-input-delta", block: call.block, text: call.custom ? JSON.stringify(piece).slice(1, -1) : piece });
}

function closeCall(item: ItemState, out: CanonicalEvent[]): void {
  const { call } = item;
  item.call = null;
  if (call === null || !call.opened) return;
  if (call.custom) out.push({ type: "tool-input-delta", block: call.block, text: '"}' });
  out.push({ type: "tool-input-end", block: call.block });
}

function closeItem(item: ItemState, out: CanonicalEvent[]): void {
  for (const part of item.parts.values()) closeText(part, out);
  closeReasoning(item, null, out);
  closeCall(item, out);
  item.done = true;
}

interface WholeItem {
  item: JsonObject;
  json: string;
}

function finishItem(state: ReaderState, index: number, whole: WholeItem, out: CanonicalEvent[]): void {
  const known = itemAt(state, index, textOf(whole.item["type"]));
  if (known.done) return;
  const { type } = known;
  if (type === "message") finishMessage(state, index, whole.item, out);
  else if (type === "reasoning") finishReasoning(state, known, whole.item, out);
  else if (isCall(type)) finishCall(state, known, whole.item, out);
  else addOther(state, whole, out);
  closeItem(known, out);
}

function finishMessage(state: ReaderState, index: number, item: JsonObject, out: CanonicalEvent[]): void {
  const contents = objectsOf(item["content"]);
  const { parts } = itemAt(state, index, "message");
  const streamed = [...parts.values()].map((part) => part.text).join("");
  // Some number the parts of the stream otherwise than they stand in the finished item.
  if (parts.size > 0 && streamed === contents.map(contentText).join("")) return;
  for (const [part, content] of contents.entries()) {
    addRest(state, { index, part, refusal: content["type"] === "refusal" }, contentText(content), out);
    const sent = parts.get(part);
    for (const annotation of objectsOf(content["annotations"]).slice(sent?.annotations ?? 0))
      out.push({ type: "source", block: sent?.block ?? null, choice: 0, json: JSON.stringify(annotation) });
  }
}

function contentText(content: JsonObject): string {
  return textOf(content[content["type"] === "refusal" ? "refusal" : "text"]);
}

function objectsOf(list: unknown): JsonObject[] {
  return Array.isArray(list) ? list.filter(isObject) : [];
}

/** Where nothing was streamed, the finished item says it all: the reasoning itself, else its summary. */
function finishReasoning(state: ReaderState, known: ItemState, item: JsonObject, out: CanonicalEvent[]): void {
  const encrypted = textOf(item["encrypted_content"]) || null;
  if (known.reasoning === null) {
    const raw = objectsOf(item["content"]).map((part) => textOf(part["text"]));
    const kind = raw.some((text) => text !== "") ? "raw" : "summary";
    const texts = kind === "raw" ? raw : objectsOf(item["summary"]).map((part) => textOf(part["text"]));
    for (const [part, text] of texts.entries()) addReasoning(state, known, { part, kind }, text, out);
  }
  if (known.reasoning !== null) return closeReasoning(known, encrypted, out);
  if (encrypted === null) return;
  const block = state.nextBlock++;
  // A part without text is signed reasoning that is kept from view; no part at all, redacted reasoning.
  const isSigned = objectsOf(item["content"]).length > 0;
  out.push({ type: "reasoning-start", block, choice: 0, kind: isSigned ? "raw" : "redacted", data: isSigned ? null : encrypted });
  if (isSigned) out.push({ type: "reasoning-signature", block, signature: encrypted });
  out.push({ type: "reasoning-end", block });
}

function finishCall(state: ReaderState, known: ItemState, item: JsonObject, out: CanonicalEvent[]): void {
  openCall(state, known, item, out);
  const { call } = known;
  if (call === null) return;
  const value = item[call.custom ? "input" : "arguments"];
  const whole = typeof value === "string" ? value : value === null || value === undefined ? "" : JSON.stringify(value);
  if (whole.startsWith(call.argumentsText)) addArguments(call, whole.slice(call.argumentsText.length), out);
}

/** Items only this wire has: a picture that was made is a file; what the provider's own tools did is kept as it is. */
function addOther(state: ReaderState, { item, json }: WholeItem, out: CanonicalEvent[]): void {
  const type = textOf(item["type"]);
  const data = textOf(item["result"]);
  if (type !== "image_generation_call" || data === "") {
    out.push({ type: "opaque", protocol: "openai-responses", kind: type, json });
    return;
  }
  const mediaType = `image/${textOf(item["output_format"]) || "png"}`;
  out.push({ type: "file", block: state.nextBlock++, choice: 0, source: { kind: "base64", mediaType, data } });
}
