/**
 * What an account's object tells whoever looks on: its money and its requests under way, whole each time, so that a reader that was away for a
 * while is right again with the first event it sees. Amounts are decimal text.
 */
import { z } from "zod";
import { balanceSchema, entryKindSchema } from "./ledger.ts";
import { integerText } from "./money.ts";

const count = z.number().int().nonnegative();

/** A request that holds money now. The last two are null where another object runs it: only that one has read its answer. */
export const liveRunningSchema = z.strictObject({
  id: z.string(),
  key_id: z.string(),
  model: z.string(),
  started_at: count,
  hold_micro_rub: integerText,
  state: z.string(),
  /** Output tokens and cost that are certain so far. */
  output_tokens: count.nullable(),
  cost_micro_rub: integerText.nullable(),
});
export type LiveRunning = z.infer<typeof liveRunningSchema>;

/** A request that ended lately, by its ledger entry. */
export const liveEndedSchema = z.strictObject({
  id: z.string(),
  kind: entryKindSchema,
  model: z.string(),
  state: z.string(),
  started_at: count,
  duration_ms: count,
  /** With cache reads; null is unknown. */
  input_tokens: count.nullable(),
  output_tokens: count.nullable(),
  charged_micro_rub: integerText,
});
export type LiveEnded = z.infer<typeof liveEndedSchema>;

/** What somebody may see of it. */
export const liveQuestionSchema = z.strictObject({ money: z.boolean(), requests: z.boolean() });
export type LiveQuestion = z.infer<typeof liveQuestionSchema>;

export const liveStateSchema = z.strictObject({
  /** The ledger's last entry. */
  seq: count,
  /** Null for somebody who may not see it. */
  money: balanceSchema.nullable(),
  requests: z.strictObject({ running: z.array(liveRunningSchema), ended: z.array(liveEndedSchema) }).nullable(),
});
export type LiveState = z.infer<typeof liveStateSchema>;
