/**
 * A resolved plan: which providers are tried, in order, with which model and wire format. It fully decides a run, holds no secret,
 * and is stored with the request, so a run can be explained and replayed.
 */
import { z } from "zod";
import { conversationCallSchema } from "./conversation.ts";
import { ensemblePlanSchema } from "./ensemble.ts";
import { promptMeasureSchema } from "./estimate.ts";
import { accountIdSchema } from "./key.ts";
import { admitCommandSchema } from "./ledger.ts";
import { LIMITS } from "./limits.ts";
import { protocolIdSchema } from "./protocol.ts";
import { authSchema, quirksSchema } from "./provider.ts";
import { routingDecisionSchema } from "./routing.ts";
import { traceContextSchema } from "./trace.ts";

/** How long an attempt may take, in milliseconds; what is left out is our own bound, which is also the most that may be said. */
export const timeoutsSchema = z.strictObject({
  /** To the response's headers, connecting included. */
  headers_ms: z.number().int().min(1).max(LIMITS.upstreamHeadersMilliseconds).optional(),
  /** Of a stream, from its headers to its first token. */
  first_token_ms: z.number().int().min(1).max(LIMITS.upstreamFirstTokenMilliseconds).optional(),
  /** Of a stream, between any two pieces of it. */
  idle_ms: z.number().int().min(1).max(LIMITS.upstreamIdleMilliseconds).optional(),
  /** From the headers to the end of the answer. */
  total_ms: z.number().int().min(1).max(LIMITS.streamTotalMilliseconds).optional(),
});

export const planAttemptSchema = z.strictObject({
  provider: z.string(),
  /** Catalogue slug this candidate is priced by; left out: the plan's. */
  slug: z.string().optional(),
  /** The model as the provider names it. */
  model: z.string(),
  protocol: protocolIdSchema,
  url: z.string(),
  auth: authSchema,
  headers: z.record(z.string(), z.string()),
  passed_headers: z.array(z.string()),
  abort_stops_billing: z.boolean(),
  quirks: quirksSchema,
  timeouts: timeoutsSchema.optional(),
});
export type PlanAttempt = z.infer<typeof planAttemptSchema>;

export const planSchema = z.strictObject({
  version: z.literal(1),
  /** Catalogue slug `provider/model` that is priced and shown. */
  model: z.string(),
  /** Why this model: `slug`, `alias`, `bare-name`, `provider-hint`, `ensemble`, `auto`. */
  reason: z.string(),
  attempts: z.array(planAttemptSchema).min(1),
  /** Most tokens the answer may have: sent upstream when the caller named none. */
  output_tokens_max: z.number().int().positive(),
  /** Several calls for one answer: the attempts are what its nodes ask, and not candidates one after the other. */
  ensemble: ensemblePlanSchema.optional(),
  /** Why the router chose these candidates, where it was asked to. */
  routing_snapshot: routingDecisionSchema.optional(),
});
export type Plan = z.infer<typeof planSchema>;

/** How a stream tells of its request's life (`x-plyrum-lifecycle`; workers/engine/lifecycle). */
export const lifecycleChoiceSchema = z.enum(["comments", "chunks", "ag-ui", "ai-ui", "off"]);
export type LifecycleChoice = z.infer<typeof lifecycleChoiceSchema>;

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
  /** What stands in an aggregator's body where the proposals will be. */
  references_mark: z.string().optional(),
  credentials: z.array(z.string().nullable()),
  /** Headers of the caller that some attempt passes on, by lower-case name. */
  caller_headers: z.record(z.string(), z.string()),
  /** Headers of the answer: what was dropped or approximated. */
  answer_headers: z.record(z.string(), z.string()),
  /** JSON text of a `PriceSnapshot`. */
  snapshot: admission.snapshot,
  /** Price snapshots of the attempts as JSON text, by index; one that is missing is `snapshot`. */
  snapshots: z.array(z.string()).optional(),
  hold_micro_rub: admission.hold_micro_rub,
  tokens_bound: admission.tokens_bound,
  tokens_likely: admission.tokens_likely,
  rates: admission.rates,
  measure: promptMeasureSchema,
  idempotency_key: admission.idempotency_key,
  body_hash: admission.body_hash,
  on_disconnect: z.enum(["cancel", "finish"]),
  /** Leave the cost field out of the body (`x-plyrum-raw: 1`). */
  raw: z.boolean(),
  /** Null: the default, comments for a request of several calls and nothing for a single one. */
  lifecycle: lifecycleChoiceSchema.nullable().default(null),
  /** Where the caller's `traceparent` puts the request; null without one. */
  trace: traceContextSchema.nullable().default(null),
  /** The stream is recorded, and its caller may leave and come back for the rest. */
  resumable: z.boolean().default(false),
  /** Of a Responses call whose answer is kept; null for any other. */
  conversation: conversationCallSchema.nullable().default(null),
  /** What upstreams send is recorded for so many days (schema/recording.ts); null: it is not. */
  record: z
    .strictObject({ keep_days: z.number().int().min(1).max(LIMITS.recordingDaysMax) })
    .nullable()
    .default(null),
  received_at: z.number().int(),
  evidence: z.enum(["live", "offline"]),
});
export type ServeEnvelope = z.infer<typeof serveEnvelopeSchema>;
