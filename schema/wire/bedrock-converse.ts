/**
 * What a caller of Bedrock's Converse may send. Loose on purpose: only what the gateway reads is described, unknown members survive.
 * Wrong types of known fields are refused, since every one of them would be refused upstream as well, after the hold. Source:
 * the service model of the AWS SDK, 2023-09-30.
 */
import { z } from "zod";
import { LIMITS } from "../limits.ts";

const source = z.looseObject({
  bytes: z.string().nullish(),
  text: z.string().nullish(),
  s3Location: z.looseObject({ uri: z.string() }).nullish(),
});

const media = z.looseObject({ format: z.string().nullish(), source: source.nullish() });

/** A mark after the block that a prompt's cached part ends with. */
const cachePoint = z.looseObject({ type: z.string().nullish(), ttl: z.string().nullish() }).nullish();

/** One content block: an object with one member, which says what it is. */
export const converseBlockSchema = z.looseObject({
  text: z.string().nullish(),
  image: media.nullish(),
  document: media.extend({ name: z.string().nullish(), context: z.string().nullish(), citations: z.unknown().optional() }).nullish(),
  audio: media.nullish(),
  toolUse: z.looseObject({ toolUseId: z.string().min(1), name: z.string().min(1), type: z.string().nullish() }).nullish(),
  toolResult: z
    .looseObject({ toolUseId: z.string().min(1), content: z.array(z.unknown()).nullish(), status: z.string().nullish() })
    .nullish(),
  reasoningContent: z
    .looseObject({
      reasoningText: z.looseObject({ text: z.string().nullish(), signature: z.string().nullish() }).nullish(),
      redactedContent: z.string().nullish(),
    })
    .nullish(),
  citationsContent: z.looseObject({ content: z.array(z.looseObject({ text: z.string().nullish() })).nullish() }).nullish(),
  cachePoint,
});
export type ConverseBlock = z.infer<typeof converseBlockSchema>;

const toolSchema = z.looseObject({
  toolSpec: z
    .looseObject({
      name: z.string().min(1),
      description: z.string().nullish(),
      inputSchema: z.looseObject({ json: z.looseObject({}).nullish() }).nullish(),
      strict: z.boolean().nullish(),
    })
    .nullish(),
  cachePoint,
});

/** Blocks are checked one by one where they are read, so that an error names the block and not the message. */
const blocks = z.array(z.unknown());

export const converseRequestSchema = z.looseObject({
  messages: z
    .array(z.looseObject({ role: z.enum(["user", "assistant", "system"]), content: blocks }))
    .min(1)
    .max(LIMITS.messagesPerRequest),
  system: blocks.nullish(),
  inferenceConfig: z
    .looseObject({
      maxTokens: z.number().int().positive().nullish(),
      temperature: z.number().nullish(),
      topP: z.number().nullish(),
      stopSequences: z.array(z.string()).nullish(),
    })
    .nullish(),
  toolConfig: z
    .looseObject({
      tools: z.array(toolSchema).max(LIMITS.toolsPerRequest).nullish(),
      toolChoice: z.looseObject({ tool: z.looseObject({ name: z.string().min(1) }).nullish() }).nullish(),
    })
    .nullish(),
  additionalModelRequestFields: z.looseObject({}).nullish(),
  outputConfig: z
    .looseObject({
      effort: z.string().nullish(),
      textFormat: z
        .looseObject({
          type: z.string().nullish(),
          structure: z
            .looseObject({
              jsonSchema: z.looseObject({ schema: z.string(), name: z.string().nullish(), description: z.string().nullish() }).nullish(),
            })
            .nullish(),
        })
        .nullish(),
    })
    .nullish(),
});
export type ConverseRequest = z.infer<typeof converseRequestSchema>;
