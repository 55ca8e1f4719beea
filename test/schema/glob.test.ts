import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { globMatches, longestMatch } from "../../schema/glob.ts";

test.each([
  ["acme/*", "acme/large", true],
  ["acme/*", "acme/", true],
  ["acme/*", "acme", false],
  ["*", "", true],
  ["*/large", "acme/x/large", true],
  ["a*b*c", "a-b-b-c", true],
  ["a*b*c", "a-c-b", false],
  ["a.b", "axb", false],
  ["[a-z]", "b", false],
  ["", "", true],
  ["", "a", false],
])("the glob %j and the text %j match: %j", (pattern, text, expected) => {
  expect(globMatches(pattern, text)).toBe(expected);
});

test("a star stands for any run of characters, as a regular expression over the same letters agrees", () => {
  const letters = fc.string({ unit: fc.constantFrom("a", "b", "/", "*"), maxLength: 12 });
  fc.assert(
    fc.property(letters, letters, (pattern, text) => {
      const plain = text.replaceAll("*", "c");
      expect(globMatches(pattern, plain)).toBe(new RegExp(`^${pattern.replaceAll("*", ".*")}$`).test(plain));
    }),
    { seed: 1, numRuns: 500 },
  );
});

test("a pattern made to backtrack for ever is answered within its bound of steps", () => {
  expect(globMatches(`${"*a".repeat(120)}b`, "a".repeat(250))).toBe(false);
});

describe("longestMatch()", () => {
  const keys = ["*", "acme/*", "acme/large-*", "acme/large-2", "acme/l*e-2", "acme/x*z", "acme/*yz"];
  test.each([
    ["acme/large-2", "acme/large-2"],
    ["acme/large-3", "acme/large-*"],
    ["acme/lone-2", "acme/l*e-2"],
    ["acme/small", "acme/*"],
    ["other/small", "*"],
    // Of two globs of one length, the first in text order.
    ["acme/xyz", "acme/*yz"],
  ])("%s is stood for by %s, wherever in the list that is", (text, expected) => {
    expect(longestMatch(keys, text)).toBe(expected);
    expect(longestMatch(keys.toReversed(), text)).toBe(expected);
  });

  test("nothing stands for a name no key matches, and a key without a star is no pattern", () => {
    expect(longestMatch(["acme/large"], "acme/large-2")).toBeNull();
    expect(longestMatch([], "acme/large")).toBeNull();
    expect(longestMatch(["a.c"], "abc")).toBeNull();
  });
});
