/**
 * A caller's contents → turns. Calls and their results often have no ids here: results answer calls of their name in order (protocols.md
 * §5.4, 21), so both get ids that depend only on their place in the conversation, and stay the same as it grows.
 */
import { checkWith, isObject } from "../../../schema/json.ts";
import { type GeminiContent, type GeminiPart, geminiPartSchema } from "../../../schema/wire/gemini.ts";
import type { Block, MediaSource, Turn } from "../canonical.ts";
import type { JsonSource } from "../json-source.ts";
import { type JsonPath, sliceAt } from "../json-text.ts";
import { createPendingCalls, type PendingCalls } from "../pending-calls.ts";
import { WrongField } from "../request-body.ts";
import { camelCased, sourceAt } from "./names.ts";
import { readMember } from "./thought-state.ts";

interface ContentScope {
  source: JsonSource;
  /** Calls without a result yet. */
  pending: PendingCalls;
  calls: number;
}

/** Settings of single parts that the hub has no place for, found on the way. */
export interface ReadContents {
  turns: Turn[];
  unread: Record<string, unknown>;
}

/** Begins the id of a call that its provider gave none; followed by its place among all calls. */
export const PLACE_ID = "call_at_";

/** Members of a part that say how its media is to be looked at. */
const MEDIA_SETTINGS = ["videoMetadata", "mediaResolution"];

export function readContents(
  body: { contents: GeminiContent[]; systemInstruction?: GeminiContent | null | undefined },
  source: JsonSource,
): ReadContents {
  const scope: ContentScope = { source, pending: createPendingCalls(), calls: 0 };
  const unread: Record<string, unknown> = {};
  const turns: Turn[] = [];
  const add = (role: Turn["role"], content: GeminiContent, path: JsonPath): void => {
    const blocks = (content.parts ?? []).flatMap((part, index) => readPart(part, [...path, "parts", index], scope, unread));
    turns.push({ role, name: null, blocks });
  };
  if (body.systemInstruction) add("system", body.systemInstruction, ["systemInstruction"]);
  for (const [index, content] of body.contents.entries()) {
    const role = content.role === "model" ? "assistant" : content.role === "system" ? "system" : "user";
    add(role, content, ["contents", index]);
  }
  return { turns, unread };
}

/** One part as the blocks it stands for: a signed text is the state of the thinking before it, and the text. */
function readPart(raw: unknown, path: JsonPath, scope: ContentScope, unread: Record<string, unknown>): Block[] {
  const checked = checkWith(geminiPartSchema, raw);
  if (!checked.ok) throw new WrongField([...path, ...(checked.path === null ? [] : [checked.path])].join("."), checked.message);
  const part = checked.value;
  for (const member of MEDIA_SETTINGS) if (part[member] !== null && part[member] !== undefined) unread[`contents.${member}`] = part[member];
  const state = readMember(part.thoughtSignature);
  if (part.functionCall) return [readCall(part.functionCall, state?.state ?? null, path, scope)];
  if (part.functionResponse) return [readResult(part.functionResponse, path, scope, unread)];
  if (part.thought === true && typeof part.text === "string") return readThought(part.text, state);
  const signed: Block[] = state === null ? [] : readThought("", state);
  if (typeof part.text === "string")
    return part.text === "" && state !== null ? signed : [...signed, { type: "text", text: part.text, cache: null }];
  if (part.inlineData && part.thought !== true) return [...signed, readInline(part.inlineData)];
  if (part.fileData && isPublic(part.fileData.fileUri)) return [...signed, readAddress(part.fileData)];
  const kind = Object.keys(part).find((key) => key !== "thoughtSignature" && key !== "thought");
  if (kind === undefined) return signed;
  return [{ type: "opaque", protocol: "gemini", kind, json: sourceAt(scope.source, path) ?? JSON.stringify(part) }];
}

function readThought(text: string, state: ReturnType<typeof readMember>): Block[] {
  if (state?.kind === "redacted") return [{ type: "reasoning", kind: "redacted", text, signature: null, data: state.state }];
  return [{ type: "reasoning", kind: "summary", text, signature: state?.state ?? null, data: null }];
}

function readCall(call: NonNullable<GeminiPart["functionCall"]>, signature: string | null, path: JsonPath, scope: ContentScope): Block {
  const id = call.id ?? `${PLACE_ID}${scope.calls}`;
  scope.calls += 1;
  scope.pending.add({ id, name: call.name });
  const argumentsText = call.args ? (sourceAt(scope.source, [...path, "functionCall", "args"]) ?? "{}") : "{}";
  return { type: "tool-call", id, name: call.name, argumentsText, cache: null, ...(signature === null ? {} : { signature }) };
}

function readResult(
  result: NonNullable<GeminiPart["functionResponse"]>,
  path: JsonPath,
  scope: ContentScope,
  unread: Record<string, unknown>,
): Block {
  const { pending } = scope;
  const call = (typeof result.id === "string" ? pending.takeById(result.id) : undefined) ?? pending.takeByName(result.name);
  const callId = call?.id ?? result.id ?? `call_${result.name}`;
  const where = [...path, "functionResponse"];
  const said = readResponse(result.response ?? {}, sourceAt(scope.source, [...where, "response"]) ?? "{}");
  const media = (result.parts ?? []).flatMap((part, index) => readPart(camelCased(part), [...where, "parts", index], scope, unread));
  return {
    type: "tool-result",
    callId,
    name: result.name,
    content: [{ type: "text", text: said.text, cache: null }, ...media],
    isError: said.isError ? true : null,
    cache: null,
  };
}

/**
 * A result is an object here. The wire's own convention puts a plain result in `output` (or `result`, as others do) and a failure in
 * `error`; any other object is itself the result.
 */
function readResponse(response: Record<string, unknown>, source: string): { text: string; isError: boolean } {
  const keys = Object.keys(response);
  const only = keys.length === 1 ? keys[0] : undefined;
  if (only !== "output" && only !== "result" && only !== "error") return { text: source, isError: false };
  const value = response[only];
  return { text: typeof value === "string" ? value : (sliceAt(source, [only]) ?? source), isError: only === "error" };
}

function readInline(media: NonNullable<GeminiPart["inlineData"]>): Block {
  const source: MediaSource = { kind: "base64", mediaType: media.mimeType, data: media.data };
  if (media.mimeType.startsWith("image/")) return { type: "image", source, detail: null, cache: null };
  if (media.mimeType.startsWith("audio/")) return { type: "audio", source, format: audioFormat(media.mimeType) };
  return { type: "file", source, name: media.displayName ?? null, cache: null };
}

/** The short word other wires have for a media type of audio. */
function audioFormat(mediaType: string): string {
  const word = (mediaType.slice("audio/".length).split(";")[0] ?? "").replace(/^x-/, "");
  return word === "mpeg" ? "mp3" : word;
}

/** Addresses that anybody can read, as opposed to those of the provider's own file store and buckets. */
function isPublic(uri: string): boolean {
  return /^https?:\/\//.test(uri) && !uri.startsWith("https://generativelanguage.googleapis.com/");
}

function readAddress(media: NonNullable<GeminiPart["fileData"]>): Block {
  const source: MediaSource = { kind: "url", url: media.fileUri };
  const isImage = media.mimeType?.startsWith("image/") ?? /\.(png|jpe?g|gif|webp|heic|heif)(\?|$)/i.test(media.fileUri);
  return isImage
    ? { type: "image", source, detail: null, cache: null }
    : { type: "file", source, name: media.displayName ?? null, cache: null };
}

/** Whether a value is an object that says something. */
export function saysSomething(value: unknown): boolean {
  return isObject(value) ? Object.keys(value).length > 0 : value !== null && value !== undefined;
}
