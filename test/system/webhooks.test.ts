/**
 * Top-ups through the running system, with every provider's API played by a local server: an order paid is one credit, and nothing that
 * is forged, cut, replayed, told out of order or never told makes it another.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { PAYMENT_PROVIDERS, type PaymentProviderId } from "../../schema/payment.ts";
import {
  type Payment,
  type PaymentCloud,
  signedByCloudpayments,
  signedByStandard,
  signedByStripe,
  startPaymentCloud,
  type Webhook,
  webhookOf,
} from "./payment-cloud.ts";
import { randomFrom, shuffled, variantsOf } from "./payment-variants.ts";
import { type Account, type Stage, startStage } from "./shared-system.ts";

const SEED = Number(process.env["PLYRUM_WEBHOOK_SEED"] ?? "20261121");
const VARIANTS = 1_000;

let cloud: PaymentCloud;
let stage: Stage;
beforeAll(async () => {
  cloud = await startPaymentCloud();
  stage = await startStage(cloud.environment);
});
afterAll(async () => {
  await stage.close();
  await cloud.close();
});

const orderSchema = z.looseObject({
  id: z.string(),
  state: z.string(),
  amount: z.string(),
  currency: z.string(),
  credit_micro_rub: z.number(),
  returned_micro_rub: z.number(),
  payment_id: z.string().nullable(),
});
type Order = z.infer<typeof orderSchema>;

async function call(account: Account, path: string, body?: object): Promise<{ status: number; text: string }> {
  const response = await fetch(`${stage.system.url}${path}`, {
    method: body === undefined ? "GET" : "POST",
    headers: { authorization: `Bearer ${account.key}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, text: await response.text() };
}

async function order(account: Account, provider: PaymentProviderId, facts: object = { amount: "100.00" }): Promise<Order> {
  const { status, text } = await call(account, "/v1/orders", { provider, ...facts });
  expect([status, text]).toEqual([200, expect.any(String)]);
  return orderSchema.parse(JSON.parse(text));
}

const shown = async (account: Account, id: string): Promise<Order> =>
  orderSchema.parse(JSON.parse((await call(account, `/v1/orders/${id}`)).text));

async function post({ provider, body, headers }: Webhook): Promise<{ status: number; text: string }> {
  const response = await fetch(`${stage.system.url}/webhooks/${provider}`, { method: "POST", headers, body });
  return { status: response.status, text: await response.text() };
}

const entriesSchema = z.object({
  entries: z.array(z.looseObject({ kind: z.string(), external_id: z.string().nullable(), amount_micro_rub: z.number() })),
});

async function ledger(account: Account): Promise<[string, string | null, number][]> {
  const { entries } = entriesSchema.parse(await stage.admin(`/accounts/${account.id}/ledger?limit=500`, { method: "GET" }));
  return entries.map(({ kind, external_id, amount_micro_rub }) => [kind, external_id, amount_micro_rub]);
}

const inboxSchema = z.object({
  payments: z.array(z.looseObject({ payment_id: z.string(), state: z.string(), reason: z.string().nullable() })),
});
const parked = async (): Promise<z.infer<typeof inboxSchema>["payments"]> =>
  inboxSchema.parse(await stage.admin("/payments?state=parked&limit=500", { method: "GET" })).payments;

const ACKNOWLEDGED: Record<PaymentProviderId, string> = {
  stripe: '{"received":true}',
  yookassa: '{"received":true}',
  cloudpayments: '{"code":0}',
  tbank: "OK",
  standard: '{"received":true}',
};

describe("an order", () => {
  test("is made once for each reference, shows its state, and belongs to its account", async () => {
    const [account, other] = [await stage.account(0), await stage.account(0)];
    const first = await order(account, "yookassa", { amount: "500.5", reference: "invoice-7" });
    expect(first).toMatchObject({
      account_id: account.id,
      state: "pending",
      amount: "500.50",
      currency: "RUB",
      credit_micro_rub: 500_500_000,
    });
    expect(await order(account, "yookassa", { amount_micro_rub: 500_500_000, reference: "invoice-7" })).toEqual(first);
    expect((await call(account, "/v1/orders", { provider: "yookassa", amount: "500.51", reference: "invoice-7" })).status).toBe(409);
    expect((await order(other, "yookassa", { amount: "1.00", reference: "invoice-7" })).id).not.toBe(first.id);
    expect((await call(other, `/v1/orders/${first.id}`)).status).toBe(404);
    expect((await fetch(`${stage.system.url}/v1/orders/${first.id}`)).status).toBe(401);
  });

  test("in dollars fixes its rate", async () => {
    const made = await order(await stage.account(0), "stripe", { amount: "10.00", currency: "USD" });
    expect(made).toMatchObject({ amount: "10.00", currency: "USD" });
    expect(made.credit_micro_rub).toBeGreaterThan(10_000_000);
  });

  test.each([
    { what: "no amount", body: { provider: "stripe" } },
    { what: "two amounts", body: { provider: "stripe", amount: "1.00", amount_micro_rub: 1_000_000 } },
    { what: "an amount that is a number", body: { provider: "stripe", amount: 1 } },
    { what: "parts of a kopeck", body: { provider: "stripe", amount: "1.001" } },
    { what: "parts of a kopeck in micro-RUB", body: { provider: "stripe", amount_micro_rub: 1_000_001 } },
    { what: "nothing to pay", body: { provider: "stripe", amount: "0.00" } },
    { what: "a negative amount", body: { provider: "stripe", amount: "-1.00" } },
    { what: "an exponent", body: { provider: "stripe", amount: "1e3" } },
    { what: "a currency the provider does not take", body: { provider: "tbank", amount: "1.00", currency: "USD" } },
    { what: "an unknown provider", body: { provider: "acme", amount: "1.00" } },
    { what: "a further field", body: { provider: "stripe", amount: "1.00", account_id: "acc_other000" } },
  ])("with $what is refused", async ({ body }) => {
    expect((await call(await stage.account(0), "/v1/orders", body)).status).toBe(400);
  });
});

describe.each(PAYMENT_PROVIDERS)("%s", (provider) => {
  test("credits a paid order once, however often it is told, and is answered as it expects", async () => {
    const account = await stage.account(0);
    const made = await order(account, provider);
    const payment = cloud.pay({ provider, orderId: made.id, hundredths: 10_000 });
    const answers = await Promise.all(Array.from({ length: 5 }, () => post(webhookOf(payment))));
    expect(answers).toEqual(answers.map(() => ({ status: 200, text: ACKNOWLEDGED[provider] })));
    expect(await shown(account, made.id)).toMatchObject({ state: "paid", payment_id: payment.id });
    expect(await ledger(account)).toEqual([["credit", `${provider}:${payment.id}`, 100_000_000]]);
    await account.atRest();
    expect(await account.balance()).toMatchObject({ balance_micro_rub: 100_000_000, available_micro_rub: 100_000_000 });
  });
});

// Standard Webhooks have no API to ask.
describe.each(PAYMENT_PROVIDERS.filter((provider) => provider !== "standard"))("an order for %s that nobody tells of", (provider) => {
  test("is found by asking the API, and is not credited again when it is told of after all", async () => {
    const account = await stage.account(0);
    const orders = await Promise.all(Array.from({ length: 5 }, () => order(account, provider)));
    const payments = orders.slice(0, 4).map(({ id }) => cloud.pay({ provider, orderId: id, hundredths: 10_000 }));
    await stage.admin("/payments/poll", { body: { older_than_seconds: 0 } });
    const states = await Promise.all(orders.map(async ({ id }) => (await shown(account, id)).state));
    expect(states).toEqual(["paid", "paid", "paid", "paid", "pending"]);
    for (const payment of payments) expect((await post(webhookOf(payment))).status).toBe(200);
    expect(await ledger(account)).toHaveLength(4);
  });
});

describe("a webhook", () => {
  test("whose proof cannot be had now is answered with an error, and taken when it comes again", async () => {
    const account = await stage.account(0);
    for (const provider of ["yookassa", "cloudpayments", "tbank"] as const) {
      const payment = cloud.pay({ provider, orderId: (await order(account, provider)).id, hundredths: 10_000 });
      cloud.fail(500);
      expect((await post(webhookOf(payment))).status).toBe(503);
      cloud.fail(null);
      expect((await post(webhookOf(payment))).status).toBe(200);
    }
    expect(await ledger(account)).toHaveLength(3);
    expect(cloud.refusedCalls()).toBe(0);
  });

  test("for an order nobody made is parked for a person, who credits it under the same key", async () => {
    const account = await stage.account(0);
    const body = JSON.stringify({
      type: "payment.succeeded",
      data: { payment_id: "stray-1", order_id: "invoice 9", amount: "5.00", currency: "RUB" },
    });
    expect((await post(signedByStandard(body))).status).toBe(200);
    expect((await parked()).find((row) => row.payment_id === "stray-1")).toMatchObject({
      reason: "unknown_order",
      notice: { amount_micro: "5000000" },
    });
    await stage.admin(`/accounts/${account.id}/credits`, { body: { amount_micro_rub: 5_000_000, reference: "standard:stray-1" } });
    expect((await post(signedByStandard(body))).status).toBe(200);
    expect(await ledger(account)).toEqual([["credit", "standard:stray-1", 5_000_000]]);
    expect(await (await fetch(`${stage.system.url}/metrics`)).text()).toMatch(/^plyrum_payments_parked [1-9]/m);
  });

  test("too large, of an unknown provider, or sent in another way is refused", async () => {
    const huge = signedByStripe(`{"a":"${"x".repeat(300_000)}"}`);
    expect((await post(huge)).status).toBe(413);
    expect((await fetch(`${stage.system.url}/webhooks/acme`, { method: "POST", body: "{}" })).status).toBe(404);
    expect((await fetch(`${stage.system.url}/webhooks/stripe`)).status).toBe(404);
  });

  test("of a check by CloudPayments is answered by the order", async () => {
    const account = await stage.account(0);
    const made = await order(account, "cloudpayments");
    const payment = cloud.pay({ provider: "cloudpayments", orderId: made.id, hundredths: 10_000, paid: false });
    const check = (more: Record<string, string>): Promise<{ text: string }> =>
      post(
        signedByCloudpayments({
          TransactionId: payment.id,
          Amount: "100.00",
          Currency: "RUB",
          Status: "Completed",
          InvoiceId: made.id,
          ...more,
        }),
      );
    expect((await check({})).text).toBe('{"code":0}');
    expect((await check({ Amount: "100.01" })).text).toBe('{"code":12}');
    expect((await check({ InvoiceId: "nobody's" })).text).toBe('{"code":10}');
    expect(await ledger(account)).toEqual([]);
    payment.paid = true;
    await post(webhookOf(payment));
    expect(await ledger(account)).toHaveLength(1);
  });
});

describe("money that goes back", () => {
  test("by refunds and a chargeback, told early, twice and beyond the payment, is debited as far as it was paid", async () => {
    const account = await stage.account(0);
    const made = await order(account, "stripe");
    const payment = cloud.pay({ provider: "stripe", orderId: made.id, hundredths: 10_000 });
    const event = (type: string, id: string, amount: number): Webhook => {
      const object = { id, payment_intent: payment.id, status: "succeeded", amount, currency: "rub" };
      return signedByStripe(JSON.stringify({ id: `evt_${id}`, object: "event", type, livemode: true, data: { object } }));
    };
    const early = event("refund.created", "re_1", 2_500);
    for (const webhook of [early, early, webhookOf(payment), early, event("refund.updated", "re_1", 2_500)])
      expect((await post(webhook)).status).toBe(200);
    expect((await account.balance()).balance_micro_rub).toBe(75_000_000);
    await post(event("charge.dispute.funds_withdrawn", "du_1", 7_500));
    await post(event("refund.created", "re_2", 1));
    expect((await ledger(account)).map(([kind, id, amount]) => [kind, id, amount])).toEqual([
      ["credit", `stripe:${payment.id}`, 100_000_000],
      ["refund", "stripe:refunded:re_1", -25_000_000],
      ["chargeback", "stripe:charged_back:du_1", -75_000_000],
    ]);
    expect(await shown(account, made.id)).toMatchObject({ state: "paid", returned_micro_rub: 100_000_000 });
    expect((await parked()).some((row) => row.payment_id === payment.id && row.reason === "exceeds_payment")).toBe(true);
  });

  test("through YooKassa is what its API says of the refund", async () => {
    const account = await stage.account(0);
    const made = await order(account, "yookassa");
    const payment = cloud.pay({ provider: "yookassa", orderId: made.id, hundredths: 10_000 });
    await post(webhookOf(payment));
    const told = (id: string): Webhook => ({
      provider: "yookassa",
      headers: {},
      body: JSON.stringify({
        type: "notification",
        event: "refund.succeeded",
        object: { id, payment_id: payment.id, amount: { value: "99.00", currency: "RUB" } },
      }),
    });
    expect((await post(told("never-made"))).status).toBe(404);
    cloud.refund(payment, "refund-1", 1_234);
    expect((await post(told("refund-1"))).status).toBe(200);
    expect((await account.balance()).balance_micro_rub).toBe(100_000_000 - 12_340_000);
  });
});

test(`${VARIANTS} forged, cut, replayed, re-encoded, mislabelled and reordered webhooks (seed ${SEED}) credit nothing twice and nothing wrong`, async () => {
  const random = randomFrom(SEED);
  const accounts = await Promise.all(Array.from({ length: 10 }, () => stage.account(0)));
  const owners = new Map<Payment, Account>();
  for (const [index, account] of accounts.entries()) {
    for (const provider of PAYMENT_PROVIDERS) {
      const hundredths = 100 + Math.floor(random() * 1_000_000);
      const made = await order(account, provider, { amount: (hundredths / 100).toFixed(2) });
      // What a provider signs without being asked is the truth, so only those with an API can be lied about as unpaid.
      const canBeUnpaid = provider !== "stripe" && provider !== "standard";
      owners.set(cloud.pay({ provider, orderId: made.id, hundredths, paid: !canBeUnpaid || index % 3 !== 0 }), account);
    }
  }
  const payments = [...owners.keys()];
  const truths = payments.map((payment) => ({ change: "the truth", ...webhookOf(payment) }));
  const deliveries = shuffled([...variantsOf(payments, VARIANTS, random), ...truths], random);
  const answered: Record<string, number> = {};
  const queue = deliveries.values();
  const sender = async (): Promise<void> => {
    for (const webhook of queue) {
      const { status } = await post(webhook);
      const name = `${webhook.change}: ${status}`;
      answered[name] = (answered[name] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: 8 }, sender));
  expect(Object.keys(answered).filter((name) => !/: (200|400|401|404)$/.test(name))).toEqual([]);
  expect(Object.values(answered).reduce((sum, count) => sum + count, 0)).toBe(VARIANTS + payments.length);
  for (const name of ["no signature: 401", "replayed: 200", "a signature of the future: 401"]) expect(answered[name]).toBeGreaterThan(0);
  for (const account of accounts) {
    const own = payments.filter((payment) => owners.get(payment) === account && payment.paid);
    const expected = own.map((payment) => ["credit", `${payment.provider}:${payment.id}`, payment.hundredths * 10_000]);
    expect((await ledger(account)).toSorted()).toEqual(expected.toSorted());
    await account.atRest();
  }
});
