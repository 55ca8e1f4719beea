/** The dialects of content and reasoning in a Chat provider's message or delta. */
import { isObject, type JsonObject } from "../../../schema/json.ts";
import type { ReasoningKind } from "../canonical.ts";

/** One piece of reasoning. `data` opens a block of its own (redacted reasoning); `text` may be empty beside a signature. */
export interface ReasoningPiece {
  kind: ReasoningKind;
  text: string;
  signature: string | null;
  data: string | null;
}

const NO_PIECES: readonly ReasoningPiece[] = [];

function filled(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}

/**
 * Reasoning of one delta: `reasoning_content`, else `reasoning`, else the texts of `reasoning_details`. A provider that sends several of these says
 * the same thing in each, so one is taken; signatures and encrypted reasoning stand only in the details.
 */
export function reasoningPieces(delta: JsonObject): readonly ReasoningPiece[] {
  const plain = filled(delta["reasoning_content"]) ?? filled(delta["reasoning"]);
  const details = delta["reasoning_details"];
  if (!Array.isArray(details) || details.length === 0) {
    return plain === null ? NO_PIECES : [{ kind: "raw", text: plain, signature: null, data: null }];
  }
  const pieces: ReasoningPiece[] = [];
  const detailed = details.some((detail) => isObject(detail) && (filled(detail["text"]) ?? filled(detail["summary"])) !== null);
  if (plain !== null && !detailed) pieces.push({ kind: "raw", text: plain, signature: null, data: null });
  for (const detail of details) {
    if (!isObject(detail)) continue;
    const kind = detail["type"] === "reasoning.summary" ? "summary" : "raw";
    const text = filled(detail["text"]) ?? filled(detail["summary"]) ?? "";
    const signature = filled(detail["signature"]);
    const data = filled(detail["data"]);
    if (text !== "" || signature !== null) pieces.push({ kind, text, signature, data: null });
    if (data !== null) pieces.push({ kind: "redacted", text: "", signature: null, data });
  }
  return pieces;
}

/** One part of a `content` that is a list (Mistral): text, thinking, or something to show beside the text. */
export type ContentPiece = { kind: "text"; text: string } | { kind: "thinking"; text: string } | { kind: "source"; json: string };

export function readPartsOf(content: readonly unknown[]): ContentPiece[] {
  const pieces: ContentPiece[] = [];
  for (const part of content) {
    if (typeof part === "string") pieces.push({ kind: "text", text: part });
    if (!isObject(part)) continue;
    const text = filled(part["text"]);
    if (part["type"] === "thinking") {
      const thinking = part["thinking"];
      const inner = typeof thinking === "string" ? thinking : Array.isArray(thinking) ? joinTexts(thinking) : "";
      if (inner !== "") pieces.push({ kind: "thinking", text: inner });
    } else if (text !== null) {
      pieces.push({ kind: "text", text });
    } else if (part["type"] !== "text") {
      pieces.push({ kind: "source", json: JSON.stringify(part) });
    }
  }
  return pieces;
}

function joinTexts(parts: readonly unknown[]): string {
  return parts.map((part) => (isObject(part) ? (filled(part["text"]) ?? "") : typeof part === "string" ? part : "")).join("");
}
