/**
 * Reading JSON as text: the exact source of a nested value. Nothing is parsed and printed again, so numbers above 2^53, `1.0`, `2.50`
 * and key order survive: what money and opaque arguments need.
 *
 * All functions take text that `JSON.parse` accepts; on other text they answer `null` (or nothing) and never throw. Duplicate keys
 * follow `JSON.parse`: the last one wins.
 */
import { endOfString, parseJson } from "./json.ts";
import { LIMITS } from "./limits.ts";

export type JsonPath = readonly (string | number)[];

/** Where one member or element stands in the text: `[keyStart, valueEnd)` covers both key and value; for an element `keyStart` is `valueStart`. */
export interface Span {
  keyStart: number;
  valueStart: number;
  valueEnd: number;
}

/** One object or array: its spans that match, its brackets, and whether anything is inside. */
export interface Container {
  matches: Span[];
  /** Index of the closing bracket. */
  close: number;
  empty: boolean;
}

const QUOTE = 34;
export const COMMA = 44;
const COLON = 58;
const OPEN_ARRAY = 91;
const CLOSE_ARRAY = 93;
export const OPEN_OBJECT = 123;
const CLOSE_OBJECT = 125;

export function skipSpace(text: string, from: number): number {
  let index = from;
  for (;;) {
    const code = text.charCodeAt(index);
    if (code !== 32 && code !== 10 && code !== 13 && code !== 9) return index;
    index += 1;
  }
}

/** Index after the value that starts at `from`; -1 when the text ends first or nests too deep. Strings are skipped whole. */
export function endOfValue(text: string, from: number): number {
  const first = text.charCodeAt(from);
  if (first === QUOTE) {
    const close = endOfString(text, from);
    return close < text.length ? close + 1 : -1;
  }
  if (first === OPEN_OBJECT || first === OPEN_ARRAY) return endOfContainer(text, from);
  let index = from;
  for (; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === COMMA || code === CLOSE_ARRAY || code === CLOSE_OBJECT || code <= 32) break;
  }
  return index > from ? index : -1;
}

function endOfContainer(text: string, from: number): number {
  let depth = 0;
  for (let index = from; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === QUOTE) {
      index = endOfString(text, index);
    } else if (code === OPEN_OBJECT || code === OPEN_ARRAY) {
      depth += 1;
      if (depth > LIMITS.jsonDepth) return -1;
    } else if (code === CLOSE_OBJECT || code === CLOSE_ARRAY) {
      depth -= 1;
      if (depth === 0) return index + 1;
    }
  }
  return -1;
}

/** True when the key text between the quotes at `open` and `close` means `key`; only a key with a backslash is parsed. */
function keyIs(text: string, open: number, close: number, key: string): boolean {
  return keyOf(text.slice(open, close + 1)) === key;
}

/** What a key with its quotes means; null where it means nothing. */
export function keyOf(quoted: string): string | null {
  // Only the key itself is searched: looking on for a backslash after it would read the whole text for every key.
  if (!quoted.includes("\\")) return quoted.slice(1, -1);
  const parsed = parseJson(quoted);
  return parsed.ok && typeof parsed.value === "string" ? parsed.value : null;
}

/** Walks the object at `open` once; collects every member called `key`. */
export function scanObject(text: string, open: number, key: string): Container | null {
  const matches: Span[] = [];
  let index = skipSpace(text, open + 1);
  if (text.charCodeAt(index) === CLOSE_OBJECT) return { matches, close: index, empty: true };
  for (;;) {
    if (text.charCodeAt(index) !== QUOTE) return null;
    const keyClose = endOfString(text, index);
    const colon = skipSpace(text, keyClose + 1);
    if (text.charCodeAt(colon) !== COLON) return null;
    const valueStart = skipSpace(text, colon + 1);
    const valueEnd = endOfValue(text, valueStart);
    if (valueEnd === -1) return null;
    if (keyIs(text, index, keyClose, key)) matches.push({ keyStart: index, valueStart, valueEnd });
    const after = skipSpace(text, valueEnd);
    if (text.charCodeAt(after) === CLOSE_OBJECT) return { matches, close: after, empty: false };
    if (text.charCodeAt(after) !== COMMA) return null;
    index = skipSpace(text, after + 1);
  }
}

/** Walks the array at `open` as far as its element `wanted`. */
function scanArray(text: string, open: number, wanted: number): Span | null {
  let index = skipSpace(text, open + 1);
  if (text.charCodeAt(index) === CLOSE_ARRAY) return null;
  for (let position = 0; ; position++) {
    const valueEnd = endOfValue(text, index);
    if (valueEnd === -1) return null;
    if (position === wanted) return { keyStart: index, valueStart: index, valueEnd };
    const after = skipSpace(text, valueEnd);
    if (text.charCodeAt(after) !== COMMA) return null;
    index = skipSpace(text, after + 1);
  }
}

/** Start and end of the value at `path`; null when a step is missing or of the wrong type. */
export function locate(text: string, path: JsonPath): Span | null {
  const start = skipSpace(text, text.charCodeAt(0) === 0xfeff ? 1 : 0);
  let span: Span = { keyStart: start, valueStart: start, valueEnd: -1 };
  for (const step of path) {
    const first = text.charCodeAt(span.valueStart);
    let next: Span | null = null;
    if (typeof step === "string") {
      if (first === OPEN_OBJECT) next = scanObject(text, span.valueStart, step)?.matches.at(-1) ?? null;
    } else if (first === OPEN_ARRAY) {
      next = scanArray(text, span.valueStart, step);
    }
    if (next === null) return null;
    span = next;
  }
  if (span.valueEnd === -1) span.valueEnd = endOfValue(text, span.valueStart);
  return span.valueEnd === -1 ? null : span;
}

/** The exact source text of the value at `path`, without the space around it; null when there is none. */
export function sliceAt(text: string, path: JsonPath): string | null {
  const span = locate(text, path);
  return span === null ? null : text.slice(span.valueStart, span.valueEnd);
}

/** The exact source texts of an array's elements; empty when `path` holds no array. One pass, whatever the length. */
export function elementSlices(text: string, path: JsonPath): string[] {
  const span = locate(text, path);
  const slices: string[] = [];
  if (span === null || text.charCodeAt(span.valueStart) !== OPEN_ARRAY) return slices;
  let index = skipSpace(text, span.valueStart + 1);
  while (index < span.valueEnd && text.charCodeAt(index) !== CLOSE_ARRAY) {
    const end = endOfValue(text, index);
    if (end === -1) return slices;
    slices.push(text.slice(index, end));
    const after = skipSpace(text, end);
    if (text.charCodeAt(after) !== COMMA) return slices;
    index = skipSpace(text, after + 1);
  }
  return slices;
}

/** The names of an object's members in order, with those that are given twice; empty when `path` holds no object. */
export function memberNames(text: string, path: JsonPath): string[] {
  const span = locate(text, path);
  const names: string[] = [];
  if (span === null || text.charCodeAt(span.valueStart) !== OPEN_OBJECT) return names;
  let index = skipSpace(text, span.valueStart + 1);
  while (index < span.valueEnd && text.charCodeAt(index) === QUOTE) {
    const close = endOfString(text, index);
    names.push(keyOf(text.slice(index, close + 1)) ?? "");
    const end = endOfValue(text, skipSpace(text, skipSpace(text, close + 1) + 1));
    if (end === -1) return names;
    index = skipSpace(text, skipSpace(text, end) + 1);
  }
  return names;
}
