/** What a prompt measures before anybody has counted its tokens: the input of hold bounds and of estimates. */
import { z } from "zod";

const measure = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER);

export const promptMeasureSchema = z.strictObject({
  /** UTF-8 bytes of every text the model reads: turns, tool definitions and results, schemas. */
  text_bytes: measure,
  /** Turns + blocks + tool definitions: each adds a few tokens of framing. */
  blocks: measure,
  images: measure,
  /** Decoded bytes of inline files and audio. */
  file_bytes: measure,
  /** Files and audio given by address or id, whose size nobody here knows. */
  files_unsized: measure,
});
export type PromptMeasure = z.infer<typeof promptMeasureSchema>;

/** How far a request got, as the unknown-usage rule needs it (workers/cost/unknown-usage.ts). */
export const dispatchPhaseSchema = z.enum(["not-dispatched", "no-answer", "refused", "no-content", "content"]);
export type DispatchPhase = z.infer<typeof dispatchPhaseSchema>;
