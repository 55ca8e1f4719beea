/** Reads the content blocks of an answer, whole or delta by delta: one reader for both, so that the two can never disagree. */
import { isObject, type JsonObject } from "../../../schema/json.ts";
import { joinBase64 } from "../base64.ts";
import type { CanonicalEvent } from "../canonical.ts";

const PROTOCOL = "bedrock-converse";

/** A block of the answer that is open now. */
export interface OpenBlock {
  block: number;
  kind: "text" | "reasoning" | "tool" | "image" | "opaque";
  /** A tool call that has had no argument text yet. */
  empty: boolean;
  /** An image's format, and its bytes in base64 as far as they came. */
  format: string;
  pieces: string[];
}

type Kind = OpenBlock["kind"];

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** What a delta is about; null for one that says nothing we know. */
function kindOf(delta: JsonObject): Kind | null {
  if (typeof delta["text"] === "string" || isObject(delta["citation"])) return "text";
  if (isObject(delta["reasoningContent"])) return "reasoning";
  if (isObject(delta["toolUse"])) return "tool";
  if (isObject(delta["image"])) return "image";
  return null;
}

function opened(block: number, kind: Kind, format = ""): OpenBlock {
  return { block, kind, empty: true, format, pieces: [] };
}

export function addOpaque(kind: string, value: unknown, out: CanonicalEvent[]): void {
  out.push({ type: "opaque", protocol: PROTOCOL, kind, json: JSON.stringify(value) });
}

/** Opens what a start announces: a call or an image. A server tool and its result stay its own protocol's. Null: the first delta opens it. */
export function startBlock(start: JsonObject, block: number, out: CanonicalEvent[]): OpenBlock | null {
  const { toolUse, image } = start;
  if (isObject(toolUse) && toolUse["type"] !== "server_tool_use") {
    out.push({ type: "tool-input-start", block, choice: 0, id: textOf(toolUse["toolUseId"]), name: textOf(toolUse["name"]) });
    return opened(block, "tool");
  }
  if (isObject(image)) return opened(block, "image", textOf(image["format"]));
  const [kind] = Object.keys(start);
  if (kind === undefined) return null;
  addOpaque(kind, start, out);
  return opened(block, "opaque");
}

/** Opens the block that this delta is the first of; null when the delta opens none. */
export function openByDelta(delta: JsonObject, block: number, out: CanonicalEvent[]): OpenBlock | null {
  const kind = kindOf(delta);
  if (kind === "text") {
    out.push({ type: "text-start", block, choice: 0, refusal: false });
    return opened(block, kind);
  }
  if (kind !== "reasoning") return null;
  const reasoning = isObject(delta["reasoningContent"]) ? delta["reasoningContent"] : {};
  const data = typeof reasoning["redactedContent"] === "string" ? reasoning["redactedContent"] : null;
  out.push({ type: "reasoning-start", block, choice: 0, kind: data === null ? "raw" : "redacted", data });
  return opened(block, kind);
}

/** Whether a delta goes on with an open block. Redacted reasoning comes whole, so a second piece is another block. */
export function goesOn(open: OpenBlock, delta: JsonObject): boolean {
  const kind = kindOf(delta);
  const reasoning = delta["reasoningContent"];
  if (open.kind === "reasoning" && isObject(reasoning) && typeof reasoning["redactedContent"] === "string") return false;
  return kind === open.kind || open.kind === "opaque" || kind === null;
}

/** Applies one delta to its open block. */
export function applyDelta(delta: JsonObject, open: OpenBlock, out: CanonicalEvent[]): void {
  const { block } = open;
  switch (open.kind) {
    case "text":
      if (textOf(delta["text"]) !== "") out.push({ type: "text-delta", block, text: textOf(delta["text"]) });
      if (isObject(delta["citation"])) out.push({ type: "source", block, choice: 0, json: JSON.stringify(delta["citation"]) });
      return;
    case "reasoning": {
      const reasoning = isObject(delta["reasoningContent"]) ? delta["reasoningContent"] : {};
      if (textOf(reasoning["text"]) !== "") out.push({ type: "reasoning-delta", block, text: textOf(reasoning["text"]) });
      if (textOf(reasoning["signature"]) !== "")
        out.push({ type: "reasoning-signature", block, signature: textOf(reasoning["signature"]) });
      return;
    }
    case "tool": {
      const input = isObject(delta["toolUse"]) ? textOf(delta["toolUse"]["input"]) : "";
      if (input === "") return;
      open.empty = false;
      out.push({ type: "tool-input-delta", block, text: input });
      return;
    }
    case "image": {
      const source = isObject(delta["image"]) ? delta["image"]["source"] : null;
      if (isObject(source) && typeof source["bytes"] === "string") open.pieces.push(source["bytes"]);
      return;
    }
    case "opaque":
      addOpaque(Object.keys(delta)[0] ?? "", delta, out);
  }
}

/** Closes a block. A tool called without arguments was called with `{}`. */
export function closeBlock(open: OpenBlock, out: CanonicalEvent[]): void {
  const { block } = open;
  if (open.kind === "text") out.push({ type: "text-end", block });
  else if (open.kind === "reasoning") out.push({ type: "reasoning-end", block });
  else if (open.kind === "tool") {
    if (open.empty) out.push({ type: "tool-input-delta", block, text: "{}" });
    out.push({ type: "tool-input-end", block });
  } else if (open.kind === "image" && open.pieces.length > 0) {
    const source = { kind: "base64" as const, mediaType: `image/${open.format}`, data: joinBase64(open.pieces) };
    out.push({ type: "file", block, choice: 0, source });
  }
}

/** One block of a whole answer, as the events its stream would give. `inputText` is the raw JSON of a call's input. */
export function readWholeBlock(content: JsonObject, inputText: string | null, next: () => number, out: CanonicalEvent[]): void {
  const { toolUse, citationsContent, image, reasoningContent } = content;
  const play = (open: OpenBlock | null, deltas: readonly JsonObject[]): void => {
    if (open === null) return;
    for (const delta of deltas) applyDelta(delta, open, out);
    closeBlock(open, out);
  };
  if (typeof content["text"] === "string") return play(openByDelta(content, next(), out), [content]);
  if (isObject(reasoningContent)) {
    const delta = { reasoningContent: isObject(reasoningContent["reasoningText"]) ? reasoningContent["reasoningText"] : reasoningContent };
    return play(openByDelta(delta, next(), out), [delta]);
  }
  if (isObject(citationsContent)) {
    const deltas = [
      ...objectsOf(citationsContent["content"]),
      ...objectsOf(citationsContent["citations"]).map((citation) => ({ citation })),
    ];
    const [first] = deltas;
    return play(first === undefined ? null : openByDelta(first, next(), out), deltas);
  }
  if (isObject(image)) {
    return play(startBlock({ image }, next(), out), [{ image }]);
  }
  if (isObject(toolUse)) return play(startBlock({ toolUse }, next(), out), [{ toolUse: { input: inputText === "{}" ? "" : inputText } }]);
  addOpaque(Object.keys(content)[0] ?? "", content, out);
}

function objectsOf(value: unknown): JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}
