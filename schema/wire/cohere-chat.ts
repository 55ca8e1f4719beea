/** What a caller of Cohere's v2 Chat may send. Loose on purpose: only what the gateway reads is described, unknown members survive. */
import { z } from "zod";
import { LIMITS } from "../limits.ts";

/** One part of a message's content. That each type has its own member is checked where it is read. */
export const coherePartSchema = z.looseObject({
  type: z.string(),
  text: z.string().nullish(),
  thinking: z.string().nullish(),
  image_url: z.looseObject({ url: z.string(), detail: z.string().nullish() }).nullish(),
});
export type CoherePart = z.infer<typeof coherePartSchema>;

export const cohereMessageSchema = z.looseObject({
  role: z.enum(["system", "developer", "user", "assistant", "tool"]),
  content: z.union([z.string(), z.array(coherePartSchema)], { error: "must be a string, an array of parts, or null" }).nullish(),
  tool_plan: z.string().nullish(),
  tool_calls: z
    .array(z.looseObject({ id: z.string().min(1), function: z.looseObject({ name: z.string().min(1), arguments: z.string().nullish() }) }))
    .nullish(),
  tool_call_id: z.string().min(1).nullish(),
});
export type CohereMessage = z.infer<typeof cohereMessageSchema>;

export const cohereChatRequestSchema = z.looseObject({
  model: z.string().min(1).max(LIMITS.modelNameCharacters),
  messages: z.array(cohereMessageSchema).min(1).max(LIMITS.messagesPerRequest),
  stream: z.boolean().nullish(),
  tools: z
    .array(
      z.looseObject({
        function: z.looseObject({
          name: z.string().min(1),
          description: z.string().nullish(),
          parameters: z.looseObject({}).nullish(),
        }),
      }),
    )
    .max(LIMITS.toolsPerRequest)
    .nullish(),
  strict_tools: z.boolean().nullish(),
  tool_choice: z.enum(["REQUIRED", "NONE"]).nullish(),
  max_tokens: z.number().int().positive().nullish(),
  temperature: z.number().nullish(),
  p: z.number().nullish(),
  k: z.number().int().nullish(),
  stop_sequences: z.array(z.string()).nullish(),
  thinking: z.looseObject({ type: z.enum(["enabled", "disabled"]), token_budget: z.number().int().positive().nullish() }).nullish(),
  response_format: z
    .looseObject({ type: z.enum(["text", "json_object"]), json_schema: z.looseObject({}).nullish(), schema: z.looseObject({}).nullish() })
    .nullish(),
});
export type CohereChatRequest = z.infer<typeof cohereChatRequestSchema>;
