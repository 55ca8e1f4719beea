/** Values looked up by their path in a text that is scanned once: the same answers as a lookup from the beginning, for any text that is JSON. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createJsonSource, textAt } from "../../workers/protocol/json-source.ts";
import { type JsonPath, sliceAt } from "../../workers/protocol/json-text.ts";
import { createPendingCalls } from "../../workers/protocol/pending-calls.ts";
import { createSpelling } from "../../workers/protocol/spelling.ts";

function* pathsOf(value: unknown, path: JsonPath): Generator<JsonPath> {
  if (path.length > 0) yield path;
  if (typeof value !== "object" || value === null) return;
  for (const [key, member] of Object.entries(value)) yield* pathsOf(member, [...path, Array.isArray(value) ? Number(key) : key]);
}

describe("textAt()", () => {
  test("gives the exact text of every value, as a lookup from the beginning does", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), fc.constantFrom(undefined, 1, "\t", "\r\n "), (value, space) => {
        const text = JSON.stringify(value, null, space);
        const source = createJsonSource(text);
        for (const path of pathsOf(JSON.parse(text), [])) expect(textAt(source, path)).toBe(sliceAt(text, path));
        for (const path of [["no such member"], [999], ["a", 0, "b"]]) expect(textAt(source, path)).toBe(sliceAt(text, path));
      }),
    );
  });

  test("keeps numbers, spaces and escapes as they are written, and counts the last of duplicates", () => {
    const source = createJsonSource('\ufeff { "a" : [ 1.0 , {"b":9007199254740993} ] , "\\u0063":1, "c": [ ], "d":{} } ');
    expect(textAt(source, ["a", 0])).toBe("1.0");
    expect(textAt(source, ["a", 1, "b"])).toBe("9007199254740993");
    expect(textAt(source, ["c"])).toBe("[ ]");
    expect(textAt(source, ["c", 0])).toBeNull();
    expect(textAt(source, ["d", "x"])).toBeNull();
    expect(textAt(source, ["a", "b"])).toBeNull();
  });

  test.each(["", "x", "[1,", '{"a"', '{"a":', "[", "{", '"', '{"a":{"b":'])("answers null for the text %j that is no JSON", (text) => {
    expect(textAt(createJsonSource(text), ["a", "b"])).toBeNull();
    expect(textAt(createJsonSource(text), [5])).toBeNull();
  });
});

describe("createPendingCalls()", () => {
  test("gives the first call that fits and has no result yet, once", () => {
    const pending = createPendingCalls();
    for (const call of ["1a", "2b", "3a", "4b"]) pending.add({ id: call[0] ?? "", name: call[1] ?? "" });
    expect(pending.takeByName("b")?.id).toBe("2");
    expect(pending.takeById("2")).toBeUndefined();
    expect(pending.takeById("3")?.id).toBe("3");
    expect(pending.takeByName("a")?.id).toBe("1");
    expect(pending.takeByName("a")).toBeUndefined();
    expect(pending.takeFirst()?.id).toBe("4");
    expect(pending.takeFirst()).toBeUndefined();
    expect(pending.takeById("__proto__")).toBeUndefined();
  });
});

describe("createSpelling()", () => {
  test("gives each of many texts with one beginning a spelling of its own, within the length, and the same one again", () => {
    const spell = createSpelling(20);
    const texts = Array.from({ length: 3_000 }, (_, index) => `a beginning that they all share ${index}`);
    const spellings = texts.map(spell);
    expect(new Set(spellings).size).toBe(texts.length);
    expect(spellings.every((spelling) => /^[\w-]{1,20}$/.test(spelling))).toBe(true);
    expect(texts.map(spell)).toEqual(spellings);
  });
});
