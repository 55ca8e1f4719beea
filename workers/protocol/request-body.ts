/** Reading a caller's JSON body: checked against its schema first, then read field by field, each failure naming its field. */
import type { z } from "zod";
import { failed, gatewayError, type Outcome } from "../../schema/error.ts";
import { checkWith, isObject, parseJson } from "../../schema/json.ts";
import { faultOfShape } from "./body-shape.ts";

/** Wrong input found while reading; caught in `readRequestBody` and nowhere else, so a deep reader need not thread outcomes. */
export class WrongField extends Error {
  readonly path: string;
  constructor(path: string, message: string) {
    super(message);
    this.path = path;
  }
}

/** The value, or `WrongField` where it was left out. */
export function demand<T>(value: T | null | undefined, path: string): T {
  if (value === null || value === undefined) throw new WrongField(path, "is required");
  return value;
}

/**
 * Parses and checks a body, then has it read. Errors: `invalid_json`; `invalid_request` with `param` the dotted path of the first wrong
 * field. `read` may throw `WrongField`.
 */
export function readRequestBody<S extends z.ZodType, T>(bodyText: string, schema: S, read: (body: z.output<S>) => T): Outcome<T> {
  const json = parseJson(bodyText);
  if (!json.ok) return failed(gatewayError("invalid_json", `The body is not valid JSON: ${json.message}.`));
  if (!isObject(json.value)) return failed(gatewayError("invalid_request", "The body must be a JSON object."));
  const fault = faultOfShape(bodyText, json.value);
  if (fault !== null) return invalid(fault.path, fault.message);
  const checked = checkWith(schema, json.value);
  if (!checked.ok) return invalid(checked.path, checked.message);
  try {
    return { ok: true, value: read(checked.value) };
  } catch (error) {
    if (!(error instanceof WrongField)) throw error;
    return invalid(error.path, error.message);
  }
}

function invalid(path: string | null, message: string): Outcome<never> {
  const where = path === null ? "" : ` in ${path}`;
  return failed(gatewayError("invalid_request", `Invalid value${where}: ${message}.`, { param: path }));
}

/** The members of a body that `known` does not name and that say something: what a request keeps as its `rest`. */
export function restOf(body: object, known: ReadonlySet<string>): Record<string, unknown> {
  const entries = Object.entries(body).filter(([field, value]) => !known.has(field) && value !== null && value !== undefined);
  return Object.fromEntries(entries);
}
