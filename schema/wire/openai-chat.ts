/**
 * What a caller of OpenAI Chat Completions may send. Loose on purpose: only what the gateway reads is described, unknown members
 * survive, and a provider's own extensions pass. Wrong types of known fields are refused, since every one of them would be
 * refused upstream as well, after the hold.
 */
import { z } from "zod";
import { LIMITS } from "../limits.ts";

const cacheControl = z.looseObject({ type: z.string(), ttl: z.string().nullish() }).nullish();

/** One part of a message's content. Members are checked here; that each type has its own member is checked where it is read. */
export const chatPartSchema = z.looseObject({
  type: z.string(),
  text: z.string().nullish(),
  refusal: z.string().nullish(),
  image_url: z.union([z.string(), z.looseObject({ url: z.string(), detail: z.string().nullish() })]).nullish(),
  input_audio: z.looseObject({ data: z.string(), format: z.string().nullish() }).nullish(),
  file: z.looseObject({ file_data: z.string().nullish(), file_id: z.string().nullish(), filename: z.string().nullish() }).nullish(),
  cache_control: cacheControl,
});
export type ChatPart = z.infer<typeof chatPartSchema>;

export const chatToolCallSchema = z.looseObject({
  id: z.string().min(1),
  type: z.string().nullish(),
  function: z.looseObject({ name: z.string().min(1), arguments: z.string().nullish() }).nullish(),
  custom: z.looseObject({ name: z.string().min(1), input: z.string() }).nullish(),
});
export type ChatToolCall = z.infer<typeof chatToolCallSchema>;

export const chatMessageSchema = z.looseObject({
  role: z.enum(["system", "developer", "user", "assistant", "tool", "function"]),
  content: z.union([z.string(), z.array(chatPartSchema)], { error: "must be a string, an array of parts, or null" }).nullish(),
  name: z.string().nullish(),
  refusal: z.string().nullish(),
  tool_calls: z.array(chatToolCallSchema).nullish(),
  tool_call_id: z.string().min(1).nullish(),
  function_call: z.looseObject({ name: z.string(), arguments: z.string().nullish() }).nullish(),
  reasoning_content: z.string().nullish(),
  reasoning: z.string().nullish(),
});
export type ChatMessage = z.infer<typeof chatMessageSchema>;

export const chatToolSchema = z.looseObject({
  /** Absent at some providers' SDKs; then it is a function. */
  type: z.string().nullish(),
  function: z
    .looseObject({
      name: z.string().min(1),
      description: z.string().nullish(),
      parameters: z.looseObject({}).nullish(),
      strict: z.boolean().nullish(),
    })
    .nullish(),
  cache_control: cacheControl,
});

const toolChoice = z.union(
  [
    z.enum(["none", "auto", "required", "any"]),
    z.looseObject({ type: z.string(), function: z.looseObject({ name: z.string().min(1) }).nullish() }),
  ],
  { error: "must be none, auto, required, or an object that names a tool" },
);

const responseFormat = z.looseObject({
  type: z.string(),
  json_schema: z.looseObject({ name: z.string().nullish(), schema: z.looseObject({}).nullish(), strict: z.boolean().nullish() }).nullish(),
});

const tokenCap = z.number().int("must be a whole number of tokens").positive("must be above zero").nullish();

export const chatRequestSchema = z.looseObject({
  model: z.string("model must be a string").min(1, "model must not be empty").max(LIMITS.modelNameCharacters),
  messages: z.array(chatMessageSchema).min(1, "must hold at least one message").max(LIMITS.messagesPerRequest),
  stream: z.boolean().nullish(),
  stream_options: z.looseObject({ include_usage: z.boolean().nullish() }).nullish(),
  tools: z.array(chatToolSchema).max(LIMITS.toolsPerRequest).nullish(),
  tool_choice: toolChoice.nullish(),
  parallel_tool_calls: z.boolean().nullish(),
  max_tokens: tokenCap,
  max_completion_tokens: tokenCap,
  temperature: z.number().nullish(),
  top_p: z.number().nullish(),
  top_k: z.number().int().nullish(),
  stop: z.union([z.string(), z.array(z.string())], { error: "must be a string or an array of strings" }).nullish(),
  n: z.number().int().min(1).max(LIMITS.choicesPerRequest).nullish(),
  reasoning_effort: z.string().nullish(),
  reasoning: z
    .looseObject({ effort: z.string().nullish(), max_tokens: z.number().int().positive().nullish(), enabled: z.boolean().nullish() })
    .nullish(),
  thinking: z.looseObject({ type: z.string(), budget_tokens: z.number().int().positive().nullish() }).nullish(),
  response_format: responseFormat.nullish(),
  user: z.string().nullish(),
});
export type ChatRequest = z.infer<typeof chatRequestSchema>;
