/** The HTTP surface: which path is served by whom. One file an endpoint family; nothing here but order, ids and the last resort. */
import { Hono } from "hono";
import { createMiddleware } from "hono/factory";
import { gatewayError, type GatewayError } from "../../schema/error.ts";
import { errorAnswer } from "../engine/answers.ts";
import { PROTOCOLS } from "../protocol/index.ts";
import { registerAccount } from "./account/index.ts";
import { registerAdmin } from "./admin/index.ts";
import type { ReliabilityPorts } from "./admin/reliability.ts";
import type { AppEnv } from "./app-env.ts";
import { authenticate } from "./authenticate.ts";
import { registerCompletions } from "./completions.ts";
import { type PagePorts, registerPages, registerSignInLinks } from "./dashboard.ts";
import { registerGeminiModels } from "./gemini-models.ts";
import { registerMetrics } from "./metrics.ts";
import { registerModels } from "./models.ts";
import { registerOllamaModels } from "./ollama-models.ts";
import { registerOpenapi } from "./openapi.ts";
import { registerOrders } from "./orders.ts";
import { newRequestId } from "./own-by-object.ts";
import { registerRequests } from "./requests.ts";
import { errorResponse } from "./respond.ts";
import { registerResponses } from "./responses.ts";
import { registerRouting } from "./routing.ts";
import { trustedCaller } from "./trusted-callers.ts";
import { registerWebhooks, type TopupPortsOf } from "./webhooks/index.ts";

/** Routes that hold no money: the key must be active in its account's object. */
const callerRequired = createMiddleware<AppEnv>(async (context, next) => {
  const trusted = trustedCaller(context.req.raw);
  if (trusted !== null) {
    context.set("caller", trusted);
    await next();
    return undefined;
  }
  const refuse = context.req.path.startsWith("/api/") ? errorAnswerOfApi : errorResponse;
  const known = authenticate(context.req.raw.headers, context.req.url, context.env);
  if (!known.ok) return refuse(known.error, context.get("requestId"));
  const { accountId, keyHash } = known.value;
  const keyId = await context.env.ACCOUNT.get(context.env.ACCOUNT.idFromName(accountId)).keyIdOfHash(keyHash);
  if (keyId === null)
    return refuse(gatewayError("invalid_api_key", "The API key is not valid, or has been revoked."), context.get("requestId"));
  context.set("caller", { accountId, keyId, keyHash });
  await next();
  return undefined;
});

const KEYED_PATHS = [
  "/v1/models",
  "/v1/models/*",
  "/v1beta/models",
  "/v1beta/models/*",
  "/v1/balance",
  "/v1/usage",
  "/v1/usage/*",
  "/v1/requests",
  "/v1/requests/*",
  "/v1/responses/:id",
  "/v1/responses/:id/*",
  "/routing/*",
  "/v1/orders",
  "/v1/orders/*",
  "/api/tags",
  "/api/show",
];

/** Ollama's clients read an error's message where the others have an object. */
function errorAnswerOfApi(error: GatewayError, requestId: string): Response {
  return errorAnswer(PROTOCOLS["ollama-chat"], error, requestId);
}

export function createApp(reliability: ReliabilityPorts, topups: TopupPortsOf, pages: PagePorts): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  app.use(async (context, next) => {
    context.set("requestId", newRequestId(0));
    await next();
  });
  registerCompletions(app);
  registerGeminiModels(app);
  app.get("/healthz", (context) => context.json({ status: "ok" }));
  for (const path of KEYED_PATHS) app.use(path, callerRequired);
  registerModels(app);
  registerOllamaModels(app);
  registerRequests(app);
  registerResponses(app);
  registerRouting(app);
  registerAccount(app);
  registerOrders(app);
  registerWebhooks(app, topups);
  registerAdmin(app, { reliability, topups });
  registerSignInLinks(app, pages);
  registerPages(app, pages);
  registerMetrics(app);
  registerOpenapi(app);
  app.notFound((context) =>
    errorResponse(
      gatewayError("not_found", `There is nothing at ${context.req.method} ${context.req.path}.`, { suggestion: "See /openapi.json." }),
      context.get("requestId"),
    ),
  );
  app.onError((error, context) => {
    console.error("a route failed", error);
    return errorResponse(gatewayError("internal_error", "The gateway failed to answer this call."), context.get("requestId"));
  });
  return app;
}
