/** `GET /admin/prices/versions`: every price document there was, and any one of them. Documents are never changed once they are stored. */
import type { Context, Hono } from "hono";
import { documentBy, priceVersions } from "../../../db/documents.ts";
import { failed, gatewayError, type Outcome } from "../../../schema/error.ts";
import { parseJson } from "../../../schema/json.ts";
import { LIMITS } from "../../../schema/limits.ts";
import type { PriceDocument } from "../../../schema/price.ts";
import { parsePriceDocument } from "../../cost/price.ts";
import type { AppEnv } from "../app-env.ts";
import { defaultPrices } from "../documents.ts";
import { integerQuery } from "../query.ts";
import { errorResponse } from "../respond.ts";

export function registerPriceVersions(app: Hono<AppEnv>): void {
  app.get("/admin/prices/versions", listVersions);
}

/** The newest first. Number 0 is the catalogue that the deployment brings along, in force until a document is put. */
async function listVersions(context: Context<AppEnv>): Promise<Response> {
  const limit = integerQuery(context, "limit", { fallback: LIMITS.pageRowsDefault, minimum: 1, maximum: LIMITS.pageRowsMax });
  if (!limit.ok) return errorResponse(limit.error, context.get("requestId"));
  const before = integerQuery(context, "cursor", { fallback: Number.MAX_SAFE_INTEGER, minimum: 1, maximum: Number.MAX_SAFE_INTEGER });
  if (!before.ok) return errorResponse(before.error, context.get("requestId"));
  const stored = await priceVersions(context.env.DB, { beforeNumber: before.value, limit: limit.value });
  const isLast = stored.length < limit.value;
  const { version, fx, markup_bps, models } = defaultPrices();
  const bundled = {
    number: 0,
    version,
    fx_micro_rub_per_usd: fx.micro_rub_per_usd,
    fx_date: fx.date,
    fx_source: fx.source,
    markup_bps,
    models: Object.keys(models).length,
    created_at: null,
  };
  return context.json({
    versions: isLast ? [...stored, bundled] : stored,
    next_cursor: isLast ? null : String(stored.at(-1)?.number ?? 0),
  });
}

/** A stored document by its number, or the newest of a version's name. */
export async function priceDocumentBy(env: Env, wanted: { number: number } | { version: string }): Promise<Outcome<PriceDocument>> {
  const bundled = defaultPrices();
  if ("number" in wanted && wanted.number === 0) return { ok: true, value: bundled };
  const stored = await documentBy(env.DB, "prices", wanted);
  if (stored === null) {
    if ("version" in wanted && wanted.version === bundled.version) return { ok: true, value: bundled };
    const suggestion = "See GET /admin/prices/versions.";
    return failed(gatewayError("not_found", "There is no such version of the prices.", { param: "version", suggestion }));
  }
  const parsed = parseJson(stored.body);
  const document = parsed.ok ? parsePriceDocument(parsed.value) : parsed;
  if (!document.ok) throw new Error(`a stored document is unreadable: ${document.message}`);
  return document;
}
