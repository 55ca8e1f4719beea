/**
 * What a caller of Gemini's `generateContent` may send, in camelCase (`camelCased` in workers/protocol/gemini turns the other spelling
 * into it). Loose on purpose: only what the gateway reads is described, unknown members survive. Wrong types of known fields are refused,
 * since every one of them would be refused upstream as well, after the hold.
 */
import { z } from "zod";
import { LIMITS } from "../limits.ts";

const anyObject = z.looseObject({});

/** One part. Exactly one of the content members is set; an empty part says nothing. */
export const geminiPartSchema = z.looseObject({
  text: z.string().nullish(),
  thought: z.boolean().nullish(),
  thoughtSignature: z.string().nullish(),
  inlineData: z.looseObject({ mimeType: z.string().min(1), data: z.string(), displayName: z.string().nullish() }).nullish(),
  fileData: z.looseObject({ mimeType: z.string().nullish(), fileUri: z.string().min(1), displayName: z.string().nullish() }).nullish(),
  functionCall: z.looseObject({ id: z.string().nullish(), name: z.string().min(1), args: anyObject.nullish() }).nullish(),
  functionResponse: z
    .looseObject({
      id: z.string().nullish(),
      name: z.string().min(1),
      response: z.looseObject({}, "must be an object").nullish(),
      parts: z.array(z.unknown()).nullish(),
    })
    .nullish(),
});
export type GeminiPart = z.infer<typeof geminiPartSchema>;

/** The wire's own reader takes a single element for a list of one. */
function listOf<S extends z.ZodType>(schema: S, most: number) {
  return z.preprocess(
    (value) => (typeof value === "object" && value !== null && !Array.isArray(value) ? [value] : value),
    z.array(schema).max(most),
  );
}

/** Parts are checked one by one where they are read, so that an error names the part. */
const parts = listOf(z.unknown(), LIMITS.messagesPerRequest);

const geminiContentSchema = z.looseObject({
  role: z.enum(["user", "model", "function", "tool", "system", ""]).nullish(),
  parts: parts.nullish(),
});
export type GeminiContent = z.infer<typeof geminiContentSchema>;

const geminiToolSchema = z.looseObject({
  functionDeclarations: listOf(
    z.looseObject({
      name: z.string().min(1),
      description: z.string().nullish(),
      parameters: anyObject.nullish(),
      parametersJsonSchema: z.union([anyObject, z.boolean()]).nullish(),
    }),
    LIMITS.toolsPerRequest,
  ).nullish(),
});

const functionCallingConfig = z.looseObject({
  mode: z.string().nullish(),
  allowedFunctionNames: z.array(z.string()).nullish(),
});

const generationConfig = z.looseObject({
  maxOutputTokens: z.number().int("must be a whole number of tokens").positive("must be above zero").nullish(),
  temperature: z.number().nullish(),
  topP: z.number().nullish(),
  topK: z.number().nullish(),
  candidateCount: z.number().int().min(1).max(LIMITS.choicesPerRequest).nullish(),
  stopSequences: z.array(z.string()).nullish(),
  responseMimeType: z.string().nullish(),
  responseSchema: anyObject.nullish(),
  responseJsonSchema: anyObject.nullish(),
  thinkingConfig: z
    .looseObject({
      includeThoughts: z.boolean().nullish(),
      thinkingBudget: z.number().int().min(-1).nullish(),
      thinkingLevel: z.string().nullish(),
    })
    .nullish(),
});
export type GeminiGenerationConfig = z.infer<typeof generationConfig>;

export const geminiRequestSchema = z.looseObject({
  model: z.string().max(LIMITS.modelNameCharacters).nullish(),
  contents: listOf(geminiContentSchema, LIMITS.messagesPerRequest).refine((list) => list.length > 0, "must hold at least one content"),
  systemInstruction: geminiContentSchema.nullish(),
  tools: listOf(geminiToolSchema, LIMITS.toolsPerRequest).nullish(),
  toolConfig: z.looseObject({ functionCallingConfig: functionCallingConfig.nullish() }).nullish(),
  generationConfig: generationConfig.nullish(),
});
export type GeminiRequest = z.infer<typeof geminiRequestSchema>;
