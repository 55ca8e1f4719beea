/**
 * Reads the parts of one candidate, whole or chunk by chunk: one reader for both, so that the two can never disagree. Text of one kind joins
 * the block that is open; a part with a signature is never joined to one without (protocols.md §5.3, 16).
 */
import { isObject, type JsonObject } from "../../../schema/json.ts";
import type { CanonicalEvent } from "../canonical.ts";
import { sliceAt } from "../json-text.ts";
import { createPartialArguments, type PartialArguments } from "./partial-call.ts";

export interface PartScope {
  choice: number;
  nextBlock: () => number;
  /** An id for a call whose provider gave none; the same for the same answer. */
  synthesiseId: () => string;
}

export interface PartReader {
  /** `source` gives the part's own JSON text; asked for only where it matters. */
  read(part: JsonObject, source: () => string, out: CanonicalEvent[]): void;
  closeAll(out: CanonicalEvent[]): void;
  calls(): number;
}

interface PartState {
  scope: PartScope;
  text: number | null;
  reasoning: number | null;
  call: { block: number; partial: PartialArguments } | null;
  calls: number;
}

export function createPartReader(scope: PartScope): PartReader {
  const state: PartState = { scope, text: null, reasoning: null, call: null, calls: 0 };
  return {
    read(part, source, out) {
      readPart(state, part, source, out);
    },
    closeAll(out) {
      closeCall(state, out);
      closeProse(state, out);
    },
    calls: () => state.calls,
  };
}

function filled(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}

function readPart(state: PartState, part: JsonObject, source: () => string, out: CanonicalEvent[]): void {
  const signature = filled(part["thoughtSignature"]);
  if (isObject(part["functionCall"])) return readCall(state, part["functionCall"], signature, source, out);
  if (typeof part["text"] === "string") {
    closeCall(state, out);
    return part["thought"] === true ? readThought(state, part["text"], signature, out) : readText(state, part["text"], signature, out);
  }
  const kind = Object.keys(part).find((key) => key !== "thoughtSignature" && key !== "thought");
  if (kind === undefined) {
    if (signature !== null) addSignature(state, signature, out);
    return;
  }
  closeCall(state, out);
  closeProse(state, out);
  const { inlineData: media } = part;
  if (isObject(media) && typeof media["data"] === "string" && part["thought"] !== true) {
    if (signature !== null) addSignature(state, signature, out);
    const mediaType = filled(media["mimeType"]) ?? "application/octet-stream";
    const { choice, nextBlock } = state.scope;
    out.push({ type: "file", block: nextBlock(), choice, source: { kind: "base64", mediaType, data: media["data"] } });
    return;
  }
  out.push({ type: "opaque", protocol: "gemini", kind, json: source() });
}

function readText(state: PartState, text: string, signature: string | null, out: CanonicalEvent[]): void {
  if (signature !== null) addSignature(state, signature, out);
  if (text === "") return;
  if (state.text === null) {
    closeProse(state, out);
    state.text = state.scope.nextBlock();
    out.push({ type: "text-start", block: state.text, choice: state.scope.choice, refusal: false });
  }
  out.push({ type: "text-delta", block: state.text, text });
  if (signature !== null) closeProse(state, out);
}

function openReasoning(state: PartState, out: CanonicalEvent[]): number {
  if (state.reasoning !== null) return state.reasoning;
  closeProse(state, out);
  state.reasoning = state.scope.nextBlock();
  // What the wire shows of thinking is a summary of it.
  out.push({ type: "reasoning-start", block: state.reasoning, choice: state.scope.choice, kind: "summary", data: null });
  return state.reasoning;
}

function readThought(state: PartState, text: string, signature: string | null, out: CanonicalEvent[]): void {
  const block = openReasoning(state, out);
  if (text !== "") out.push({ type: "reasoning-delta", block, text });
  if (signature !== null) addSignature(state, signature, out);
}

/**
 * A signature stands on the part that follows the thinking. Other wires keep it with the thinking itself, so it closes the thoughts that
 * are open, or becomes reasoning without text.
 */
function addSignature(state: PartState, signature: string, out: CanonicalEvent[]): void {
  out.push({ type: "reasoning-signature", block: openReasoning(state, out), signature });
  closeProse(state, out);
}

/** A call that names its function begins; one that does not goes on with the call that is open. */
function readCall(state: PartState, call: JsonObject, signature: string | null, source: () => string, out: CanonicalEvent[]): void {
  const name = filled(call["name"]);
  const goesOn = call["willContinue"] === true;
  if (name !== null) {
    closeCall(state, out);
    if (signature !== null) addSignature(state, signature, out);
    closeProse(state, out);
    const { choice, nextBlock, synthesiseId } = state.scope;
    const block = nextBlock();
    const id = filled(call["id"]) ?? synthesiseId();
    state.calls += 1;
    out.push({ type: "tool-input-start", block, choice, id, name, ...(signature === null ? {} : { signature }) });
    if (!goesOn && call["partialArgs"] === undefined) {
      const text = isObject(call["args"]) ? (sliceAt(source(), ["functionCall", "args"]) ?? "{}") : "{}";
      out.push({ type: "tool-input-delta", block, text }, { type: "tool-input-end", block });
      return;
    }
    state.call = { block, partial: createPartialArguments() };
  }
  if (state.call === null) return;
  if (Array.isArray(call["partialArgs"]))
    state.call.partial.add(call["partialArgs"], sliceAt(source(), ["functionCall", "partialArgs"]) ?? "[]");
  if (!goesOn) closeCall(state, out);
}

function closeCall(state: PartState, out: CanonicalEvent[]): void {
  if (state.call === null) return;
  const { block, partial } = state.call;
  state.call = null;
  out.push({ type: "tool-input-delta", block, text: partial.text() }, { type: "tool-input-end", block });
}

function closeProse(state: PartState, out: CanonicalEvent[]): void {
  if (state.reasoning !== null) out.push({ type: "reasoning-end", block: state.reasoning });
  if (state.text !== null) out.push({ type: "text-end", block: state.text });
  state.reasoning = null;
  state.text = null;
}
