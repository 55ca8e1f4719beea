/** Which keys of a document its schema says nothing of. */
import { expect, test } from "vitest";
import { z } from "zod";
import { unknownKeys } from "../../schema/unknown-keys.ts";

const schema = z.looseObject({
  known: z.string().optional(),
  list: z.array(z.looseObject({ inner: z.number().optional() })).optional(),
  map: z.record(z.string(), z.looseObject({ target: z.string() })).optional(),
  deep: z.looseObject({ level: z.looseObject({ a: z.number().default(1) }).nullable() }).optional(),
});

test.each([
  [{}, []],
  [{ known: "x" }, []],
  [{ other: { much: { more: 1 } } }, ["other"]],
  [{ list: [{ inner: 1 }, { inner: 2, odd: 1 }, { odd: 2, strange: 3 }] }, ["list[].odd", "list[].strange"]],
  [{ map: { any: { target: "x", note: "y" } } }, ["map.*.note"]],
  [{ deep: { level: { b: 1 } } }, ["deep.level.b"]],
  [{ deep: { level: null } }, []],
  [{ constructor: 1 }, ["constructor"]],
])("in %j they are %j", (value, keys) => {
  expect(unknownKeys(schema, value)).toEqual(keys);
});
