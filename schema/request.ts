/** A request's life as its owner stores it and as `GET /v1/requests/:id` shows it (contract §5, design.md §4). */
import { z } from "zod";
import { dispatchPhaseSchema, promptMeasureSchema } from "./estimate.ts";
import { LIMITS } from "./limits.ts";
import { planSchema } from "./plan.ts";
import { protocolIdSchema } from "./protocol.ts";
import { usageSchema } from "./usage.ts";

export const REQUEST_STATES = [
  "received",
  "held",
  "dispatched",
  "streaming",
  "finished",
  "settled",
  "recorded",
  "failed",
  "cancelled",
  "expired",
] as const;
export const requestStateSchema = z.enum(REQUEST_STATES);
export type RequestState = z.infer<typeof requestStateSchema>;

/** One transition: numbered from 1, in order, never changed once stored. `released` is the end of a hold that cost nothing. */
export const lifecycleFrameSchema = z.strictObject({
  seq: z.number().int().positive(),
  /** Milliseconds of the owning object's clock. */
  at: z.number().int(),
  event: z.enum([...REQUEST_STATES, "released"]),
  detail: z.record(z.string(), z.unknown()).optional(),
});
export type LifecycleFrame = z.infer<typeof lifecycleFrameSchema>;
export type LifecycleEvent = LifecycleFrame["event"];

/** How one attempt at a provider went. */
export const attemptRecordSchema = z.strictObject({
  provider: z.string(),
  model: z.string(),
  protocol: protocolIdSchema,
  status: z.number().int().nullable(),
  error_code: z.string().nullable(),
  started_at: z.number().int(),
  /** The upstream's own id of the answer. */
  provider_request_id: z.string().nullable(),
});
export type AttemptRecord = z.infer<typeof attemptRecordSchema>;

/** What is known of an answer so far: enough to settle it should its owner die now. */
export const progressSchema = z.strictObject({
  phase: dispatchPhaseSchema,
  finish_reason: z.string().nullable(),
  usage: usageSchema,
  usage_final: z.boolean(),
  output_characters: z.number().int().nonnegative(),
  content_seen: z.boolean(),
  first_byte_at: z.number().int().nullable(),
});
export type Progress = z.infer<typeof progressSchema>;

/** The stored facts of a request that is being run, without its body and without any credential. */
export const openRequestSchema = z.strictObject({
  account_id: z.string(),
  key_id: z.string(),
  protocol: protocolIdSchema,
  stream: z.boolean(),
  plan: planSchema,
  measure: promptMeasureSchema,
  idempotency_key: z.string().nullable(),
  received_at: z.number().int(),
  dispatched_at: z.number().int(),
  evidence: z.enum(["live", "offline"]),
});
export type OpenRequest = z.infer<typeof openRequestSchema>;

/** A request as its lane stores it. */
export const storedRequestSchema = z.strictObject({
  id: z.string(),
  state: requestStateSchema,
  facts: openRequestSchema,
  frames: z.array(lifecycleFrameSchema).max(LIMITS.lifecycleFramesPerRequest),
  progress: progressSchema.nullable(),
});
export type StoredRequest = z.infer<typeof storedRequestSchema>;

/**
 * `GET /v1/requests/:id`. Amounts are numbers here, as in all our public JSON. Past its retention a request is shown from its usage row,
 * which has no plan (null), attempts or lifecycle (empty).
 */
export const requestViewSchema = z.strictObject({
  id: z.string(),
  state: requestStateSchema,
  protocol: protocolIdSchema,
  model: z.string(),
  stream: z.boolean(),
  plan: planSchema.nullable(),
  attempts: z.array(attemptRecordSchema),
  usage: usageSchema.nullable(),
  usage_source: z.enum(["provider", "estimated", "cut"]).nullable(),
  cost_micro_rub: z.number().int().nullable(),
  charged_micro_rub: z.number().int().nullable(),
  /** How the hold ended; null while it has not. */
  settlement: z.enum(["settled", "released", "expired"]).nullable(),
  error: z.strictObject({ code: z.string(), message: z.string() }).nullable(),
  price_version: z.string(),
  finish_reason: z.string().nullable(),
  flagged: z.string().nullable(),
  evidence: z.enum(["live", "offline"]),
  timings: z.strictObject({
    ttft_ms: z.number().nullable(),
    duration_ms: z.number().nullable(),
    output_tokens_per_second: z.number().nullable(),
  }),
  lifecycle: z.array(lifecycleFrameSchema),
});
export type RequestView = z.infer<typeof requestViewSchema>;

/** Headers of an answer kept for its `Idempotency-Key`. */
export const storedHeaders = z.record(z.string(), z.string());
