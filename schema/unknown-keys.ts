/** Keys of a document that its schema says nothing of: they survive, and whoever wrote them is told that nothing acts on them. */
import { z } from "zod";
import { isObject } from "./json.ts";

/** Paths in dots, each the uppermost unknown key of its branch; members of a list are written `[]`, so that many alike are one path. */
export function unknownKeys(schema: z.ZodType, value: unknown): string[] {
  return [...new Set(unknownBelow(schema, value, ""))];
}

function unknownBelow(schema: z.ZodType, value: unknown, path: string): string[] {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodNullable)
    return unknownBelow(innerOf(schema), value, path);
  if (schema instanceof z.ZodObject && isObject(value)) {
    const shape: Readonly<Record<string, z.ZodType>> = schema.shape;
    return Object.entries(value).flatMap(([key, member]) => {
      const known = Object.hasOwn(shape, key) ? shape[key] : undefined;
      const here = path === "" ? key : `${path}.${key}`;
      return known === undefined ? [here] : unknownBelow(known, member, here);
    });
  }
  if (schema instanceof z.ZodArray && Array.isArray(value))
    return value.flatMap((member) => unknownBelow(asSchema(schema.element), member, `${path}[]`));
  if (schema instanceof z.ZodRecord && isObject(value))
    return Object.values(value).flatMap((member) => unknownBelow(asSchema(schema.valueType), member, `${path}.*`));
  return [];
}

function innerOf(schema: { unwrap: () => unknown }): z.ZodType {
  return asSchema(schema.unwrap());
}

/** What Zod's own types only promise to be a part of a schema. */
function asSchema(part: unknown): z.ZodType {
  if (!(part instanceof z.ZodType)) throw new Error("a schema has a part that is none");
  return part;
}
