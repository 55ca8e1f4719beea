/**
 * A JSON text whose values are looked up many times by their path. Each list and object on the way is scanned once and remembered, so that
 * reading the exact text of every element of a long list costs what one pass costs, and not one pass an element.
 *
 * For text that `JSON.parse` accepts; anything else gives `null`. The last of duplicate members counts, as for `JSON.parse`.
 */
import { endOfString } from "../../schema/json.ts";
import { endOfValue, type JsonPath, keyOf, skipSpace } from "../../schema/json-slice.ts";

/** One value of the text, and what is known of its inside. */
export interface JsonNode {
  start: number;
  end: number;
  elements: JsonNode[] | null;
  members: Map<string, JsonNode> | null;
}

export interface JsonSource {
  text: string;
  root: JsonNode;
}

export function createJsonSource(text: string): JsonSource {
  const start = skipSpace(text, text.charCodeAt(0) === 0xfeff ? 1 : 0);
  // Where it ends is not looked for: a body may be large, and not every request needs a value of it.
  return { text, root: { start, end: text.length, elements: null, members: null } };
}

function nodeAt(text: string, start: number): JsonNode | null {
  const end = endOfValue(text, start);
  return end === -1 ? null : { start, end, elements: null, members: null };
}

/** The member or element of a value; null where there is none. */
export function childOf({ text }: JsonSource, node: JsonNode, step: string | number): JsonNode | null {
  const first = text[node.start];
  if (typeof step === "number") {
    if (first !== "[") return null;
    node.elements ??= scanElements(text, node);
    return node.elements[step] ?? null;
  }
  if (first !== "{") return null;
  node.members ??= scanMembers(text, node);
  return node.members.get(step) ?? null;
}

function scanElements(text: string, { start, end }: JsonNode): JsonNode[] {
  const elements: JsonNode[] = [];
  for (let index = skipSpace(text, start + 1); index < end - 1; index = skipSpace(text, index + 1)) {
    if (text[index] === "]") break;
    const element = nodeAt(text, index);
    if (element === null) break;
    elements.push(element);
    index = skipSpace(text, element.end);
    if (text[index] !== ",") break;
  }
  return elements;
}

function scanMembers(text: string, { start, end }: JsonNode): Map<string, JsonNode> {
  const members = new Map<string, JsonNode>();
  for (let index = skipSpace(text, start + 1); index < end - 1; index = skipSpace(text, index + 1)) {
    if (text[index] !== '"') break;
    const close = endOfString(text, index);
    const key = keyOf(text.slice(index, close + 1));
    const member = nodeAt(text, skipSpace(text, skipSpace(text, close + 1) + 1));
    if (key === null || member === null) break;
    members.set(key, member);
    index = skipSpace(text, member.end);
    if (text[index] !== ",") break;
  }
  return members;
}

/** The exact text of one value. */
export function textOf({ text }: JsonSource, node: JsonNode): string {
  return text.slice(node.start, node.end);
}

/** The exact text of the value at `path`, without the space around it; null where there is none. */
export function textAt(source: JsonSource, path: JsonPath): string | null {
  let node: JsonNode | null = source.root;
  for (const step of path) {
    if (node === null) return null;
    node = childOf(source, node, step);
  }
  return node === null ? null : textOf(source, node);
}
