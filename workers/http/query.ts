/** Query parameters of our own API: a wrong value is a 400 that names it, never a silent default. */
import type { Context } from "hono";
import { failed, gatewayError, type Outcome } from "../../schema/error.ts";
import type { AppEnv } from "./app-env.ts";

export function integerQuery(
  context: Context<AppEnv>,
  name: string,
  bounds: { fallback: number; minimum: number; maximum: number },
): Outcome<number> {
  const text = context.req.query(name);
  if (text === undefined || text === "") return { ok: true, value: bounds.fallback };
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= bounds.minimum && value <= bounds.maximum) return { ok: true, value };
  return failed(
    gatewayError("invalid_request", `${name} must be an integer from ${bounds.minimum} to ${bounds.maximum}.`, { param: name }),
  );
}

/** One of a closed list; null when it was left out. */
export function choiceQuery<T extends string>(context: Context<AppEnv>, name: string, choices: readonly T[]): Outcome<T | null> {
  const text = context.req.query(name);
  if (text === undefined || text === "") return { ok: true, value: null };
  const choice = choices.find((candidate) => candidate === text);
  if (choice !== undefined) return { ok: true, value: choice };
  return failed(gatewayError("invalid_request", `${name} must be one of ${choices.join(", ")}.`, { param: name, available: [...choices] }));
}

/** A UTC day from `YYYY-MM-DD` or an ISO instant. */
export function dayQuery(context: Context<AppEnv>, name: string, fallback: string): Outcome<string> {
  const text = context.req.query(name);
  if (text === undefined || text === "") return { ok: true, value: fallback };
  const at = /^\d{4}-\d{2}-\d{2}([T ].*)?$/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(at)) return { ok: true, value: new Date(at).toISOString().slice(0, 10) };
  return failed(gatewayError("invalid_request", `${name} must be a date (YYYY-MM-DD) or an ISO 8601 instant.`, { param: name }));
}
