/**
 * What the router makes of a prompt and why it chose a model: the classification, every candidate with what spoke for and against it, and
 * the decision. Stored in the plan as `routing_snapshot`, shown with the request, and given by `POST /routing/v1/chat/completions`.
 */
import { z } from "zod";
import { LIMITS } from "./limits.ts";

/** What kind of work a prompt asks for. */
export const WORKLOADS = [
  "code-generation",
  "code-understanding",
  "math",
  "reasoning",
  "knowledge",
  "writing",
  "summarization",
  "extraction",
  "translation",
  "analysis",
  "conversation",
  "assistance",
] as const;
export const workloadSchema = z.enum(WORKLOADS);
export type Workload = z.infer<typeof workloadSchema>;

/** What a prompt is about: the fourteen fields of MMLU-Pro, and the ten everyday ones of CLINC150. */
export const DOMAINS = [
  "biology",
  "business",
  "chemistry",
  "computer science",
  "economics",
  "engineering",
  "health",
  "history",
  "law",
  "math",
  "philosophy",
  "physics",
  "psychology",
  "other",
  "auto_and_commute",
  "banking",
  "credit_cards",
  "home",
  "kitchen_and_dining",
  "meta",
  "small_talk",
  "travel",
  "utility",
  "work",
] as const;
export const domainSchema = z.enum(DOMAINS);
export type Domain = z.infer<typeof domainSchema>;

/** From 0 to 1. */
const share = z.number().min(0).max(1);

export const riskLevelSchema = z.enum(["none", "elevated", "high"]);
export const difficultyLevelSchema = z.enum(["easy", "medium", "hard"]);
export type DifficultyLevel = z.infer<typeof difficultyLevelSchema>;

/** What decided: a rule on the shape or the words, or the linear model. */
const layerSchema = z.enum(["rules", "model"]);

export const promptClassSchema = z.strictObject({
  /** Of the linear model, so that a stored decision says what made it. */
  model_version: z.string(),
  workload: z.strictObject({ label: workloadSchema, confidence: share, layer: layerSchema }),
  /** The likeliest first; empty when none is likely. */
  domains: z.array(z.strictObject({ label: domainSchema, confidence: share })).max(3),
  /** `high`: reads like an attempt to take the model's rules away. `elevated`: something to look at, such as personal data. */
  risk: z.strictObject({ level: riskLevelSchema, score: share, reasons: z.array(z.string()) }),
  /** `score` is the likelihood that a small model does not do. */
  difficulty: z.strictObject({ level: difficultyLevelSchema, score: share, reasons: z.array(z.string()) }),
  /** The everyday request it is (one of CLINC150's 150), null when it is none. */
  everyday_intent: z.strictObject({ label: z.string(), confidence: share }).nullable(),
});
export type PromptClass = z.infer<typeof promptClassSchema>;

export const preferSchema = z.enum(["cheapest", "fastest", "none"]);
export type Prefer = z.infer<typeof preferSchema>;

/** What a provider's entry of the configuration may say of its own model (Plano's older form): a preference for that model alone. */
export const ownPreferenceSchema = z.looseObject({ name: z.string().min(1).max(256), description: z.string().max(8_192) });

/** One entry of `routing_preferences`: Plano's keys. Models are slugs or aliases, the best first. */
export const routingPreferenceSchema = ownPreferenceSchema.extend({
  models: z.array(z.string().min(1).max(LIMITS.modelNameCharacters)).min(1).max(LIMITS.modelsPerPreference),
  selection_policy: z.looseObject({ prefer: preferSchema }).optional(),
});
export const routingPreferencesSchema = z.array(routingPreferenceSchema).max(LIMITS.preferencesPerConfig);
export type RoutingPreference = z.infer<typeof routingPreferenceSchema>;

/** Fields of the caller's request that a target's format cannot carry, by how bad that is. */
export const lossCountsSchema = z.strictObject({
  content: z.number().int().nonnegative(),
  hint: z.number().int().nonnegative(),
  approximation: z.number().int().nonnegative(),
});
export type LossCounts = z.infer<typeof lossCountsSchema>;

export const healthSchema = z.enum(["ok", "degraded", "down", "unknown"]);
export type Health = z.infer<typeof healthSchema>;

export const rankedCandidateSchema = z.strictObject({
  /** Catalogue slug. */
  model: z.string(),
  /** Why it cannot serve this request; null when it can. */
  excluded: z.string().nullable(),
  /** What put it where it is, in words. */
  reasons: z.array(z.string()),
  /** Expected price of this request in pico-USD, as decimal text; null when it has no price. */
  expected_pico_usd: z.string().nullable(),
  latency_ms: z.number().nullable(),
  health: healthSchema,
  losses: lossCountsSchema,
});
export type RankedCandidate = z.infer<typeof rankedCandidateSchema>;

export const routingDecisionSchema = z.strictObject({
  version: z.literal(1),
  /**
   * What the decision rests on: the model of this conversation's earlier turns (`pinned`), a routing preference (`preference`), the
   * configuration's default model (`default`), or price and difficulty alone (`catalogue`).
   */
  basis: z.enum(["pinned", "preference", "default", "catalogue"]),
  /** Name of the routing preference that matched; null when none did. */
  route: z.string().nullable(),
  /** Who matched it: the linear model, or a router model that was asked. Null without a route. */
  route_by: z.enum(["model", "router-model"]).nullable(),
  /** How near the prompt is to the preference's words, from 0 to 1; null where a router model said so. */
  route_score: share.nullable(),
  /** The model that was chosen, as a catalogue slug. */
  model: z.string(),
  reasons: z.array(z.string()),
  /** In order; those that cannot serve come last. A long list is cut. */
  candidates: z.array(rankedCandidateSchema),
  candidates_left_out: z.number().int().nonnegative(),
  prompt: promptClassSchema,
  /** Names the conversation by its beginning; the same for all its turns. */
  conversation: z.string(),
  pinned: z.boolean(),
  /** The conversation had another model before. */
  switched: z.boolean(),
});
export type RoutingDecision = z.infer<typeof routingDecisionSchema>;

/** What a conversation was last answered by: kept in the memory of the account's object. */
export const pinSchema = z.strictObject({
  model: z.string(),
  route: z.string().nullable(),
  level: difficultyLevelSchema,
  age_ms: z.number().nonnegative(),
});
export type Pin = z.infer<typeof pinSchema>;

/** What an account's object knows of some addresses and of a conversation, for a decision that is made elsewhere. */
export const routingFactsSchema = z.strictObject({
  /** In the order that was asked. */
  addresses: z.array(z.strictObject({ health: healthSchema, latency_ms: z.number().nullable() })),
  pin: pinSchema.nullable(),
  /** Globs of each owner (the key, its account) that limits its models; a model must match one of each. */
  allowed_models: z.array(z.array(z.string())),
});
export type RoutingFacts = z.infer<typeof routingFactsSchema>;

/** One address as an account's own object has come to know it. */
export const addressViewSchema = z.strictObject({
  provider: z.string(),
  model: z.string(),
  origin: z.string(),
  health: healthSchema,
  latency_ms: z.number().nullable(),
  breaker: z.enum(["closed", "open", "half-open"]),
  /** In a row. */
  failures: z.number().int().nonnegative(),
  /** When it is tried again; null where nothing keeps it from being asked. */
  retry_at: z.number().int().nullable(),
});
export type AddressView = z.infer<typeof addressViewSchema>;

/** A request that the router chose the model of, and in short why. */
export const routedRequestSchema = routingDecisionSchema.pick({ model: true, basis: true, route: true, reasons: true }).extend({
  request_id: z.string(),
  at: z.number().int(),
  state: z.string(),
  workload: workloadSchema,
  difficulty: difficultyLevelSchema,
  /** Candidates that could have served it, and all there were. */
  able: z.number().int(),
  candidates: z.number().int(),
});
export type RoutedRequest = z.infer<typeof routedRequestSchema>;

/** Keeps a conversation with a model. */
export const pinCommandSchema = pinSchema.omit({ age_ms: true }).extend({ conversation: z.string().max(64) });
export type PinCommand = z.infer<typeof pinCommandSchema>;

export const routingQuestionSchema = z.strictObject({
  key_hash: z.string().max(256),
  conversation: z.string().max(64),
  addresses: z.array(z.string().max(4_096)).max(LIMITS.routingCandidates),
});
export type RoutingQuestion = z.infer<typeof routingQuestionSchema>;

/** Answer of `POST /routing/v1/chat/completions`: Plano's members first, then the whole decision. */
export const routingAnswerSchema = z.strictObject({
  models: z.array(z.string()),
  route: z.string().nullable(),
  trace_id: z.string(),
  session_id: z.string().nullable(),
  pinned: z.boolean(),
  switched: z.boolean(),
  decision: routingDecisionSchema,
});
export type RoutingAnswer = z.infer<typeof routingAnswerSchema>;
