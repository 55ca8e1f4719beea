/**
 * Canonical events → parts of this wire, one after the other: what a stream's chunks and a whole answer are both made of. Calls wait
 * until they are whole, since their arguments are an object here.
 */
import { createBlockOrder } from "../block-order.ts";
import type { CanonicalEvent, MediaSource } from "../canonical.ts";
import { RawJson } from "../json-text.ts";
import { inputObject } from "../tool-arguments.ts";
import { redactedMember, signatureMember } from "./thought-state.ts";

/** One part of one candidate. `text` tells a piece of running text of that block, which a whole answer joins. */
export interface WrittenPart {
  choice: number;
  block: number | null;
  text: boolean;
  part: Record<string, unknown> | RawJson;
}

interface WriterState {
  choices: Map<number, number>;
  calls: Map<number, { id: string; name: string; argumentsText: string; signature: string | null }>;
}

/** Makes a writer for one answer: give it every event in order, and it answers the parts that are ready. */
export function createPartWriter(): (event: CanonicalEvent) => WrittenPart[] {
  const order = createBlockOrder();
  const state: WriterState = { choices: new Map(), calls: new Map() };
  return (event) => order(event).flatMap((next) => write(state, next));
}

function write(state: WriterState, event: CanonicalEvent): WrittenPart[] {
  const one = (block: number, part: WrittenPart["part"], text = false): WrittenPart[] => [
    { choice: state.choices.get(block) ?? 0, block, text, part },
  ];
  switch (event.type) {
    case "text-start":
      state.choices.set(event.block, event.choice);
      return [];
    case "reasoning-start":
      state.choices.set(event.block, event.choice);
      return event.data === null ? [] : one(event.block, { text: "", thought: true, thoughtSignature: redactedMember(event.data) });
    case "tool-input-start":
      state.choices.set(event.block, event.choice);
      state.calls.set(event.block, { id: event.id, name: event.name, argumentsText: "", signature: event.signature ?? null });
      return [];
    case "text-delta":
      return event.text === "" ? [] : one(event.block, { text: event.text }, true);
    case "reasoning-delta":
      return event.text === "" ? [] : one(event.block, { text: event.text, thought: true }, true);
    case "reasoning-signature":
      return one(event.block, { text: "", thought: true, thoughtSignature: signatureMember(event.signature) });
    case "tool-input-delta": {
      const call = state.calls.get(event.block);
      if (call !== undefined) call.argumentsText += event.text;
      return [];
    }
    case "tool-input-end":
      return writeCall(state, event.block);
    case "file":
      state.choices.set(event.block, event.choice);
      return one(event.block, mediaPart(event.source));
    case "opaque":
      return event.protocol === "gemini" ? [{ choice: 0, block: null, text: false, part: new RawJson(event.json) }] : [];
    default:
      return [];
  }
}

function writeCall(state: WriterState, block: number): WrittenPart[] {
  const call = state.calls.get(block);
  if (call === undefined) return [];
  state.calls.delete(block);
  const part = {
    functionCall: { id: call.id, name: call.name, args: inputObject(call.argumentsText).raw },
    ...(call.signature === null ? {} : { thoughtSignature: signatureMember(call.signature) }),
  };
  return [{ choice: state.choices.get(block) ?? 0, block, text: false, part }];
}

function mediaPart(source: MediaSource): Record<string, unknown> {
  if (source.kind === "base64") return { inlineData: { mimeType: source.mediaType, data: source.data } };
  return { fileData: { fileUri: source.kind === "url" ? source.url : source.id } };
}
