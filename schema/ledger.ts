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
import { appliedRateSchema } from "./rate.ts";
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

/** `true_up` corrects the charge of a request that has ended; the last four kinds are money from or to the outside. */
export const entryKindSchema = z.enum([
  "settle",
  "late_settle",
  "release",
  "expire",
  "true_up",
  "credit",
  "refund",
  "chargeback",
  "adjust",
]);
export type EntryKind = z.infer<typeof entryKindSchema>;

/**
 * The customer's own account and the house's. A posting above zero is owed to that account: `provider_cost` is the providers' part of what
 * was sold, `revenue` what is left of it, `house_loss` (below zero) what was sold and not paid, `payment_clearing` (below zero) what the
 * payment providers took in, `fees` (below zero) what they kept, `adjustment` the counterpart of corrections by hand.
 */
export const accountNameSchema = z.enum(["customer", "revenue", "provider_cost", "fees", "house_loss", "payment_clearing", "adjustment"]);
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
  /** Input + output tokens at most: what a rate of tokens is charged until the true number is known. */
  tokens_bound: z.number().int().nonnegative(),
  /** What it uses at least in all likelihood: a rate of tokens lets it begin when this much is there. Left out: the bound. */
  tokens_likely: z.number().int().nonnegative().optional(),
  /** Rates of the configuration that count this call. */
  rates: z.array(appliedRateSchema).max(LIMITS.ratesPerConfig).optional(),
});
export type AdmitCommand = z.infer<typeof admitCommandSchema>;

export const refusalReasonSchema = z.enum([
  "unknown_key",
  "revoked_key",
  "expired_key",
  "model_not_allowed",
  "insufficient_balance",
  /** More was taken back than was left: nothing is admitted until the debt is paid. */
  "account_blocked",
  /** The ledger is being restored and takes nothing. */
  "account_frozen",
  "requests_per_minute",
  "tokens_per_minute",
  /** Rates of the configuration, and more counts of it at once than are kept. */
  "request_rate",
  "token_rate",
  "too_many_rates",
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
    "overloaded",
  ]),
  reason: refusalReasonSchema,
  needed_micro_rub: integerText.nullable(),
  available_micro_rub: integerText.nullable(),
  retry_after_seconds: z.number().int().positive().nullable(),
  /** The earlier request an idempotency refusal is about. */
  request_id: z.string().nullable(),
  /** The key, where one was recognised; whose limit it was; and which, in words, where the reason does not say it all. */
  key_id: z.string().nullable().default(null),
  scope: z.enum(["key", "account", "config"]).nullable().default(null),
  limit: z.string().nullable().default(null),
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
  /** The same in micro-RUB at the snapshot's fx, rounded up: the part of the cost that is the provider's. */
  provider_cost_micro_rub: amountText.optional(),
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
export const extendCommandSchema = z.strictObject({
  request_id: requestId,
  hold_micro_rub: amountText,
  /** Where all of it is not to be had, this much or more will do. Left out: all or nothing. */
  least_micro_rub: amountText.optional(),
  ttl_ms: milliseconds.positive(),
});
export type ExtendCommand = z.infer<typeof extendCommandSchema>;
export const extendResultSchema = z.strictObject({
  /** `insufficient`: the balance has no more; `over_limit`: it has, and a spend limit has not. */
  state: z.enum(["extended", "insufficient", "over_limit", "not_held", "not_found"]),
  hold_micro_rub: integerText,
  expires_at: milliseconds,
});
export type ExtendResult = z.infer<typeof extendResultSchema>;

/** Money from outside. Only `adjust` may be negative; the amount of a refund or chargeback is what the payer gets back. */
export const creditCommandSchema = z
  .object({
    kind: z.enum(["credit", "refund", "chargeback", "adjust"]),
    /** The payment's or the administrator's own reference: counted once, ever. */
    external_id: z.string().min(1).max(256),
    amount_micro_rub: z.string().regex(/^-?\d{1,16}$/, "must be a decimal integer in a string"),
    /** What the payment provider kept for itself, borne by the house. */
    fee_micro_rub: amountText.optional(),
    record: recordText,
  })
  .refine((command) => command.kind === "adjust" || /^0*[1-9]\d*$/.test(command.amount_micro_rub), "amount must be above zero");
export type CreditCommand = z.infer<typeof creditCommandSchema>;
export const creditResultSchema = z.strictObject({
  /** `out_of_range`: the balance would leave ±(2^53-1); `frozen`: the ledger is being restored. Nothing was done in either case. */
  state: z.enum(["credited", "exists", "exists_with_different", "out_of_range", "frozen"]),
  seq: z.number().int().nullable(),
  amount_micro_rub: integerText,
  balance_after_micro_rub: integerText,
});
export type CreditResult = z.infer<typeof creditResultSchema>;

/**
 * What a request turned out to cost after it had ended: an estimate that the provider's report corrects, a release that was billed after
 * all. Absolute, and once a request; what the balance does not cover is the house's loss, as in a settlement.
 */
export const trueUpCommandSchema = z.object({ request_id: requestId, facts: chargeFactsSchema });
export type TrueUpCommand = z.infer<typeof trueUpCommandSchema>;
export const trueUpResultSchema = z.strictObject({
  /** `not_settled`: the request is open, or expired and is still to be settled. */
  state: z.enum(["trued_up", "exists", "exists_with_different", "not_settled", "not_found", "out_of_range", "frozen"]),
  seq: z.number().int().nullable(),
  /** Above zero: given back to the customer. */
  amount_micro_rub: integerText,
  balance_after_micro_rub: integerText,
});
export type TrueUpResult = z.infer<typeof trueUpResultSchema>;

/** Why a ledger takes nothing for now. */
export const freezeReasonSchema = z.enum(["d1_ahead", "diverged", "operator"]);
export const freezeSchema = z.strictObject({
  reason: freezeReasonSchema,
  /** The last entry D1 has; the ledger is whole again when it has that one too. 0: not known to be ahead. */
  d1_seq: z.number().int().nonnegative(),
  at: milliseconds,
});
export type Freeze = z.infer<typeof freezeSchema>;
export const freezeCommandSchema = freezeSchema.omit({ at: true });
export type FreezeCommand = z.infer<typeof freezeCommandSchema>;

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
  /** JSON text: `ChargeFacts` for a settle or true-up, `{"reason"}` for a release or expiry, null otherwise. */
  facts: z.string().nullable(),
  /** JSON text of the request's facts for D1, or null. Text as it came: the hash covers it. */
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

/** What a replay of entries did. `fault`: the first that could not be taken, and why. */
export const replayResultSchema = z.strictObject({
  applied: z.number().int().nonnegative(),
  seq: z.number().int().nonnegative(),
  fault: z.strictObject({ seq: z.number().int(), reason: z.string() }).nullable(),
});
export type ReplayResult = z.infer<typeof replayResultSchema>;

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
  /** Below zero in balance: nothing is admitted until it is paid. */
  blocked: z.boolean(),
  frozen: freezeSchema.nullable(),
});
export type LedgerFacts = z.infer<typeof ledgerFactsSchema>;
