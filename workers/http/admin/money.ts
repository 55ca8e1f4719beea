/**
 * An account's money by an operator's hand: credits, refunds, chargebacks, corrections, true-ups; its ledger with the verdict on its chain,
 * an audit that mends nothing, and the way back after a restoration. Each booking counts once for its reference.
 */
import type { Context, Hono } from "hono";
import type { z } from "zod";
import { adjustmentBody, chargebackBody, creditBody, restoreBody, trueUpBody } from "../../../schema/api.ts";
import { gatewayError } from "../../../schema/error.ts";
import { parseWith } from "../../../schema/json.ts";
import { accountIdSchema } from "../../../schema/key.ts";
import type { CreditCommand, Entry, TrueUpResult } from "../../../schema/ledger.ts";
import { LIMITS } from "../../../schema/limits.ts";
import { priceSnapshotSchema } from "../../../schema/price.ts";
import type { ChainVerdict } from "../../../schema/rpc.ts";
import { costOf, providerCostMicroRub } from "../../cost/cost.ts";
import type { AppEnv } from "../app-env.ts";
import { choiceQuery, integerQuery } from "../query.ts";
import { errorResponse, readJsonBody } from "../respond.ts";
import { accountOf, noAccount } from "./accounts.ts";
import type { ReliabilityPorts } from "./reliability.ts";

export function registerMoney(app: Hono<AppEnv>, ports: ReliabilityPorts): void {
  const path = "/admin/accounts/:id";
  app.post(`${path}/credits`, (context) => book(context, creditBody, (body) => ({ kind: "credit", ...bookingOf(body) })));
  app.post(`${path}/refunds`, (context) => book(context, creditBody, (body) => ({ kind: "refund", ...bookingOf(body) })));
  app.post(`${path}/chargebacks`, (context) =>
    book(context, chargebackBody, (body) => {
      const fee = body.fee_micro_rub === undefined ? {} : { fee_micro_rub: body.fee_micro_rub.toString() };
      return { kind: "chargeback", ...bookingOf(body), ...fee };
    }),
  );
  app.post(`${path}/adjustments`, (context) =>
    book(context, adjustmentBody, (body) => ({
      kind: "adjust",
      ...bookingOf(body),
      record: JSON.stringify({ reason: body.reason }),
    })),
  );
  app.post(`${path}/true-ups`, trueUp);
  app.get(`${path}/ledger`, showLedger);
  app.get(`${path}/audit`, (context) => audit(context, ports));
  app.post(`${path}/freeze`, freeze);
  app.post(`${path}/restore`, (context) => restore(context, ports));
}

function bookingOf(body: { amount_micro_rub: bigint; reference: string }): Omit<CreditCommand, "kind"> {
  return { external_id: body.reference, amount_micro_rub: body.amount_micro_rub.toString(), record: null };
}

const FROZEN = gatewayError("overloaded", "The account is frozen while its ledger is being restored. Nothing was booked.", {
  suggestion: "Repeat the call with the same reference when it has been restored.",
});

/** Books one amount. The same reference and amount again is the first answer; with another amount or kind it is a 409. */
async function book<S extends z.ZodType<{ reference: string }>>(
  context: Context<AppEnv>,
  schema: S,
  commandOf: (body: z.output<S>) => CreditCommand,
): Promise<Response> {
  const body = await readJsonBody(context.req.raw, schema);
  if (!body.ok) return errorResponse(body.error, context.get("requestId"));
  const account = await accountOf(context);
  if (account === null) return noAccount(context);
  const result = await account.credit(commandOf(body.value));
  switch (result.state) {
    case "credited":
    case "exists":
      return context.json({
        account_id: context.req.param("id"),
        reference: body.value.reference,
        amount_micro_rub: Number(result.amount_micro_rub),
        balance_micro_rub: Number(result.balance_after_micro_rub),
        seq: result.seq,
        state: result.state,
      });
    case "frozen":
      return errorResponse(FROZEN, context.get("requestId"));
    case "out_of_range":
      return contradiction(context, "The balance would leave the range of exact amounts.");
    case "exists_with_different":
      return contradiction(context, "This reference was booked with another amount, or as something else.");
  }
}

function contradiction(context: Context<AppEnv>, message: string, param = "reference"): Response {
  return errorResponse(gatewayError("invalid_transition", message, { param }), context.get("requestId"));
}

/** Corrects a request's charge to what the provider reports, at the prices it was admitted at. */
async function trueUp(context: Context<AppEnv>): Promise<Response> {
  const body = await readJsonBody(context.req.raw, trueUpBody);
  if (!body.ok) return errorResponse(body.error, context.get("requestId"));
  const account = await accountOf(context);
  if (account === null) return noAccount(context);
  const { request_id, usage } = body.value;
  const hold = await account.hold(request_id);
  const snapshot = hold === null ? null : parseWith(priceSnapshotSchema, hold.snapshot);
  if (snapshot === null) return notFound(context);
  if (!snapshot.ok) return contradiction(context, "The prices this request was admitted at are not readable.", "request_id");
  const cost = costOf(snapshot.value, usage);
  const result = await account.trueUp({
    request_id,
    facts: {
      usage,
      usage_source: "provider",
      cost_micro_rub: cost.costMicroRub.toString(),
      provider_cost_pico_usd: cost.providerCostPicoUsd.toString(),
      provider_cost_micro_rub: providerCostMicroRub(cost.providerCostPicoUsd, snapshot.value).toString(),
      flagged: cost.flagged,
    },
  });
  return trueUpAnswer(context, request_id, Number(cost.costMicroRub), result);
}

function trueUpAnswer(context: Context<AppEnv>, requestId: string, cost: number, result: TrueUpResult): Response {
  switch (result.state) {
    case "trued_up":
    case "exists":
      return context.json({
        request_id: requestId,
        cost_micro_rub: cost,
        amount_micro_rub: Number(result.amount_micro_rub),
        balance_micro_rub: Number(result.balance_after_micro_rub),
        seq: result.seq,
        state: result.state,
      });
    case "not_found":
      return notFound(context);
    case "frozen":
      return errorResponse(FROZEN, context.get("requestId"));
    case "not_settled":
      return contradiction(context, "This request has not been settled or released yet.", "request_id");
    case "exists_with_different":
      return contradiction(context, "This request was trued up to another usage.", "usage");
    case "out_of_range":
      return contradiction(context, "The balance would leave the range of exact amounts.", "usage");
  }
}

function notFound(context: Context<AppEnv>): Response {
  return errorResponse(
    gatewayError("request_not_found", "The account has no such request.", { param: "request_id" }),
    context.get("requestId"),
  );
}

/** A page of entries and the verdict on it: each of them recomputed, and linked to the entry before the page. */
async function showLedger(context: Context<AppEnv>): Promise<Response> {
  const after = integerQuery(context, "after_seq", { fallback: 0, minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
  const limit = integerQuery(context, "limit", { fallback: LIMITS.pageRowsDefault, minimum: 1, maximum: LIMITS.pageRowsMax });
  const include = choiceQuery(context, "include", ["source"]);
  if (!after.ok) return errorResponse(after.error, context.get("requestId"));
  if (!limit.ok) return errorResponse(limit.error, context.get("requestId"));
  if (!include.ok) return errorResponse(include.error, context.get("requestId"));
  const account = await accountOf(context);
  if (account === null) return noAccount(context);
  const { entries, chain } = await account.page(after.value, limit.value);
  return context.json({ entries: entries.map((entry) => entryView(entry, include.value !== null)), chain: chainView(chain) });
}

/** `withSource`: also the texts its hash covers, so that anybody can recompute it. */
function entryView(entry: Entry, withSource: boolean): Record<string, unknown> {
  return {
    seq: entry.seq,
    kind: entry.kind,
    request_id: entry.request_id,
    external_id: entry.external_id,
    amount_micro_rub: Number(entry.amount_micro_rub),
    balance_after_micro_rub: Number(entry.balance_after_micro_rub),
    held_after_micro_rub: Number(entry.held_after_micro_rub),
    at: entry.at,
    prev_hash: entry.prev_hash,
    hash: entry.hash,
    ...(withSource ? { postings: entry.postings, facts: entry.facts, record: entry.record } : {}),
  };
}

function chainView(chain: ChainVerdict): "ok" | { broken_at_seq: number; reason: string } {
  return chain.ok ? "ok" : { broken_at_seq: chain.seq, reason: chain.reason };
}

async function audit(context: Context<AppEnv>, ports: ReliabilityPorts): Promise<Response> {
  if ((await accountOf(context)) === null) return noAccount(context);
  return context.json((await ports.auditAccount(context.req.param("id") ?? "", context.env)) as object);
}

/** Stops an account for an operator who is about to restore it, or does not trust it. `restore` lets it continue. */
async function freeze(context: Context<AppEnv>): Promise<Response> {
  const account = await accountOf(context);
  if (account === null) return noAccount(context);
  return context.json({ account_id: context.req.param("id"), frozen: await account.freeze({ reason: "operator", d1_seq: 0 }) });
}

/** Takes an account without its row in D1 too: a restored database may have lost it. */
async function restore(context: Context<AppEnv>, ports: ReliabilityPorts): Promise<Response> {
  const hasBody = context.req.raw.body !== null && context.req.header("content-length") !== "0";
  const body = hasBody ? await readJsonBody(context.req.raw, restoreBody) : ({ ok: true, value: { force: false } } as const);
  if (!body.ok) return errorResponse(body.error, context.get("requestId"));
  const id = accountIdSchema.safeParse(context.req.param("id"));
  if (!id.success) return noAccount(context);
  const known = (await accountOf(context)) !== null;
  const facts = await context.env.ACCOUNT.get(context.env.ACCOUNT.idFromName(id.data)).facts();
  if (!known && facts.seq === 0) return noAccount(context);
  return context.json(await ports.restoreAccount(id.data, { force: body.value.force, now: Date.now() }, context.env));
}
