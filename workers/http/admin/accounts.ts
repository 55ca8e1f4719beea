/** Accounts and their keys. Their money is in money.ts. */
import { createHmac } from "node:crypto";
import type { Context, Hono } from "hono";
import { accountsPage, findAccount, insertAccount } from "../../../db/accounts.ts";
import { createAccountBody } from "../../../schema/api.ts";
import { gatewayError } from "../../../schema/error.ts";
import { accountOfKeyId, createKeyBodySchema, formatKey, newAccountId, NO_KEY_LIMITS } from "../../../schema/key.ts";
import { LIMITS } from "../../../schema/limits.ts";
import type { AppEnv } from "../app-env.ts";
import { hashText } from "../authenticate.ts";
import { errorResponse, readJsonBody } from "../respond.ts";

export function registerAccounts(app: Hono<AppEnv>): void {
  app.post("/admin/accounts", createAccount);
  app.get("/admin/accounts", listAccounts);
  app.get("/admin/accounts/:id", showAccount);
  app.post("/admin/accounts/:id/keys", createKey);
  app.delete("/admin/keys/:id", revokeKey);
}

/** The account's object, or null for an account nobody made. */
export async function accountOf(context: Context<AppEnv>): Promise<ReturnType<Env["ACCOUNT"]["get"]> | null> {
  const id = context.req.param("id") ?? "";
  if ((await findAccount(context.env.DB, id)) === null) return null;
  return context.env.ACCOUNT.get(context.env.ACCOUNT.idFromName(id));
}

export function noAccount(context: Context<AppEnv>): Response {
  return errorResponse(gatewayError("not_found", "There is no such account.", { param: "id" }), context.get("requestId"));
}

async function createAccount(context: Context<AppEnv>): Promise<Response> {
  const body = await readJsonBody(context.req.raw, createAccountBody);
  if (!body.ok) return errorResponse(body.error, context.get("requestId"));
  const id = newAccountId(crypto.getRandomValues(new Uint8Array(16)));
  await insertAccount(context.env.DB, { id, name: body.value.name, created_at: Date.now() });
  return context.json({ id });
}

async function listAccounts(context: Context<AppEnv>): Promise<Response> {
  const accounts = await accountsPage(context.env.DB, context.req.query("after") ?? "", LIMITS.pageRowsMax);
  return context.json({ accounts });
}

/** An account as an administrator sees it. */
export async function showAccount(context: Context<AppEnv>): Promise<Response> {
  const id = context.req.param("id") ?? "";
  const row = await findAccount(context.env.DB, id);
  if (row === null) return noAccount(context);
  const account = context.env.ACCOUNT.get(context.env.ACCOUNT.idFromName(id));
  const [balance, keys, facts, limits] = await Promise.all([account.balance(), account.listKeys(), account.facts(), account.limits()]);
  return context.json({
    id,
    name: row.name,
    balance_micro_rub: Number(balance.balance_micro_rub),
    held_micro_rub: Number(balance.held_micro_rub),
    available_micro_rub: Number(balance.available_micro_rub),
    // In debt it admits nothing until a credit pays it; frozen, until it is restored.
    state: facts.frozen !== null ? "frozen" : facts.blocked ? "blocked" : "active",
    frozen: facts.frozen,
    low_balance_micro_rub: row.low_balance_micro_rub,
    ...limits,
    keys,
  });
}

async function createKey(context: Context<AppEnv>): Promise<Response> {
  const body = await readJsonBody(context.req.raw, createKeyBodySchema);
  if (!body.ok) return errorResponse(body.error, context.get("requestId"));
  const account = await accountOf(context);
  if (account === null) return noAccount(context);
  const hmac = (text: string): Uint8Array => new Uint8Array(createHmac("sha256", context.env.PLYRUM_KEY_SECRET).update(text).digest());
  const random = crypto.getRandomValues(new Uint8Array(40));
  const { key, keyId } = formatKey({ kind: "live", accountId: context.req.param("id") ?? "", random }, hmac);
  const limits = body.value.limits ?? NO_KEY_LIMITS;
  const state = await account.createKey({ key_id: keyId, key_hash: hashText(key), name: body.value.name, limits });
  if (state !== "created") {
    return errorResponse(
      gatewayError("invalid_transition", "The account can have no further key.", { suggestion: "Revoke one first." }),
      context.get("requestId"),
    );
  }
  return context.json({ id: keyId, key });
}

async function revokeKey(context: Context<AppEnv>): Promise<Response> {
  const id = context.req.param("id") ?? "";
  const accountId = accountOfKeyId(id);
  const known = accountId !== null && (await context.env.ACCOUNT.get(context.env.ACCOUNT.idFromName(accountId)).revokeKey(id));
  if (!known) return errorResponse(gatewayError("not_found", "There is no such key.", { param: "id" }), context.get("requestId"));
  return context.json({ id, revoked: true });
}
