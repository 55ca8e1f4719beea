/** `POST /admin/rerate`: what past requests would have cost by other prices. A report; no row and no balance changes. */
import type { Context, Hono } from "hono";
import { accountsPage } from "../../../db/accounts.ts";
import { usageRows, usageStore } from "../../../db/usage-rows.ts";
import { usageShards } from "../../../db/usage-shards.ts";
import { rerateBody, type RerateBody } from "../../../schema/api.ts";
import { failed, gatewayError, type Outcome } from "../../../schema/error.ts";
import { LIMITS } from "../../../schema/limits.ts";
import { microRub, toJsonNumber } from "../../../schema/money.ts";
import type { PriceDocument } from "../../../schema/price.ts";
import { parsePriceDocument } from "../../cost/price.ts";
import { type ReratedGroup, rerating, type Rerating } from "../../cost/rerate.ts";
import type { AppEnv } from "../app-env.ts";
import { errorResponse, readJsonBody } from "../respond.ts";
import { priceDocumentBy } from "./price-versions.ts";

export function registerRerate(app: Hono<AppEnv>): void {
  app.post("/admin/rerate", rerate);
}

/** Where the next call goes on: rows of this account below this number, then the accounts after it. */
interface Place {
  accountId: string;
  beforeSeq: number;
}

async function rerate(context: Context<AppEnv>): Promise<Response> {
  const body = await readJsonBody(context.req.raw, rerateBody);
  if (!body.ok) return errorResponse(body.error, context.get("requestId"));
  const document = await wantedPrices(body.value, context.env);
  if (!document.ok) return errorResponse(document.error, context.get("requestId"));
  const rerated = rerating(document.value);
  const { rows, place } = await readRows(body.value, rerated, context.env);
  const groups = rerated.groups();
  return context.json({
    prices_version: document.value.version,
    fx: document.value.fx,
    markup_bps: document.value.markup_bps,
    from: body.value.from,
    to: body.value.to,
    rows,
    groups: groups.map(({ account_id, model, day, ...sums }) => ({ account_id, model, day, ...shown(sums) })),
    totals: shown(summed(groups)),
    next_cursor: place === null ? null : `${place.accountId}:${place.beforeSeq}`,
  });
}

async function wantedPrices({ prices }: RerateBody, env: Env): Promise<Outcome<PriceDocument>> {
  if ("number" in prices) return priceDocumentBy(env, { number: prices.number });
  if ("document" in prices) {
    const parsed = parsePriceDocument(prices.document);
    return parsed.ok ? parsed : failed(gatewayError("invalid_request", parsed.message, { param: `prices.document.${parsed.path ?? ""}` }));
  }
  return priceDocumentBy(env, { version: prices.version });
}

/** Reads up to `LIMITS.rerateRowsPerCall` rows, account by account. `place` null: that was all. */
async function readRows(body: RerateBody, rerated: Rerating, env: Env): Promise<{ rows: number; place: Place | null }> {
  const shards = await usageShards(env);
  let rows = 0;
  let place: Place | null = placeOf(body);
  while (place !== null) {
    const { accountId, beforeSeq }: Place = place;
    const store = usageStore(shards.of(accountId), env.ARCHIVE);
    let before = beforeSeq;
    for (;;) {
      if (rows >= LIMITS.rerateRowsPerCall) return { rows, place: { accountId, beforeSeq: before } };
      const filter = { accountId, fromDay: body.from, toDay: body.to };
      const found = await usageRows(store, filter, { beforeSeq: before, limit: LIMITS.exportRowsPerPage });
      for (const row of found) rerated.add({ ...row, account_id: accountId, day: new Date(row.at).toISOString().slice(0, 10) });
      rows += found.length;
      before = found.at(-1)?.seq ?? 0;
      if (found.length < LIMITS.exportRowsPerPage) break;
    }
    place = body.account_id === undefined ? await nextAccount(env, accountId) : null;
    if (rows >= LIMITS.rerateRowsPerCall) return { rows, place };
  }
  return { rows, place: null };
}

function placeOf({ account_id, cursor }: RerateBody): Place {
  const [accountId = "", seq] = cursor?.split(":") ?? [];
  return { accountId: account_id ?? accountId, beforeSeq: seq === undefined ? Number.MAX_SAFE_INTEGER : Number(seq) };
}

async function nextAccount(env: Env, after: string): Promise<Place | null> {
  const [next] = await accountsPage(env.DB, after, 1);
  return next === undefined ? null : { accountId: next.id, beforeSeq: Number.MAX_SAFE_INTEGER };
}

type Sums = Omit<ReratedGroup, "account_id" | "model" | "day">;

function summed(groups: readonly ReratedGroup[]): Sums {
  const total = { requests: 0, old_cost: 0n, new_cost: 0n, unpriced_requests: 0, unpriced_old_cost: 0n };
  for (const group of groups) {
    total.requests += group.requests;
    total.old_cost += group.old_cost;
    total.new_cost += group.new_cost;
    total.unpriced_requests += group.unpriced_requests;
    total.unpriced_old_cost += group.unpriced_old_cost;
  }
  return total;
}

function amount(value: bigint): number {
  return toJsonNumber(microRub(value));
}

function shown(sums: Sums): Record<string, number> {
  return {
    requests: sums.requests,
    old_cost_micro_rub: amount(sums.old_cost),
    new_cost_micro_rub: amount(sums.new_cost),
    difference_micro_rub: amount(sums.new_cost - sums.old_cost),
    unpriced_requests: sums.unpriced_requests,
    unpriced_old_cost_micro_rub: amount(sums.unpriced_old_cost),
  };
}
