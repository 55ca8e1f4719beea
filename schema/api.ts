/** Bodies of our own API (contract §5–§6): strict, since we own it. */
import { z } from "zod";
import { accountIdSchema } from "./key.ts";
import { microRubPositive } from "./money.ts";

export const createAccountBody = z.strictObject({ name: z.string().min(1).max(128) });

export const creditBody = z.strictObject({
  amount_micro_rub: microRubPositive,
  /** The payment's own reference: counted once. */
  reference: z.string().min(1).max(256),
});

export const reconcileBody = z.strictObject({ account_id: accountIdSchema.optional() });
