/**
 * Cohere's usage ↔ the hub's. The wire counts twice: `tokens` is what the model read and wrote, its own hidden preamble of hundreds of
 * tokens included; `billed_units` is what the provider's invoice charges. The second is the hub's, so that a request costs what it cost.
 * `cached_tokens` belongs to the first count (it is often larger than all billed input) and changes no price, so it has no class here.
 */
import type { JsonObject } from "../../../schema/json.ts";
import type { Usage } from "../../../schema/usage.ts";
import { countOf } from "../count-of.ts";

export interface ReadUsage {
  usage: Partial<Usage>;
  anomaly: string | null;
}

/** Reads one usage object; null when it counts nothing of ours. */
export function readUsage(raw: JsonObject): ReadUsage | null {
  const odd: string[] = [];
  const { billed_units: billed, tokens } = raw;
  const input = countOf(billed, ["input_tokens"], odd) ?? countOf(tokens, ["input_tokens"], odd);
  const output = countOf(billed, ["output_tokens"], odd) ?? countOf(tokens, ["output_tokens"], odd);
  if (input === null && output === null && odd.length === 0) return null;
  const thought = countOf(tokens, ["reasoning_tokens"], odd);
  // Thinking is counted on the larger scale; of the billed output it can be no more than all.
  const reasoning = thought === null || output === null ? thought : Math.min(thought, output);
  return {
    usage: { input_tokens: input, output_tokens: output, ...(reasoning === null ? {} : { reasoning_tokens: reasoning }) },
    anomaly: odd.length === 0 ? null : odd.join("; "),
  };
}

/** The hub's usage in this wire's words; null when neither side's count is known. */
export function renderUsage(usage: Usage, costMicroRub: number | null): JsonObject | null {
  if (usage.input_tokens === null || usage.output_tokens === null) return null;
  const cached = usage.cache_read_tokens;
  const input = usage.input_tokens + (cached ?? 0) + (usage.cache_write_5m_tokens ?? 0) + (usage.cache_write_1h_tokens ?? 0);
  const counts = { input_tokens: input, output_tokens: usage.output_tokens };
  return {
    billed_units: counts,
    tokens: { ...counts, ...(usage.reasoning_tokens === null ? {} : { reasoning_tokens: usage.reasoning_tokens }) },
    ...(cached === null ? {} : { cached_tokens: cached }),
    ...(costMicroRub === null ? {} : { cost_micro_rub: costMicroRub }),
  };
}
