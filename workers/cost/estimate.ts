/**
 * Token counts where nobody has counted. Two different questions, never to be mixed: the most a prompt can be (for holds, which
 * are given back), and what it probably was (for a charge, when a provider was cut off before it said).
 */
import type { PromptMeasure } from "../../schema/estimate.ts";

/** A byte-level tokeniser emits at most one token a byte. */
const FRAMING_TOKENS_PER_BLOCK = 12;
const FRAMING_TOKENS_PER_REQUEST = 32;
/** System text that providers add when tools are given comes to a few hundred tokens; charged once, as it is not known from outside. */
const HIDDEN_TOKENS_PER_REQUEST = 512;
/** The largest published cost of one image in the models of the catalogue, but for one family that counts tens of thousands at a tenth of the price. */
const TOKENS_PER_IMAGE_MAX = 5_000;
const TOKENS_PER_IMAGE_LIKELY = 1_000;
/** A document seen both as text and as page images stays below one token a byte, but a page costs thousands even when it is tiny. */
const TOKENS_PER_FILE_MAX = 50_000;
const TOKENS_PER_FILE_LIKELY = 3_000;
const BYTES_PER_TOKEN_LIKELY = 4;
/**
 * English prose runs at 4–5 characters a token, code, JSON and Cyrillic at about 3, Chinese below 2. Three leaves an aborted stream
 * billed at or a little above what it produced for most text, so that leaving early is no discount.
 */
const CHARACTERS_PER_TOKEN = 3;

/** Upper bound of a prompt's tokens: for `holdOf` and for the tokens a rate limit reserves. */
export function boundInputTokens(measure: PromptMeasure): number {
  return (
    HIDDEN_TOKENS_PER_REQUEST +
    FRAMING_TOKENS_PER_REQUEST +
    measure.text_bytes +
    measure.blocks * FRAMING_TOKENS_PER_BLOCK +
    measure.images * TOKENS_PER_IMAGE_MAX +
    measure.file_bytes +
    measure.files_unsized * TOKENS_PER_FILE_MAX
  );
}

/** The likely number of a prompt's tokens: for a settlement labelled as estimated and for what a rate limit wants to see, never above the bound. */
export function estimateInputTokens(measure: PromptMeasure): number {
  const likely =
    Math.ceil(measure.text_bytes / BYTES_PER_TOKEN_LIKELY) +
    measure.blocks * 4 +
    measure.images * TOKENS_PER_IMAGE_LIKELY +
    Math.ceil(measure.file_bytes / (BYTES_PER_TOKEN_LIKELY * 4)) +
    measure.files_unsized * TOKENS_PER_FILE_LIKELY;
  return Math.min(likely, boundInputTokens(measure));
}

/** Tokens of output of which `characters` were seen (text, reasoning, tool input; never an error's text). Rounded up. */
export function estimateOutputTokens(characters: number): number {
  return Math.ceil(characters / CHARACTERS_PER_TOKEN);
}
