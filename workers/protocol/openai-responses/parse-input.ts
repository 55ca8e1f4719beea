/**
 * The items of a caller's input → turns. An assistant's items (reasoning, text, calls) that follow each other are one turn, and so are
 * the results of its calls, since other wires know no items beside their messages.
 */
import { checkWith } from "../../../schema/json.ts";
import { type ResponseItem, responseItemSchema, type ResponsePart, responsePartSchema } from "../../../schema/wire/openai-responses.ts";
import type { Block, MediaSource, Turn } from "../canonical.ts";
import { type JsonSource, textAt } from "../json-source.ts";
import { readAddress, readFileData } from "../media-address.ts";
import { demand, WrongField } from "../request-body.ts";
import { isOwnReasoningId } from "./item-id.ts";

interface InputState {
  turns: Turn[];
  rest: Record<string, unknown>;
  source: JsonSource;
}

/** Reads the items in order. A wrong one throws `WrongField` with its path. `rest` takes what only this wire's items have. */
export function readInput(items: readonly unknown[], source: JsonSource, rest: Record<string, unknown>): Turn[] {
  const state: InputState = { turns: [], rest, source };
  for (const [index, value] of items.entries()) {
    const checked = checkWith(responseItemSchema, value);
    if (!checked.ok) throw new WrongField(pathOf(`input.${index}`, checked.path), checked.message);
    readItem(state, checked.value, index);
  }
  return state.turns;
}

function pathOf(outer: string, inner: string | null): string {
  return inner === null ? outer : `${outer}.${inner}`;
}

function readItem(state: InputState, item: ResponseItem, index: number): void {
  const path = `input.${index}`;
  const type = item.type ?? (item.role === null || item.role === undefined ? "item_reference" : "message");
  switch (type) {
    case "message":
      return readMessage(state, item, index);
    case "function_call":
    case "custom_tool_call":
      return add(state, "assistant", [readCall(item, type, path)]);
    case "function_call_output":
    case "custom_tool_call_output":
      return add(state, "tool", [readResult(state, item, index)]);
    case "reasoning":
      return add(state, "assistant", [readReasoning(item)]);
    case "item_reference":
      return readReference(state, item, index);
    default: {
      const isAnswered = type.endsWith("_output") || type === "mcp_approval_response";
      const block: Block = {
        type: "opaque",
        protocol: "openai-responses",
        kind: type,
        json: textAt(state.source, ["input", index]) ?? JSON.stringify(item),
      };
      return add(state, isAnswered ? "tool" : "assistant", [block]);
    }
  }
}

/**
 * Items of earlier answers by their id alone, which are put in before a call comes here wherever they are kept. Of those that are not, reasoning
 * that we translated is of no provider's, and the answer goes on without it: a lost hint.
 */
function readReference(state: InputState, item: ResponseItem, index: number): void {
  if (typeof item["id"] === "string" && isOwnReasoningId(item["id"])) {
    state.rest["input.item_reference"] = item["id"];
    return;
  }
  add(state, "assistant", [
    {
      type: "opaque",
      protocol: "openai-responses",
      kind: "item_reference",
      json: textAt(state.source, ["input", index]) ?? JSON.stringify(item),
    },
  ]);
}

/** Adds to the turn that is open, or opens one. Two messages of the assistant stay two turns. */
function add(state: InputState, role: Turn["role"], blocks: Block[], isMessage = false): void {
  const last = state.turns.at(-1);
  const isSpoken = last?.blocks.at(-1)?.type === "text" || last?.blocks.at(-1)?.type === "refusal";
  const isOpen = (role === "assistant" || role === "tool") && last?.role === role && !(isMessage && isSpoken);
  if (!isOpen) state.turns.push({ role, name: null, blocks });
  // One by one: a call takes only so many arguments.
  else for (const block of blocks) last.blocks.push(block);
}

function readMessage(state: InputState, item: ResponseItem, index: number): void {
  const path = `input.${index}`;
  const role = demand(item.role, `${path}.role`);
  const content = demand(item.content, `${path}.content`);
  // What an assistant's message was for (`commentary`, `final_answer`) has no place on other wires.
  if (item["phase"] !== undefined && item["phase"] !== null) state.rest["input.phase"] = item["phase"];
  const isSilent = role === "assistant" && content === "";
  add(state, role, isSilent ? [] : readContent(state, content, { index, member: "content" }), role === "assistant");
}

interface PartsPlace {
  index: number;
  member: "content" | "output";
}

/** A string, or parts. */
function readContent(state: InputState, content: string | unknown[], place: PartsPlace): Block[] {
  if (typeof content === "string") return [{ type: "text", text: content, cache: null }];
  return content.map((part, position) => {
    const path = `input.${place.index}.${place.member}.${position}`;
    const checked = checkWith(responsePartSchema, part);
    if (!checked.ok) throw new WrongField(pathOf(path, checked.path), checked.message);
    const source = (): string => textAt(state.source, ["input", place.index, place.member, position]) ?? JSON.stringify(part);
    return readPart(checked.value, path, source);
  });
}

function readPart(part: ResponsePart, path: string, source: () => string): Block {
  switch (part.type) {
    case "input_text":
    case "output_text":
    case "text":
      return { type: "text", text: demand(part.text, `${path}.text`), cache: null };
    case "refusal":
      return { type: "refusal", text: demand(part.refusal, `${path}.refusal`) };
    case "input_image":
      return { type: "image", source: readImage(part, path), detail: part.detail ?? null, cache: null };
    case "input_file":
      return { type: "file", source: readFile(part, path), name: part.filename ?? null, cache: null };
    case "input_audio": {
      const audio = demand(part.input_audio, `${path}.input_audio`);
      const format = audio.format ?? null;
      return { type: "audio", source: { kind: "base64", mediaType: `audio/${format ?? "wav"}`, data: audio.data }, format };
    }
    default:
      return { type: "opaque", protocol: "openai-responses", kind: part.type, json: source() };
  }
}

function readImage(part: ResponsePart, path: string): MediaSource {
  if (typeof part.file_id === "string") return { kind: "file", id: part.file_id };
  return readAddress(demand(part.image_url, `${path}.image_url`), `${path}.image_url`);
}

function readFile(part: ResponsePart, path: string): MediaSource {
  if (typeof part.file_id === "string") return { kind: "file", id: part.file_id };
  if (typeof part.file_url === "string") return readAddress(part.file_url, `${path}.file_url`);
  return readFileData(demand(part.file_data, `${path}.file_data`), `${path}.file_data`);
}

/** The item's own id is of no use outside the provider; `call_id` is what ties a result to its call. */
function readCall(item: ResponseItem, type: string, path: string): Block {
  const id = demand(item.call_id, `${path}.call_id`);
  const name = demand(item.name, `${path}.name`);
  // The hub's arguments are JSON; a free-text input becomes an object with one member.
  const argumentsText =
    type === "custom_tool_call"
      ? JSON.stringify({ input: demand(item.input, `${path}.input`) })
      : demand(item.arguments, `${path}.arguments`);
  const signature = item.signature ?? null;
  return { type: "tool-call", id, name, argumentsText, cache: null, ...(signature === null ? {} : { signature }) };
}

function readResult(state: InputState, item: ResponseItem, index: number): Block {
  const callId = demand(item.call_id, `input.${index}.call_id`);
  const content = readContent(state, demand(item.output, `input.${index}.output`), { index, member: "output" });
  return { type: "tool-result", callId, name: null, content, isError: null, cache: null };
}

/**
 * One item of reasoning. Where a provider shows both the reasoning and its summary, the reasoning says it all. An item that is nothing
 * but its encrypted content is redacted reasoning (with an empty text beside it: signed reasoning that is kept from view); one without
 * even that only names what its provider stored, so nothing is in it.
 */
function readReasoning(item: ResponseItem): Block {
  const content = Array.isArray(item.content) ? item.content : [];
  const raw = textsOf(content);
  const text = raw === "" ? textsOf(item.summary ?? []) : raw;
  const state = item.encrypted_content === undefined || item.encrypted_content === "" ? null : item.encrypted_content;
  if (text === "" && (content.length === 0 || state === null))
    return { type: "reasoning", kind: "redacted", text, signature: null, data: state };
  return { type: "reasoning", kind: raw === "" && text !== "" ? "summary" : "raw", text, signature: state, data: null };
}

/** Between two parts of one reasoning there is a blank line. */
export const PART_SEPARATOR = "\n\n";

const looseTextSchema = responsePartSchema.partial();

function textsOf(parts: readonly unknown[]): string {
  const texts = parts.map((part) => {
    const checked = checkWith(looseTextSchema, part);
    return checked.ok ? (checked.value.text ?? "") : "";
  });
  return texts.filter((text) => text !== "").join(PART_SEPARATOR);
}
