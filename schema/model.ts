/**
 * What is known of models beside their prices (which are schema/price.ts): what they take and give, what they can do, and where each
 * figure comes from. Never billed by; shown in the lists of models and read by routing.
 */
import { z } from "zod";
import { LIMITS } from "./limits.ts";

const decimal = z.string().regex(/^\d{1,5}(\.\d{1,6})?$/, "must be a plain decimal string, in USD per million tokens");
const date = z.string().regex(/^\d{4}-\d{2}-\d{2}$/, "must be a date, YYYY-MM-DD");

/** Where figures come from. */
export const modelSourceSchema = z.strictObject({
  /** The name of the public page or data set, or what else it is. */
  title: z.string().min(1),
  url: z.url().nullable(),
  /** The day it was read, or written down. */
  date,
  /**
   * `page`: the provider's own page was read. `dataset`: a public data set was. `own-knowledge`: written from memory and not checked.
   * `stand-in`: another provider's figure, for want of one. `definition`: true by what it is, such as a machine of one's own.
   */
  basis: z.enum(["page", "dataset", "own-knowledge", "stand-in", "definition"]),
  note: z.string(),
});
export type ModelSource = z.infer<typeof modelSourceSchema>;

/** Prices of a service tier. Not billed by: a request is charged by the price document whatever its tier. */
const servicePricesSchema = z.strictObject({ input: decimal, output: decimal, cache_read: decimal.nullable() });

export const modelFactsSchema = z.strictObject({
  /** The name people know it by. */
  name: z.string().min(1),
  released: date.nullable(),
  input: z.array(z.enum(["text", "image", "audio", "video", "file"])).min(1),
  output: z.array(z.enum(["text", "image", "audio", "video", "embedding"])).min(1),
  /** Null is unknown. */
  tools: z.boolean().nullable(),
  reasoning: z.boolean().nullable(),
  structured_output: z.boolean().nullable(),
  service_tiers: z.partialRecord(z.enum(["batch", "flex", "priority"]), servicePricesSchema).optional(),
  /** Prices the formula of a charge has no class for. Kept for information; nothing is billed by them. */
  unbilled_prices: z
    .partialRecord(z.enum(["audio_input", "audio_output", "image_input", "image_output", "reasoning_output"]), decimal)
    .optional(),
  /** Keys of the document's `sources`, for these facts and for the model's row in the price catalogue. */
  sources: z.array(z.string()).min(1),
});
export type ModelFacts = z.infer<typeof modelFactsSchema>;

export const modelDocumentSchema = z
  .strictObject({
    version: date,
    sources: z.record(z.string(), modelSourceSchema),
    /** Keys are catalogue slugs or globs; the longest match counts, as with prices. */
    models: z.record(z.string().min(1).max(LIMITS.modelNameCharacters), modelFactsSchema),
  })
  .refine((document) => Object.values(document.models).every((facts) => facts.sources.every((source) => source in document.sources)), {
    message: "names a source that is not listed",
    path: ["models"],
  });
export type ModelDocument = z.infer<typeof modelDocumentSchema>;
