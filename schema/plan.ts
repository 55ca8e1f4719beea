/**
 * A resolved plan: which providers are tried, in order, with which model and wire format. It fully decides a run, holds no secret,
 * and is stored with the request, so a run can be explained and replayed.
 */
import { z } from "zod";
import { promptMeasureSchema } from "./estimate.ts";
import { integerText } from "./money.ts";
import { protocolIdSchema } from "./protocol.ts";
import { quirksSchema } from "./provider.ts";

export const planAttemptSchema = z.strictObject({
  provider: z.string(),
  /** The model as the provider names it. */
  model: z.string(),
  protocol: protocolIdSchema,
  url: z.string(),
  auth: z.discriminatedUnion("kind", [
    z.strictObject({ kind: z.literal("bearer") }),
    z.strictObject({ kind: z.literal("header"), header: z.string() }),
  ]),
  headers: z.record(z.string(), z.string()),
  passed_headers: z.array(z.string()),
  abort_stops_billing: z.boolean(),
  quirks: quirksSchema,
});
export type PlanAttempt = z.infer<typeof planAttemptSchema>;

export const planSchema = z.strictObject({
  version: z.literal(1),
  /** Catalogue slug `provider/model` that is priced and shown. */
  model: z.string(),
  /** Why this model: `slug`, `alias`, `bare-name`, `provider-hint`, `default`. */
  reason: z.string(),
  attempts: z.array(planAttemptSchema).min(1),
  /** Most tokens the answer may have: sent upstream when the caller named none. */
  output_tokens_max: z.number().int().positive(),
});
export type Plan = z.infer<typeof planSchema>;

/**
 * The call from the Worker to the object that will own the request: everything to admit, run and settle it. Carries the rendered
 * bodies and the credentials, one of each an attempt, and neither is ever stored.
 */
export const serveEnvelopeSchema = z.strictObject({
  request_id: z.string(),
  account_id: z.string(),
  key_hash: z.string(),
  protocol: protocolIdSchema,
  stream: z.boolean(),
  wants_stream_usage: z.boolean(),
  plan: planSchema,
  bodies: z.array(z.instanceof(Uint8Array)),
  credentials: z.array(z.string().nullable()),
  /** Headers of the caller that some attempt passes on, by lower-case name. */
  caller_headers: z.record(z.string(), z.string()),
  /** Headers of the answer: what was dropped or approximated. */
  answer_headers: z.record(z.string(), z.string()),
  /** JSON text of a `PriceSnapshot`. */
  snapshot: z.string(),
  hold_micro_rub: integerText,
  tokens_bound: z.number().int().nonnegative(),
  measure: promptMeasureSchema,
  idempotency_key: z.string().nullable(),
  body_hash: z.string().nullable(),
  on_disconnect: z.enum(["cancel", "finish"]),
  /** Leave the cost field out of the body (`x-plyrum-raw: 1`). */
  raw: z.boolean(),
  received_at: z.number().int(),
  evidence: z.enum(["live", "offline"]),
});
export type ServeEnvelope = z.infer<typeof serveEnvelopeSchema>;
