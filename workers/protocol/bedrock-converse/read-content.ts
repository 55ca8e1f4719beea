/** Content blocks of a caller's messages → the hub's blocks. */
import { checkWith, isObject } from "../../../schema/json.ts";
import { type ConverseBlock, converseBlockSchema } from "../../../schema/wire/bedrock-converse.ts";
import { base64OfText } from "../base64.ts";
import type { Block, CacheMark, MediaSource } from "../canonical.ts";
import { type JsonSource, textAt } from "../json-source.ts";
import type { JsonPath } from "../json-text.ts";
import { demand, WrongField } from "../request-body.ts";
import { mediaTypeOfDocument } from "./media-format.ts";
import { stateOfBlob } from "./redacted.ts";

/** What the blocks held that the hub has no place for: added to the request's `rest`. */
type Rest = Record<string, unknown>;

export function readCachePoint(point: NonNullable<ConverseBlock["cachePoint"]>): CacheMark {
  return { ttl: point.ttl === "5m" || point.ttl === "1h" ? point.ttl : null };
}

/** A block that can carry a mark. */
type Markable = Extract<Block, { cache: CacheMark | null }>;

/** Reads the blocks at `path`. A cache point marks the block before it. A block that is wrong is named by its own path. */
export function readContent(content: readonly unknown[], path: JsonPath, body: JsonSource, rest: Rest): Block[] {
  const blocks: Block[] = [];
  let marked: Markable | null = null;
  for (const [index, raw] of content.entries()) {
    const where = [...path, index];
    const checked = checkWith(converseBlockSchema, raw);
    if (!checked.ok) throw new WrongField([...where, ...(checked.path === null ? [] : [checked.path])].join("."), checked.message);
    const block = checked.value;
    if (block.cachePoint) {
      const mark = readCachePoint(block.cachePoint);
      if (marked === null) rest["cache_control"] = mark;
      else marked.cache = mark;
      continue;
    }
    const read = readBlock(block, where, body, rest);
    if ("cache" in read) marked = read;
    blocks.push(read);
  }
  return blocks;
}

function readBlock(block: ConverseBlock, path: JsonPath, body: JsonSource, rest: Rest): Block {
  const where = path.join(".");
  if (typeof block.text === "string") return { type: "text", text: block.text, cache: null };
  if (block.image) return { type: "image", source: readImage(block.image, where), detail: null, cache: null };
  if (block.audio) return readAudio(block.audio, path, body);
  if (block.document) return readDocument(block.document, path, body);
  if (block.reasoningContent) return readReasoning(block.reasoningContent, where);
  if (block.toolUse) return readCall(block.toolUse, path, body);
  if (block.toolResult) return readResult(block.toolResult, path, body, rest);
  if (block.citationsContent) {
    // The text is the answer; which passages it came from has no place in another wire's history.
    rest["messages.citations"] = true;
    const text = (block.citationsContent.content ?? []).map((part) => part.text ?? "").join("");
    return { type: "text", text, cache: null };
  }
  if ("json" in block) {
    const text = textAt(body, [...path, "json"]);
    return { type: "text", text: text ?? "null", cache: null };
  }
  return opaque(path, body);
}

function opaque(path: JsonPath, body: JsonSource): Block {
  const json = textAt(body, path) ?? "{}";
  const kind = /^\{\s*"(\w+)"/.exec(json)?.[1] ?? "unknown";
  return { type: "opaque", protocol: "bedrock-converse", kind, json };
}

function readImage(image: NonNullable<ConverseBlock["image"]>, where: string): MediaSource {
  const source = demand(image.source, `${where}.image.source`);
  if (source.s3Location) return { kind: "file", id: source.s3Location.uri };
  const data = demand(source.bytes, `${where}.image.source.bytes`);
  return { kind: "base64", mediaType: `image/${demand(image.format, `${where}.image.format`)}`, data };
}

function readAudio(audio: NonNullable<ConverseBlock["audio"]>, path: JsonPath, body: JsonSource): Block {
  const bytes = audio.source?.bytes;
  if (typeof bytes !== "string") return opaque(path, body);
  const format = audio.format ?? null;
  return { type: "audio", source: { kind: "base64", mediaType: `audio/${format ?? "wav"}`, data: bytes }, format };
}

/** A document of its own bytes or text; one that is to be cited, or has a context or blocks inside, no other wire knows. */
function readDocument(document: NonNullable<ConverseBlock["document"]>, path: JsonPath, body: JsonSource): Block {
  const { source, name } = document;
  const cites = isObject(document.citations) && document.citations["enabled"] === true;
  const file = (from: MediaSource): Block => ({ type: "file", source: from, name: name ?? null, cache: null });
  if (cites || document.context || !source) return opaque(path, body);
  if (source.s3Location) return file({ kind: "file", id: source.s3Location.uri });
  const mediaType = mediaTypeOfDocument(document.format ?? "txt");
  if (typeof source.bytes === "string") return file({ kind: "base64", mediaType, data: source.bytes });
  if (typeof source.text === "string") return file({ kind: "base64", mediaType, data: base64OfText(source.text) });
  return opaque(path, body);
}

function readReasoning(reasoning: NonNullable<ConverseBlock["reasoningContent"]>, where: string): Block {
  if (typeof reasoning.redactedContent === "string")
    return { type: "reasoning", kind: "redacted", text: "", signature: null, data: stateOfBlob(reasoning.redactedContent) };
  const { text, signature } = demand(reasoning.reasoningText, `${where}.reasoningContent.reasoningText`);
  return { type: "reasoning", kind: "raw", text: text ?? "", signature: signature ? signature : null, data: null };
}

function readCall(call: NonNullable<ConverseBlock["toolUse"]>, path: JsonPath, body: JsonSource): Block {
  if (call.type === "server_tool_use") return opaque(path, body);
  const argumentsText = textAt(body, [...path, "toolUse", "input"]);
  if (argumentsText?.startsWith("{") !== true) throw new WrongField(`${path.join(".")}.toolUse.input`, "must be an object");
  return { type: "tool-call", id: call.toolUseId, name: call.name, argumentsText, cache: null };
}

function readResult(result: NonNullable<ConverseBlock["toolResult"]>, path: JsonPath, body: JsonSource, rest: Rest): Block {
  const content = readContent(result.content ?? [], [...path, "toolResult", "content"], body, rest);
  const isError = result.status === "error" ? true : result.status === "success" ? false : null;
  return { type: "tool-result", callId: result.toolUseId, name: null, content, isError, cache: null };
}
