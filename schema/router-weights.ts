/** The file of weights behind the router's linear model, as scripts/train-router.ts writes it and workers/routing/router-model.ts unpacks it. */
import { z } from "zod";

const headSchema = z.strictObject({
  name: z.string(),
  labels: z.array(z.string()).min(2),
  /** Of one step of the weights. */
  weight_step: z.number().positive(),
  bias: z.array(z.number()),
  /** Base64 of signed bytes, label by label. */
  weights: z.string(),
  /** Scores are divided by this before they become probabilities, so that 0.8 is right in about eight of ten. */
  temperature: z.number().positive(),
});

const partSchema = z.strictObject({
  dimensions: z.number().int().positive(),
  /** Of one step in each dimension. */
  steps: z.array(z.number().nonnegative()),
  /** Base64 of the vectors, bucket by bucket: two numbers from -7 to 7 in a byte, each plus 8, the first in the high bits. */
  vectors: z.string(),
  heads: z.array(headSchema).min(1),
});

export const routerWeightsSchema = z.strictObject({
  version: z.string(),
  /** Names and licences of what it was trained on. */
  trained_on: z.array(z.string()),
  buckets: z.number().int().positive(),
  parts: z.array(partSchema).min(1),
  /** Chosen on training data only: from `jailbreak` on the risk is high, from `grey` on elevated. */
  thresholds: z.strictObject({ jailbreak: z.number(), grey: z.number() }),
});
export type RouterWeights = z.infer<typeof routerWeightsSchema>;
