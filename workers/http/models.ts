/** `GET /v1/models` and `/v1/models/:id`: the priced models of the providers that are on, in OpenAI's shape, or Anthropic's for its SDK. */
import type { Context, Hono } from "hono";
import { gatewayError } from "../../schema/error.ts";
import type { AppEnv } from "./app-env.ts";
import { loadDocuments } from "./documents.ts";
import { activeProviders } from "./environment.ts";
import { errorResponse } from "./respond.ts";

/** Models have no date of their own here; the format wants one. */
const CREATED_SECONDS = 1_700_000_000;

export function registerModels(app: Hono<AppEnv>): void {
  app.get("/v1/models", listModels);
  app.get("/v1/models/:id{.+}", showModel);
}

async function servedModels(context: Context<AppEnv>): Promise<string[]> {
  const { prices, config } = await loadDocuments(context.env, (work) => context.executionCtx.waitUntil(work));
  const providers = activeProviders(context.env, config);
  return Object.keys(prices.models).filter((slug) => !slug.includes("*") && providers.has(slug.slice(0, slug.indexOf("/"))));
}

function openaiShape(slug: string): Record<string, unknown> {
  return { id: slug, object: "model", created: CREATED_SECONDS, owned_by: slug.slice(0, slug.indexOf("/")) };
}

function anthropicShape(slug: string): Record<string, unknown> {
  return { type: "model", id: slug, display_name: slug, created_at: new Date(CREATED_SECONDS * 1000).toISOString() };
}

function wantsAnthropicShape(context: Context<AppEnv>): boolean {
  return context.req.header("anthropic-version") !== undefined;
}

async function listModels(context: Context<AppEnv>): Promise<Response> {
  const slugs = await servedModels(context);
  if (wantsAnthropicShape(context)) {
    return context.json({ data: slugs.map(anthropicShape), has_more: false, first_id: slugs[0] ?? null, last_id: slugs.at(-1) ?? null });
  }
  return context.json({ object: "list", data: slugs.map(openaiShape) });
}

async function showModel(context: Context<AppEnv>): Promise<Response> {
  const slugs = await servedModels(context);
  const id = context.req.param("id") ?? "";
  const slug = slugs.find((candidate) => candidate === id) ?? onlyEndingWith(slugs, id);
  if (slug === null) {
    return errorResponse(
      gatewayError("model_not_found", `There is no model "${id}" here.`, { param: "id", available: slugs }),
      context.get("requestId"),
    );
  }
  return context.json(wantsAnthropicShape(context) ? anthropicShape(slug) : openaiShape(slug));
}

function onlyEndingWith(slugs: readonly string[], name: string): string | null {
  const matches = slugs.filter((slug) => slug.endsWith(`/${name}`));
  return matches.length === 1 ? (matches[0] ?? null) : null;
}
