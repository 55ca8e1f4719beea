/** A provider as data: where to talk, how to prove who we are, which wire formats are spoken, and what an abort costs. Never code. */
import { z } from "zod";
import { protocolIdSchema } from "./protocol.ts";

/** Differences inside one wire format: the closed list of workers/protocol/protocol.ts `Quirks`. */
export const quirksSchema = z.strictObject({
  maxTokensField: z.enum(["max_tokens", "max_completion_tokens"]).optional(),
  streamOptions: z.boolean().optional(),
  refusedFields: z.array(z.string()).readonly().optional(),
  reasoningField: z.enum(["reasoning_content", "reasoning", "content-chunks"]).optional(),
  outputExcludesReasoning: z.boolean().optional(),
  inputExcludesCache: z.boolean().optional(),
  developerRole: z.boolean().optional(),
  toolIdPattern: z.enum(["any", "nine-alphanumeric"]).optional(),
  reasoningModelPattern: z.string().optional(),
});

export const providerDefinitionSchema = z.strictObject({
  /** The first part of a catalogue slug `provider/model`. */
  id: z.string().regex(/^[a-z0-9][a-z0-9-]*$/),
  /** The name people know it by. */
  name: z.string(),
  /** What the provider's own SDK takes as base URL. */
  base_url: z.url(),
  /** Names of the environment variables that turn the provider on. */
  api_key_env: z.string(),
  base_url_env: z.string(),
  /** Wire formats spoken, each with the path below the base URL. The caller's own format is preferred when it is among them. */
  endpoints: z.array(z.strictObject({ protocol: protocolIdSchema, path: z.string().startsWith("/") })).min(1),
  auth: z.discriminatedUnion("kind", [
    z.strictObject({ kind: z.literal("bearer") }),
    z.strictObject({ kind: z.literal("header"), header: z.string() }),
  ]),
  /** Headers of every call (an API version). */
  headers: z.record(z.string(), z.string()),
  /** Headers of the caller that are passed on, lower case (beta switches). */
  passed_headers: z.array(z.string()),
  /**
   * Whether closing the connection ends generation and billing. False: the upstream is drained after a client has left, since the
   * whole answer is owed anyway. Source of each value: research/billing.md §3.4 (OpenRouter's table of stream cancellation).
   */
  abort_stops_billing: z.boolean(),
  quirks: quirksSchema,
  /** Where the offline provider answers for this one: a path put after its address in place of `base_url`. */
  offline_path: z.string(),
});
export type ProviderDefinition = z.infer<typeof providerDefinitionSchema>;
