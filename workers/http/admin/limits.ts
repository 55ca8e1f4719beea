/** `PATCH /admin/accounts/:id` and `PATCH /admin/keys/:id`: names and limits. What is left out stays; null takes a limit away. */
import type { Context, Hono } from "hono";
import { changeAccount } from "../../../db/accounts.ts";
import { gatewayError } from "../../../schema/error.ts";
import { accountOfKeyId, patchKeyBodySchema } from "../../../schema/key.ts";
import { patchAccountBodySchema } from "../../../schema/rate.ts";
import type { AppEnv } from "../app-env.ts";
import { errorResponse, readJsonBody } from "../respond.ts";
import { accountOf, noAccount, showAccount } from "./accounts.ts";

export function registerLimits(app: Hono<AppEnv>): void {
  app.patch("/admin/accounts/:id", patchAccount);
  app.get("/admin/keys/:id", showKey);
  app.patch("/admin/keys/:id", patchKey);
}

async function patchAccount(context: Context<AppEnv>): Promise<Response> {
  const body = await readJsonBody(context.req.raw, patchAccountBodySchema);
  if (!body.ok) return errorResponse(body.error, context.get("requestId"));
  const account = await accountOf(context);
  if (account === null) return noAccount(context);
  const { limits, ...facts } = body.value;
  if (limits !== undefined) await account.changeLimits(limits);
  await changeAccount(context.env.DB, context.req.param("id") ?? "", facts);
  return showAccount(context);
}

/** The object of a key's account; null for a text that is no key id. */
function objectOfKey(context: Context<AppEnv>): ReturnType<Env["ACCOUNT"]["get"]> | null {
  const accountId = accountOfKeyId(context.req.param("id") ?? "");
  return accountId === null ? null : context.env.ACCOUNT.get(context.env.ACCOUNT.idFromName(accountId));
}

function noKey(context: Context<AppEnv>): Response {
  return errorResponse(gatewayError("not_found", "There is no such key.", { param: "id" }), context.get("requestId"));
}

async function showKey(context: Context<AppEnv>): Promise<Response> {
  const id = context.req.param("id") ?? "";
  const key = (await objectOfKey(context)?.listKeys())?.find((row) => row.key_id === id);
  return key === undefined ? noKey(context) : context.json(key);
}

async function patchKey(context: Context<AppEnv>): Promise<Response> {
  const body = await readJsonBody(context.req.raw, patchKeyBodySchema);
  if (!body.ok) return errorResponse(body.error, context.get("requestId"));
  const key = await objectOfKey(context)?.changeKey({ key_id: context.req.param("id") ?? "", ...body.value });
  return key === undefined || key === null ? noKey(context) : context.json(key);
}
