/** Where the dashboard's pages are. They are on the same level as this room, so the composition root hands them in, loaded on first use. */
import type { Context, Hono } from "hono";
import { signInLinkBody, type LinkPurpose } from "../../schema/dashboard.ts";
import type { Outcome } from "../../schema/error.ts";
import type { AppEnv } from "./app-env.ts";
import { errorResponse, readJsonBody } from "./respond.ts";

export interface PagePorts {
  answer: (request: Request, env: Env, context: Context["executionCtx"]) => Promise<Response>;
  makeSignInLink: (request: Request, purpose: LinkPurpose, env: Env) => Promise<Outcome<object>>;
}

const PATHS = [
  "/",
  "/sign-in",
  "/sign-in/*",
  "/sign-up",
  "/sign-out",
  "/welcome",
  "/invite/*",
  "/preferences",
  "/organisations",
  "/me",
  "/me/*",
  "/app",
  "/app/*",
  "/auth/*",
  "/assets/*",
  "/docs",
  "/status",
] as const;

export function registerPages(app: Hono<AppEnv>, pages: PagePorts): void {
  for (const path of PATHS) app.all(path, (context) => pages.answer(context.req.raw, context.env, context.executionCtx));
}

/** `POST /admin/sign-in-links`: the links that `npm start` prints. */
export function registerSignInLinks(app: Hono<AppEnv>, pages: PagePorts): void {
  app.post("/admin/sign-in-links", async (context) => {
    const body = await readJsonBody(context.req.raw, signInLinkBody);
    if (!body.ok) return errorResponse(body.error, context.get("requestId"));
    const made = await pages.makeSignInLink(context.req.raw, body.value.purpose, context.env);
    return made.ok ? context.json(made.value) : errorResponse(made.error, context.get("requestId"));
  });
}
