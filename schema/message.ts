/**
 * What an account's object tells D1 through the queue: one message an entry of its ledger. The body is a projection of the entry,
 * so a message can be made again, byte for byte, whenever D1 turns out to lack it.
 */
import { z } from "zod";
import { legRecordSchema } from "./ensemble.ts";
import { accountIdSchema } from "./key.ts";
import { chargeFactsSchema, entryKindSchema, postingsSchema } from "./ledger.ts";
import { integerText } from "./money.ts";
import { priceSnapshotSchema } from "./price.ts";
import { protocolIdSchema } from "./protocol.ts";
import { attemptRecordSchema } from "./request.ts";
import { traceContextSchema } from "./trace.ts";
import { usageSchema, usageSourceSchema } from "./usage.ts";

const milliseconds = z.number().int();

/** The facts of a finished request: what a usage row, a report or an auditor needs beside the ledger's entry. */
export const requestRecordSchema = z.strictObject({
  request_id: z.string(),
  lane: z.string(),
  key_id: z.string(),
  /** The caller's wire format, and the provider's. */
  protocol: protocolIdSchema,
  upstream_protocol: protocolIdSchema,
  model: z.string(),
  provider: z.string(),
  stream: z.boolean(),
  state: z.enum(["settled", "failed", "cancelled", "expired"]),
  error_code: z.string().nullable(),
  usage: usageSchema.nullable(),
  usage_source: usageSourceSchema.nullable(),
  /** By the formula; what was charged is the entry's amount, less only where the balance could not cover it. */
  cost_micro_rub: integerText.nullable(),
  provider_cost_pico_usd: integerText.nullable(),
  /** Held at admission, by estimate; null where it is not known. */
  hold_micro_rub: integerText.nullable().default(null),
  snapshot: priceSnapshotSchema,
  flagged: z.string().nullable(),
  attempts: z.array(attemptRecordSchema),
  /** The calls of an ensemble, whose exact costs together, rounded up once, are the cost; left out for a single call. */
  legs: z.array(legRecordSchema).optional(),
  degraded: z.string().nullable().optional(),
  timings: z.strictObject({
    received_at: milliseconds,
    dispatched_at: milliseconds,
    first_byte_at: milliseconds.nullable(),
    finished_at: milliseconds,
    ttft_ms: milliseconds.nullable(),
    duration_ms: milliseconds,
    output_tokens_per_second: z.number().nullable(),
  }),
  finish_reason: z.string().nullable(),
  evidence: z.enum(["live", "offline"]),
  idempotency_key: z.string().nullable(),
  /** Of the caller's `traceparent`; left out without one. */
  trace: traceContextSchema.optional(),
});
export type RequestRecord = z.infer<typeof requestRecordSchema>;

export const usageMessageSchema = z.strictObject({
  v: z.literal(1),
  account_id: accountIdSchema,
  seq: z.number().int().positive(),
  kind: entryKindSchema,
  request_id: z.string().nullable(),
  external_id: z.string().nullable(),
  amount_micro_rub: integerText,
  postings: postingsSchema,
  balance_after_micro_rub: integerText,
  held_after_micro_rub: integerText,
  at: milliseconds,
  /** `ChargeFacts` of a settlement, the reason of a release or expiry, null for money from outside. */
  facts: z.union([chargeFactsSchema, z.looseObject({ reason: z.string() })]).nullable(),
  /**
   * A `RequestRecord` for what ended a request. Read apart from the rest (workers/queue/entry-row.ts), so that a record nobody can read
   * does not keep the money's own row out of D1.
   */
  record: z.record(z.string(), z.unknown()).nullable(),
  prev_hash: z.string(),
  hash: z.string(),
});
export type UsageMessage = z.infer<typeof usageMessageSchema>;
