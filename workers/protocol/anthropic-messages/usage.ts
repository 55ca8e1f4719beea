/** Anthropic's usage ↔ the hub's. Its `input_tokens` leaves cache reads and writes out, as the hub's does; `output_tokens` includes thinking. */
import { isObject } from "../../../schema/json.ts";
import type { Usage } from "../../../schema/usage.ts";

export interface ReadUsage {
  usage: Partial<Usage>;
  anomaly: string | null;
}

const FIELDS = ["input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"];

/** A count as reported: null when absent; an impossible one is clamped and named. */
function count(value: unknown, name: string, odd: string[]): number | null {
  if (value === null || value === undefined) return null;
  if (typeof value === "number" && Number.isInteger(value) && value >= 0) return value;
  odd.push(`${name} is ${String(value).slice(0, 32)}`);
  return typeof value === "number" && value > 0 && Number.isFinite(value) ? Math.ceil(value) : 0;
}

/** Reads one usage object; null when it holds no field of ours. */
export function readUsage(raw: Record<string, unknown>): ReadUsage | null {
  if (!FIELDS.some((field) => raw[field] !== null && raw[field] !== undefined)) return null;
  const odd: string[] = [];
  const usage: Partial<Usage> = {};
  const put = (field: keyof Usage, value: number | null): void => {
    if (value !== null) usage[field] = value;
  };
  put("input_tokens", count(raw["input_tokens"], "input_tokens", odd));
  put("cache_read_tokens", count(raw["cache_read_input_tokens"], "cache_read_input_tokens", odd));
  put("output_tokens", count(raw["output_tokens"], "output_tokens", odd));
  const created = raw["cache_creation"];
  if (isObject(created)) {
    put("cache_write_5m_tokens", count(created["ephemeral_5m_input_tokens"], "ephemeral_5m_input_tokens", odd));
    put("cache_write_1h_tokens", count(created["ephemeral_1h_input_tokens"], "ephemeral_1h_input_tokens", odd));
  } else {
    // Without a split, writes are of the default lifetime, five minutes.
    const total = count(raw["cache_creation_input_tokens"], "cache_creation_input_tokens", odd);
    if (total !== null) usage.cache_write_5m_tokens = total;
  }
  const details = raw["output_tokens_details"];
  if (isObject(details)) put("reasoning_tokens", count(details["thinking_tokens"], "thinking_tokens", odd));
  return { usage, anomaly: odd.length === 0 ? null : odd.join("; ") };
}

/** The hub's usage in this wire's words. What nobody reported is null, never zero. */
export function renderUsage(usage: Usage, costMicroRub: number | null): Record<string, unknown> {
  const written5m = usage.cache_write_5m_tokens;
  const written1h = usage.cache_write_1h_tokens;
  const isWriteKnown = written5m !== null || written1h !== null;
  return {
    input_tokens: usage.input_tokens,
    cache_creation_input_tokens: isWriteKnown ? (written5m ?? 0) + (written1h ?? 0) : null,
    cache_read_input_tokens: usage.cache_read_tokens,
    ...(isWriteKnown ? { cache_creation: { ephemeral_5m_input_tokens: written5m ?? 0, ephemeral_1h_input_tokens: written1h ?? 0 } } : {}),
    output_tokens: usage.output_tokens,
    ...(usage.reasoning_tokens === null ? {} : { output_tokens_details: { thinking_tokens: usage.reasoning_tokens } }),
    ...(costMicroRub === null ? {} : { cost_micro_rub: costMicroRub }),
  };
}
