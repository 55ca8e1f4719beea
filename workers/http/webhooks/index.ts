/**
 * `POST /webhooks/:provider`: what payment providers tell. Without a key, since each proves itself; the body is read as bytes before
 * anything else looks at it; an answer of success means that the notice is written down and has had its effect, or waits for a person.
 */
import type { Context, Hono } from "hono";
import { type ErrorCode, gatewayError } from "../../../schema/error.ts";
import { LIMITS } from "../../../schema/limits.ts";
import { paymentProviderSchema } from "../../../schema/payment.ts";
import { PAYMENT_PROVIDER_KINDS } from "../../payment/index.ts";
import type { Refusal } from "../../payment/payment-provider.ts";
import { readBytesBounded } from "../../runtime/read-bounded.ts";
import type { TopupPorts } from "../../topup/ports.ts";
import { receiveWebhook } from "../../topup/receive-webhook.ts";
import type { AppEnv } from "../app-env.ts";
import { errorResponse } from "../respond.ts";

/** Handed in by the composition root. */
export type TopupPortsOf = (env: Env) => TopupPorts;

/** Providers take anything but success for "send it again", so only what will never be true is a plain refusal. */
const CODES: Record<Refusal, ErrorCode> = {
  forged: "invalid_api_key",
  unreadable: "invalid_request",
  address: "forbidden",
  unknown_payment: "not_found",
  unanswered: "overloaded",
};

export function registerWebhooks(app: Hono<AppEnv>, topups: TopupPortsOf): void {
  app.post("/webhooks/:provider", (context) => webhook(context, topups(context.env)));
}

async function webhook(context: Context<AppEnv>, ports: TopupPorts): Promise<Response> {
  const refuse = (code: ErrorCode, message: string, suggestion: string | null = null): Response =>
    errorResponse(gatewayError(code, message, { suggestion }), context.get("requestId"));
  const id = paymentProviderSchema.safeParse(context.req.param("provider"));
  if (!id.success)
    return refuse("not_found", "There is no such payment provider.", `There are ${Object.keys(PAYMENT_PROVIDER_KINDS).join(", ")}.`);
  const provider = ports.provider(id.data);
  if (provider === null)
    return refuse("not_found", "This payment provider is not set up.", `Set ${PAYMENT_PROVIDER_KINDS[id.data].needs.join(" and ")}.`);
  const bytes = await readBytesBounded(context.req.raw, LIMITS.webhookBodyBytes);
  if (bytes === null) return refuse("request_too_large", `A webhook may have at most ${LIMITS.webhookBodyBytes} bytes.`);
  const { headers } = context.req.raw;
  const outcome = await receiveWebhook(
    { header: (name) => headers.get(name), bytes, now: ports.now(), address: headers.get("cf-connecting-ip") },
    provider,
    ports,
  );
  if (!outcome.ok) return refuse(CODES[outcome.refusal], `The webhook was not taken: ${outcome.detail}.`);
  const { body, contentType } = outcome.acknowledgment;
  return new Response(body, { headers: { "content-type": contentType } });
}
