/** Reconciliation and dead letters. */
import type { Context, Hono } from "hono";
import { findAccount } from "../../../db/accounts.ts";
import { deadLetters } from "../../../db/dead-letters.ts";
import { reconcileBody } from "../../../schema/api.ts";
import { gatewayError } from "../../../schema/error.ts";
import { LIMITS } from "../../../schema/limits.ts";
import type { AppEnv } from "../app-env.ts";
import { errorResponse, readJsonBody } from "../respond.ts";
import { type ArchivePorts, registerArchive } from "./archive.ts";

/** What the queue's side offers; handed in by the composition root, since rooms of one level do not import each other. */
export interface ReliabilityPorts extends ArchivePorts {
  reconcileAccount: (accountId: string, env: Env) => Promise<unknown>;
  reconcileAll: (env: Env) => Promise<unknown[]>;
  auditAccount: (accountId: string, env: Env) => Promise<unknown>;
  restoreAccount: (accountId: string, options: { force: boolean; now: number }, env: Env) => Promise<{ state: "whole" | "frozen" }>;
  replayDeadLetters: (env: Env, now: number) => Promise<number>;
}

export function registerReliability(app: Hono<AppEnv>, ports: ReliabilityPorts): void {
  registerArchive(app, ports);
  app.post("/admin/reconcile", (context) => reconcile(context, ports));
  app.get("/admin/dead-letters", async (context) =>
    context.json({ dead_letters: await deadLetters(context.env.DB, { limit: LIMITS.pageRowsMax, waitingOnly: false }) }),
  );
  app.post("/admin/dead-letters/replay", async (context) =>
    context.json({ replayed: await ports.replayDeadLetters(context.env, Date.now()) }),
  );
}

async function reconcile(context: Context<AppEnv>, ports: ReliabilityPorts): Promise<Response> {
  const hasBody = context.req.raw.body !== null && context.req.header("content-length") !== "0";
  const body = hasBody ? await readJsonBody(context.req.raw, reconcileBody) : ({ ok: true, value: { account_id: undefined } } as const);
  if (!body.ok) return errorResponse(body.error, context.get("requestId"));
  const id = body.value.account_id;
  if (id === undefined) return context.json({ accounts: await ports.reconcileAll(context.env) });
  if ((await findAccount(context.env.DB, id)) === null) {
    return errorResponse(gatewayError("not_found", "There is no such account.", { param: "account_id" }), context.get("requestId"));
  }
  return context.json({ accounts: [await ports.reconcileAccount(id, context.env)] });
}
