/**
 * Turns → this wire's contents. What it demands and other wires do not: only `user` and `model`, system text apart, results that name their
 * function and stand by themselves in the order of their calls, signatures on the part after the thinking.
 */
import { isObject, parseJson } from "../../../schema/json.ts";
import type { Block, CanonicalRequest, Loss, MediaSource, Turn } from "../canonical.ts";
import { RawJson } from "../json-text.ts";
import { lossFor } from "../losses.ts";
import type { LinkedMedia } from "../protocol.ts";
import { inputObject } from "../tool-arguments.ts";
import { PLACE_ID } from "./parse-contents.ts";
import { wantsSignatures } from "./thinking.ts";

const TARGET = "gemini";

/** What the wire itself documents for calls of another model's history, where it would refuse one without a signature. */
const NO_SIGNATURE = "skip_thought_signature_validator";

type Part = Record<string, unknown> | RawJson;
type ToolCall = Extract<Block, { type: "tool-call" }>;
type ToolResult = Extract<Block, { type: "tool-result" }>;

interface Content {
  role: "user" | "model";
  parts: Part[];
}

interface TurnScope {
  /** The caller speaks this wire: its file addresses and ids are at home. */
  isNative: boolean;
  /** The model refuses a first call without a signature. */
  signsCalls: boolean;
  toolName: (name: string) => string;
  /** Name and place of every call so far, by id. */
  calls: Map<string, { name: string; place: number }>;
  /** The place of the call that a rendered result answers. */
  places: Map<Part, number>;
  /** Contents that hold results and nothing else. */
  results: Set<Content>;
  losses: Loss[];
}

function lose(scope: TurnScope, feature: string, where: { path?: string; note?: string } = {}): void {
  scope.losses.push(lossFor(feature, TARGET, where));
}

/** System parts and contents of a request; what could not be carried is added to `losses`. `toolName` spells names in the wire's alphabet. */
export function renderTurns(
  request: CanonicalRequest,
  options: { model: string; toolName: (name: string) => string },
  losses: Loss[],
): { system: Part[]; contents: Content[] } {
  const isNative = request.protocol === TARGET;
  const signsCalls = wantsSignatures(options.model);
  const scope: TurnScope = {
    isNative,
    signsCalls,
    toolName: options.toolName,
    calls: new Map(),
    places: new Map(),
    results: new Set(),
    losses,
  };
  const system: Part[] = [];
  const contents: Content[] = [];
  for (const turn of request.turns) {
    const isSystem = turn.role === "system" || turn.role === "developer";
    // A result's name is its call's.
    if (turn.name !== null && turn.role !== "tool") lose(scope, "messages.name");
    if (isSystem && contents.length === 0) {
      for (const part of renderParts(turn.blocks, scope)) system.push(part);
      continue;
    }
    if (isSystem) lose(scope, "messages.system-position");
    if (turn.role === "assistant") add(contents, "model", renderModel(turn, scope), scope);
    else addUser(contents, isSystem ? systemAsUser(turn) : turn.blocks, scope);
  }
  // The order of their calls is the only key of two calls to one function.
  for (const { parts } of scope.results) parts.sort((first, second) => (scope.places.get(first) ?? 0) - (scope.places.get(second) ?? 0));
  if (contents.length === 0 && system.length > 0) {
    // The wire demands a content; a request of nothing but system text is the user's word here.
    lose(scope, "messages.system-position");
    contents.push({ role: "user", parts: system.splice(0) });
  }
  return { system, contents };
}

/** A system text in the middle of a conversation becomes a user's, and says what it is. */
function systemAsUser(turn: Turn): Block[] {
  return turn.blocks.map((block) => (block.type === "text" ? { ...block, text: `<system>\n${block.text}\n</system>` } : block));
}

/** Consecutive turns of one side are one content, but for results, which stand by themselves. */
function add(contents: Content[], role: Content["role"], parts: Part[], scope: TurnScope, areResults = false): void {
  if (parts.length === 0) return;
  const last = contents.at(-1);
  if (last?.role === role && scope.results.has(last) === areResults) {
    // One by one: a call takes only so many arguments.
    for (const part of parts) last.parts.push(part);
    return;
  }
  const content = { role, parts };
  contents.push(content);
  if (areResults) scope.results.add(content);
}

/** Results first, also those of turns of their own. */
function addUser(contents: Content[], blocks: readonly Block[], scope: TurnScope): void {
  const results = blocks.filter((block): block is ToolResult => block.type === "tool-result");
  const rest = blocks.filter((block) => block.type !== "tool-result");
  add(
    contents,
    "user",
    results.map((result) => renderResult(result, scope)),
    scope,
    true,
  );
  add(contents, "user", renderParts(rest, scope), scope);
}

function renderResult(result: ToolResult, scope: TurnScope): Part {
  const call = scope.calls.get(result.callId);
  const texts = result.content.flatMap((block) => (block.type === "text" || block.type === "refusal" ? [block.text] : []));
  const media = result.content.filter((block) => block.type !== "text" && block.type !== "refusal");
  noteCache(result, scope);
  const part = {
    functionResponse: {
      ...idOf(result.callId, scope),
      name: scope.toolName(result.name ?? call?.name ?? result.callId),
      response: responseOf(texts.join("\n"), result.isError === true),
      ...(media.length === 0 ? {} : { parts: renderParts(media, scope) }),
    },
  };
  scope.places.set(part, call?.place ?? Number.MAX_SAFE_INTEGER);
  return part;
}

/** Ids go back to a caller's own provider alone; elsewhere name and order say it, and not every release of the wire knows ids. */
function idOf(id: string, scope: TurnScope): object {
  return scope.isNative && !id.startsWith(PLACE_ID) ? { id } : {};
}

/** The object a result must be: the text itself where it is one, else the wire's own convention. */
function responseOf(text: string, isError: boolean): RawJson | object {
  const parsed = text.trimStart().startsWith("{") ? parseJson(text) : null;
  const value = parsed?.ok === true && isObject(parsed.value) ? new RawJson(text.trim()) : null;
  if (isError) return { error: value ?? text };
  return value ?? { result: text };
}

function noteCache(block: Block, scope: TurnScope): void {
  if ("cache" in block && block.cache !== null) lose(scope, "cache_control");
}

/**
 * A model's turn. The signature of thinking stands on the next part; with none after it, on an empty text. Every first call of a turn has
 * one, where the model refuses it otherwise.
 */
function renderModel(turn: Turn, scope: TurnScope): Part[] {
  const parts: Part[] = [];
  let pending: string | null = null;
  let isFirstCall = true;
  for (const block of turn.blocks) {
    if (block.type === "reasoning") {
      if (pending !== null && pending !== block.signature) parts.push({ text: "", thoughtSignature: pending });
      pending = block.signature ?? null;
      parts.push(...renderThought(block, scope));
    } else if (block.type === "tool-call") {
      const signature: string | null = block.signature ?? pending ?? (isFirstCall && scope.signsCalls ? NO_SIGNATURE : null);
      parts.push(renderCall(block, signature, scope));
      pending = null;
      isFirstCall = false;
    } else {
      const part = renderPart(block, scope);
      if (part === null) continue;
      parts.push(pending === null || part instanceof RawJson ? part : { ...part, thoughtSignature: pending });
      if (!(part instanceof RawJson)) pending = null;
    }
  }
  if (pending !== null) parts.push({ text: "", thoughtSignature: pending });
  return parts;
}

/** Thinking that this wire's own model did goes back; another's means nothing here. */
function renderThought(block: Extract<Block, { type: "reasoning" }>, scope: TurnScope): Part[] {
  if (!scope.isNative && block.signature === null) {
    lose(scope, "messages.reasoning");
    return [];
  }
  return block.text === "" ? [] : [{ text: block.text, thought: true }];
}

function renderCall(block: ToolCall, signature: string | null, scope: TurnScope): Part {
  noteCache(block, scope);
  scope.calls.set(block.id, { name: block.name, place: scope.calls.size });
  const args = inputObject(block.argumentsText);
  if (args.isWrapped)
    lose(scope, "messages.tool-call.arguments", { path: "messages.tool_calls.arguments", note: "not an object: sent as {_raw}" });
  return {
    functionCall: { ...idOf(block.id, scope), name: scope.toolName(block.name), args: args.raw },
    ...(signature === null ? {} : { thoughtSignature: signature }),
  };
}

function renderParts(blocks: readonly Block[], scope: TurnScope): Part[] {
  return blocks.map((block) => renderPart(block, scope)).filter((part) => part !== null);
}

/** One block of no special kind; null when there is nothing to send for it. */
function renderPart(block: Block, scope: TurnScope): Part | null {
  noteCache(block, scope);
  switch (block.type) {
    case "text":
      return block.text === "" ? null : { text: block.text };
    case "refusal":
      lose(scope, "messages.refusal");
      return block.text === "" ? null : { text: block.text };
    case "image":
      if (block.detail !== null && block.detail !== "auto") lose(scope, "messages.image.detail");
      return renderMedia(block.source, "image/jpeg") ?? loseMedia(scope, "messages.image");
    case "file":
      if (block.name !== null) lose(scope, "messages.file.name");
      return renderMedia(block.source, "application/pdf") ?? loseMedia(scope, "messages.file");
    case "audio":
      return renderMedia(block.source, `audio/${block.format ?? "wav"}`) ?? loseMedia(scope, "messages.audio");
    case "opaque":
      if (block.protocol === TARGET) return new RawJson(block.json);
      lose(scope, "messages.opaque", { path: `messages.${block.kind}` });
      return null;
    default:
      lose(scope, `messages.${block.type}`);
      return null;
  }
}

function loseMedia(scope: TurnScope, feature: string): null {
  lose(scope, feature);
  return null;
}

const MEDIA_TYPES: ReadonlyMap<string, string> = new Map([
  ["png", "image/png"],
  ["jpg", "image/jpeg"],
  ["jpeg", "image/jpeg"],
  ["gif", "image/gif"],
  ["webp", "image/webp"],
  ["heic", "image/heic"],
  ["pdf", "application/pdf"],
  ["txt", "text/plain"],
  ["mp4", "video/mp4"],
  ["mp3", "audio/mp3"],
  ["wav", "audio/wav"],
]);

/** The media type an address's ending stands for. */
function typeOfAddress(url: string): string | undefined {
  return MEDIA_TYPES.get(/\.([a-z0-9]+)(?:[?#]|$)/i.exec(url)?.[1]?.toLowerCase() ?? "");
}

/** The wire reads public https addresses itself, but is to be told their type, which a name may not show, and reads none inside a result. */
export function needsMediaBytes({ url, inToolResult }: LinkedMedia): boolean {
  return inToolResult || !url.startsWith("https:") || typeOfAddress(url) === undefined;
}

/** Inline bytes, or a public address, which the wire reads itself; it wants to be told the type. Null: another provider's file id. */
function renderMedia(source: MediaSource, usual: string): Part | null {
  if (source.kind === "base64") return { inlineData: { mimeType: source.mediaType, data: source.data } };
  if (source.kind === "file") return null;
  return { fileData: { mimeType: typeOfAddress(source.url) ?? usual, fileUri: source.url } };
}
