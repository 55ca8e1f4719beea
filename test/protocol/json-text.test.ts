import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { elementSlices, RawJson, removeMember, setMember, sliceAt, stringifyWithRaw } from "../../workers/protocol/json-text.ts";

describe("sliceAt", () => {
  test("gives the exact source text, with numbers and spacing as the caller wrote them", () => {
    const text = ' { "a" : [ 1.0 , { "id" : 9007199254740993 } ] , "b":"}]" } ';
    expect(sliceAt(text, ["a", 1, "id"])).toBe("9007199254740993");
    expect(sliceAt(text, ["a", 0])).toBe("1.0");
    expect(sliceAt(text, ["a", 1])).toBe('{ "id" : 9007199254740993 }');
    expect(sliceAt(text, ["b"])).toBe('"}]"');
    expect(sliceAt(text, [])).toBe(text.trim());
  });

  test("takes the last of duplicate keys and understands escaped keys, as JSON.parse does", () => {
    expect(sliceAt('{"a":1,"a":{"b":2}}', ["a", "b"])).toBe("2");
    expect(sliceAt('{"\\u0061":1}', ["a"])).toBe("1");
    expect(sliceAt('{"a\\"b":1,"c":2}', ['a"b'])).toBe("1");
  });

  test("answers null for a missing step, a wrong type and text that is not JSON", () => {
    for (const text of ['{"a":1', "{]", "", '{"a" 1}', "[1,", '{"a":"x']) expect(sliceAt(text, ["a", "b"])).toBeNull();
    expect(sliceAt('{"a":1}', ["a", 0])).toBeNull();
    expect(sliceAt("[1]", [1])).toBeNull();
  });

  test("gives up on nesting beyond the limit instead of overflowing", () => {
    expect(sliceAt(`{"a":${"[".repeat(100_000)}${"]".repeat(100_000)}}`, ["a"])).toBeNull();
  });

  test("agrees with JSON.parse on every path of any JSON value, whatever the spacing", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), fc.constantFrom(undefined, 1, "\t"), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        const visit = (node: unknown, path: (string | number)[]): void => {
          const slice = sliceAt(text, path);
          expect(slice).not.toBeNull();
          expect(JSON.parse(slice ?? "")).toEqual(node);
          if (Array.isArray(node)) node.forEach((element, index) => visit(element, [...path, index]));
          else if (node !== null && typeof node === "object") {
            for (const [key, member] of Object.entries(node)) visit(member, [...path, key]);
          }
        };
        visit(JSON.parse(text), []);
      }),
      { numRuns: 150 },
    );
  });
});

test("elementSlices() lists an array's source texts and is empty for anything else", () => {
  expect(elementSlices('{"a":[ 1.0, "x" , {"b":[2]} ]}', ["a"])).toEqual(["1.0", '"x"', '{"b":[2]}']);
  expect(elementSlices('{"a":[ ]}', ["a"])).toEqual([]);
  expect(elementSlices('{"a":1}', ["a"])).toEqual([]);
});

describe("setMember and removeMember", () => {
  test("replace only the value's own characters", () => {
    expect(setMember('{ "model" : "a" , "n":1.0 }', ["model"], '"b"')).toBe('{ "model" : "b" , "n":1.0 }');
    expect(setMember('{"a":1,"a":2}', ["a"], "3")).toBe('{"a":1,"a":3}');
  });

  test("add a missing member at the end, also in an empty or padded object", () => {
    expect(setMember("{}", ["a"], "1")).toBe('{"a":1}');
    expect(setMember('{"x":{ }}', ["x", "a"], "1")).toBe('{"x":{"a":1}}');
    expect(setMember('{"b":2 \n}', ["a"], "1")).toBe('{"b":2,"a":1 \n}');
  });

  test("cannot set under a parent that is absent or no object", () => {
    expect(setMember('{"a":null}', ["a", "b"], "1")).toBeNull();
    expect(setMember("[1]", [3], "1")).toBeNull();
    expect(setMember("[1]", [0], "2")).toBe("[2]");
  });

  test("remove a member wherever it stands, with its comma, and every duplicate of it", () => {
    expect(removeMember('{"a":1,"b":2,"c":3}', ["a"])).toBe('{"b":2,"c":3}');
    expect(removeMember('{"a":1,"b":2,"c":3}', ["b"])).toBe('{"a":1,"c":3}');
    expect(removeMember('{"a":1, "b":2 }', ["b"])).toBe('{"a":1 }');
    expect(removeMember('{"a":1}', ["a"])).toBe("{}");
    expect(removeMember('{"a":1,"b":2,"a":3}', ["a"])).toBe('{"b":2}');
    expect(removeMember('{"a":1}', ["z"])).toBe('{"a":1}');
  });

  test("leave JSON whose parsed value is the original plus or minus that member", () => {
    const objects = fc.dictionary(fc.string({ maxLength: 4 }), fc.jsonValue({ maxDepth: 2 }));
    fc.assert(
      fc.property(
        objects,
        fc.string({ maxLength: 4 }),
        fc.jsonValue({ maxDepth: 1 }),
        fc.constantFrom(undefined, 2),
        (object, key, value, indent) => {
          const text = JSON.stringify(object, null, indent);
          const parsed = JSON.parse(text) as Record<string, unknown>;
          const put = setMember(text, [key], JSON.stringify(value));
          expect(new Map(Object.entries(JSON.parse(put ?? "") as object))).toEqual(
            new Map([...Object.entries(parsed).filter(([name]) => name !== key), [key, JSON.parse(JSON.stringify(value)) as unknown]]),
          );
          const without = Object.entries(parsed).filter(([name]) => name !== key);
          expect(new Map(Object.entries(JSON.parse(removeMember(text, [key])) as object))).toEqual(new Map(without));
        },
      ),
      { numRuns: 200 },
    );
  });
});

test("stringifyWithRaw() prints raw slices verbatim and everything else as JSON.stringify does", () => {
  expect(stringifyWithRaw({ a: new RawJson('{ "n": 1.0 }'), b: [undefined, "x\n"], c: undefined })).toBe(
    '{"a":{ "n": 1.0 },"b":[null,"x\\n"]}',
  );
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(stringifyWithRaw(value)).toBe(JSON.stringify(value));
    }),
    { numRuns: 100 },
  );
});
