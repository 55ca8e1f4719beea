/**
 * The test provider of a system without real ones: it says that an order was paid, signed as Standard Webhooks are, to the very address
 * that real providers call. No money moves, so it is there only where every answer is played as well.
 */
import { createHmac } from "node:crypto";
import { decimalOfMicro } from "../../payment/amount.ts";
import { base64OfBytes } from "../../protocol/base64.ts";
import { signingKey } from "../../payment/standard-webhooks.ts";
import type { ListedOrder } from "../../../db/orders.ts";
import type { PersonView } from "../frame/view.ts";

export function hasTestPayments(env: Env): boolean {
  return env.PLYRUM_EVIDENCE === "offline" && env.PLYRUM_TEST_PAYMENTS === "on" && keyOf(env) !== null;
}

function keyOf(env: Env): Uint8Array | null {
  const secret = env["STANDARD_WEBHOOK_SECRET"];
  return secret === undefined || secret === "" ? null : signingKey(secret);
}

/** True: the gateway took the notice. */
export async function payTestOrder(view: PersonView, order: ListedOrder): Promise<boolean> {
  const key = keyOf(view.env);
  if (key === null || !hasTestPayments(view.env)) return false;
  const data = {
    payment_id: `test-${order.id}`,
    order_id: order.id,
    amount: decimalOfMicro(order.amount_micro),
    currency: order.currency,
  };
  const body = JSON.stringify({ type: "payment.succeeded", data });
  const [id, seconds] = [`msg-${order.id}`, Math.floor(Date.now() / 1_000)];
  const mac = new Uint8Array(createHmac("sha256", key).update(`${id}.${seconds}.${body}`).digest());
  const headers = {
    "content-type": "application/json",
    "webhook-id": id,
    "webhook-timestamp": String(seconds),
    "webhook-signature": `v1,${base64OfBytes(mac)}`,
  };
  const request = new Request(new URL("/webhooks/standard", view.request.url), { method: "POST", headers, body });
  const answer = await view.ports.asCaller(request, view.env, view.context);
  await answer.body?.cancel();
  return answer.ok;
}
