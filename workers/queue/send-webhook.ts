/** One attempt at one delivery: signed, sent to an address that may be fetched at all, and never followed elsewhere. */
import { createHmac } from "node:crypto";
import { LIMITS } from "../../schema/limits.ts";
import { type DeliveryAttempt, signedText, webhookKey } from "../../schema/webhook.ts";
import { base64OfBytes } from "../protocol/base64.ts";
import { webhookAddressFault } from "../runtime/webhook-address.ts";

export interface Outgoing {
  endpointId: string;
  eventId: string;
  url: string;
  body: string;
}

export interface Sent {
  attempt: DeliveryAttempt;
  /** Seconds the receiver asked to be left alone for; null when it did not. */
  retryAfterSeconds: number | null;
}

function hmac(key: string | Uint8Array, text: string): Uint8Array {
  return new Uint8Array(createHmac("sha256", key).update(text).digest());
}

/** The value of `webhook-signature` for one delivery at one time. */
function signatureOf({ endpointId, eventId, body }: Outgoing, timestampSeconds: number, keySecret: string): string {
  const key = webhookKey(endpointId, (text) => hmac(keySecret, text));
  return `v1,${base64OfBytes(hmac(key, signedText(eventId, timestampSeconds, body)))}`;
}

/** Sends it once. Never throws. */
export async function sendWebhook(outgoing: Outgoing, env: Env): Promise<Sent> {
  const at = Date.now();
  const failed = (error: string): Sent => ({
    attempt: { at, milliseconds: Date.now() - at, status: null, error },
    retryAfterSeconds: null,
  });
  const fault = webhookAddressFault(outgoing.url, { allowsLoopback: env.PLYRUM_EVIDENCE === "offline" });
  if (fault !== null) return failed(`the address is not called: ${fault}`);
  const timestamp = Math.floor(at / 1000);
  try {
    const network = env.MEDIA_NETWORK ?? globalThis;
    const response = await network.fetch(outgoing.url, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "user-agent": "plyrum-webhooks",
        "webhook-id": outgoing.eventId,
        "webhook-timestamp": String(timestamp),
        "webhook-signature": signatureOf(outgoing, timestamp, env.PLYRUM_KEY_SECRET),
      },
      body: outgoing.body,
      redirect: "manual",
      signal: AbortSignal.timeout(LIMITS.webhookMilliseconds),
    });
    await response.body?.cancel().catch(() => undefined);
    const retryAfter = Number(response.headers.get("retry-after") ?? "");
    return {
      attempt: { at, milliseconds: Date.now() - at, status: response.status, error: null },
      retryAfterSeconds: Number.isFinite(retryAfter) && retryAfter > 0 ? Math.min(retryAfter, LIMITS.queueDelaySecondsMax) : null,
    };
  } catch (error) {
    return failed(error instanceof DOMException && error.name === "TimeoutError" ? "no answer in time" : "could not be reached");
  }
}
