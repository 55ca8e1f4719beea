/** A request's life as its owner stores it and as `GET /v1/requests/:id` shows it (contract §5, design.md §4). */
import { z } from "zod";
import { legProgressSchema, legViewSchema } from "./ensemble.ts";
import { dispatchPhaseSchema, promptMeasureSchema } from "./estimate.ts";
import { LIMITS } from "./limits.ts";
import { planSchema } from "./plan.ts";
import { protocolIdSchema } from "./protocol.ts";
import { traceContextSchema } from "./trace.ts";
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

/**
 * What a frame may tell beside a state: `released` is the end of a hold that cost nothing. Of a request of several calls, `node_started` and
 * `node_finished` are one of them, and `decided` is how the answer comes about.
 */
export const LIFECYCLE_EVENTS = [...REQUEST_STATES, "released", "node_started", "node_finished", "decided"] as const;

/** One thing that happened: numbered from 1, in order, never changed once stored. */
export const lifecycleFrameSchema = z.strictObject({
  seq: z.number().int().positive(),
  /** Milliseconds of the owning object's clock. */
  at: z.number().int(),
  event: z.enum(LIFECYCLE_EVENTS),
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
  /** Which candidate of the plan is answering. */
  candidate: z.number().int().nonnegative().optional(),
  /** The calls of an ensemble; left out for a single call. */
  legs: z.array(legProgressSchema).optional(),
  /** Why the ensemble's answer is less than was planned; null where it is not. */
  degraded: z.string().nullable().optional(),
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
  /** Price snapshots of the plan's attempts as JSON text, by index; one that is missing is the hold's. */
  snapshots: z.array(z.string()).optional(),
  /** Held at admission; null for a request of before this was kept. */
  hold_micro_rub: z.string().nullable().default(null),
  idempotency_key: z.string().nullable(),
  trace: traceContextSchema.optional(),
  /** The kept answer that waits for this request's end, where it runs in the background. */
  response_id: z.string().optional(),
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
  /** The calls of an ensemble, and why its answer is less than was planned. Left out for a single call. */
  legs: z.array(legViewSchema).optional(),
  degraded: z.string().nullable().optional(),
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
