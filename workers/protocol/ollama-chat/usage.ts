/**
 * Ollama's counts ↔ the hub's. They stand in the last line itself: `prompt_eval_count` is the whole prompt, `eval_count` everything
 * generated, thinking included. A prompt that was wholly in the cache has no count at all: that is unknown, not zero.
 */
import type { JsonObject } from "../../../schema/json.ts";
import type { Usage } from "../../../schema/usage.ts";
import { countOf } from "../count-of.ts";

export interface ReadUsage {
  usage: Partial<Usage>;
  /** What was wrong with the figures, in words; null when nothing was. */
  anomaly: string | null;
}

/** Reads the counts of a last line. Null when it states none. */
export function readUsage(line: JsonObject): ReadUsage | null {
  const faults: string[] = [];
  const input = countOf(line, ["prompt_eval_count"], faults);
  const output = countOf(line, ["eval_count"], faults);
  if (input === null && output === null && faults.length === 0) return null;
  const usage = { ...(input === null ? {} : { input_tokens: input }), ...(output === null ? {} : { output_tokens: output }) };
  return { usage, anomaly: faults.length === 0 ? null : faults.join("; ") };
}

/**
 * The members of a last line, or of a whole answer. What nobody reported is left out, as Ollama itself leaves it out. So are the durations:
 * no other wire reports them, clients take them as optional, and a zero would be a wrong figure.
 */
export function usageMembers(usage: Usage, costMicroRub: number | null): JsonObject {
  const cached = (usage.cache_read_tokens ?? 0) + (usage.cache_write_5m_tokens ?? 0) + (usage.cache_write_1h_tokens ?? 0);
  return {
    ...(usage.input_tokens === null ? {} : { prompt_eval_count: usage.input_tokens + cached }),
    ...(usage.output_tokens === null ? {} : { eval_count: usage.output_tokens }),
    ...(costMicroRub === null ? {} : { cost_micro_rub: costMicroRub }),
  };
}
