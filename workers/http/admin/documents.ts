/** `/admin/prices` and `/admin/config`: whole documents, validated, versioned, in force at once. */
import type { Context, Hono } from "hono";
import { z } from "zod";
import { configDocumentSchema } from "../../../schema/document.ts";
import { gatewayError } from "../../../schema/error.ts";
import { parsePriceDocument } from "../../cost/price.ts";
import type { AppEnv } from "../app-env.ts";
import { oddityOf } from "../declared-providers.ts";
import { loadDocuments, storeDocument } from "../documents.ts";
import { errorResponse, readJsonBody } from "../respond.ts";
import { withKnownKeys, withoutKeys } from "./hidden-keys.ts";

/** Keys of the configuration that something acts on today; others are kept and named in a warning. */
const KNOWN_CONFIG_KEYS = ["version", "model_providers", "model_aliases"];

export function registerDocuments(app: Hono<AppEnv>): void {
  app.get("/admin/prices", async (context) => context.json((await current(context)).prices));
  app.put("/admin/prices", putPrices);
  app.get("/admin/config", async (context) => context.json(withoutKeys((await current(context)).config)));
  app.put("/admin/config", putConfig);
}

function current(context: Context<AppEnv>): ReturnType<typeof loadDocuments> {
  return loadDocuments(context.env, (work) => context.executionCtx.waitUntil(work));
}

async function putPrices(context: Context<AppEnv>): Promise<Response> {
  const body = await readJsonBody(context.req.raw, z.unknown());
  if (!body.ok) return errorResponse(body.error, context.get("requestId"));
  const parsed = parsePriceDocument(body.value);
  if (!parsed.ok) return errorResponse(gatewayError("invalid_request", parsed.message, { param: parsed.path }), context.get("requestId"));
  await storeDocument(context.env, "prices", JSON.stringify(body.value));
  return context.json(parsed.value);
}

async function putConfig(context: Context<AppEnv>): Promise<Response> {
  const body = await readJsonBody(context.req.raw, configDocumentSchema);
  if (!body.ok) return errorResponse(body.error, context.get("requestId"));
  const whole = withKnownKeys(body.value, (await current(context)).config);
  if (!whole.ok) return errorResponse(whole.error, context.get("requestId"));
  const number = await storeDocument(context.env, "config", JSON.stringify(whole.value));
  const unknown = Object.keys(body.value).filter((key) => !KNOWN_CONFIG_KEYS.includes(key));
  const warnings = [
    ...unknown.map((key) => `"${key}" is kept, but nothing acts on it yet`),
    ...(body.value.model_providers ?? []).flatMap((declared) => oddityOf(declared) ?? []),
  ];
  return context.json({ number, config: withoutKeys(body.value), warnings });
}
