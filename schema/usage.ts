/**
 * Canonical token usage (contract §5). `input_tokens` excludes cache reads and writes; `output_tokens` includes reasoning.
 * A class nobody reported is `null`, never zero.
 */
import { z } from "zod";

const count = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER).nullable();

export const usageSchema = z.strictObject({
  input_tokens: count,
  cache_read_tokens: count,
  cache_write_5m_tokens: count,
  cache_write_1h_tokens: count,
  output_tokens: count,
  reasoning_tokens: count,
});
export type Usage = z.infer<typeof usageSchema>;

export const UNKNOWN_USAGE: Usage = {
  input_tokens: null,
  cache_read_tokens: null,
  cache_write_5m_tokens: null,
  cache_write_1h_tokens: null,
  output_tokens: null,
  reasoning_tokens: null,
};

/** `provider`: the provider reported it at the end. `estimated`: counted by us. `cut`: reported, but the stream failed before its end. */
export const usageSourceSchema = z.enum(["provider", "estimated", "cut"]);
export type UsageSource = z.infer<typeof usageSourceSchema>;

/** Last non-null wins, field by field; usage is never summed (providers report cumulative values). */
export function mergeUsage(before: Usage, after: Partial<Usage>): Usage {
  return {
    input_tokens: after.input_tokens ?? before.input_tokens,
    cache_read_tokens: after.cache_read_tokens ?? before.cache_read_tokens,
    cache_write_5m_tokens: after.cache_write_5m_tokens ?? before.cache_write_5m_tokens,
    cache_write_1h_tokens: after.cache_write_1h_tokens ?? before.cache_write_1h_tokens,
    output_tokens: after.output_tokens ?? before.output_tokens,
    reasoning_tokens: after.reasoning_tokens ?? before.reasoning_tokens,
  };
}

/** Several calls' usage as one; a class that none of them reported stays null. */
export function sumUsage(usages: readonly Usage[]): Usage {
  const sum = (field: keyof Usage): number | null =>
    usages.reduce<number | null>((total, usage) => {
      const tokens = usage[field];
      return tokens === null ? total : Math.min((total ?? 0) + tokens, Number.MAX_SAFE_INTEGER);
    }, null);
  return {
    input_tokens: sum("input_tokens"),
    cache_read_tokens: sum("cache_read_tokens"),
    cache_write_5m_tokens: sum("cache_write_5m_tokens"),
    cache_write_1h_tokens: sum("cache_write_1h_tokens"),
    output_tokens: sum("output_tokens"),
    reasoning_tokens: sum("reasoning_tokens"),
  };
}
