/** Reads a form against its schema. What is wrong is named by its field, for the page to show. */
import type { z } from "zod";
import { checkWith } from "../../../schema/json.ts";
import type { View } from "./view.ts";

export type ReadForm<T> = { ok: true; value: T } | { ok: false; field: string; why: string };

/** The fields of the form as texts; files and repeated fields are not ours. */
function fieldsOf(form: FormData | null): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const [name, value] of form ?? []) if (typeof value === "string") fields[name] = value;
  return fields;
}

export function readForm<S extends z.ZodType>(view: View, schema: S): ReadForm<z.output<S>> {
  const checked = checkWith(schema, fieldsOf(view.form));
  return checked.ok ? { ok: true, value: checked.value } : { ok: false, field: checked.path ?? "", why: checked.message };
}

/** A field of the form as it was sent, to show it again. */
export function sent(view: View, name: string): string {
  const value = view.form?.get(name);
  return typeof value === "string" ? value : "";
}
