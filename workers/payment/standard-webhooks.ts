/**
 * Any payment service that speaks Standard Webhooks (standardwebhooks.com, spec/standard-webhooks.md). Proof: `webhook-signature`, a list
 * of `v1,<base64>` separated by spaces, HMAC-SHA-256 of `id.timestamp.body` under the base64-decoded secret. The spec leaves the body to
 * its sender; ours is
 * `{"type":"payment.succeeded","data":{"payment_id","order_id","amount":"100.00","currency":"RUB"}}`, and for money that goes back
 * `payment.refunded` and `payment.charged_back` with the further field `refund_id`.
 */
import { z } from "zod";
import { parseWith } from "../../schema/json.ts";
import { LIMITS } from "../../schema/limits.ts";
import { microOfDecimal } from "./amount.ts";
import { base64Of, bytesOf, bytesOfBase64, type Digests, isSameText, joined, textOf } from "./bytes.ts";
import { scalarAt } from "./json-field.ts";
import {
  type Delivery,
  notice,
  type PaymentProviderKind,
  PLAIN_ACKNOWLEDGMENT,
  type Reading,
  refused,
  said,
  secretsOf,
} from "./payment-provider.ts";

const SECRET_PREFIX = "whsec_";

const id = z.string().min(1).max(128);
const bodySchema = z.looseObject({
  type: z.string(),
  data: z.looseObject({
    payment_id: id,
    order_id: id.nullish(),
    refund_id: id.nullish(),
    currency: z.string().max(16).nullish(),
    test: z.boolean().optional(),
  }),
});

/** The key a secret stands for; null when it is not 24 to 64 bytes of base64, which would make it guessable or mistyped. */
export function signingKey(secret: string): Uint8Array | null {
  const key = bytesOfBase64(secret.startsWith(SECRET_PREFIX) ? secret.slice(SECRET_PREFIX.length) : secret);
  return key !== null && key.length >= 24 && key.length <= 64 ? key : null;
}

/** Whether one of the delivery's signatures was made under one of the keys, at a time near its arrival. */
function isSigned({ header, bytes, now }: Delivery, keys: readonly Uint8Array[], digests: Digests): boolean {
  const messageId = header("webhook-id") ?? "";
  const time = header("webhook-timestamp") ?? "";
  const given = (header("webhook-signature") ?? "").split(" ").filter((signature) => signature.startsWith("v1,"));
  // A point in the id would let one signature stand for two ways to split the signed text.
  if (messageId === "" || messageId.includes(".") || !/^\d{1,12}$/.test(time) || given.length > LIMITS.signaturesPerWebhook) return false;
  if (Math.abs(Math.floor(now / 1000) - Number(time)) > LIMITS.webhookToleranceSeconds) return false;
  const message = joined(bytesOf(`${messageId}.${time}.`), bytes);
  return keys.some((key) => {
    const expected = `v1,${base64Of(digests.hmacSha256(key, message))}`;
    return given.some((signature) => isSameText(signature, expected));
  });
}

function readBody(text: string): Reading {
  const parsed = parseWith(z.looseObject({ type: z.string() }), text);
  if (!parsed.ok) return refused("unreadable", "the body is no message");
  if (!["payment.succeeded", "payment.refunded", "payment.charged_back"].includes(parsed.value.type)) return said();
  const body = parseWith(bodySchema, text);
  if (!body.ok) return refused("unreadable", `data is not a payment's: ${body.path ?? "?"}`);
  const { type, data } = body.value;
  const amount_micro = microOfDecimal(scalarAt(text, ["data", "amount"]) ?? "");
  const facts = {
    provider: "standard",
    payment_id: data.payment_id,
    order_id: data.order_id ?? null,
    amount_micro,
    currency: data.currency?.toUpperCase() ?? null,
    test: data.test ?? false,
  } as const;
  if (type === "payment.succeeded") return said(notice({ ...facts, kind: "paid" }));
  const fact_id = data.refund_id ?? null;
  if (fact_id === null || amount_micro === null)
    return said(notice({ ...facts, kind: "review", fact_id: fact_id ?? data.payment_id, detail: type }));
  return said(notice({ ...facts, kind: type === "payment.refunded" ? "refunded" : "charged_back", fact_id }));
}

export const standardWebhooks: PaymentProviderKind = {
  id: "standard",
  currencies: ["RUB", "USD"],
  needs: ["STANDARD_WEBHOOK_SECRET"],
  open: (setting, digests) => {
    const keys = secretsOf(setting("STANDARD_WEBHOOK_SECRET")).flatMap((secret) => signingKey(secret) ?? []);
    if (keys.length === 0) return null;
    return {
      receive: (delivery) => {
        if (!isSigned(delivery, keys, digests)) return refused("forged", "no webhook-signature of ours, near this time");
        const text = textOf(delivery.bytes);
        return text === null ? refused("unreadable", "the body is not UTF-8") : readBody(text);
      },
      // The specification has no call to ask with: its senders retry for days.
      search: () => [],
      acknowledge: () => PLAIN_ACKNOWLEDGMENT,
    };
  },
};
