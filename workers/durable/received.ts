/** The door of the objects: what comes over RPC is `unknown` until its schema has read it, once, where it enters. */
import type { z } from "zod";
import { checkWith } from "../../schema/json.ts";

/** The value as its schema reads it. Throws when it does not fit: the other side is of another version or broken, and nothing has been done. */
export function received<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const checked = checkWith(schema, value);
  if (checked.ok) return checked.value;
  throw new TypeError(`Cannot take this call: ${checked.message} at ${checked.path ?? "the root"}`);
}
