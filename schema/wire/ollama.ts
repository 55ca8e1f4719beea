/**
 * What a caller of Ollama's `/api/chat` and `/api/generate` may send (ollama `api/types.go`, docs/openapi.yaml). Loose on purpose: only what
 * the gateway reads is described, unknown members survive. Wrong types of known fields are refused, as Ollama itself refuses them.
 */
import { z } from "zod";
import { LIMITS } from "../limits.ts";

/** Base64 bytes of an image, without a `data:` prefix. */
const images = z.array(z.string()).nullish();

export const ollamaToolCallSchema = z.looseObject({
  id: z.string().nullish(),
  function: z.looseObject({
    name: z.string().min(1),
    arguments: z.union([z.looseObject({}), z.string()], { error: "must be an object" }).nullish(),
  }),
});
export type OllamaToolCall = z.infer<typeof ollamaToolCallSchema>;

export const ollamaMessageSchema = z.looseObject({
  /** Any letter case; words Ollama does not know go to the model's template as they are. */
  role: z.string().min(1),
  content: z.string("must be a string; images go into images").nullish(),
  thinking: z.string().nullish(),
  images,
  tool_calls: z.array(ollamaToolCallSchema).nullish(),
  tool_name: z.string().nullish(),
  tool_call_id: z.string().nullish(),
});
export type OllamaMessage = z.infer<typeof ollamaMessageSchema>;

const toolSchema = z.looseObject({
  type: z.string().nullish(),
  function: z
    .looseObject({ name: z.string().min(1), description: z.string().nullish(), parameters: z.looseObject({}).nullish() })
    .nullish(),
});

const options = z.looseObject({
  /** Zero and below mean "no cap". */
  num_predict: z.number().int("must be a whole number of tokens").nullish(),
  temperature: z.number().nullish(),
  top_p: z.number().nullish(),
  top_k: z.number().int().nullish(),
  stop: z.union([z.array(z.string()), z.string()], { error: "must be an array of strings" }).nullish(),
});

const shared = {
  model: z.string("model must be a string").min(1, "model must not be empty").max(LIMITS.modelNameCharacters),
  /** True when left out. */
  stream: z.boolean().nullish(),
  format: z.union([z.string(), z.looseObject({})], { error: 'must be "json" or a JSON schema' }).nullish(),
  options: options.nullish(),
  think: z.union([z.boolean(), z.string()], { error: "must be true, false or a level" }).nullish(),
};

const sharedSchema = z.looseObject(shared);
export type OllamaSharedRequest = z.infer<typeof sharedSchema>;

export const ollamaChatRequestSchema = z.looseObject({
  ...shared,
  messages: z.array(ollamaMessageSchema).max(LIMITS.messagesPerRequest).nullish(),
  tools: z.array(toolSchema).max(LIMITS.toolsPerRequest).nullish(),
});
export type OllamaChatRequest = z.infer<typeof ollamaChatRequestSchema>;

export const ollamaGenerateRequestSchema = z.looseObject({
  ...shared,
  prompt: z.string().nullish(),
  system: z.string().nullish(),
  images,
});
export type OllamaGenerateRequest = z.infer<typeof ollamaGenerateRequestSchema>;
