/**
 * What we tell others, by Standard Webhooks (standardwebhooks.com, spec/standard-webhooks.md): the kinds of events, the bodies of the calls
 * that manage their receivers, and the messages of the queue that delivers them.
 */
import { z } from "zod";
import { accountIdSchema } from "./key.ts";
import { LIMITS } from "./limits.ts";

export const WEBHOOK_EVENTS = ["balance.updated", "balance.low", "balance.exhausted", "request.settled", "key.limit_reached"] as const;
export const webhookEventSchema = z.enum(WEBHOOK_EVENTS);
export type WebhookEventType = z.infer<typeof webhookEventSchema>;

const eventsSchema = z
  .array(webhookEventSchema)
  .min(1)
  .max(WEBHOOK_EVENTS.length)
  .transform((events) => [...new Set(events)]);
const url = z.string().min(1).max(LIMITS.webhookUrlCharacters);

/** Body of `POST /admin/accounts/:id/webhooks`. */
export const createWebhookBodySchema = z.strictObject({ url, events: eventsSchema });

/** Body of `PATCH /admin/webhooks/:id`. */
export const patchWebhookBodySchema = z.strictObject({
  url: url.optional(),
  events: eventsSchema.optional(),
  enabled: z.boolean().optional(),
});

/** Body of `POST /admin/webhooks/:id/replay`: one event, or all that came to nothing, or all of them; from a time on where one is given. */
export const replayWebhookBodySchema = z.strictObject({
  event_id: z.string().min(1).max(256).optional(),
  which: z.enum(["failed", "all"]).default("failed"),
  from: z.iso.datetime({ offset: true }).optional(),
});

/** Where events go. */
export const webhookEndpointSchema = z.strictObject({
  id: z.string(),
  account_id: accountIdSchema,
  url: z.string(),
  events: z.array(webhookEventSchema),
  created_at: z.number().int(),
  /** Not null: nothing is sent. `gone`: the receiver said so (410); `overflow`: too much waited for it; `operator`. */
  disabled_reason: z.enum(["gone", "overflow", "operator"]).nullable(),
  disabled_at: z.number().int().nullable(),
});
export type WebhookEndpoint = z.infer<typeof webhookEndpointSchema>;
export type DisabledReason = NonNullable<WebhookEndpoint["disabled_reason"]>;

export const deliveryStateSchema = z.enum(["pending", "delivered", "failed", "stopped"]);

/** What became of one attempt. */
export const deliveryAttemptSchema = z.strictObject({
  at: z.number().int(),
  milliseconds: z.number().int(),
  /** Null when nothing was answered. */
  status: z.number().int().nullable(),
  error: z.string().nullable(),
});
export type DeliveryAttempt = z.infer<typeof deliveryAttemptSchema>;

/** An event as it is stored and signed. */
export interface WebhookEvent {
  /** The `webhook-id`: the same whenever it is made or sent again, and without a point. */
  id: string;
  account_id: string;
  type: WebhookEventType;
  at: number;
  /** The exact body. */
  body: string;
}

/** What an account's object has to tell that is in no entry of its ledger. */
export const noticeSchema = z.object({
  id: z.string().min(1).max(256),
  account_id: accountIdSchema,
  type: webhookEventSchema,
  at: z.number().int(),
  data: z.record(z.string(), z.unknown()),
});
export type Notice = z.infer<typeof noticeSchema>;

/** A message of the queue `webhooks`: a delivery that is due, or a notice to be made into deliveries. */
export const webhookMessageSchema = z.union([z.object({ delivery: z.number().int() }), z.object({ notice: noticeSchema })]);
export type WebhookMessage = z.infer<typeof webhookMessageSchema>;

/** The body of an event, by the specification: type, time and data. */
export function eventBody(type: WebhookEventType, at: number, data: Record<string, unknown>): string {
  return JSON.stringify({ type, timestamp: new Date(at).toISOString(), data });
}

/**
 * The bytes an endpoint's deliveries are signed with. Made from the deployment's own secret, so they are stored nowhere, and no copy of the
 * database can sign. `hmac` is HMAC-SHA-256 under that secret.
 */
export function webhookKey(endpointId: string, hmac: (text: string) => Uint8Array): Uint8Array {
  return hmac(`webhook:${endpointId}`);
}

/** What `webhook-signature` covers. */
export function signedText(id: string, timestampSeconds: number, body: string): string {
  return `${id}.${timestampSeconds}.${body}`;
}
