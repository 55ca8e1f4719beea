/** Calls of the gateway's own API by a page: as the organisation's account, or as the installation's operator. The page has checked the role. */
import { z } from "zod";
import { type GatewayError, gatewayError } from "../../../schema/error.ts";
import { parseWith } from "../../../schema/json.ts";
import type { OrganisationView, PersonView } from "./view.ts";

/** What the API answered: its body, or its error. */
export type Called<T> = { ok: true; value: T } | { ok: false; status: number; error: GatewayError };

interface Call {
  method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  body?: unknown;
}

const errorSchema = z.object({ error: z.looseObject({ code: z.string(), message: z.string() }) });

/** As the account, without its key. Gives the answer itself, for those that are streams. */
export function openAsAccount(view: OrganisationView, path: string, call: Call = {}): Promise<Response> {
  return view.ports.asAccount(requestOf(view, path, call), view.organisation.account_id, view.env, view.context);
}

export async function callAsAccount<S extends z.ZodType>(
  view: OrganisationView,
  path: string,
  schema: S,
  call: Call = {},
): Promise<Called<z.output<S>>> {
  return read(await openAsAccount(view, path, call), schema);
}

/** As the operator: everything below `/admin`. */
export async function callAsOperator<S extends z.ZodType>(
  view: PersonView,
  path: string,
  schema: S,
  call: Call = {},
): Promise<Called<z.output<S>>> {
  const request = requestOf(view, path, call);
  request.headers.set("authorization", `Bearer ${view.env.PLYRUM_ADMIN_KEY}`);
  return read(await view.ports.asCaller(request, view.env, view.context), schema);
}

function requestOf(view: PersonView, path: string, { method, body }: Call): Request {
  const headers = new Headers({ accept: "application/json" });
  if (body !== undefined) headers.set("content-type", "application/json");
  return new Request(new URL(path, view.request.url), {
    method: method ?? (body === undefined ? "GET" : "POST"),
    headers,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

async function read<S extends z.ZodType>(response: Response, schema: S): Promise<Called<z.output<S>>> {
  const text = await response.text();
  if (!response.ok) {
    const said = parseWith(errorSchema, text);
    const message = said.ok ? said.value.error.message : "The gateway gave no reason.";
    return { ok: false, status: response.status, error: gatewayError("invalid_request", message) };
  }
  const value = parseWith(schema, text);
  if (!value.ok) throw new Error(`the gateway's own answer has another shape: ${value.message} at ${value.path ?? "the root"}`);
  return { ok: true, value: value.value };
}
