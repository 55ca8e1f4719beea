/**
 * A resolved plan: which providers are tried, in order, with which model and wire format. It fully decides a run, holds no secret,
 * and is stored with the request, so a run can be explained and replayed.
 */
import { z } from "zod";
import { promptMeasureSchema } from "./estimate.ts";
import { accountIdSchema } from "./key.ts";
import { admitCommandSchema } from "./ledger.ts";
import { protocolIdSchema } from "./protocol.ts";
import { authSchema, quirksSchema } from "./provider.ts";

export const planAttemptSchema = z.strictObject({
  provider: z.string(),
  /** The model as the provider names it. */
  model: z.string(),
  protocol: protocolIdSchema,
  url: z.string(),
  auth: authSchema,
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

/** What the owner will ask the ledger with is bounded here as it is there, so that an envelope that is taken can be admitted. */
const admission = admitCommandSchema.shape;

/**
 * The call from the Worker to the object that will own the request: everything to admit, run and settle it. Carries the rendered
 * bodies and the credentials, one of each an attempt, and neither is ever stored. Fields of a newer Worker are dropped,
 * and a field that is added has a default for the Workers that do not send it yet.
 */
export const serveEnvelopeSchema = z.object({
  request_id: admission.request_id,
  account_id: accountIdSchema,
  key_hash: admission.key_hash,
  protocol: protocolIdSchema,
  stream: z.boolean(),
  wants_stream_usage: z.boolean(),
  /** How the caller of an embedding wants its vectors; null where it did not say, and for every other call. */
  embedding_encoding: z.enum(["float", "base64"]).nullable().default(null),
  plan: planSchema,
  bodies: z.array(z.instanceof(Uint8Array)),
  credentials: z.array(z.string().nullable()),
  /** Headers of the caller that some attempt passes on, by lower-case name. */
  caller_headers: z.record(z.string(), z.string()),
  /** Headers of the answer: what was dropped or approximated. */
  answer_headers: z.record(z.string(), z.string()),
  /** JSON text of a `PriceSnapshot`. */
  snapshot: admission.snapshot,
  hold_micro_rub: admission.hold_micro_rub,
  tokens_bound: admission.tokens_bound,
  measure: promptMeasureSchema,
  idempotency_key: admission.idempotency_key,
  body_hash: admission.body_hash,
  on_disconnect: z.enum(["cancel", "finish"]),
  /** Leave the cost field out of the body (`x-plyrum-raw: 1`). */
  raw: z.boolean(),
  received_at: z.number().int(),
  evidence: z.enum(["live", "offline"]),
});
export type ServeEnvelope = z.infer<typeof serveEnvelopeSchema>;
