/** What a client key sees of its account: balance, usage, requests. */
import type { Context, Hono } from "hono";
import { GROUPS, usageGroups, usageTotals, type GroupBy } from "../../../db/usage.ts";
import { type UsageRow, usageRows } from "../../../db/usage-rows.ts";
import { LIMITS } from "../../../schema/limits.ts";
import type { AppEnv } from "../app-env.ts";
import { choiceQuery, integerQuery } from "../query.ts";
import { errorResponse } from "../respond.ts";
import { exportUsage } from "./export.ts";
import { filterOf, publicRow, storeOf } from "./rows.ts";

export function registerAccount(app: Hono<AppEnv>): void {
  app.get("/v1/balance", showBalance);
  app.get("/v1/usage", showUsage);
  app.get("/v1/usage/export", exportUsage);
  app.get("/v1/requests", listRequests);
}

async function showBalance(context: Context<AppEnv>): Promise<Response> {
  const { accountId } = context.get("caller");
  const balance = await context.env.ACCOUNT.get(context.env.ACCOUNT.idFromName(accountId)).balance();
  return context.json({
    account_id: accountId,
    balance_micro_rub: Number(balance.balance_micro_rub),
    held_micro_rub: Number(balance.held_micro_rub),
    available_micro_rub: Number(balance.available_micro_rub),
  });
}

function evidenceOf(env: Env): "live" | "offline" {
  return env.PLYRUM_EVIDENCE === "offline" ? "offline" : "live";
}

async function showUsage(context: Context<AppEnv>): Promise<Response> {
  const filter = filterOf(context);
  if (!filter.ok) return errorResponse(filter.error, context.get("requestId"));
  const by = choiceQuery<GroupBy>(context, "group_by", ["day", "model", "provider", "key"]);
  if (!by.ok) return errorResponse(by.error, context.get("requestId"));
  const limit = integerQuery(context, "limit", { fallback: LIMITS.pageRowsDefault, minimum: 1, maximum: LIMITS.pageRowsMax });
  if (!limit.ok) return errorResponse(limit.error, context.get("requestId"));
  const store = await storeOf(context);
  const totals = await usageTotals(store.databases, filter.value);
  const evidence = evidenceOf(context.env);
  if (by.value !== null) {
    const groups = await usageGroups(store.databases, filter.value, {
      by: by.value,
      afterName: context.req.query("cursor") ?? "",
      limit: limit.value,
    });
    const rows = groups.map(({ name, ...sums }) => ({ [GROUPS[by.value ?? "day"]]: name, ...sums }));
    return context.json({ rows, totals, next_cursor: groups.length < limit.value ? null : (groups.at(-1)?.name ?? null), evidence });
  }
  const before = integerQuery(context, "cursor", { fallback: Number.MAX_SAFE_INTEGER, minimum: 1, maximum: Number.MAX_SAFE_INTEGER });
  if (!before.ok) return errorResponse(before.error, context.get("requestId"));
  const rows = await usageRows(store, filter.value, { beforeSeq: before.value, limit: limit.value });
  return context.json({ rows: rows.map(publicRow), totals, next_cursor: nextCursor(rows, limit.value), evidence });
}

function nextCursor(rows: readonly UsageRow[], limit: number): string | null {
  return rows.length < limit ? null : String(rows.at(-1)?.seq ?? 0);
}

/** Finished requests from D1, the newest first; on the first page those under way come before them. */
async function listRequests(context: Context<AppEnv>): Promise<Response> {
  const { accountId } = context.get("caller");
  const limit = integerQuery(context, "limit", { fallback: LIMITS.pageRowsDefault, minimum: 1, maximum: LIMITS.pageRowsMax });
  if (!limit.ok) return errorResponse(limit.error, context.get("requestId"));
  const before = integerQuery(context, "cursor", { fallback: Number.MAX_SAFE_INTEGER, minimum: 1, maximum: Number.MAX_SAFE_INTEGER });
  if (!before.ok) return errorResponse(before.error, context.get("requestId"));
  const isFirstPage = before.value === Number.MAX_SAFE_INTEGER;
  const rows = await usageRows(
    await storeOf(context),
    { accountId, fromDay: "0000-01-01", toDay: "9999-12-31" },
    { beforeSeq: before.value, limit: limit.value },
  );
  const open = isFirstPage ? await context.env.ACCOUNT.get(context.env.ACCOUNT.idFromName(accountId)).openHolds() : [];
  const running = open.map((hold) => ({
    id: hold.request_id,
    state: "dispatched",
    model: hold.model,
    key_id: hold.key_id,
    held_micro_rub: Number(hold.hold_micro_rub),
    at: hold.created_at,
  }));
  const finished = rows.map(({ request_id, ...row }) => ({
    id: request_id,
    ...publicRow({ request_id, ...row }),
    state: row.state === "settled" ? "recorded" : row.state,
  }));
  return context.json({ requests: [...running, ...finished], next_cursor: nextCursor(rows, limit.value) });
}
