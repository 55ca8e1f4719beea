/** Forged, cut, replayed, re-encoded and mislabelled webhooks, drawn from a seed. */
import type { PaymentProviderId } from "../../schema/payment.ts";
import { cloudpaymentsHeaders, standardHeaders, stripeHeader } from "../payment/signing.ts";
import { type Payment, signedByStandard, signedByStripe, type Webhook, webhookOf } from "./payment-cloud.ts";

export type Random = () => number;

/** Mulberry32: numbers from 0 to 1, the same for the same seed. */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const pick = <T>(random: Random, choices: readonly T[]): T => {
  const choice = choices[Math.floor(random() * choices.length)];
  if (choice === undefined) throw new Error("nothing to pick from");
  return choice;
};

export function shuffled<T>(items: readonly T[], random: Random): T[] {
  return items
    .map((item) => ({ item, key: random() }))
    .toSorted((left, right) => left.key - right.key)
    .map(({ item }) => item);
}

/** One way to make something else of a payment's true webhook. Other payments are at hand to mix it with. */
type Change = (webhook: Webhook, payment: Payment, random: Random, others: readonly Payment[]) => Webhook;

const signedWith = (webhook: Webhook, secret: string, seconds: number): Webhook => {
  const { provider, body } = webhook;
  if (provider === "stripe") return { ...webhook, headers: { "stripe-signature": stripeHeader(body, { secret, seconds }) } };
  if (provider === "standard")
    return { ...webhook, headers: standardHeaders(body, { id: "msg_forged", secret: `whsec_${btoa(secret.padEnd(32, "x"))}`, seconds }) };
  if (provider === "cloudpayments") return { ...webhook, headers: { ...webhook.headers, ...cloudpaymentsHeaders(body, secret) } };
  return webhook;
};
const nowSeconds = (): number => Math.floor(Date.now() / 1000);
const replaced = (webhook: Webhook, from: string, to: string): Webhook => ({ ...webhook, body: webhook.body.replaceAll(from, to) });

export const CHANGES: Readonly<Record<string, Change>> = {
  replayed: (webhook) => webhook,
  truncated: (webhook, _payment, random) => ({ ...webhook, body: webhook.body.slice(0, Math.floor(random() * webhook.body.length)) }),
  "one character changed": (webhook, _payment, random) => {
    const at = Math.floor(random() * webhook.body.length);
    return { ...webhook, body: webhook.body.slice(0, at) + pick(random, [...'0159azA{}"&=%\u0000Ж']) + webhook.body.slice(at + 1) };
  },
  "bytes after the end": (webhook, _payment, random) => ({
    ...webhook,
    body: webhook.body + pick(random, [" ", "\n", "}", "&Amount=1", "\u0000"]),
  }),
  "printed again with spaces": (webhook) =>
    webhook.body.startsWith("{") ? { ...webhook, body: JSON.stringify(JSON.parse(webhook.body), null, 2) } : replaced(webhook, "+", "%20"),
  "keys in another order": (webhook) =>
    webhook.body.startsWith("{")
      ? { ...webhook, body: JSON.stringify(Object.fromEntries(Object.entries<unknown>(JSON.parse(webhook.body)).toReversed())) }
      : { ...webhook, body: webhook.body.split("&").toReversed().join("&") },
  "letters as escapes": (webhook) =>
    webhook.body.startsWith("{") ? replaced(webhook, "ord_", "\\u006frd_") : replaced(webhook, "ord_", "%6Frd_"),
  "a byte order mark": (webhook) => ({ ...webhook, body: `\ufeff${webhook.body}` }),
  "no signature": (webhook) => ({ ...webhook, headers: {}, body: webhook.body.replace(/"Token":"[0-9a-f]+"/, '"Token":""') }),
  "another's secret": (webhook) => signedWith(replaced(webhook, '"Token":"', '"Token":"0'), "a guess", nowSeconds()),
  "a signature of long ago": (webhook, _payment, random) => {
    const seconds = nowSeconds() - 301 - Math.floor(random() * 1e6);
    if (webhook.provider === "stripe") return signedByStripe(webhook.body, seconds);
    return webhook.provider === "standard" ? signedByStandard(webhook.body, seconds) : webhook;
  },
  "a signature of the future": (webhook, _payment, random) => {
    const seconds = nowSeconds() + 330 + Math.floor(random() * 1e6);
    if (webhook.provider === "stripe") return signedByStripe(webhook.body, seconds);
    return webhook.provider === "standard" ? signedByStandard(webhook.body, seconds) : webhook;
  },
  "a larger amount, the old signature": (webhook, payment) =>
    replaced(
      replaced(webhook, String(payment.hundredths), `${payment.hundredths}9`),
      `${Math.trunc(payment.hundredths / 100)}.`,
      `9${Math.trunc(payment.hundredths / 100)}.`,
    ),
  "a larger amount, truly signed": (_webhook, payment) => webhookOf({ ...payment, hundredths: payment.hundredths * 10 }),
  "a smaller amount, truly signed": (_webhook, payment) => webhookOf({ ...payment, hundredths: 1 }),
  "another currency, truly signed": (_webhook, payment) => webhookOf({ ...payment, currency: payment.currency === "RUB" ? "USD" : "RUB" }),
  "another's order, the old signature": (webhook, payment, random, others) =>
    replaced(webhook, payment.orderId, pick(random, others).orderId),
  "an order nobody made": (_webhook, payment) =>
    webhookOf({ ...payment, id: unknownId(payment.provider, payment.id), orderId: "ord_nobodymadethisoneatall0" }),
  "another provider's door": (webhook, _payment, random) => ({
    ...webhook,
    provider: pick(
      random,
      (["stripe", "yookassa", "cloudpayments", "tbank", "standard"] as const).filter((id) => id !== webhook.provider),
    ),
  }),
  "a payment the provider never had": (_webhook, payment) =>
    webhookOf({ ...payment, id: unknownId(payment.provider, payment.id), hundredths: payment.hundredths + 1 }),
};

/** An id of the provider's form that its API does not know. */
function unknownId(provider: PaymentProviderId, id: string): string {
  return provider === "tbank" || provider === "cloudpayments" ? `9${id}` : `${id.slice(0, -1)}x`;
}

export interface Variant extends Webhook {
  change: string;
}

/** `count` variants of these payments' webhooks. */
export function variantsOf(payments: readonly Payment[], count: number, random: Random): Variant[] {
  const names = Object.keys(CHANGES);
  return Array.from({ length: count }, (_, index) => {
    const change = names[index % names.length] ?? "replayed";
    const payment = pick(random, payments);
    const others = payments.filter((other) => other !== payment);
    return { change, ...(CHANGES[change] ?? ((webhook) => webhook))(webhookOf(payment), payment, random, others) };
  });
}
