/** How each provider signs, written from its documentation and sharing no code with what verifies it. */
import { createHash, createHmac } from "node:crypto";

const base64 = (bytes: Uint8Array): string => btoa(String.fromCharCode(...bytes));

/** docs.stripe.com/webhooks: hex HMAC of `t.body` under the secret's text. */
export function stripeHeader(body: string, { secret, seconds }: { secret: string; seconds: number }): string {
  return `t=${seconds},v1=${createHmac("sha256", secret).update(`${seconds}.${body}`).digest("hex")}`;
}

export interface StandardMessage {
  id: string;
  /** `whsec_` and base64. */
  secret: string;
  seconds: number;
}

/** standardwebhooks.com: base64 HMAC of `id.timestamp.body` under the secret's decoded bytes. */
export function standardHeaders(body: string, { id, secret, seconds }: StandardMessage): Record<string, string> {
  const key = Uint8Array.from(atob(secret.replace(/^whsec_/, "")), (character) => character.charCodeAt(0));
  const signature = base64(createHmac("sha256", key).update(`${id}.${seconds}.${body}`).digest());
  return { "webhook-id": id, "webhook-timestamp": String(seconds), "webhook-signature": `v1,${signature}` };
}

/** developers.cloudpayments.ru: base64 HMAC of the body, and of the body with its URL encoding undone. */
export function cloudpaymentsHeaders(body: string, secret: string): Record<string, string> {
  const sign = (text: string): string => base64(createHmac("sha256", secret).update(text).digest());
  return { "x-content-hmac": sign(body), "content-hmac": sign(decodeURIComponent(body.replaceAll("+", " "))) };
}

/** developer.tbank.ru/eacq/intro/developer/token: SHA-256 of the root's values and the password, by name. */
export function tbankToken(fields: Record<string, string | number | boolean | object>, password: string): string {
  const named = { ...fields, Password: password };
  const values = Object.entries(named)
    .filter(([name, value]) => name !== "Token" && typeof value !== "object")
    .toSorted(([left], [right]) => (left < right ? -1 : 1));
  return createHash("sha256")
    .update(values.map(([, value]) => String(value)).join(""))
    .digest("hex");
}
