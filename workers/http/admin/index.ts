/** `/admin/*`: what an operator does. The admin key works here and nowhere else; a client key never does. */
import type { Hono } from "hono";
import { createMiddleware } from "hono/factory";
import { gatewayError } from "../../../schema/error.ts";
import type { AppEnv } from "../app-env.ts";
import { authenticate, credentialOf, isSameSecret } from "../authenticate.ts";
import { errorResponse } from "../respond.ts";
import type { TopupPortsOf } from "../webhooks/index.ts";
import { registerAccounts } from "./accounts.ts";
import { registerDemo } from "./demo.ts";
import { registerDocuments } from "./documents.ts";
import { registerLimits } from "./limits.ts";
import { registerMoney } from "./money.ts";
import { registerExchangeRate } from "./exchange-rate.ts";
import { registerPayments } from "./payments.ts";
import { registerPriceVersions } from "./price-versions.ts";
import { registerRecordings } from "./recordings.ts";
import { registerReliability, type ReliabilityPorts } from "./reliability.ts";
import { registerReport } from "./report.ts";
import { registerRerate } from "./rerate.ts";
import { registerWebhookEndpoints } from "./webhooks.ts";

const adminRequired = createMiddleware<AppEnv>(async (context, next) => {
  const { url } = context.req;
  const credential = credentialOf(context.req.raw.headers, url);
  if (credential !== null && isSameSecret(credential, context.env.PLYRUM_ADMIN_KEY)) {
    await next();
    return undefined;
  }
  const isClient = authenticate(context.req.raw.headers, url, context.env).ok;
  const error = isClient
    ? gatewayError("forbidden", "A client key does not work here.", { suggestion: "Use the admin key." })
    : gatewayError("invalid_api_key", "The admin key is missing or wrong.", {
        suggestion: "Send it as `Authorization: Bearer ADMIN_KEY`.",
      });
  return errorResponse(error, context.get("requestId"));
});

export function registerAdmin(app: Hono<AppEnv>, ports: { reliability: ReliabilityPorts; topups: TopupPortsOf }): void {
  app.use("/admin/*", adminRequired);
  registerAccounts(app);
  registerLimits(app);
  registerWebhookEndpoints(app);
  registerMoney(app, ports.reliability);
  registerDocuments(app);
  registerPriceVersions(app);
  registerExchangeRate(app);
  registerRerate(app);
  registerReport(app);
  registerReliability(app, ports.reliability);
  registerRecordings(app);
  registerPayments(app, ports.topups);
  registerDemo(app);
}
