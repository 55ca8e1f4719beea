/** `GET /admin/report/facts`: what `npm run report` makes the cost report from, a page of accounts at a time. */
import type { Context, Hono } from "hono";
import { accountsPage } from "../../../db/accounts.ts";
import { accountSums, type ReadTogether } from "../../../db/report.ts";
import { type UsageShards, usageShards } from "../../../db/usage-shards.ts";
import { gatewayError } from "../../../schema/error.ts";
import { LIMITS } from "../../../schema/limits.ts";
import type { AccountFacts, ReportFacts } from "../../../schema/report.ts";
import { FX_POLICY } from "../../cost/exchange-rate.ts";
import type { AppEnv } from "../app-env.ts";
import { loadDocuments } from "../documents.ts";
import { integerQuery } from "../query.ts";
import { errorResponse } from "../respond.ts";

export function registerReport(app: Hono<AppEnv>): void {
  app.get("/admin/report/facts", showFacts);
}

async function showFacts(context: Context<AppEnv>): Promise<Response> {
  const asOf = integerQuery(context, "as_of", { fallback: Number.MAX_SAFE_INTEGER, minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
  if (!asOf.ok) return errorResponse(asOf.error, context.get("requestId"));
  const { env } = context;
  const { prices, config } = await loadDocuments(env, (work) => context.executionCtx.waitUntil(work));
  const { max_age_days, stale } = config.fx ?? FX_POLICY;
  const shards = await usageShards(env);
  const page = await accountsPage(env.DB, context.req.query("cursor") ?? "", LIMITS.reportAccountsPerPage);
  const accounts: AccountFacts[] = [];
  for (const account of page) {
    const facts = await factsOf(account, asOf.value, shards, env);
    if (facts === null) return errorResponse(splitsArchive(account.id), context.get("requestId"));
    accounts.push(facts);
  }
  const facts: ReportFacts = {
    rates: { prices_version: prices.version, ...prices.fx, policy: { max_age_days, stale } },
    accounts,
    next_cursor: page.length < LIMITS.reportAccountsPerPage ? null : (page.at(-1)?.id ?? null),
  };
  return context.json(facts);
}

function splitsArchive(accountId: string): ReturnType<typeof gatewayError> {
  return gatewayError("invalid_request", `A part of the archive of ${accountId} goes beyond as_of, and its sums cannot be told apart.`, {
    param: "as_of",
    suggestion: "Name an instant after the last archived month.",
  });
}

/** In one transaction, so that a row that comes meanwhile is in all of the sums or in none. */
function together(database: D1Database): ReadTogether {
  return async (statements, ...values) =>
    (await database.batch(statements.map((sql) => database.prepare(sql).bind(...values)))).map((result) => result.results);
}

async function factsOf(
  { id, name }: { id: string; name: string },
  asOf: number,
  shards: UsageShards,
  env: Env,
): Promise<AccountFacts | null> {
  const sums = await accountSums(shards.of(id).map(together), id, asOf);
  if (sums === null) return null;
  const account = env.ACCOUNT.get(env.ACCOUNT.idFromName(id));
  const [holds, ledger] = await Promise.all([account.openHolds(), account.facts()]);
  return {
    account_id: id,
    name,
    ...sums,
    holds: holds
      .filter((hold) => hold.created_at <= asOf)
      .map(({ request_id, key_id, model, hold_micro_rub, created_at, expires_at }) => ({
        request_id,
        key_id,
        model,
        hold_micro_rub,
        created_at,
        expires_at,
      })),
    ledger: { seq: ledger.seq, balance_micro_rub: ledger.balance_micro_rub },
  };
}
