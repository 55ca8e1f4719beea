/** A webhook from its bytes to its acknowledgment: proven, asked about, written down, carried out, and only then answered. */
import { LIMITS } from "../../schema/limits.ts";
import { checkVerdict } from "../payment/match-order.ts";
import type { Acknowledgment, Delivery, PaymentProvider, Reading, Refusal } from "../payment/payment-provider.ts";
import { hexOf } from "../payment/bytes.ts";
import { applyNotice } from "./apply-notice.ts";
import type { TopupPorts } from "./ports.ts";

export type WebhookOutcome = { ok: true; acknowledgment: Acknowledgment } | { ok: false; refusal: Refusal; detail: string };

/** Takes a delivery. Throws when a port fails, so that the sender is answered with an error and comes again. */
export async function receiveWebhook(delivery: Delivery, provider: PaymentProvider, ports: TopupPorts): Promise<WebhookOutcome> {
  const reading = await settled(provider.receive(delivery), ports);
  if (!reading.ok) return reading;
  const bodyHash = hexOf(ports.digests.sha256(delivery.bytes));
  for (const notice of reading.notices) await applyNotice(notice, bodyHash, ports);
  const verdict = reading.check === null ? "payable" : checkVerdict(reading.check, await ports.store.order(reading.check.order_id));
  return { ok: true, acknowledgment: provider.acknowledge(verdict) };
}

/** Carries out what remains to be asked, step by step, and gathers the notices. */
export async function settled(first: Reading, ports: TopupPorts): Promise<Reading> {
  let reading = first;
  const notices = [];
  for (let step = 0; reading.ok; step++) {
    notices.push(...reading.notices);
    if (reading.next === null || step === LIMITS.paymentPagesPerPoll) return { ...reading, notices, next: null };
    const answer = await ports.call(reading.next.call);
    reading =
      answer === null ? { ok: false, refusal: "unanswered", detail: "the provider's API did not answer" } : reading.next.read(answer);
  }
  return reading;
}
