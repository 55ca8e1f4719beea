/**
 * What an answer has certainly cost while it still runs: the other question than what it probably cost (unknown-usage.ts). A stream is cut
 * by it, so it must not run ahead of the truth: an answer that keeps its cap is never found to have passed it.
 */
import type { PromptMeasure } from "../../schema/estimate.ts";
import type { PriceSnapshot } from "../../schema/price.ts";
import type { Usage } from "../../schema/usage.ts";
import { costOf, outputTokensFor } from "./cost.ts";
import { estimateInputTokens } from "./estimate.ts";

/** English prose in the large vocabularies runs below five characters a token, code below it; six leaves room for the odd text. */
const CHARACTERS_PER_TOKEN_MOST = 6;

export interface RunningAnswer {
  /** What the stream reported so far, placeholders included. */
  reported: Usage;
  inputMeasure: PromptMeasure;
  /** Characters of text, reasoning and tool input seen. */
  outputCharacters: number;
}

/** Output tokens that were certainly produced. */
export function runningOutput({ reported, outputCharacters }: RunningAnswer): number {
  return Math.max(reported.output_tokens ?? 0, Math.floor(outputCharacters / CHARACTERS_PER_TOKEN_MOST));
}

/** Everything but the output: as reported where the prompt was, else as it probably is. */
function withOutput({ reported, inputMeasure }: RunningAnswer, outputTokens: number): Usage {
  const classes = [reported.input_tokens, reported.cache_read_tokens, reported.cache_write_5m_tokens, reported.cache_write_1h_tokens];
  const isReported = classes.some((tokens) => (tokens ?? 0) > 0);
  const input = isReported ? (reported.input_tokens ?? 0) : estimateInputTokens(inputMeasure);
  return { ...reported, input_tokens: input, output_tokens: outputTokens };
}

/** How far an amount reaches. */
export interface Reach {
  /** Output tokens it pays for beside the prompt; -1 when the prompt alone passes it. */
  outputTokens: number;
}

/** How far `amount` micro-RUB reach for this answer. Depends on what was reported of the prompt, not on what came since. */
export function reachOf(snapshot: PriceSnapshot, answer: RunningAnswer, amount: bigint): Reach {
  return { outputTokens: outputTokensFor(snapshot, withOutput(answer, 0), amount) };
}

/** Whether the answer has certainly passed what was paid for. */
export function hasPassed(answer: RunningAnswer, reach: Reach): boolean {
  return runningOutput(answer) > reach.outputTokens;
}

/** What it certainly cost, with so many more tokens of output, in micro-RUB. */
export function runningCost(snapshot: PriceSnapshot, answer: RunningAnswer, moreTokens: number): bigint {
  return costOf(snapshot, withOutput(answer, runningOutput(answer) + moreTokens)).costMicroRub;
}

/** What an answer that is cut is charged by: as much output as was paid for, unless the provider itself has reported more. */
export function cutUsage(answer: RunningAnswer, reach: Reach): Usage {
  const paidFor = Math.max(0, Math.min(runningOutput(answer), reach.outputTokens));
  return withOutput(answer, Math.max(answer.reported.output_tokens ?? 0, paidFor));
}
