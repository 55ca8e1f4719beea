/** What the providers' own packages sign is taken by us, and what they would refuse is refused. */
import { Webhook } from "standardwebhooks";
import { Stripe } from "stripe";
import { describe, expect, test } from "vitest";
import { delivery, provider } from "./providers.ts";

const AT_SECONDS = 1_780_000_000;

describe("the stripe package", () => {
  const secret = "whsec_test_secret_of_the_endpoint";
  const payload = JSON.stringify({
    id: "evt_1",
    object: "event",
    type: "payment_intent.succeeded",
    livemode: true,
    created: AT_SECONDS,
    data: {
      object: {
        id: "pi_1",
        object: "payment_intent",
        amount_received: 10_000,
        currency: "rub",
        status: "succeeded",
        metadata: { order_id: "ord_000000000000000000000001" },
      },
    },
  });
  const header = Stripe.webhooks.generateTestHeaderString({ payload, secret, timestamp: AT_SECONDS });
  const stripe = provider("stripe", { STRIPE_WEBHOOK_SECRET: secret });

  test("signs an event that is taken, once its amount is read from the text", () => {
    expect(stripe.receive(delivery(payload, { "stripe-signature": header }, AT_SECONDS))).toMatchObject({
      ok: true,
      notices: [{ kind: "paid", payment_id: "pi_1", amount_micro: "100000000", currency: "RUB" }],
    });
  });

  test("signs nothing that is taken with one byte changed, under another secret, or at another time", () => {
    const changed = payload.replace("10000", "10001");
    const foreign = Stripe.webhooks.generateTestHeaderString({ payload, secret: "whsec_other", timestamp: AT_SECONDS });
    for (const [body, signature, at] of [
      [changed, header, AT_SECONDS],
      [payload, foreign, AT_SECONDS],
      [payload, header, AT_SECONDS + 3_600],
      [payload, header, AT_SECONDS - 3_600],
    ] as const) {
      expect(stripe.receive(delivery(body, { "stripe-signature": signature }, at))).toMatchObject({ ok: false, refusal: "forged" });
    }
  });
});

describe("the standardwebhooks package", () => {
  const secret = `whsec_${Buffer.from("a secret of exactly thirty-2 byte").subarray(0, 32).toString("base64")}`;
  const payload = JSON.stringify({
    type: "payment.succeeded",
    data: { payment_id: "pay_1", order_id: "ord_000000000000000000000001", amount: "100.00", currency: "RUB" },
  });
  const standard = provider("standard", { STANDARD_WEBHOOK_SECRET: secret });
  const headers = (signature: string): Record<string, string> => ({
    "webhook-id": "msg_1",
    "webhook-timestamp": String(AT_SECONDS),
    "webhook-signature": signature,
  });
  const signature = new Webhook(secret).sign("msg_1", new Date(AT_SECONDS * 1000), payload);

  test("signs a message that is taken", () => {
    expect(standard.receive(delivery(payload, headers(signature), AT_SECONDS))).toMatchObject({
      ok: true,
      notices: [{ kind: "paid", payment_id: "pay_1", amount_micro: "100000000", currency: "RUB" }],
    });
  });

  test("signs nothing that is taken with one byte changed or under another secret", () => {
    const foreign = new Webhook(Buffer.alloc(32, 7).toString("base64")).sign("msg_1", new Date(AT_SECONDS * 1000), payload);
    expect(standard.receive(delivery(payload.replace("100.00", "900.00"), headers(signature), AT_SECONDS))).toMatchObject({ ok: false });
    expect(standard.receive(delivery(payload, headers(foreign), AT_SECONDS))).toMatchObject({ ok: false, refusal: "forged" });
  });
});
