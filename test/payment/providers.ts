/** The payment providers as a deployment would open them, with secrets of the tests, and deliveries to them. */
import { createHash, createHmac } from "node:crypto";
import type { PaymentProviderId } from "../../schema/payment.ts";
import type { Digests } from "../../workers/payment/bytes.ts";
import { PAYMENT_PROVIDER_KINDS } from "../../workers/payment/index.ts";
import type { Delivery, PaymentProvider } from "../../workers/payment/payment-provider.ts";

export const digests: Digests = {
  hmacSha256: (key, message) => new Uint8Array(createHmac("sha256", key).update(message).digest()),
  sha256: (message) => new Uint8Array(createHash("sha256").update(message).digest()),
};

export const SETTINGS = {
  STRIPE_WEBHOOK_SECRET: "whsec_test_stripe_secret",
  STRIPE_API_KEY: "sk_test_stripe",
  YOOKASSA_SHOP_ID: "506751",
  YOOKASSA_SECRET_KEY: "test_yookassa_secret",
  CLOUDPAYMENTS_PUBLIC_ID: "pk_test_cloudpayments",
  CLOUDPAYMENTS_API_SECRET: "cloudpayments-secret",
  TBANK_TERMINAL_KEY: "1321054611234",
  TBANK_PASSWORD: "Dfsfh56dgKl",
  STANDARD_WEBHOOK_SECRET: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
} as const;

/** A provider with these settings, those of the tests where none are named. Throws when they do not set it up. */
export function provider(id: PaymentProviderId, settings: Record<string, string> = {}): PaymentProvider {
  const all: Record<string, string> = { ...SETTINGS, ...settings };
  const opened = PAYMENT_PROVIDER_KINDS[id].open((name) => all[name] ?? null, digests);
  if (opened === null) throw new Error(`${id} is not set up`);
  return opened;
}

/** A delivery; `seconds` is when it arrives. */
export function delivery(
  body: string | Uint8Array,
  headers: Record<string, string> = {},
  seconds = 0,
  address: string | null = null,
): Delivery {
  return {
    header: (name) => headers[name] ?? null,
    bytes: typeof body === "string" ? new TextEncoder().encode(body) : body,
    now: seconds * 1000,
    address,
  };
}
