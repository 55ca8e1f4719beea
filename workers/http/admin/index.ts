/** `/admin/*`: what an operator does. The admin key works here and nowhere else; a client key never does. */
import type { Hono } from "hono";
import { createMiddleware } from "hono/factory";
import { gatewayError } from "../../../schema/error.ts";
import type { AppEnv } from "../app-env.ts";
import { authenticate, credentialOf, isSameSecret } from "../authenticate.ts";
import { errorResponse } from "../respond.ts";
import { registerAccounts } from "./accounts.ts";
import { registerDemo } from "./demo.ts";
import { registerDocuments } from "./documents.ts";
import { registerReliability, type ReliabilityPorts } from "./reliability.ts";

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

export function registerAdmin(app: Hono<AppEnv>, ports: ReliabilityPorts): void {
  app.use("/admin/*", adminRequired);
  registerAccounts(app);
  registerDocuments(app);
  registerReliability(app, ports);
  registerDemo(app);
}
