/**
 * What a caller of OpenAI Responses may send. Loose on purpose: only what the gateway reads is described, unknown members survive,
 * and items and tools that only this API knows pass. Items and parts are checked one by one where they are read, so that a wrong
 * one is named by its own path.
 */
import { z } from "zod";
import { LIMITS } from "../limits.ts";

/** One part of an item's content or output. That each type has its own member is checked where it is read. */
export const responsePartSchema = z.looseObject({
  type: z.string(),
  text: z.string().nullish(),
  refusal: z.string().nullish(),
  image_url: z.string().nullish(),
  detail: z.string().nullish(),
  file_id: z.string().nullish(),
  file_data: z.string().nullish(),
  file_url: z.string().nullish(),
  filename: z.string().nullish(),
  input_audio: z.looseObject({ data: z.string(), format: z.string().nullish() }).nullish(),
});
export type ResponsePart = z.infer<typeof responsePartSchema>;

const textOrParts = z.union([z.string(), z.array(z.unknown())], { error: "must be a string or an array of parts" });

/** One item of the input. Without a type it is a message (it has a role) or a reference (it has not). */
export const responseItemSchema = z.looseObject({
  type: z.string().nullish(),
  role: z.enum(["user", "assistant", "system", "developer"]).nullish(),
  content: textOrParts.nullish(),
  id: z.string().nullish(),
  call_id: z.string().min(1).nullish(),
  name: z.string().min(1).nullish(),
  arguments: z.string().nullish(),
  input: z.string().nullish(),
  output: textOrParts.nullish(),
  summary: z.array(z.looseObject({ text: z.string().nullish() })).nullish(),
  encrypted_content: z.string().nullish(),
  /** Not of this API: state another wire ties to a call, as the gateway gave it to the caller. */
  signature: z.string().nullish(),
});
export type ResponseItem = z.infer<typeof responseItemSchema>;

export const responseToolSchema = z.looseObject({
  type: z.string(),
  name: z.string().min(1).nullish(),
  description: z.string().nullish(),
  parameters: z.looseObject({}).nullish(),
  strict: z.boolean().nullish(),
});

const toolChoice = z.union([z.enum(["none", "auto", "required"]), z.looseObject({ type: z.string(), name: z.string().nullish() })], {
  error: "must be none, auto, required, or an object that names a tool",
});

const textFormat = z.looseObject({
  type: z.string(),
  name: z.string().nullish(),
  description: z.string().nullish(),
  schema: z.looseObject({}).nullish(),
  strict: z.boolean().nullish(),
});

export const responsesRequestSchema = z.looseObject({
  model: z.string("model must be a string").min(1, "model must not be empty").max(LIMITS.modelNameCharacters),
  input: z
    .union([z.string(), z.array(z.unknown()).max(LIMITS.messagesPerRequest)], { error: "must be a string or an array of items" })
    .nullish(),
  instructions: z.string().nullish(),
  stream: z.boolean().nullish(),
  tools: z.array(responseToolSchema).max(LIMITS.toolsPerRequest).nullish(),
  tool_choice: toolChoice.nullish(),
  parallel_tool_calls: z.boolean().nullish(),
  max_output_tokens: z.number().int("must be a whole number of tokens").positive("must be above zero").nullish(),
  temperature: z.number().nullish(),
  top_p: z.number().nullish(),
  reasoning: z.looseObject({ effort: z.string().nullish() }).nullish(),
  text: z.looseObject({ format: textFormat.nullish(), verbosity: z.string().nullish() }).nullish(),
  include: z.array(z.string()).nullish(),
  user: z.string().nullish(),
});
export type ResponsesRequest = z.infer<typeof responsesRequestSchema>;
