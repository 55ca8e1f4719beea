/** The configuration as `GET/PUT /admin/config` and `plyrum.yaml` give it. Keys we do not act on yet survive and are named in a warning. */
import { z } from "zod";
import { ensembleConfigSchema } from "./ensemble.ts";
import { LIMITS } from "./limits.ts";
import { timeoutsSchema } from "./plan.ts";
import { configRateSchema } from "./rate.ts";
import { recordPolicySchema } from "./recording.ts";
import { ownPreferenceSchema, routingPreferencesSchema } from "./routing.ts";

/** A header's name, but for those that carry credentials, belong to the connection, or are written by us. */
const HEADER_NAME =
  /^(?!(?:authorization|proxy-.*|cookie|host|connection|content-.*|transfer-.*|.*(?:api-?key|token|secret|signature).*)$)[a-z0-9!#$%&'*+.^_`|~-]{1,128}$/i;

export const modelProviderSchema = z.looseObject({
  /** `provider/model` or `provider/*`. */
  model: z.string().min(1),
  /** `$NAME` of an environment variable, or the credential itself. */
  access_key: z.string().optional(),
  default: z.boolean().optional(),
  /**
   * Several entries of the same `model` are deployments of it: conversations are spread over them by weight and stay where they began, and the
   * others are asked when one fails. Default 1; 0: only then.
   */
  weight: z.number().min(0).max(1_000).optional(),
  provider_interface: z.string().optional(),
  base_url: z.url().optional(),
  /** Further headers of every call to it. A name that carries credentials is not taken: those are shown with a request's plan. */
  headers: z.record(z.string().regex(HEADER_NAME, "is not the name of a header"), z.string().max(LIMITS.configHeaderCharacters)).optional(),
  /** Kinds of work that this model is for (schema/routing.ts). */
  routing_preferences: z.array(ownPreferenceSchema).max(LIMITS.preferencesPerConfig).optional(),
});

/**
 * `url`: a central bank's daily rates, imported by the cron job once an hour and by `POST /admin/fx/import` without a body. A rate older than
 * `max_age_days` is stale: `warn` says so in metrics, log and report; `refuse` refuses new requests until a newer rate is imported.
 */
export const fxPolicySchema = z.looseObject({
  url: z.url({ protocol: /^https?$/ }).optional(),
  max_age_days: z.number().int().min(1).max(3650).default(14),
  stale: z.enum(["warn", "refuse"]).default("warn"),
});
export type FxPolicy = z.infer<typeof fxPolicySchema>;

export const configDocumentSchema = z.looseObject({
  version: z.string().optional(),
  model_providers: z.array(modelProviderSchema).optional(),
  /**
   * Whether media that callers name by address may be fetched for a provider that takes it only as bytes: `never` (the default), `on_request`
   * (for calls with the header `x-plyrum-fetch-media: 1`), or `always` (but for calls with `x-plyrum-fetch-media: 0`).
   */
  fetch_media: z.enum(["never", "on_request", "always"]).optional(),
  /** How many whole months before the running one stay in D1 when the cron job archives. */
  archive: z.looseObject({ keep_months: z.number().int().min(0).max(1200).default(2) }).optional(),
  /** Where the exchange rate comes from, and how old it may become. */
  fx: fxPolicySchema.optional(),
  /** Plano's `ratelimits`. Each entry counts the calls it names, for each account by itself; where several fit a call, all of them count it. */
  ratelimits: z.array(configRateSchema).max(LIMITS.ratesPerConfig).optional(),
  /**
   * Model (a slug or a glob; the longest match counts) → who is asked instead, in order, while the caller has seen nothing of a failed
   * answer: slugs or aliases. Each candidate is charged at its own price.
   */
  model_fallbacks: z.record(z.string().min(1), z.array(z.string().min(1)).min(1).max(LIMITS.fallbacksPerModel)).optional(),
  /** Which models serve which kind of work when `model: "auto"` is asked for. */
  routing_preferences: routingPreferencesSchema.optional(),
  /** How long a conversation stays with the model that answered it. */
  routing: z.looseObject({ session_ttl_seconds: z.number().int().min(0).max(LIMITS.routingPinSecondsMax).optional() }).optional(),
  /** `llm_routing_model`: a model that is asked which preference a prompt falls under, where our own classifier is in doubt. */
  overrides: z.looseObject({ llm_routing_model: z.string().min(1).max(LIMITS.modelNameCharacters).optional() }).optional(),
  /**
   * Plano's `prompt_guards`: with `jailbreak`, a prompt that reads like an attempt to take a model's rules away is refused with `message`
   * before anything is held or sent. What it catches and what it cannot: `npm run eval:router`.
   */
  prompt_guards: z
    .looseObject({
      input_guards: z
        .looseObject({
          jailbreak: z
            .looseObject({
              on_exception: z.looseObject({ message: z.string().min(1).max(LIMITS.guardMessageCharacters).optional() }).optional(),
            })
            .optional(),
        })
        .optional(),
    })
    .optional(),
  /** Mixtures of agents: `model: "moa/NAME"`. */
  ensembles: z.record(z.string().min(1).max(64), ensembleConfigSchema).optional(),
  /** Whether what upstreams answer is recorded, so that a request can be run again (`npm run replay`). Off when left out. */
  record: recordPolicySchema.optional(),
  /** Model (a slug or a glob; the longest match counts) → how long an attempt at it may take, where that is less than our own bounds. */
  timeouts: z.record(z.string().min(1), timeoutsSchema).optional(),
  model_aliases: z.record(z.string(), z.looseObject({ target: z.string().min(1) })).optional(),
});
export type ConfigDocument = z.infer<typeof configDocumentSchema>;
