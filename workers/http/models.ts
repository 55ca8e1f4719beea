/**
 * The models that are served and priced: `GET /v1/models` and `/v1/models/:id` in OpenAI's shape, or Anthropic's for its SDK (it sends
 * `anthropic-version`); `GET /v1beta/models` and `/v1beta/models/:id`, or a key in `x-goog-api-key`, in Gemini's.
 */
import type { Context, Hono } from "hono";
import { gatewayError } from "../../schema/error.ts";
import { longestMatch } from "../../schema/glob.ts";
import { checkWith } from "../../schema/json.ts";
import { LIMITS } from "../../schema/limits.ts";
import { type ModelDocument, modelDocumentSchema } from "../../schema/model.ts";
import type { PriceDocument } from "../../schema/price.ts";
import { modelFacts } from "../cost/model-facts.ts";
import models from "../cost/models.json" with { type: "json" };
import { errorAnswer } from "../engine/answers.ts";
import { PROTOCOLS } from "../protocol/index.ts";
import { listModels, resolveModel, type RoutingTable } from "../routing/resolve-model.ts";
import type { AppEnv } from "./app-env.ts";
import { catalogueOf } from "./catalogue.ts";
import { loadDocuments } from "./documents.ts";
import { type ListedModel, type ListShape, type PageWanted, renderList, renderModel } from "./model-list.ts";

export function registerModels(app: Hono<AppEnv>): void {
  for (const version of ["/v1", "/v1beta"]) {
    app.get(`${version}/models`, list);
    app.get(`${version}/models/:id{.+}`, show);
  }
}

let facts: ModelDocument | null = null;

function knownFacts(): ModelDocument {
  if (facts !== null) return facts;
  const parsed = checkWith(modelDocumentSchema, models);
  if (!parsed.ok) throw new Error(`the bundled facts of models are wrong: ${parsed.message} at ${parsed.path ?? "?"}`);
  facts = parsed.value;
  return facts;
}

function shapeOf(context: Context<AppEnv>): ListShape {
  if (context.req.path.startsWith("/v1beta/") || context.req.header("x-goog-api-key") !== undefined) return "gemini";
  return context.req.header("anthropic-version") === undefined ? "openai-chat" : "anthropic-messages";
}

/** What is served and priced at this moment. */
export async function servedNow(context: Context<AppEnv>): Promise<{ table: RoutingTable; prices: PriceDocument }> {
  const documents = await loadDocuments(context.env, (work) => context.executionCtx.waitUntil(work));
  return { table: catalogueOf(documents, context.env).table, prices: documents.prices };
}

/** A model as the lists show it; null when it has no price. */
export function describe(slug: string, prices: PriceDocument): ListedModel | null {
  const key = longestMatch(Object.keys(prices.models), slug);
  const price = key === null ? undefined : prices.models[key];
  if (price === undefined) return null;
  const { context_tokens: contextTokens, max_output_tokens: maxOutputTokens } = price;
  return { id: slug, contextTokens, maxOutputTokens, facts: modelFacts(knownFacts(), slug) };
}

/** Anthropic's and Gemini's pages. OpenAI's list has none, so its clients get everything. */
function pageWanted(context: Context<AppEnv>, shape: ListShape): PageWanted {
  const query = (name: string): string | null => context.req.query(name) ?? null;
  const asked = shape === "anthropic-messages" ? query("limit") : shape === "gemini" ? query("pageSize") : null;
  const isCount = asked !== null && /^\d+$/.test(asked) && Number(asked) > 0;
  const limit = shape === "openai-chat" ? Infinity : Math.min(isCount ? Number(asked) : LIMITS.modelsPerPageMax, LIMITS.modelsPerPageMax);
  if (shape === "gemini") return { limit, after: query("pageToken"), before: null };
  return shape === "openai-chat" ? { limit, after: null, before: null } : { limit, after: query("after_id"), before: query("before_id") };
}

async function list(context: Context<AppEnv>): Promise<Response> {
  const shape = shapeOf(context);
  const { table, prices } = await servedNow(context);
  const described = listModels(table).flatMap((slug) => describe(slug, prices) ?? []);
  return context.json(renderList(described, shape, pageWanted(context, shape)));
}

/** One model, by any name a request may use for it. */
async function show(context: Context<AppEnv>): Promise<Response> {
  const shape = shapeOf(context);
  const { table, prices } = await servedNow(context);
  const id = context.req.param("id") ?? "";
  const resolved = resolveModel(id, null, table);
  const model = resolved.ok ? describe(`${resolved.value.provider}/${resolved.value.model}`, prices) : null;
  if (model !== null) return context.json(renderModel(model, shape));
  const missing = gatewayError("model_not_found", `There is no model "${id}" here.`, { param: "id" });
  return errorAnswer(PROTOCOLS[shape], resolved.ok ? missing : resolved.error, context.get("requestId"));
}
