/** What payment providers told of: notices by their state, above all the parked ones, and a poll on demand. */
import type { Context, Hono } from "hono";
import { inboxPage } from "../../../db/payments.ts";
import { LIMITS } from "../../../schema/limits.ts";
import { parseJson } from "../../../schema/json.ts";
import { pollPaymentsBody } from "../../../schema/payment.ts";
import { pollPayments } from "../../topup/poll-payments.ts";
import type { AppEnv } from "../app-env.ts";
import { choiceQuery, integerQuery } from "../query.ts";
import { errorResponse, readJsonBody } from "../respond.ts";
import type { TopupPortsOf } from "../webhooks/index.ts";

export function registerPayments(app: Hono<AppEnv>, topups: TopupPortsOf): void {
  app.get("/admin/payments", listPayments);
  app.post("/admin/payments/poll", (context) => poll(context, topups));
}

async function listPayments(context: Context<AppEnv>): Promise<Response> {
  const state = choiceQuery(context, "state", ["received", "parked", "done"] as const);
  if (!state.ok) return errorResponse(state.error, context.get("requestId"));
  const limit = integerQuery(context, "limit", { fallback: LIMITS.pageRowsDefault, minimum: 1, maximum: LIMITS.pageRowsMax });
  if (!limit.ok) return errorResponse(limit.error, context.get("requestId"));
  const rows = await inboxPage(context.env.DB, state.value, limit.value);
  return context.json({
    payments: rows.map(({ notice, ...row }) => {
      const parsed = parseJson(notice);
      return { ...row, notice: parsed.ok ? parsed.value : null };
    }),
  });
}

/** Does now what the cron job does every few minutes. */
async function poll(context: Context<AppEnv>, topups: TopupPortsOf): Promise<Response> {
  const hasBody = context.req.raw.body !== null && context.req.header("content-length") !== "0";
  const body = hasBody ? await readJsonBody(context.req.raw, pollPaymentsBody) : ({ ok: true, value: {} } as const);
  if (!body.ok) return errorResponse(body.error, context.get("requestId"));
  const seconds = "older_than_seconds" in body.value ? body.value.older_than_seconds : undefined;
  return context.json(await pollPayments(topups(context.env), seconds === undefined ? undefined : seconds * 1000));
}
