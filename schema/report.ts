/** What a cost report is made from: the sums of each account's rows and entries, and its open holds. Integers that add up are exact text. */
import { z } from "zod";
import { fxPolicySchema } from "./document.ts";
import { integerText } from "./money.ts";

const milliseconds = z.number().int();

/** Requests that agree in everything a report groups by. `provider_cost_high` · 10^9 + `provider_cost_low` is their cost in pico-USD. */
export const usageSumsSchema = z.strictObject({
  model: z.string(),
  provider: z.string(),
  key_id: z.string(),
  /** Of the entry that ended them. */
  kind: z.string(),
  state: z.string(),
  error_code: z.string().nullable(),
  usage_source: z.string().nullable(),
  evidence: z.string(),
  fx_micro_rub_per_usd: integerText,
  requests: integerText,
  failed: integerText,
  flagged: integerText,
  attempts: integerText,
  input_tokens: integerText,
  cache_read_tokens: integerText,
  cache_write_tokens: integerText,
  output_tokens: integerText,
  provider_cost_high: integerText,
  provider_cost_low: integerText,
  cost_micro_rub: integerText,
  charged_micro_rub: integerText,
  /** Charged requests whose hold is known, what was held for them and what they cost, and how many cost more than was held. */
  held_requests: integerText,
  held_micro_rub: integerText,
  held_cost_micro_rub: integerText,
  above_hold: integerText,
  last_at: milliseconds,
});
export type UsageSums = z.infer<typeof usageSumsSchema>;

export const entrySumsSchema = z.strictObject({
  kind: z.string(),
  entries: z.number().int(),
  amount_micro_rub: integerText,
  last_at: milliseconds,
});
export type EntrySums = z.infer<typeof entrySumsSchema>;

export const openHoldSchema = z.strictObject({
  request_id: z.string(),
  key_id: z.string(),
  model: z.string(),
  hold_micro_rub: integerText,
  created_at: milliseconds,
  expires_at: milliseconds,
});
export type OpenHold = z.infer<typeof openHoldSchema>;

export const accountFactsSchema = z.strictObject({
  account_id: z.string(),
  name: z.string(),
  entries: z.array(entrySumsSchema),
  usage: z.array(usageSumsSchema),
  holds: z.array(openHoldSchema),
  /** The ledger's own word, whatever D1 says; null where its object could not be asked. */
  ledger: z.strictObject({ seq: z.number().int(), balance_micro_rub: integerText }).nullable(),
});
export type AccountFacts = z.infer<typeof accountFactsSchema>;

export const ratesInForceSchema = z.strictObject({
  prices_version: z.string(),
  micro_rub_per_usd: z.number().int(),
  source: z.string(),
  date: z.string(),
  policy: fxPolicySchema.pick({ max_age_days: true, stale: true }),
});
export type RatesInForce = z.infer<typeof ratesInForceSchema>;

/** `GET /admin/report/facts`. */
export const reportFactsSchema = z.strictObject({
  rates: ratesInForceSchema,
  accounts: z.array(accountFactsSchema),
  /** The last account of this page; null after the last page. */
  next_cursor: z.string().nullable(),
});
export type ReportFacts = z.infer<typeof reportFactsSchema>;
