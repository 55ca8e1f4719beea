/** Reads the content blocks of an answer, whole or delta by delta: one reader for both, so that the two can never disagree. */
import { isObject, type JsonObject } from "../../../schema/json.ts";
import type { CanonicalEvent } from "../canonical.ts";

export type OpenKind = "text" | "reasoning" | "tool" | "opaque";

/** A block of the stream that is open now. */
export interface OpenBlock {
  block: number;
  kind: OpenKind;
  /** A tool call that has had no argument text yet. */
  empty: boolean;
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** Opens a block. `inputText` is the raw JSON of a tool's input where the block already has it. */
export function openBlock(content: JsonObject, block: number, inputText: string | null, out: CanonicalEvent[]): OpenBlock {
  const open = (kind: OpenKind): OpenBlock => ({ block, kind, empty: true });
  switch (content["type"]) {
    case "text":
      out.push({ type: "text-start", block, choice: 0, refusal: false });
      addText(text(content["text"]), block, out);
      addCitations(content["citations"], block, out);
      return open("text");
    case "thinking":
      out.push({ type: "reasoning-start", block, choice: 0, kind: "raw", data: null });
      if (text(content["thinking"]) !== "") out.push({ type: "reasoning-delta", block, text: text(content["thinking"]) });
      if (text(content["signature"]) !== "") out.push({ type: "reasoning-signature", block, signature: text(content["signature"]) });
      return open("reasoning");
    case "redacted_thinking":
      out.push({ type: "reasoning-start", block, choice: 0, kind: "redacted", data: text(content["data"]) });
      return open("reasoning");
    case "tool_use": {
      const opened = open("tool");
      out.push({ type: "tool-input-start", block, choice: 0, id: text(content["id"]), name: text(content["name"]) });
      if (inputText !== null && inputText !== "{}") {
        opened.empty = false;
        out.push({ type: "tool-input-delta", block, text: inputText });
      }
      return opened;
    }
    default:
      out.push({ type: "opaque", protocol: "anthropic-messages", kind: text(content["type"]), json: JSON.stringify(content) });
      return open("opaque");
  }
}

function addText(value: string, block: number, out: CanonicalEvent[]): void {
  if (value !== "") out.push({ type: "text-delta", block, text: value });
}

function addCitations(citations: unknown, block: number, out: CanonicalEvent[]): void {
  if (!Array.isArray(citations)) return;
  for (const citation of citations) out.push({ type: "source", block, choice: 0, json: JSON.stringify(citation) });
}

/** Applies one delta to its open block. Deltas of blocks we carry whole (server tools) are kept as they are. */
export function applyDelta(delta: JsonObject, opened: OpenBlock, out: CanonicalEvent[]): void {
  const { block } = opened;
  switch (delta["type"]) {
    case "text_delta":
      if (opened.kind === "text") addText(text(delta["text"]), block, out);
      return;
    case "thinking_delta":
      if (opened.kind === "reasoning" && text(delta["thinking"]) !== "")
        out.push({ type: "reasoning-delta", block, text: text(delta["thinking"]) });
      return;
    case "signature_delta":
      if (opened.kind === "reasoning") out.push({ type: "reasoning-signature", block, signature: text(delta["signature"]) });
      return;
    case "input_json_delta": {
      const piece = text(delta["partial_json"]);
      if (opened.kind !== "tool" || piece === "") return;
      opened.empty = false;
      out.push({ type: "tool-input-delta", block, text: piece });
      return;
    }
    case "citations_delta":
      if (isObject(delta["citation"])) out.push({ type: "source", block, choice: 0, json: JSON.stringify(delta["citation"]) });
      return;
    default:
      out.push({ type: "opaque", protocol: "anthropic-messages", kind: text(delta["type"]), json: JSON.stringify(delta) });
  }
}

/** Closes a block. A tool called without arguments was called with `{}`. */
export function closeBlock(opened: OpenBlock, out: CanonicalEvent[]): void {
  const { block } = opened;
  if (opened.kind === "text") out.push({ type: "text-end", block });
  else if (opened.kind === "reasoning") out.push({ type: "reasoning-end", block });
  else if (opened.kind === "tool") {
    if (opened.empty) out.push({ type: "tool-input-delta", block, text: "{}" });
    out.push({ type: "tool-input-end", block });
  }
}
