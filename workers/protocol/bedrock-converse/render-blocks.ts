/** The hub's blocks → this wire's. What it demands and other wires do not: media inline and in short words, names of a small alphabet, no empty text. */
import type { Block, CacheMark, CanonicalRequest, Loss, MediaSource } from "../canonical.ts";
import { RawJson } from "../json-text.ts";
import { lossFor } from "../losses.ts";
import { createSpelling } from "../spelling.ts";
import { inputObject } from "../tool-arguments.ts";
import { type LaidMessage, layTurns } from "../turn-layout.ts";
import { documentFormat, imageFormat } from "./media-format.ts";
import { blobOfState } from "./redacted.ts";

const TARGET = "bedrock-converse";
const ID_CHARACTERS_MAX = 64;
const DOCUMENT_NAME_CHARACTERS_MAX = 200;

interface BlockScope {
  /** The caller speaks this wire: its object store is at home, and so is reasoning without a signature. */
  isNative: boolean;
  toolName: (name: string) => string;
  toolId: (id: string) => string;
  documentName: (name: string | null) => string;
  losses: Loss[];
}

/** A cache mark as a block of its own, after the block it marks. */
export function cachePoint(cache: CacheMark | null): object[] {
  return cache === null ? [] : [{ cachePoint: { type: "default", ...(cache.ttl === null ? {} : { ttl: cache.ttl }) } }];
}

/** System blocks and messages of a request; what could not be carried is added to `losses`. `toolName` spells names in the wire's alphabet. */
export function renderTurns(
  request: CanonicalRequest,
  toolName: (name: string) => string,
  losses: Loss[],
): { system: object[]; messages: LaidMessage[] } {
  const scope: BlockScope = {
    isNative: request.protocol === TARGET,
    toolName,
    toolId: createSpelling(ID_CHARACTERS_MAX),
    documentName: createDocumentNames(losses),
    losses,
  };
  return layTurns(request, { target: TARGET, render: (block) => renderBlock(block, scope), isResult }, losses);
}

function isResult(block: object): boolean {
  return "toolResult" in block;
}

/** Names of documents: letters, digits, single spaces, hyphens and brackets, and no two alike in one request. */
function createDocumentNames(losses: Loss[]): (name: string | null) => string {
  const taken = new Set<string>();
  const attempts = new Map<string, number>();
  return (name) => {
    const plain = (name ?? "document")
      .replaceAll(/[^\p{L}\p{N}\s()[\]-]/gu, "-")
      .replaceAll(/\s+/g, " ")
      .slice(0, DOCUMENT_NAME_CHARACTERS_MAX);
    let spelling = plain;
    let attempt = attempts.get(plain) ?? 2;
    for (; taken.has(spelling); attempt++) spelling = `${plain} (${attempt})`;
    attempts.set(plain, attempt);
    taken.add(spelling);
    if (name !== null && spelling !== name) losses.push(lossFor("messages.file.name", TARGET, { note: `→${spelling}` }));
    return spelling;
  };
}

function lose(scope: BlockScope, feature: string, path: string = feature): object[] {
  scope.losses.push(lossFor(feature, TARGET, { path }));
  return [];
}

/** One block and its cache mark; empty when there is nothing to send for it. */
function renderBlock(block: Block, scope: BlockScope): object[] {
  switch (block.type) {
    case "text":
      return block.text.trim() === "" ? [] : [{ text: block.text }, ...cachePoint(block.cache)];
    case "refusal":
      lose(scope, "messages.refusal");
      return block.text.trim() === "" ? [] : [{ text: block.text }];
    case "image":
      return renderImage(block, scope);
    case "file":
      return renderFile(block, scope);
    case "audio":
      // Only bytes have a place, and only models of the wire's own callers are known to hear.
      if (!scope.isNative || block.source.kind !== "base64") return lose(scope, "messages.audio");
      return [{ audio: { format: block.format ?? "wav", source: { bytes: block.source.data } } }];
    case "reasoning":
      return renderReasoning(block, scope);
    case "tool-call":
      return renderCall(block, scope);
    case "tool-result": {
      const status = block.isError === null ? {} : { status: block.isError ? "error" : "success" };
      const content = block.content.flatMap((inner) => renderBlock(inner, scope));
      return [{ toolResult: { toolUseId: scope.toolId(block.callId), content, ...status } }, ...cachePoint(block.cache)];
    }
    case "opaque":
      return block.protocol === TARGET ? [new RawJson(block.json)] : lose(scope, "messages.opaque", `messages.${block.kind}`);
  }
}

/** Bytes, or a place in the provider's own object store; an address is not fetched. Null: it cannot be carried. */
function sourceOf(source: MediaSource, scope: BlockScope): object | null {
  if (source.kind === "base64") return { bytes: source.data };
  return source.kind === "file" && scope.isNative ? { s3Location: { uri: source.id } } : null;
}

/** The ending of a stored object's name. */
function endingOf(source: MediaSource): string {
  return source.kind === "file" ? source.id.slice(source.id.lastIndexOf(".") + 1).toLowerCase() : "";
}

function renderImage(block: Extract<Block, { type: "image" }>, scope: BlockScope): object[] {
  const source = sourceOf(block.source, scope);
  const ending = endingOf(block.source).replace("jpg", "jpeg");
  const format = block.source.kind === "base64" ? imageFormat(block.source.mediaType) : imageFormat(`image/${ending}`);
  if (block.detail !== null && block.detail !== "auto") lose(scope, "messages.image.detail");
  if (source === null || format === null) return lose(scope, "messages.image");
  return [{ image: { format, source } }, ...cachePoint(block.cache)];
}

function renderFile(block: Extract<Block, { type: "file" }>, scope: BlockScope): object[] {
  const source = sourceOf(block.source, scope);
  const format = block.source.kind === "base64" ? documentFormat(block.source.mediaType) : endingOf(block.source);
  if (source === null || format === null) return lose(scope, "messages.file");
  return [{ document: { format, name: scope.documentName(block.name), source } }, ...cachePoint(block.cache)];
}

/** State that is left here is the target's own. Text without it is only sent back to where it came from. */
function renderReasoning(block: Extract<Block, { type: "reasoning" }>, scope: BlockScope): object[] {
  if (block.data !== null) return [{ reasoningContent: { redactedContent: blobOfState(block.data) } }];
  if (block.signature !== null) return [{ reasoningContent: { reasoningText: { text: block.text, signature: block.signature } } }];
  if (scope.isNative && block.text !== "") return [{ reasoningContent: { reasoningText: { text: block.text } } }];
  return lose(scope, "messages.reasoning");
}

function renderCall(block: Extract<Block, { type: "tool-call" }>, scope: BlockScope): object[] {
  const input = inputObject(block.argumentsText);
  if (input.isWrapped) {
    const where = { path: "messages.tool_calls.arguments", note: "not an object: sent as {_raw}" };
    scope.losses.push(lossFor("messages.tool-call.arguments", TARGET, where));
  }
  const toolUse = { toolUseId: scope.toolId(block.id), name: scope.toolName(block.name), input: input.raw };
  return [{ toolUse }, ...cachePoint(block.cache)];
}
