/**
 * This wire's usage ↔ the hub's (protocols.md §3.2). `promptTokenCount` includes what came from the cache, `candidatesTokenCount` leaves
 * thoughts out, and what server tools fed in is counted apart; total = prompt + candidates + thoughts + tool use. Zeros are not printed.
 */
import type { JsonObject } from "../../../schema/json.ts";
import type { Usage } from "../../../schema/usage.ts";
import { countOf } from "../count-of.ts";

export interface ReadUsage {
  usage: Partial<Usage>;
  anomaly: string | null;
}

/** Reads one `usageMetadata`; null when it counts nothing (Vertex sends its traffic type alone in every event but the last). */
export function readUsage(metadata: JsonObject): ReadUsage | null {
  const faults: string[] = [];
  const count = (name: string): number | null => countOf(metadata, [name], faults);
  const prompt = count("promptTokenCount");
  const cached = count("cachedContentTokenCount");
  const toolUse = count("toolUsePromptTokenCount");
  const thoughts = count("thoughtsTokenCount");
  const candidates = candidatesOf(metadata, { prompt, toolUse, thoughts }, faults);
  if (prompt === null && candidates === null && thoughts === null && faults.length === 0) return null;
  if (prompt !== null && (cached ?? 0) > prompt) faults.push(`cached tokens ${cached} exceed prompt tokens ${prompt}`);
  const usage: Partial<Usage> = {
    ...(prompt === null ? {} : { input_tokens: Math.max(0, prompt - (cached ?? 0)) + (toolUse ?? 0) }),
    ...(cached === null ? {} : { cache_read_tokens: cached }),
    ...(candidates === null && thoughts === null ? {} : { output_tokens: (candidates ?? 0) + (thoughts ?? 0) }),
    ...(thoughts === null ? {} : { reasoning_tokens: thoughts }),
  };
  return { usage, anomaly: faults.length === 0 ? null : faults.join("; ") };
}

/** The tokens of the answer itself. Where they are not printed, or the total shows more than the parts, the total tells. */
function candidatesOf(
  metadata: JsonObject,
  known: { prompt: number | null; toolUse: number | null; thoughts: number | null },
  faults: string[],
): number | null {
  const stated = countOf(metadata, ["candidatesTokenCount"], faults);
  const total = countOf(metadata, ["totalTokenCount"], faults);
  if (total === null || known.prompt === null) return stated;
  const left = total - known.prompt - (known.toolUse ?? 0) - (known.thoughts ?? 0);
  if (stated === null) return Math.max(0, left);
  if (left <= stated) return stated;
  // Tokens that no part shows: the higher reading is billed and the row is flagged.
  faults.push(`total tokens ${total} exceed their parts by ${left - stated}`);
  return left;
}

/** The hub's usage in this wire's words; null when neither side's count is known. What nobody reported is left out, never zero. */
export function renderUsage(usage: Usage, costMicroRub: number | null): JsonObject | null {
  const { input_tokens: input, output_tokens: output, reasoning_tokens: thoughts, cache_read_tokens: read } = usage;
  if (input === null && output === null) return null;
  const prompt = input === null ? null : input + (read ?? 0) + (usage.cache_write_5m_tokens ?? 0) + (usage.cache_write_1h_tokens ?? 0);
  return {
    ...(prompt === null ? {} : { promptTokenCount: prompt }),
    ...(output === null ? {} : { candidatesTokenCount: Math.max(0, output - (thoughts ?? 0)) }),
    ...(thoughts === null ? {} : { thoughtsTokenCount: thoughts }),
    ...(read === null ? {} : { cachedContentTokenCount: read }),
    ...(prompt === null || output === null ? {} : { totalTokenCount: prompt + output }),
    ...(costMicroRub === null ? {} : { cost_micro_rub: costMicroRub }),
  };
}
