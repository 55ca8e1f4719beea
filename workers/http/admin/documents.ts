/** `/admin/prices` and `/admin/config`: whole documents, validated, versioned, in force at once. */
import type { Context, Hono } from "hono";
import { z } from "zod";
import { configDocumentSchema } from "../../../schema/document.ts";
import { gatewayError } from "../../../schema/error.ts";
import { checkWith } from "../../../schema/json.ts";
import { parsePriceDocument } from "../../cost/price.ts";
import type { AppEnv } from "../app-env.ts";
import { loadDocuments, storeDocument } from "../documents.ts";
import { integerQuery } from "../query.ts";
import { errorResponse, readJsonBody } from "../respond.ts";
import { configWarnings, modernised } from "./config-warnings.ts";
import { configAt, listConfigVersions } from "./config-versions.ts";
import { withKnownKeys, withoutKeys } from "./hidden-keys.ts";
import { priceDocumentBy } from "./price-versions.ts";

export function registerDocuments(app: Hono<AppEnv>): void {
  app.get("/admin/prices", getPrices);
  app.put("/admin/prices", putPrices);
  app.get("/admin/config", getConfig);
  app.get("/admin/config/versions", listConfigVersions);
  app.put("/admin/config", putConfig);
}

function current(context: Context<AppEnv>): ReturnType<typeof loadDocuments> {
  return loadDocuments(context.env, (work) => context.executionCtx.waitUntil(work));
}

/** The document in force, or the one that `version` or `number` names. */
async function getPrices(context: Context<AppEnv>): Promise<Response> {
  const version = context.req.query("version");
  const number = integerQuery(context, "number", { fallback: -1, minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
  if (!number.ok) return errorResponse(number.error, context.get("requestId"));
  if (version === undefined && number.value === -1) return context.json((await current(context)).prices);
  const found = await priceDocumentBy(context.env, version === undefined ? { number: number.value } : { version });
  return found.ok ? context.json(found.value) : errorResponse(found.error, context.get("requestId"));
}

async function putPrices(context: Context<AppEnv>): Promise<Response> {
  const body = await readJsonBody(context.req.raw, z.unknown());
  if (!body.ok) return errorResponse(body.error, context.get("requestId"));
  const parsed = parsePriceDocument(body.value);
  if (!parsed.ok) return errorResponse(gatewayError("invalid_request", parsed.message, { param: parsed.path }), context.get("requestId"));
  await storeDocument(context.env, "prices", JSON.stringify(body.value));
  return context.json(parsed.value);
}

/** The configuration in force, or the one that `number` names. */
async function getConfig(context: Context<AppEnv>): Promise<Response> {
  return context.req.query("number") === undefined ? context.json(withoutKeys((await current(context)).config)) : configAt(context);
}

async function putConfig(context: Context<AppEnv>): Promise<Response> {
  const raw = await readJsonBody(context.req.raw, z.unknown());
  if (!raw.ok) return errorResponse(raw.error, context.get("requestId"));
  const body = checkWith(configDocumentSchema, modernised(raw.value));
  if (!body.ok) return errorResponse(gatewayError("invalid_request", body.message, { param: body.path }), context.get("requestId"));
  const whole = withKnownKeys(body.value, (await current(context)).config);
  if (!whole.ok) return errorResponse(whole.error, context.get("requestId"));
  const number = await storeDocument(context.env, "config", JSON.stringify(whole.value));
  return context.json({ number, config: withoutKeys(body.value), warnings: configWarnings(body.value) });
}
