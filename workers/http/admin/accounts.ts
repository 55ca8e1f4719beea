/** Accounts, their keys, credits and ledgers. */
import { createHmac } from "node:crypto";
import type { Context, Hono } from "hono";
import { accountsPage, findAccount, insertAccount } from "../../../db/accounts.ts";
import { createAccountBody, creditBody } from "../../../schema/api.ts";
import { gatewayError } from "../../../schema/error.ts";
import { accountOfKeyId, createKeyBodySchema, formatKey, newAccountId, NO_KEY_LIMITS } from "../../../schema/key.ts";
import { LIMITS } from "../../../schema/limits.ts";
import type { AppEnv } from "../app-env.ts";
import { hashText } from "../authenticate.ts";
import { integerQuery } from "../query.ts";
import { errorResponse, readJsonBody } from "../respond.ts";

export function registerAccounts(app: Hono<AppEnv>): void {
  app.post("/admin/accounts", createAccount);
  app.get("/admin/accounts", listAccounts);
  app.get("/admin/accounts/:id", showAccount);
  app.post("/admin/accounts/:id/keys", createKey);
  app.delete("/admin/keys/:id", revokeKey);
  app.post("/admin/accounts/:id/credits", credit);
  app.get("/admin/accounts/:id/ledger", showLedger);
}

/** The account's object, or null for an account nobody made. */
async function accountOf(context: Context<AppEnv>): Promise<ReturnType<Env["ACCOUNT"]["get"]> | null> {
  const id = context.req.param("id") ?? "";
  if ((await findAccount(context.env.DB, id)) === null) return null;
  return context.env.ACCOUNT.get(context.env.ACCOUNT.idFromName(id));
}

function noAccount(context: Context<AppEnv>): Response {
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

async function showAccount(context: Context<AppEnv>): Promise<Response> {
  const account = await accountOf(context);
  if (account === null) return noAccount(context);
  const [balance, keys] = await Promise.all([account.balance(), account.listKeys()]);
  return context.json({
    id: context.req.param("id"),
    balance_micro_rub: Number(balance.balance_micro_rub),
    held_micro_rub: Number(balance.held_micro_rub),
    available_micro_rub: Number(balance.available_micro_rub),
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

async function credit(context: Context<AppEnv>): Promise<Response> {
  const body = await readJsonBody(context.req.raw, creditBody);
  if (!body.ok) return errorResponse(body.error, context.get("requestId"));
  const account = await accountOf(context);
  if (account === null) return noAccount(context);
  const { amount_micro_rub, reference } = body.value;
  const result = await account.credit({
    kind: "credit",
    external_id: reference,
    amount_micro_rub: amount_micro_rub.toString(),
    record: null,
  });
  if (result.state === "credited" || result.state === "exists") {
    return context.json({
      account_id: context.req.param("id"),
      reference,
      amount_micro_rub: Number(result.amount_micro_rub),
      balance_micro_rub: Number(result.balance_after_micro_rub),
      seq: result.seq,
      state: result.state,
    });
  }
  const message =
    result.state === "out_of_range"
      ? "The balance would leave the range of exact amounts."
      : "This reference was credited with another amount.";
  return errorResponse(gatewayError("invalid_transition", message, { param: "reference" }), context.get("requestId"));
}

async function showLedger(context: Context<AppEnv>): Promise<Response> {
  const after = integerQuery(context, "after_seq", { fallback: 0, minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
  const limit = integerQuery(context, "limit", { fallback: LIMITS.pageRowsDefault, minimum: 1, maximum: LIMITS.pageRowsMax });
  if (!after.ok) return errorResponse(after.error, context.get("requestId"));
  if (!limit.ok) return errorResponse(limit.error, context.get("requestId"));
  const account = await accountOf(context);
  if (account === null) return noAccount(context);
  const entries = await account.ledger(after.value, limit.value);
  return context.json({
    entries: entries.map((entry) => ({
      seq: entry.seq,
      kind: entry.kind,
      request_id: entry.request_id,
      external_id: entry.external_id,
      amount_micro_rub: Number(entry.amount_micro_rub),
      balance_after_micro_rub: Number(entry.balance_after_micro_rub),
      held_after_micro_rub: Number(entry.held_after_micro_rub),
      at: entry.at,
      prev_hash: entry.prev_hash,
      hash: entry.hash,
    })),
  });
}
