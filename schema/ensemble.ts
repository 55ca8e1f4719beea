/**
 * A plan of several calls: nodes that depend on each other, each with its deadline and its output cap. A mixture of agents is one shape of
 * it. The graph is checked by `checkEnsemble` (workers/engine/mixture/check-plan.ts) before anything is held or sent.
 */
import { z } from "zod";
import { LIMITS } from "./limits.ts";
import { integerText } from "./money.ts";
import { classPricesSchema } from "./price.ts";
import { protocolIdSchema } from "./protocol.ts";
import { dispatchPhaseSchema } from "./estimate.ts";
import { usageSchema, usageSourceSchema } from "./usage.ts";

export const ensembleNodeSchema = z.strictObject({
  id: z.string().min(1).max(64),
  kind: z.enum(["call", "guard", "prompt_target", "aggregate", "judge", "select"]),
  /** What the node is to a mixture. `spare`: asked only where the quorum cannot be reached otherwise. `direct`: only where nobody proposed. */
  role: z.enum(["proposer", "spare", "aggregator", "second-aggregator", "verbatim", "direct"]),
  /** Ids of the nodes whose results it reads. */
  after: z.array(z.string()).max(LIMITS.ensembleNodes),
  /** Index of the plan's attempt that it asks; null for a node that asks no model. */
  attempt: z.number().int().nonnegative().nullable(),
  deadline_ms: z.number().int().positive().max(LIMITS.ensembleDeadlineMillisecondsMax),
  output_tokens_max: z.number().int().positive(),
});
export type EnsembleNode = z.infer<typeof ensembleNodeSchema>;

export const ensemblePlanSchema = z.strictObject({
  nodes: z.array(ensembleNodeSchema).min(1),
  /** Proposals that are enough. */
  quorum: z.number().int().positive(),
  /** Orders the proposals before the aggregator, so that none has a fixed place; stored, so that a run can be explained. */
  seed: z.number().int().nonnegative(),
});
export type EnsemblePlan = z.infer<typeof ensemblePlanSchema>;

/** One entry of the configuration's `ensembles`, asked for as `moa/NAME`. Models are slugs or aliases. */
export const ensembleConfigSchema = z.strictObject({
  proposers: z.array(z.string().min(1)).min(1).max(LIMITS.proposersPerEnsemble),
  aggregator: z.string().min(1),
  /** Proposals that are enough, at most as many as there are proposers; default two thirds, rounded up. */
  quorum: z.number().int().positive().optional(),
  /** How long proposers may take. */
  deadline_ms: z.number().int().positive().max(LIMITS.ensembleDeadlineMillisecondsMax).optional(),
  proposer_max_tokens: z.number().int().positive().optional(),
  /** A model that stands by, or true: the aggregator's. Asked once, and only where the quorum cannot be reached otherwise. */
  hedge: z.union([z.boolean(), z.string().min(1)]).optional(),
});
export type EnsembleConfig = z.infer<typeof ensembleConfigSchema>;

/** `lost`: another had answered before it, or its time was up; it was let go of and is charged for what it used. */
export const legStateSchema = z.enum(["running", "answered", "lost", "failed"]);

/** What is known of one call of an ensemble so far: enough to settle it should its owner die now. */
export const legProgressSchema = z.strictObject({
  node: z.string(),
  attempt: z.number().int().nonnegative(),
  state: legStateSchema,
  phase: dispatchPhaseSchema,
  usage: usageSchema,
  usage_final: z.boolean(),
  output_characters: z.number().int().nonnegative(),
  /** Bytes of prompt beside the caller's own: the proposals. */
  added_bytes: z.number().int().nonnegative(),
  /** Not null: it was cut, and is charged by this. */
  cut: usageSchema.nullable(),
  finish_reason: z.string().nullable(),
  error_code: z.string().nullable(),
});
export type LegProgress = z.infer<typeof legProgressSchema>;

/** One call of a finished request: what it used, at which prices, and its share of the cost. The shares sum to the cost. */
export const legRecordSchema = z.strictObject({
  node: z.string(),
  model: z.string(),
  provider: z.string(),
  protocol: protocolIdSchema,
  state: legStateSchema,
  error_code: z.string().nullable(),
  finish_reason: z.string().nullable(),
  /** Null: nothing is owed for it. */
  usage: usageSchema.nullable(),
  usage_source: usageSourceSchema.nullable(),
  price_key: z.string(),
  /** As applied, after the tier; a class without a price has that of the input. Pico-USD per token. */
  prices: classPricesSchema,
  request_pico_usd: integerText,
  provider_cost_pico_usd: integerText,
  cost_micro_rub: integerText,
});
export type LegRecord = z.infer<typeof legRecordSchema>;

/** A call as `GET /v1/requests/:id` shows it: amounts are numbers there. */
export const legViewSchema = legRecordSchema
  .omit({ price_key: true, prices: true, request_pico_usd: true, provider_cost_pico_usd: true, cost_micro_rub: true })
  .extend({ cost_micro_rub: z.number().int() });
