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
  /** Top-level request fields this provider refuses: left out, and reported by their class in the loss table. */
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
  /** The field that names a vector's length in OpenAI-shaped embedding requests. Default `dimensions`. */
  dimensionsField: z.enum(["dimensions", "output_dimension"]).optional(),
  /** Model names (a regular expression) that take no temperature or top_p. */
  reasoningModelPattern: z.string().optional(),
  /** The highest temperature that is taken; a higher one in a translated request becomes this. Default: any. */
  temperatureMax: z.number().positive().optional(),
  /** Whether functions may be offered. Default true; false: offering them is a loss of content. */
  tools: z.boolean().optional(),
  /** Whether the answer can be forced to call (`required`, or one named tool). Default true; false: asking for it is a loss of content. */
  forcedToolChoice: z.boolean().optional(),
  /**
   * How thinking is controlled. Default `reasoning_effort`. `reasoning`: an object `{effort, max_tokens}`. `thinking`: an object
   * `{type: enabled | disabled}`, beside an effort. `enable_thinking`: a boolean, with `thinking_budget` in tokens. `none`: not at all.
   */
  reasoningControl: z.enum(["reasoning_effort", "reasoning", "thinking", "enable_thinking", "none"]).optional(),
  /**
   * Where one address serves models of several makers: which names (a regular expression) take the parameters of which family, for what
   * the wire itself has no field (thinking, top_k, one call at a time). The first that matches counts. Default: none do.
   */
  modelFamilies: z
    .array(z.strictObject({ family: z.enum(["claude", "nova"]), pattern: z.string() }))
    .readonly()
    .optional(),
});
export type Quirks = z.infer<typeof quirksSchema>;

/**
 * How a call proves who we are. `sigv4`: AWS Signature Version 4 for the named service; the credential is `KEY_ID:SECRET[:SESSION_TOKEN]`,
 * put together from the provider's `api_key_env`, `secret_env` and `token_env`. `region` is that of the deployment: the one `region_env` names, else
 * the one given here.
 */
export const authSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("bearer") }),
  z.strictObject({ kind: z.literal("header"), header: z.string() }),
  z.strictObject({
    kind: z.literal("sigv4"),
    service: z.string(),
    secret_env: z.string(),
    token_env: z.string(),
    region_env: z.string(),
    region: z.string(),
  }),
]);
export type Auth = z.infer<typeof authSchema>;

/** One wire format spoken at a path below the base URL. `{model}` in a path is replaced by the model's name, percent-encoded. */
export const endpointSchema = z.strictObject({
  protocol: protocolIdSchema,
  path: z.string().startsWith("/"),
  /** The path of a streamed call, where it differs. */
  stream_path: z.string().startsWith("/").optional(),
  /** Names of the models (a regular expression) that this format is spoken for. Default: all. */
  models: z.string().optional(),
  /** A caller's format whose bodies this one carries nearly as they are: such callers get this format. */
  kin: protocolIdSchema.optional(),
});

export const providerDefinitionSchema = z.strictObject({
  /** The first part of a catalogue slug `provider/model`. */
  id: z.string().regex(/^[a-z0-9][a-z0-9-]*$/),
  /** The name people know it by. */
  name: z.string(),
  /** Its well-known value of `gen_ai.provider.name` in OpenTelemetry's GenAI conventions, where it has one. Default: the id. */
  telemetry_name: z.string().optional(),
  /** What the provider's own SDK takes as base URL. `{region}` in it is the region that calls are signed for. */
  base_url: z.url(),
  /** Each customer has an address of their own, so `base_url` only shows its form: without a base URL the provider stays off. */
  own_address: z.boolean().optional(),
  /** Names of the environment variables that turn the provider on. */
  api_key_env: z.string(),
  base_url_env: z.string(),
  /** Wire formats spoken, each with the path below the base URL. The caller's own format is preferred when it is among them. */
  endpoints: z.array(endpointSchema).min(1),
  auth: authSchema,
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
