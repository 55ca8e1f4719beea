/**
 * Converse's usage ↔ the hub's. Its `inputTokens` leaves cache reads and writes out, as the hub's does; `totalTokens` has everything in
 * (protocols.md §3.2). Reasoning is part of `outputTokens` and never stated apart.
 */
import { isObject } from "../../../schema/json.ts";
import type { Usage } from "../../../schema/usage.ts";
import { countOf } from "../count-of.ts";

export interface ReadUsage {
  usage: Partial<Usage>;
  /** What was wrong with the figures, in words; null when nothing was. */
  anomaly: string | null;
}

/** Reads one usage object. Null when it says nothing at all. */
export function readUsage(raw: Record<string, unknown>): ReadUsage | null {
  const faults: string[] = [];
  const counts = {
    input_tokens: countOf(raw, ["inputTokens"], faults),
    cache_read_tokens: countOf(raw, ["cacheReadInputTokens", "cacheReadInputTokenCount"], faults),
    ...writesOf(raw, faults),
    output_tokens: countOf(raw, ["outputTokens"], faults),
  };
  if (counts.input_tokens === null && counts.output_tokens === null && faults.length === 0) return null;
  return { usage: counts, anomaly: faults.length === 0 ? null : faults.join("; ") };
}

/** Cache writes by lifetime. A total without its parts is of the default lifetime, five minutes. */
function writesOf(raw: Record<string, unknown>, faults: string[]): Partial<Usage> {
  const total = countOf(raw, ["cacheWriteInputTokens", "cacheWriteInputTokenCount"], faults);
  const details = Array.isArray(raw["cacheDetails"]) ? raw["cacheDetails"].filter(isObject) : [];
  if (details.length === 0) return { cache_write_5m_tokens: total };
  const written = { "5m": 0, "1h": 0 };
  for (const detail of details) written[detail["ttl"] === "1h" ? "1h" : "5m"] += countOf(detail, ["inputTokens"], faults) ?? 0;
  const unsaid = Math.max(0, (total ?? 0) - written["5m"] - written["1h"]);
  return { cache_write_5m_tokens: written["5m"] + unsaid, cache_write_1h_tokens: written["1h"] };
}

/** The hub's usage in this wire's words. What nobody reported is null, or left out where the wire may leave it out. */
export function renderUsage(usage: Usage, costMicroRub: number | null): Record<string, unknown> {
  const { input_tokens: input, output_tokens: output, cache_read_tokens: read } = usage;
  const parts = [
    { ttl: "1h", inputTokens: usage.cache_write_1h_tokens },
    { ttl: "5m", inputTokens: usage.cache_write_5m_tokens },
  ].filter(({ inputTokens }) => inputTokens !== null);
  const written = parts.reduce((sum, { inputTokens }) => sum + (inputTokens ?? 0), 0);
  return {
    inputTokens: input,
    outputTokens: output,
    totalTokens: input === null || output === null ? null : input + output + (read ?? 0) + written,
    ...(read === null ? {} : { cacheReadInputTokens: read }),
    ...(parts.length === 0 ? {} : { cacheWriteInputTokens: written }),
    // Five minutes are what a total means anyway.
    ...((usage.cache_write_1h_tokens ?? 0) === 0 ? {} : { cacheDetails: parts.filter(({ inputTokens }) => inputTokens !== 0) }),
    ...(costMicroRub === null ? {} : { cost_micro_rub: costMicroRub }),
  };
}
