/**
 * Prices, twice: the document an administrator reads and writes (contract §3: decimal strings, USD per million tokens, globs,
 * tiers), and the snapshot fixed at the hold (integers in text, pico-USD per token), by which the request is settled whatever
 * happens to prices and fx meanwhile. USD per million tokens × 10^6 is exactly pico-USD per token, so six decimals are exact.
 */
import { z } from "zod";
import { LIMITS } from "./limits.ts";
import { integerText } from "./money.ts";

/** At most 10,000 USD per million tokens: with `LIMITS.tokensPerClassMax` every provider cost stays inside a 64-bit integer. */
const usdPerMillionTokens = z
  .string()
  .regex(/^\d{1,5}(\.\d{1,6})?$/, "must be a plain decimal string with at most 6 decimals, in USD per million tokens")
  .refine((text) => Number(text) <= 10_000, "is above 10000 USD per million tokens");

/** USD per request (not per million): a fee beside the tokens. */
const usdPerRequest = z
  .string()
  .regex(/^\d{1,4}(\.\d{1,12})?$/, "must be a plain decimal string with at most 12 decimals, in USD per request");

const optionalPrice = usdPerMillionTokens.nullable().default(null);
const tokenCount = z.number().int().positive().max(1_000_000_000);

/** Prices of prompts with more than `prompt_tokens` tokens, caches included. A class left out keeps the base price; null is unknown. */
export const priceTierSchema = z.strictObject({
  prompt_tokens: tokenCount,
  input: usdPerMillionTokens.optional(),
  output: usdPerMillionTokens.optional(),
  cache_read: usdPerMillionTokens.nullable().optional(),
  cache_write_5m: usdPerMillionTokens.nullable().optional(),
  cache_write_1h: usdPerMillionTokens.nullable().optional(),
});
export type PriceTier = z.infer<typeof priceTierSchema>;

export const modelPriceSchema = z.strictObject({
  input: usdPerMillionTokens,
  output: usdPerMillionTokens,
  cache_read: optionalPrice,
  cache_write_5m: optionalPrice,
  cache_write_1h: optionalPrice,
  request: usdPerRequest.default("0"),
  context_tokens: tokenCount.nullable().default(null),
  /** The cap sent upstream and held for when the caller names none. */
  max_output_tokens: tokenCount.default(LIMITS.outputTokensDefault),
  above: z
    .array(priceTierSchema)
    .max(8)
    .refine((tiers) => new Set(tiers.map((tier) => tier.prompt_tokens)).size === tiers.length, "has two tiers at one prompt length")
    .default([]),
});
export type ModelPrice = z.infer<typeof modelPriceSchema>;

export const priceDocumentSchema = z.strictObject({
  version: z.string().min(1).max(64),
  fx: z.strictObject({
    micro_rub_per_usd: z.number().int().positive().max(1_000_000_000_000),
    source: z.string().max(256),
    date: z.string().regex(/^\d{4}-\d{2}-\d{2}$/, "must be a date, YYYY-MM-DD"),
  }),
  markup_bps: z.number().int().nonnegative().max(1_000_000),
  /** Keys are catalogue slugs or globs. */
  models: z.record(z.string().min(1).max(LIMITS.modelNameCharacters), modelPriceSchema),
});
export type PriceDocument = z.infer<typeof priceDocumentSchema>;

/** Pico-USD per token, by class; null is "no price is known". */
export const classPricesSchema = z.strictObject({
  input: integerText,
  cache_read: integerText.nullable(),
  cache_write_5m: integerText.nullable(),
  cache_write_1h: integerText.nullable(),
  output: integerText,
});
export type ClassPrices = z.infer<typeof classPricesSchema>;

export const priceSnapshotSchema = z.strictObject({
  /** Version of the document it was taken from. */
  version: z.string(),
  /** The slug that was asked for. */
  model: z.string(),
  /** The key of the document that matched: the slug itself, or a glob. */
  price_key: z.string(),
  prices: classPricesSchema,
  /** Fee of one request, pico-USD. */
  request_pico_usd: integerText,
  /** Complete prices of each tier (gaps already filled from the base), ascending. */
  tiers: z.array(z.strictObject({ above_prompt_tokens: z.number().int().positive(), prices: classPricesSchema })),
  fx_micro_rub_per_usd: integerText,
  fx_source: z.string(),
  fx_date: z.string(),
  markup_bps: z.number().int().nonnegative(),
  /** 1: one ceiling at the end (workers/cost/cost.ts). */
  rounding_version: z.literal(1),
  context_tokens: z.number().int().positive().nullable(),
  max_output_tokens: z.number().int().positive(),
});
export type PriceSnapshot = z.infer<typeof priceSnapshotSchema>;
