/**
 * Every shape that crosses into or out of an account's ledger over RPC: commands, results, entries. Amounts are decimal integers in
 * text on both sides (numbers lose digits in SQL and bigint cannot go through JSON); times are milliseconds of the object's clock.
 * A command states absolute facts, never deltas, so repeating it can change nothing. A command drops fields it does not know (its
 * sender may be of a newer version for a while); the facts of a charge inside it are strict, since money rests on them.
 */
import { z } from "zod";
import { keyIdSchema } from "./key.ts";
import { LIMITS } from "./limits.ts";
import { integerText } from "./money.ts";
import { usageSchema, usageSourceSchema } from "./usage.ts";

const requestId = z.string().min(1).max(128);
const milliseconds = z.number().int().nonnegative();
const amountText = z.string().regex(/^\d{1,16}$/, "must be a non-negative decimal integer in a string");
/** JSON text of an object: the request's facts for D1, carried as they are. */
const recordText = z
  .string()
  .max(64 * 1024)
  .refine((text) => text.startsWith("{") && text.endsWith("}"), "must be the JSON text of an object")
  .nullable();

/** `HELD → SETTLED | RELEASED | EXPIRED`, `EXPIRED → SETTLED_LATE` once; nothing else. */
export const holdStateSchema = z.enum(["HELD", "SETTLED", "RELEASED", "EXPIRED", "SETTLED_LATE"]);
export type HoldState = z.infer<typeof holdStateSchema>;

export const entryKindSchema = z.enum(["settle", "late_settle", "release", "expire", "credit", "refund", "adjust"]);
export type EntryKind = z.infer<typeof entryKindSchema>;

export const accountNameSchema = z.enum(["customer", "revenue", "house_loss", "payment_clearing", "adjustment"]);
export type AccountName = z.infer<typeof accountNameSchema>;
/** Account and signed micro-RUB; the postings of one entry sum to zero. */
export const postingsSchema = z.array(z.tuple([accountNameSchema, integerText]));

export const admitCommandSchema = z.object({
  request_id: requestId,
  key_hash: z.string().min(1).max(128),
  /** The caller's `Idempotency-Key`; one namespace a key. */
  idempotency_key: z.string().min(1).max(LIMITS.idempotencyKeyCharacters).nullable(),
  body_hash: z.string().max(128).nullable(),
  hold_micro_rub: amountText,
  /** JSON text of a `PriceSnapshot`. */
  snapshot: z.string().max(16 * 1024),
  /** Catalogue slug (a provider and a name), matched against the key's `allowed_models`. */
  model: z.string().max(2 * LIMITS.modelNameCharacters),
  /** Who owns the request from here on: a lane's name (later also a lease's). */
  lane: z.string().max(128),
  ttl_ms: milliseconds.positive(),
  /** Input + output tokens at most: what a tokens-per-minute limit is charged until the true number is known. */
  tokens_bound: z.number().int().nonnegative(),
});
export type AdmitCommand = z.infer<typeof admitCommandSchema>;

export const refusalReasonSchema = z.enum([
  "unknown_key",
  "revoked_key",
  "expired_key",
  "model_not_allowed",
  "insufficient_balance",
  "requests_per_minute",
  "tokens_per_minute",
  "parallel_requests",
  "spend_per_day",
  "spend_per_month",
  "account_parallel",
  "request_in_progress",
  "idempotency_mismatch",
  "request_id_reused",
]);
export type RefusalReason = z.infer<typeof refusalReasonSchema>;

/** A refusal in the words of the error table, with the facts its message needs. */
export const refusalSchema = z.strictObject({
  ok: z.literal(false),
  code: z.enum([
    "invalid_api_key",
    "forbidden",
    "insufficient_balance",
    "rate_limited",
    "request_in_progress",
    "idempotency_mismatch",
    "invalid_transition",
  ]),
  reason: refusalReasonSchema,
  needed_micro_rub: integerText.nullable(),
  available_micro_rub: integerText.nullable(),
  retry_after_seconds: z.number().int().positive().nullable(),
  /** The earlier request an idempotency refusal is about. */
  request_id: z.string().nullable(),
});
export type Refusal = z.infer<typeof refusalSchema>;

export const admitResultSchema = z.union([
  z.strictObject({
    ok: z.literal(true),
    key_id: z.string(),
    /** Not null: nothing was held; this earlier request has the answer for the same `Idempotency-Key` and body. */
    replay: z.strictObject({ request_id: z.string(), state: holdStateSchema, lane: z.string() }).nullable(),
  }),
  refusalSchema,
]);
export type AdmitResult = z.infer<typeof admitResultSchema>;

/** What is charged and why. A second settle of the same request must repeat these, or it is an incident. */
export const chargeFactsSchema = z.strictObject({
  usage: usageSchema,
  usage_source: usageSourceSchema,
  cost_micro_rub: amountText,
  provider_cost_pico_usd: z.string().regex(/^\d{1,19}$/),
  /** Why the cost is not simply prices × reported tokens; null when it is. */
  flagged: z.string().max(512).nullable(),
});
export type ChargeFacts = z.infer<typeof chargeFactsSchema>;

export const settleCommandSchema = z.object({ request_id: requestId, facts: chargeFactsSchema, record: recordText });
export type SettleCommand = z.infer<typeof settleCommandSchema>;

export const releaseCommandSchema = z.object({ request_id: requestId, reason: z.string().min(1).max(128), record: recordText });
export type ReleaseCommand = z.infer<typeof releaseCommandSchema>;

/**
 * How a request ended in the ledger. `exists` repeats the first result's numbers; `exists_with_different` does too, changes
 * nothing and leaves an incident; `not_due`: an expiry before its time; `not_found`: a request never admitted here.
 */
export const endStateSchema = z.enum([
  "settled",
  "settled_late",
  "released",
  "expired",
  "exists",
  "exists_with_different",
  "not_due",
  "not_found",
]);

export const endResultSchema = z.strictObject({
  state: endStateSchema,
  /** State of the hold after the call; null when there is none. */
  hold_state: holdStateSchema.nullable(),
  charged_micro_rub: integerText,
  shortfall_micro_rub: integerText,
  /** The entry that ended the request; null when there is none. */
  seq: z.number().int().nullable(),
  balance_after_micro_rub: integerText,
  held_after_micro_rub: integerText,
});
export type EndResult = z.infer<typeof endResultSchema>;
export type SettleResult = EndResult;
export type ReleaseResult = EndResult;

/** Asks for a larger hold or a longer life, both absolute: the hold is at least this much and lives at least this long from now. */
export const extendCommandSchema = z.strictObject({ request_id: requestId, hold_micro_rub: amountText, ttl_ms: milliseconds.positive() });
export type ExtendCommand = z.infer<typeof extendCommandSchema>;
export const extendResultSchema = z.strictObject({
  state: z.enum(["extended", "insufficient", "not_held", "not_found"]),
  hold_micro_rub: integerText,
  expires_at: milliseconds,
});
export type ExtendResult = z.infer<typeof extendResultSchema>;

/** Money from outside. Only `adjust` may be negative; a refund's amount is what the payer gets back. */
export const creditCommandSchema = z
  .object({
    kind: z.enum(["credit", "refund", "adjust"]),
    /** The payment's or the administrator's own reference: counted once, ever. */
    external_id: z.string().min(1).max(256),
    amount_micro_rub: z.string().regex(/^-?\d{1,16}$/, "must be a decimal integer in a string"),
    record: recordText,
  })
  .refine((command) => command.kind === "adjust" || /^0*[1-9]\d*$/.test(command.amount_micro_rub), "amount must be above zero");
export type CreditCommand = z.infer<typeof creditCommandSchema>;
export const creditResultSchema = z.strictObject({
  /** `out_of_range`: the balance would leave ±(2^53-1); nothing was done. */
  state: z.enum(["credited", "exists", "exists_with_different", "out_of_range"]),
  seq: z.number().int().nullable(),
  amount_micro_rub: integerText,
  balance_after_micro_rub: integerText,
});
export type CreditResult = z.infer<typeof creditResultSchema>;

/** One row of the ledger. `hash` covers every other field; `prev_hash` is the hash of `seq - 1`, empty for the first. */
export const entrySchema = z.strictObject({
  seq: z.number().int().positive(),
  kind: entryKindSchema,
  request_id: z.string().nullable(),
  external_id: z.string().nullable(),
  /** Signed, on the customer's side. */
  amount_micro_rub: integerText,
  /** JSON text of `postingsSchema`. */
  postings: z.string(),
  balance_after_micro_rub: integerText,
  held_after_micro_rub: integerText,
  at: milliseconds,
  /** JSON text: `ChargeFacts` for a settle, `{"reason"}` for a release or expiry, null otherwise. */
  facts: z.string().nullable(),
  /** JSON text of the request's facts for D1, or null. */
  record: z.string().nullable(),
  prev_hash: z.string(),
  hash: z.string(),
});
export type Entry = z.infer<typeof entrySchema>;

export const holdSchema = z.strictObject({
  request_id: requestId,
  key_id: keyIdSchema.or(z.string()),
  state: holdStateSchema,
  hold_micro_rub: integerText,
  model: z.string(),
  lane: z.string(),
  snapshot: z.string(),
  tokens_bound: z.number().int().nonnegative(),
  created_at: milliseconds,
  expires_at: milliseconds,
  seq: z.number().int().nullable(),
});
export type Hold = z.infer<typeof holdSchema>;

export const balanceSchema = z.strictObject({
  balance_micro_rub: integerText,
  held_micro_rub: integerText,
  available_micro_rub: integerText,
});
export type Balance = z.infer<typeof balanceSchema>;

/** What reconciliation compares with D1. `count`, `sum` and `hash` are read from the rows, not from memory. */
export const ledgerFactsSchema = z.strictObject({
  seq: z.number().int().nonnegative(),
  count: z.number().int().nonnegative(),
  sum: integerText,
  hash: z.string(),
  balance_micro_rub: integerText,
  held_micro_rub: integerText,
  recorded_seq: z.number().int().nonnegative(),
  open_holds: z.number().int().nonnegative(),
  incidents: z.number().int().nonnegative(),
});
export type LedgerFacts = z.infer<typeof ledgerFactsSchema>;
