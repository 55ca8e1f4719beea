/**
 * Limits an operator puts on a key, on an account, or, in the configuration, on calls of certain models and headers. All of them are
 * decided in the account's object, in the transaction that admits a request; what a rate of the configuration counts, it counts
 * for each account by itself.
 */
import { z } from "zod";
import { LIMITS } from "./limits.ts";

const perPeriod = z.number().int().positive().max(LIMITS.rateMax);
const spendLimit = z.number().int().positive().max(Number.MAX_SAFE_INTEGER);
const modelGlob = z.string().min(1).max(LIMITS.modelNameCharacters);

/** Rates of the models a glob names, which share them. */
export const modelRateSchema = z.strictObject({
  /** A catalogue slug or a glob over slugs. */
  model: modelGlob,
  requests_per_minute: perPeriod.nullable().default(null),
  tokens_per_minute: perPeriod.nullable().default(null),
});
export type ModelRate = z.infer<typeof modelRateSchema>;

/** What limits a key and an account alike; null is "no limit". */
export const ownerLimitFields = {
  requests_per_minute: perPeriod.nullable(),
  tokens_per_minute: perPeriod.nullable(),
  /** Further rates for some models, each beside all others that match. */
  per_model: z.array(modelRateSchema).max(LIMITS.modelRatesPerOwner).nullable(),
  parallel_requests: z.number().int().positive().max(LIMITS.openHoldsPerAccount).nullable(),
  /** Micro-RUB charged in one UTC day. Open holds count as if they were charged in full. */
  spend_micro_rub_per_day: spendLimit.nullable(),
  /** The same for one UTC calendar month. */
  spend_micro_rub_per_month: spendLimit.nullable(),
  /** Globs over catalogue slugs. */
  allowed_models: z.array(modelGlob).max(256).nullable(),
};

const ownerLimits = z.strictObject(ownerLimitFields);
export type AccountLimits = z.infer<typeof ownerLimits>;

export const NO_ACCOUNT_LIMITS: AccountLimits = {
  requests_per_minute: null,
  tokens_per_minute: null,
  per_model: null,
  parallel_requests: null,
  spend_micro_rub_per_day: null,
  spend_micro_rub_per_month: null,
  allowed_models: null,
};

/** A change of limits: what is left out stays, null takes a limit away. */
export const accountLimitsPatchSchema = ownerLimits.partial();
export type AccountLimitsPatch = z.infer<typeof accountLimitsPatchSchema>;

/** Limits with a change made to them. */
export function patched<T extends object>(limits: T, patch: { [Name in keyof T]?: T[Name] | undefined }): T {
  const given = Object.entries(patch).filter(([, value]) => value !== undefined);
  return { ...limits, ...Object.fromEntries(given) };
}

/** Account limits as they are stored; what is not there is no limit. */
export const accountLimitsSchema = accountLimitsPatchSchema.transform((given): AccountLimits => patched(NO_ACCOUNT_LIMITS, given));

/** An account's limits as they are shown, with what they have counted. */
export interface AccountLimitsView {
  limits: AccountLimits;
  /** Micro-RUB; counted only where a spend limit is set, null otherwise. */
  spent_today_micro_rub: string | null;
  spent_month_micro_rub: string | null;
}

/** Body of `PATCH /admin/accounts/:id`. */
export const patchAccountBodySchema = z.strictObject({
  name: z.string().min(1).max(128).optional(),
  limits: accountLimitsPatchSchema.optional(),
  /** `balance.low` is sent when the balance falls below this; null never. */
  low_balance_micro_rub: spendLimit.nullable().optional(),
});
export type PatchAccountBody = z.infer<typeof patchAccountBodySchema>;

export const RATE_UNITS = { second: 1_000, minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const;
export const rateUnitSchema = z.enum(["second", "minute", "hour", "day"]);
export type RateUnit = z.infer<typeof rateUnitSchema>;

/** One entry of `ratelimits` in the configuration, Plano's keys and two of ours: `requests`, and a model that may be a glob. */
export const configRateSchema = z.strictObject({
  model: modelGlob,
  /** Left out: every call of the model. A value of `*` gives each value of the header a count of its own; a call without the header has none. */
  selector: z
    .strictObject({
      key: z.string().regex(/^[\w!#$%&'*+.^`|~-]{1,128}$/, "is not the name of a header"),
      value: z.string().max(LIMITS.rateSelectorCharacters),
    })
    .optional(),
  limit: z
    .strictObject({ tokens: perPeriod.optional(), requests: perPeriod.optional(), unit: rateUnitSchema })
    .refine((limit) => limit.tokens !== undefined || limit.requests !== undefined, "limits neither tokens nor requests"),
});
export type ConfigRate = z.infer<typeof configRateSchema>;

/** A rate of the configuration that counts one call, as admission is told of it. */
export const appliedRateSchema = z.object({
  /** What is counted together: the same text for all calls that share the count. */
  name: z.string().min(1).max(1_024),
  unit: rateUnitSchema,
  requests: perPeriod.nullable(),
  tokens: perPeriod.nullable(),
});
export type AppliedRate = z.infer<typeof appliedRateSchema>;
