/**
 * What a call of this wire rests on beside its own body: an earlier answer (`previous_response_id`), items of earlier answers by their ids.
 * Here it is found in the body and put in its place; where it is kept is not known here. What is put in is the very text that was kept.
 */
import { isObject, type JsonObject, parseJson } from "../../../schema/json.ts";
import { memberNames } from "../../../schema/json-slice.ts";
import { elementSlices, removeMember, setMember, sliceAt } from "../json-text.ts";
import { isOwnItemId, itemId } from "./item-id.ts";

/** An item of an earlier answer that a call names and does not bring along. */
export interface NamedItem {
  /** Its place in the call's input. */
  index: number;
  id: string;
  /** The call says all of it, and gives the id beside. */
  brought: boolean;
}

export interface StateReferences {
  previous: string | null;
  /** A conversation object at the provider. */
  conversation: boolean;
  items: NamedItem[];
  /** The first item with a member that it has twice: another reader of it might see another item. Null where there is none. */
  twofold: number | null;
  /** Whether its answer is to be kept, which it is unless the caller says otherwise. */
  stores: boolean;
  background: boolean;
  stream: boolean;
  metadata: JsonObject | null;
}

const NONE: StateReferences = {
  previous: null,
  conversation: false,
  items: [],
  twofold: null,
  stores: false,
  background: false,
  stream: false,
  metadata: null,
};

/** What a body rests on. A body that cannot be read rests on nothing: it is refused where it is parsed. */
export function stateReferences(bodyText: string): StateReferences {
  const parsed = parseJson(bodyText);
  if (!parsed.ok || !isObject(parsed.value)) return NONE;
  const { previous_response_id: previous, conversation, input, store, background, stream, metadata } = parsed.value;
  return {
    previous: typeof previous === "string" && previous !== "" ? previous : null,
    conversation: conversation !== undefined && conversation !== null,
    items: Array.isArray(input) ? input.flatMap((item: unknown, index) => (isObject(item) ? namedItem(item, index) : [])) : [],
    twofold: Array.isArray(input) ? twofoldItem(bodyText, input) : null,
    stores: store !== false,
    background: background === true,
    stream: stream === true,
    metadata: isObject(metadata) ? metadata : null,
  };
}

function twofoldItem(bodyText: string, input: readonly unknown[]): number | null {
  const index = elementSlices(bodyText, ["input"]).findIndex((text, place) => {
    const item = input[place];
    return isObject(item) && memberNames(text, []).length !== Object.keys(item).length;
  });
  return index === -1 ? null : index;
}

/**
 * A reference, or reasoning without the text that only its provider reads: it would be looked up by its id among what the provider keeps for all
 * who share the credential.
 */
function namedItem(item: Record<string, unknown>, index: number): NamedItem[] {
  const { type, id, role } = item;
  if (typeof id !== "string") return [];
  const isReference = type === "item_reference" || ((type === undefined || type === null) && role === undefined);
  const isBare = type === "reasoning" && (typeof item["encrypted_content"] !== "string" || item["encrypted_content"] === "");
  return isReference || (isBare && !isOwnItemId(id)) ? [{ index, id, brought: !isReference && hasText(item) }] : [];
}

function hasText(item: Record<string, unknown>): boolean {
  return [item["summary"], item["content"]]
    .flat()
    .some((part) => isObject(part) && typeof part["text"] === "string" && part["text"] !== "");
}

/** Texts of the items of a call's own input; a plain text is one message. */
export function inputItems(bodyText: string): string[] {
  const input = sliceAt(bodyText, ["input"]);
  if (input === null || input === "null") return [];
  if (input.startsWith("[")) return elementSlices(bodyText, ["input"]);
  return [`{"type":"message","role":"user","content":[{"type":"input_text","text":${input}}]}`];
}

/** The items of a call with the named ones in their places. */
export function withNamedItems(items: readonly string[], named: ReadonlyMap<number, string>): string[] {
  return items.map((item, index) => named.get(index) ?? item);
}

/** The items as they are kept: each with an id, ours where it came without. `answerId` is that of the call's answer. */
export function itemsToKeep(items: readonly string[], answerId: string): string[] {
  return items.map((item, index) => {
    const parsed = parseJson(item);
    if (!parsed.ok || !isObject(parsed.value) || typeof parsed.value["id"] === "string") return item;
    const type = typeof parsed.value["type"] === "string" ? item : (setMember(item, ["type"], '"message"') ?? item);
    return setMember(type, ["id"], JSON.stringify(itemId("msg", `${answerId}in`, index))) ?? item;
  });
}

/** An item without its id, which leads nowhere. */
export function withoutId(item: string): string {
  return removeMember(item, ["id"]);
}

/** The body with all its input in it, resting on nothing. */
export function withWholeInput(bodyText: string, items: readonly string[]): string {
  return removeMember(setMember(bodyText, ["input"], `[${items.join(",")}]`) ?? bodyText, ["previous_response_id"]);
}

/** Ids of an item's text; null where it has none. */
export function idOfItem(item: string): string | null {
  const parsed = parseJson(item);
  return parsed.ok && isObject(parsed.value) && typeof parsed.value["id"] === "string" ? parsed.value["id"] : null;
}

/**
 * The body for a provider of this format that did not give all of these items: those of another provider go without their ids, by which this
 * one would not know them, and reasoning without the text that only its own provider reads goes altogether. `origins`: provider by item id.
 */
export function withoutForeignItems(bodyText: string, origins: ReadonlyMap<string, string>, provider: string): string {
  const items = elementSlices(bodyText, ["input"]);
  let isChanged = false;
  const kept = items.flatMap((item) => {
    const id = idOfItem(item);
    const origin = id === null ? undefined : origins.get(id);
    if (origin === undefined || origin === provider) return [item];
    isChanged = true;
    return sliceAt(item, ["type"]) === '"reasoning"' ? [] : [removeMember(item, ["id"])];
  });
  return isChanged ? (setMember(bodyText, ["input"], `[${kept.join(",")}]`) ?? bodyText) : bodyText;
}

/** A background call as it is sent on: a stream that is no longer in the background of anything. */
export function inForeground(bodyText: string): string {
  return setMember(removeMember(bodyText, ["background"]), ["stream"], "true") ?? bodyText;
}
