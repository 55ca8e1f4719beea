/** `/admin/archive`: moves closed months to the archive, or reads the archive back. `/admin/shards`: which database keeps which rows. */
import type { Context, Hono } from "hono";
import { findAccount } from "../../../db/accounts.ts";
import { boundDatabases, readShardMap, storeShardMap } from "../../../db/usage-shards.ts";
import { archiveBody } from "../../../schema/api.ts";
import { gatewayError, type GatewayError } from "../../../schema/error.ts";
import { LIMITS } from "../../../schema/limits.ts";
import { monthOf, type ShardMap, shardMapFault, shardMapSchema, shardsNamed } from "../../../schema/shard.ts";
import type { AppEnv } from "../app-env.ts";
import { errorResponse, readJsonBody } from "../respond.ts";

/** What the queue's side offers; handed in by the composition root. */
export interface ArchivePorts {
  firstKeptMonth: (now: number, keepMonths: number) => string;
  archiveAccount: (accountId: string, order: ArchiveOrder, env: Env) => Promise<unknown>;
  archiveAll: (order: ArchiveOrder, env: Env) => Promise<unknown[]>;
  verifyArchive: (accountId: string | null, env: Env) => Promise<object>;
}

interface ArchiveOrder {
  beforeMonth: string;
  now: number;
  partsMax: number;
}

export function registerArchive(app: Hono<AppEnv>, ports: ArchivePorts): void {
  app.post("/admin/archive", (context) => archive(context, ports));
  app.get("/admin/shards", async (context) => context.json(await readShardMap(context.env.DB)));
  app.put("/admin/shards", putShards);
}

async function archive(context: Context<AppEnv>, ports: ArchivePorts): Promise<Response> {
  const body = await readJsonBody(context.req.raw, archiveBody);
  if (!body.ok) return errorResponse(body.error, context.get("requestId"));
  const { account_id: accountId = null, before_month, verify } = body.value;
  const { env } = context;
  if (accountId !== null && (await findAccount(env.DB, accountId)) === null) {
    return errorResponse(gatewayError("not_found", "There is no such account.", { param: "account_id" }), context.get("requestId"));
  }
  if (verify) return context.json(await ports.verifyArchive(accountId, env));
  const now = Date.now();
  const latest = ports.firstKeptMonth(now, 0);
  const beforeMonth = before_month ?? latest;
  if (beforeMonth > latest) return errorResponse(tooYoung(latest), context.get("requestId"));
  const order = { beforeMonth, now, partsMax: LIMITS.archivePartsPerPass };
  const archived = accountId === null ? await ports.archiveAll(order, env) : [await ports.archiveAccount(accountId, order, env)];
  return context.json({ before_month: beforeMonth, accounts: archived });
}

function tooYoung(latest: string): GatewayError {
  const days = LIMITS.archiveGraceMilliseconds / 86_400_000;
  return gatewayError("invalid_request", `A month can be archived ${days} days after it ended, so before_month is at most ${latest}.`, {
    param: "before_month",
  });
}

async function putShards(context: Context<AppEnv>): Promise<Response> {
  const body = await readJsonBody(context.req.raw, shardMapSchema);
  if (!body.ok) return errorResponse(body.error, context.get("requestId"));
  const now = Date.now();
  const fault = shardsFault(await readShardMap(context.env.DB), body.value, { bound: boundDatabases(context.env), now });
  if (fault !== null) return errorResponse(gatewayError("invalid_transition", fault, { param: "rules" }), context.get("requestId"));
  await storeShardMap(context.env.DB, body.value, now);
  return context.json(body.value);
}

function shardsFault(before: ShardMap, after: ShardMap, facts: { bound: string[]; now: number }): string | null {
  const unbound = shardsNamed(after).filter((name) => !facts.bound.includes(name));
  if (unbound.length > 0) return `no database is bound as ${unbound.join(", ")}`;
  return shardMapFault(before, after, monthOf(facts.now + LIMITS.shardMapLeadMilliseconds));
}
