/** What callers of the four embedding formats may send. Loose on purpose: only what the gateway reads is described, unknown members survive. */
import { z } from "zod";
import { LIMITS } from "../limits.ts";

const model = z.string("model must be a string").min(1, "model must not be empty").max(LIMITS.modelNameCharacters);
const inputs = LIMITS.embeddingInputsPerRequest;
const token = z.number().int().nonnegative();
const texts = z.array(z.string()).min(1, "must hold at least one input").max(inputs, `must hold at most ${inputs} inputs`);
const dimensions = z.number().int("must be a whole number").positive("must be above zero").max(LIMITS.embeddingDimensions).nullish();
/** An embedding has nothing to stream; a caller who asks for it is told so and not given a whole answer instead. */
const stream = z.literal(false, "an embedding is never streamed").nullish();

/** `POST /v1/embeddings`: one text, many texts, one text's tokens, or many texts' tokens. */
export const openaiEmbeddingsSchema = z.looseObject({
  model,
  input: z.union([z.string(), texts, z.array(token).min(1), z.array(z.array(token).min(1)).min(1).max(inputs)], {
    error: `must be a text, up to ${inputs} texts, or the token numbers of such texts`,
  }),
  dimensions,
  encoding_format: z.enum(["float", "base64"]).nullish(),
  user: z.string().nullish(),
  stream,
  /** Not in OpenAI's own API: what the vectors are for, in the words of other providers, for those that need to know. */
  task_type: z.string().nullish(),
  input_type: z.string().nullish(),
});
export type OpenaiEmbeddings = z.infer<typeof openaiEmbeddingsSchema>;

/** `POST /v1beta/models/{model}:batchEmbedContents`. */
export const geminiEmbeddingsSchema = z.looseObject({
  requests: z
    .array(
      z.looseObject({
        model: z.string().nullish(),
        content: z.looseObject({ parts: z.array(z.looseObject({ text: z.string() })).min(1) }),
        taskType: z.string().nullish(),
        outputDimensionality: dimensions,
      }),
    )
    .min(1)
    .max(inputs),
});
export type GeminiEmbeddings = z.infer<typeof geminiEmbeddingsSchema>;

/** `POST /v2/embed`, for texts. */
export const cohereEmbeddingsSchema = z.looseObject({
  model,
  texts,
  input_type: z.string().nullish(),
  embedding_types: z
    .array(z.enum(["float", "base64"]))
    .length(1, "must name one type")
    .nullish(),
  output_dimension: dimensions,
  stream,
});
export type CohereEmbeddings = z.infer<typeof cohereEmbeddingsSchema>;

/** `POST /api/embed`. */
export const ollamaEmbeddingsSchema = z.looseObject({ model, input: z.union([z.string(), texts]), dimensions, stream });
export type OllamaEmbeddings = z.infer<typeof ollamaEmbeddingsSchema>;
