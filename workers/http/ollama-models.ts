/**
 * What clients of Ollama ask beside inference: `GET /api/tags` and `POST /api/show`, the same models as `/v1/models` in Ollama's shape, and
 * `GET /api/version`, which needs no key.
 */
import type { Context, Hono } from "hono";
import { z } from "zod";
import { gatewayError, type GatewayError } from "../../schema/error.ts";
import { parseWith } from "../../schema/json.ts";
import { LIMITS } from "../../schema/limits.ts";
import { errorAnswer } from "../engine/answers.ts";
import { PROTOCOLS } from "../protocol/index.ts";
import { listModels, resolveModel } from "../routing/resolve-model.ts";
import { readBounded } from "../runtime/read-bounded.ts";
import type { AppEnv } from "./app-env.ts";
import { hashText } from "./authenticate.ts";
import type { ListedModel } from "./model-list.ts";
import { describe, servedNow } from "./models.ts";

/** The first version of Ollama with everything that is spoken here (ids of calls came with it): clients read from it what they may ask. */
const SPOKEN_VERSION = "0.12.10";
/** A date shown for a model whose release is not known: the shape wants one. */
const MODIFIED_UNKNOWN = "2023-11-14";

/** Newer clients name it `model`, older ones `name`. */
const showBodySchema = z.looseObject({ model: z.string().nullish(), name: z.string().nullish() });

export function registerOllamaModels(app: Hono<AppEnv>): void {
  app.get("/api/version", (context) => context.json({ version: SPOKEN_VERSION }));
  app.get("/api/tags", tags);
  app.post("/api/show", show);
}

/** Empty words are Ollama's own "unknown" here; the number of parameters and the like are nobody's but the provider's. */
function detailsOf(model: ListedModel): Record<string, unknown> {
  const family = model.id.slice(0, model.id.indexOf("/"));
  const context = model.contextTokens === null ? {} : { context_length: model.contextTokens };
  return { parent_model: "", format: "", family, families: [family], parameter_size: "", quantization_level: "", ...context };
}

function capabilitiesOf({ facts }: ListedModel): string[] {
  if (facts === null) return ["completion"];
  return [
    ...(facts.output.includes("embedding") ? ["embedding"] : ["completion"]),
    ...(facts.tools === true ? ["tools"] : []),
    ...(facts.input.includes("image") ? ["vision"] : []),
    ...(facts.reasoning === true ? ["thinking"] : []),
  ];
}

function modifiedAt({ facts }: ListedModel): string {
  return `${facts?.released ?? MODIFIED_UNKNOWN}T00:00:00Z`;
}

/** No size: there are no files here. The digest is that of the name, since clients cut one short to show it and compare by it. */
function tagOf(model: ListedModel): Record<string, unknown> {
  return {
    name: model.id,
    model: model.id,
    modified_at: modifiedAt(model),
    digest: hashText(model.id),
    details: detailsOf(model),
    capabilities: capabilitiesOf(model),
  };
}

async function tags(context: Context<AppEnv>): Promise<Response> {
  const { table, prices } = await servedNow(context);
  return context.json({
    models: listModels(table)
      .flatMap((slug) => describe(slug, prices) ?? [])
      .map(tagOf),
  });
}

async function show(context: Context<AppEnv>): Promise<Response> {
  const text = await readBounded(context.req.raw, LIMITS.adminBodyBytes);
  const body = parseWith(showBodySchema, text ?? "");
  const name = body.ok ? body.value.model || body.value.name || null : null;
  if (name === null) return refuse(context, gatewayError("invalid_request", "The body must name a model.", { param: "model" }));
  const { table, prices } = await servedNow(context);
  const resolved = resolveModel(name, null, table);
  if (!resolved.ok) return refuse(context, resolved.error);
  const model = describe(`${resolved.value.provider}/${resolved.value.model}`, prices);
  if (model === null) return refuse(context, gatewayError("model_not_found", `There is no model "${name}" here.`, { param: "model" }));
  const details = detailsOf(model);
  return context.json({
    details,
    model_info: {
      "general.architecture": details["family"],
      ...(model.contextTokens === null ? {} : { [`${String(details["family"])}.context_length`]: model.contextTokens }),
    },
    capabilities: capabilitiesOf(model),
    modified_at: modifiedAt(model),
  });
}

function refuse(context: Context<AppEnv>, error: GatewayError): Response {
  return errorAnswer(PROTOCOLS["ollama-chat"], error, context.get("requestId"));
}
