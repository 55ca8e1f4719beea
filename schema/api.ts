/** Bodies of our own API (contract §5–§6): strict, since we own it. */
import { z } from "zod";
import { accountIdSchema } from "./key.ts";
import { microRub, microRubPositive } from "./money.ts";
import { monthSchema } from "./shard.ts";
import { usageSchema } from "./usage.ts";

export const createAccountBody = z.strictObject({ name: z.string().min(1).max(128) });

/** A payment, or a refund of one: then what was paid in is taken off the balance again, below zero where it was spent. */
export const creditBody = z.strictObject({
  amount_micro_rub: microRubPositive,
  /** The payment's own reference: counted once. */
  reference: z.string().min(1).max(256),
});

export const chargebackBody = creditBody.extend({
  /** What the payment provider took for it, borne by the house. */
  fee_micro_rub: microRubPositive.optional(),
});

/** A correction by hand, of either sign. */
export const adjustmentBody = z.strictObject({
  amount_micro_rub: z
    .number()
    .int()
    .min(-Number.MAX_SAFE_INTEGER)
    .max(Number.MAX_SAFE_INTEGER)
    .refine((amount) => amount !== 0, "must not be zero")
    .transform((amount) => microRub(BigInt(amount))),
  reference: z.string().min(1).max(256),
  reason: z.string().min(1).max(1024),
});

/** What the provider reports a request really used; the cost follows from the prices the request was admitted at. */
export const trueUpBody = z.strictObject({ request_id: z.string().min(1).max(128), usage: usageSchema });

export const restoreBody = z.strictObject({
  /** Continue with the ledger as it is, although D1 has more or other entries. */
  force: z.boolean().default(false),
});

export const reconcileBody = z.strictObject({ account_id: accountIdSchema.optional() });

export const archiveBody = z.strictObject({
  account_id: accountIdSchema.optional(),
  /** Months before this one; left out: every month that may be. */
  before_month: monthSchema.optional(),
  /** Read the archive back and check it, and move nothing. */
  verify: z.boolean().default(false),
});

const day = z.iso.date();

export const rerateBody = z.strictObject({
  /** UTC days, both counted. */
  from: day,
  to: day,
  /** Stored prices by their number or their version's name, or a whole document that is stored nowhere. */
  prices: z.union([
    z.strictObject({ number: z.number().int().nonnegative() }),
    z.strictObject({ version: z.string().min(1).max(64) }),
    z.strictObject({ document: z.unknown() }),
  ]),
  /** Left out: every account. */
  account_id: accountIdSchema.optional(),
  /** `next_cursor` of the answer before. */
  cursor: z
    .string()
    .regex(/^[0-9A-Za-z_]{1,64}:\d{1,16}$/)
    .optional(),
});
export type RerateBody = z.infer<typeof rerateBody>;
