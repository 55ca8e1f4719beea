/** The two spellings of this wire's fields: callers send `systemInstruction` and `system_instruction` alike. */
import { isObject } from "../../../schema/json.ts";
import { childOf, type JsonNode, type JsonSource, textOf } from "../json-source.ts";
import type { JsonPath } from "../json-text.ts";

/** Members that hold the caller's own names, or another language: their inside is never respelled. */
const FOREIGN: ReadonlySet<string> = new Set(
  "args response parameters parametersJsonSchema responseSchema responseJsonSchema labels".split(" "),
);

function camelName(name: string): string {
  return name.includes("_") ? name.replaceAll(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase()) : name;
}

function snakeName(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** A parsed value with every field of the wire in camelCase. Where both spellings are given, the last one counts, as upstream. */
export function camelCased(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(camelCased);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => {
      const name = camelName(key);
      return [name, FOREIGN.has(name) ? member : camelCased(member)];
    }),
  );
}

/** Source text of the value at a camelCase path, whichever way the caller spells it. A single element stands for a list of one. */
export function sourceAt(source: JsonSource, path: JsonPath): string | null {
  let node: JsonNode | null = source.root;
  for (const step of path) {
    if (node === null) return null;
    if (typeof step === "string")
      node = childOf(source, node, step) ?? (/[A-Z]/.test(step) ? childOf(source, node, snakeName(step)) : null);
    else if (source.text[node.start] === "[") node = childOf(source, node, step);
    else if (step !== 0) return null;
  }
  return node === null ? null : textOf(source, node);
}
