/** What the account's routes share: the range a query asks for, and a row as people read it. */
import type { Context } from "hono";
import type { UsageFilter } from "../../../db/usage.ts";
import { type UsageRow, type UsageStore, usageStore } from "../../../db/usage-rows.ts";
import { usageShards } from "../../../db/usage-shards.ts";
import type { Outcome } from "../../../schema/error.ts";
import type { AppEnv } from "../app-env.ts";
import { dayQuery } from "../query.ts";

/** The range of days of a query; both ends count. */
export function filterOf(context: Context<AppEnv>): Outcome<UsageFilter> {
  const from = dayQuery(context, "from", "0000-01-01");
  if (!from.ok) return from;
  const to = dayQuery(context, "to", "9999-12-31");
  if (!to.ok) return to;
  return { ok: true, value: { accountId: context.get("caller").accountId, fromDay: from.value, toDay: to.value } };
}

/** Where the caller's rows may be. */
export async function storeOf(context: Context<AppEnv>): Promise<UsageStore> {
  const shards = await usageShards(context.env);
  return usageStore(shards.of(context.get("caller").accountId), context.env.ARCHIVE);
}

/** `stream` is a boolean for people. */
export function publicRow(row: UsageRow): Record<string, unknown> {
  return { ...row, stream: row.stream === 1 };
}
