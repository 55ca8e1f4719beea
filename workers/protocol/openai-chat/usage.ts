/**
 * Chat usage objects → canonical usage, and back. Sources of the rules: billing.md §4.3 and protocols.md §3.2.
 *
 * On the wire `prompt_tokens` includes cache reads and writes and `completion_tokens` includes reasoning; canonical input excludes
 * the caches. Providers disagree about details, so absurd figures are clamped and named in `anomaly`, never trusted and never negative.
 */
import type { JsonObject } from "../../../schema/json.ts";
import type { Usage } from "../../../schema/usage.ts";
import { countOf } from "../count-of.ts";
import type { Quirks } from "../protocol.ts";

export interface ReadUsage {
  usage: Partial<Usage>;
  /** What was wrong with the figures, in words; null when they add up. */
  anomaly: string | null;
}

/** Reads one usage object. Null when it states no prompt and no completion count. */
export function readUsage(usage: JsonObject, quirks: Quirks): ReadUsage | null {
  const faults: string[] = [];
  const promptDetails = usage["prompt_tokens_details"];
  const prompt = countOf(usage, ["prompt_tokens"], faults);
  const completion = countOf(usage, ["completion_tokens"], faults);
  const cached =
    countOf(promptDetails, ["cached_tokens"], faults) ??
    countOf(usage, ["cached_tokens", "prompt_cache_hit_tokens", "num_cached_tokens", "cache_read_input_tokens"], faults);
  const creation = usage["cache_creation"];
  const write1h = countOf(creation, ["ephemeral_1h_input_tokens"], faults) ?? countOf(promptDetails, ["cache_write_1h_tokens"], faults);
  const writeAll =
    countOf(promptDetails, ["cache_write_tokens", "cache_creation_tokens"], faults) ??
    countOf(usage, ["cache_creation_input_tokens"], faults);
  const write5m =
    countOf(creation, ["ephemeral_5m_input_tokens"], faults) ?? (writeAll === null ? null : Math.max(0, writeAll - (write1h ?? 0)));
  const reasoning =
    countOf(usage["completion_tokens_details"], ["reasoning_tokens"], faults) ?? countOf(usage, ["reasoning_tokens"], faults);
  if (prompt === null && completion === null && faults.length === 0) return null;

  const read: Partial<Usage> = {
    input_tokens: inputWithoutCache(prompt, cached, (write5m ?? 0) + (write1h ?? 0), quirks, faults),
    cache_read_tokens: cached,
    cache_write_5m_tokens: write5m,
    cache_write_1h_tokens: write1h,
    ...outputWithReasoning(completion, reasoning, usage, prompt, quirks, faults),
  };
  return { usage: read, anomaly: faults.length === 0 ? null : faults.join("; ") };
}

function inputWithoutCache(prompt: number | null, cached: number | null, written: number, quirks: Quirks, faults: string[]): number | null {
  if (prompt === null) return null;
  const cache = (cached ?? 0) + written;
  if (cache <= prompt) return prompt - cache;
  // A provider declared to leave the cache out says so by a cache larger than the prompt; then the prompt stands as it is.
  if (quirks.inputExcludesCache === true) return prompt;
  faults.push(`cached tokens ${cache} exceed prompt tokens ${prompt}`);
  return 0;
}

function outputWithReasoning(
  completion: number | null,
  reasoning: number | null,
  usage: JsonObject,
  prompt: number | null,
  quirks: Quirks,
  faults: string[],
): Pick<Usage, "output_tokens" | "reasoning_tokens"> {
  if (completion === null) return { output_tokens: null, reasoning_tokens: reasoning };
  const total = countOf(usage, ["total_tokens"], []);
  if (quirks.outputExcludesReasoning === true && reasoning !== null) {
    // Some models of such a provider do include it; the total tells, where it is stated.
    const included = total !== null && prompt !== null && total === prompt + completion && reasoning <= completion;
    return { output_tokens: included ? completion : completion + reasoning, reasoning_tokens: reasoning };
  }
  if (total !== null && prompt !== null && total > prompt + completion) {
    // Tokens that neither count shows (hidden thoughts, mostly): the higher reading is billed and the row is flagged.
    faults.push(`total tokens ${total} exceed prompt ${prompt} plus completion ${completion}`);
    const output = total - prompt;
    return { output_tokens: output, reasoning_tokens: reasoning === null ? null : Math.min(reasoning, output) };
  }
  if (reasoning !== null && reasoning > completion) {
    faults.push(`reasoning tokens ${reasoning} exceed completion tokens ${completion}`);
    return { output_tokens: completion, reasoning_tokens: completion };
  }
  return { output_tokens: completion, reasoning_tokens: reasoning };
}

/** The wire's usage object for a caller. Members nobody reported are left out; null when neither side's count is known. */
export function renderUsage(usage: Usage, costMicroRub: number | null): JsonObject | null {
  if (usage.input_tokens === null || usage.output_tokens === null) return null;
  const written =
    usage.cache_write_5m_tokens === null && usage.cache_write_1h_tokens === null
      ? null
      : (usage.cache_write_5m_tokens ?? 0) + (usage.cache_write_1h_tokens ?? 0);
  const prompt = usage.input_tokens + (usage.cache_read_tokens ?? 0) + (written ?? 0);
  const rendered: JsonObject = {
    prompt_tokens: prompt,
    completion_tokens: usage.output_tokens,
    total_tokens: prompt + usage.output_tokens,
  };
  if (usage.cache_read_tokens !== null || written !== null) {
    rendered["prompt_tokens_details"] = {
      ...(usage.cache_read_tokens === null ? {} : { cached_tokens: usage.cache_read_tokens }),
      ...(written === null ? {} : { cache_write_tokens: written }),
      ...(usage.cache_write_1h_tokens === null ? {} : { cache_write_1h_tokens: usage.cache_write_1h_tokens }),
    };
  }
  if (usage.reasoning_tokens !== null) rendered["completion_tokens_details"] = { reasoning_tokens: usage.reasoning_tokens };
  if (costMicroRub !== null) rendered["cost_micro_rub"] = costMicroRub;
  return rendered;
}
