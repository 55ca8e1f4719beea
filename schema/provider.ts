/** A provider as data: where to talk, how to prove who we are, which wire formats are spoken, and what an abort costs. Never code. */
import { z } from "zod";
import { protocolIdSchema } from "./protocol.ts";

/**
 * Differences between providers that speak one wire format, as a closed list of declared properties. A provider file may set these
 * and nothing else; each has its own test.
 */
export const quirksSchema = z.strictObject({
  /** The field that caps the output in OpenAI-shaped requests. */
  maxTokensField: z.enum(["max_tokens", "max_completion_tokens"]).optional(),
  /** Whether `stream_options: {include_usage}` may be sent. Default true. */
  streamOptions: z.boolean().optional(),
  /** Top-level request fields this provider refuses: left out and reported as lost hints. */
  refusedFields: z.array(z.string()).readonly().optional(),
  /** Where reasoning text is found and sent back. Default `reasoning_content`. */
  reasoningField: z.enum(["reasoning_content", "reasoning", "content-chunks"]).optional(),
  /** `completion_tokens` leaves reasoning out; default false: it is included. */
  outputExcludesReasoning: z.boolean().optional(),
  /** `prompt_tokens` leaves cached tokens out when cached > prompt. Default false: they are included. */
  inputExcludesCache: z.boolean().optional(),
  /** Role `developer` is accepted; otherwise it is sent as `system`. Default true. */
  developerRole: z.boolean().optional(),
  /** The tool ids that are accepted; others are mapped reversibly. */
  toolIdPattern: z.enum(["any", "nine-alphanumeric"]).optional(),
  /** Model names (a regular expression) that take no temperature or top_p. */
  reasoningModelPattern: z.string().optional(),
});
export type Quirks = z.infer<typeof quirksSchema>;

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
