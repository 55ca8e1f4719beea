/**
 * What a caller of Anthropic Messages may send. Loose on purpose: only what the gateway reads is described, unknown members survive.
 * Wrong types of known fields are refused, since every one of them would be refused upstream as well, after the hold.
 */
import { z } from "zod";
import { LIMITS } from "../limits.ts";

const cacheControl = z.looseObject({ type: z.string(), ttl: z.string().nullish() }).nullish();

const source = z.looseObject({
  type: z.string(),
  media_type: z.string().nullish(),
  data: z.string().nullish(),
  url: z.string().nullish(),
  file_id: z.string().nullish(),
});

/** One content block. That each type has its own members is checked where it is read. */
export const messageBlockSchema = z.looseObject({
  type: z.string(),
  text: z.string().nullish(),
  thinking: z.string().nullish(),
  signature: z.string().nullish(),
  data: z.string().nullish(),
  source: source.nullish(),
  title: z.string().nullish(),
  context: z.string().nullish(),
  citations: z.unknown().optional(),
  id: z.string().nullish(),
  name: z.string().nullish(),
  tool_use_id: z.string().nullish(),
  is_error: z.boolean().nullish(),
  cache_control: cacheControl,
});
export type MessageBlock = z.infer<typeof messageBlockSchema>;

/** Blocks are checked one by one where they are read, so that an error names the block and not the message. */
export const messageContentSchema = z.union([z.string(), z.array(z.unknown())], { error: "must be a string or an array of blocks" });

export const messageSchema = z.looseObject({ role: z.enum(["user", "assistant", "system"]), content: messageContentSchema });

export const messageToolSchema = z.looseObject({
  type: z.string().nullish(),
  /** Server tools go by their type and may have none. */
  name: z.string().min(1).nullish(),
  description: z.string().nullish(),
  input_schema: z.looseObject({}).nullish(),
  strict: z.boolean().nullish(),
  cache_control: cacheControl,
});

export const messagesRequestSchema = z.looseObject({
  model: z.string().min(1).max(LIMITS.modelNameCharacters),
  messages: z.array(messageSchema).min(1).max(LIMITS.messagesPerRequest),
  max_tokens: z.number().int().positive(),
  system: messageContentSchema.nullish(),
  stream: z.boolean().nullish(),
  temperature: z.number().nullish(),
  top_p: z.number().nullish(),
  top_k: z.number().int().nullish(),
  stop_sequences: z.array(z.string()).nullish(),
  tools: z.array(messageToolSchema).max(LIMITS.toolsPerRequest).nullish(),
  tool_choice: z.looseObject({ type: z.string(), name: z.string().nullish(), disable_parallel_tool_use: z.boolean().nullish() }).nullish(),
  thinking: z.looseObject({ type: z.string(), budget_tokens: z.number().int().positive().nullish() }).nullish(),
  output_config: z.looseObject({ effort: z.string().nullish(), format: z.looseObject({ type: z.string() }).nullish() }).nullish(),
  metadata: z.looseObject({ user_id: z.string().nullish() }).nullish(),
});
export type MessagesRequest = z.infer<typeof messagesRequestSchema>;
