/**
 * The only two ways text becomes data in this project: `parseJson` for JSON whose shape the caller checks next, and
 * `parseWith` for JSON that one schema describes. Both return values, never throw, so bad input stays an expected failure.
 */
import type { z } from "zod";
import { LIMITS } from "./limits.ts";

export type Parsed<T> = { ok: true; value: T } | { ok: false; message: string; path: string | null };

/** True when brackets nest deeper than `limit`; looks at structure only, so strings full of brackets do not count. */
export function nestsDeeperThan(text: string, limit: number): boolean {
  let depth = 0;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === 34) {
      index = endOfString(text, index);
    } else if (code === 123 || code === 91) {
      depth += 1;
      if (depth > limit) return true;
    } else if (code === 125 || code === 93) {
      depth -= 1;
    }
  }
  return false;
}

/** Index of the quote that closes the string opened at `open`; the text's end when it never closes. */
export function endOfString(text: string, open: number): number {
  let quote = text.indexOf('"', open + 1);
  while (quote !== -1) {
    let slashes = 0;
    while (text.charCodeAt(quote - 1 - slashes) === 92) slashes += 1;
    if (slashes % 2 === 0) return quote;
    quote = text.indexOf('"', quote + 1);
  }
  return text.length;
}

/** Parses JSON text of limited depth. The result is `unknown`: a schema or a narrowing check comes next. */
export function parseJson(text: string): Parsed<unknown> {
  if (nestsDeeperThan(text, LIMITS.jsonDepth)) {
    return { ok: false, message: `JSON nests deeper than ${LIMITS.jsonDepth} levels`, path: null };
  }
  try {
    return { ok: true, value: JSON.parse(text) as unknown };
  } catch (error) {
    return { ok: false, message: error instanceof Error ? error.message : "not JSON", path: null };
  }
}

/** Checks a value against a schema; `path` names the first field that is wrong, in dots. */
export function checkWith<S extends z.ZodType>(schema: S, value: unknown): Parsed<z.output<S>> {
  const result = schema.safeParse(value);
  if (result.success) return { ok: true, value: result.data };
  const issue = result.error.issues[0];
  const path = issue === undefined || issue.path.length === 0 ? null : issue.path.map(String).join(".");
  return { ok: false, message: issue?.message ?? "invalid value", path };
}

/** Parses text as JSON and checks it against one schema. */
export function parseWith<S extends z.ZodType>(schema: S, text: string): Parsed<z.output<S>> {
  const parsed = parseJson(text);
  return parsed.ok ? checkWith(schema, parsed.value) : parsed;
}

export type JsonObject = Record<string, unknown>;

/** Narrows to a JSON object (not an array, not null). */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A member of the object itself. Names that come from outside (`constructor`, `toString`) would otherwise find what every object has. */
export function ownMember<T>(object: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}
