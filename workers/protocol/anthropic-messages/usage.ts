/** Anthropic's usage ↔ the hub's. Its `input_tokens` leaves cache reads and writes out, as the hub's does; `output_tokens` includes thinking. */
import { isObject } from "../../../schema/json.ts";
import type { Usage } from "../../../schema/usage.ts";

export interface ReadUsage {
  usage: Partial<Usage>;
  anomaly: string | null;
}

const FIELDS = ["input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"];

/**
 * Passes of the model inside one answer that the top level may leave out (billing.md §4.3). Passes of other kinds (a model that
 * declined before a fallback) are not owed on top of it.
 */
const OWED_ITERATIONS: ReadonlySet<unknown> = new Set(["message", "compaction", "advisor_message"]);

/** A count as reported: null when absent; an impossible one is clamped and named. */
function count(value: unknown, name: string, odd: string[]): number | null {
  if (value === null || value === undefined) return null;
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  odd.push(`${name} is ${String(value).slice(0, 32)}`);
  return typeof value === "number" && value > 0 && value < Number.MAX_SAFE_INTEGER ? Math.ceil(value) : 0;
}

/** The counts of one object, absent ones left out. `known1h`: cache writes of one hour stated earlier in the same answer. */
function countsOf(raw: Record<string, unknown>, known1h: number | null, odd: string[]): Partial<Usage> {
  const usage: Partial<Usage> = {};
  const put = (field: keyof Usage, value: number | null): void => {
    if (value !== null) usage[field] = value;
  };
  put("input_tokens", count(raw["input_tokens"], "input_tokens", odd));
  put("cache_read_tokens", count(raw["cache_read_input_tokens"], "cache_read_input_tokens", odd));
  put("output_tokens", count(raw["output_tokens"], "output_tokens", odd));
  const created = raw["cache_creation"];
  const total = count(raw["cache_creation_input_tokens"], "cache_creation_input_tokens", odd);
  if (isObject(created)) {
    put("cache_write_5m_tokens", count(created["ephemeral_5m_input_tokens"], "ephemeral_5m_input_tokens", odd));
    put("cache_write_1h_tokens", count(created["ephemeral_1h_input_tokens"], "ephemeral_1h_input_tokens", odd));
  } else if (total !== null) {
    // A delta repeats the total without the split that the start gave; never stated, writes are of the default lifetime, five minutes.
    const write1h = known1h === null ? null : Math.min(known1h, total);
    put("cache_write_1h_tokens", write1h);
    usage.cache_write_5m_tokens = total - (write1h ?? 0);
  }
  const details = raw["output_tokens_details"];
  if (isObject(details)) put("reasoning_tokens", count(details["thinking_tokens"], "thinking_tokens", odd));
  return usage;
}

function written(usage: Partial<Usage>): number {
  return (usage.cache_write_5m_tokens ?? 0) + (usage.cache_write_1h_tokens ?? 0);
}

/** Raises the counts to the sum of the answer's passes where the top level shows less than they do. */
function addIterations(usage: Partial<Usage>, iterations: unknown, known1h: number | null, odd: string[]): void {
  if (!Array.isArray(iterations)) return;
  const owed = iterations.filter(isObject).filter((iteration) => OWED_ITERATIONS.has(iteration["type"]));
  if (owed.length === 0) return;
  const sum = { input_tokens: 0, cache_read_tokens: 0, output_tokens: 0, cache_write_5m_tokens: 0, cache_write_1h_tokens: 0 };
  for (const iteration of owed) {
    const counts = countsOf(iteration, known1h, odd);
    for (const field of ["input_tokens", "cache_read_tokens", "output_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens"] as const)
      sum[field] += counts[field] ?? 0;
    if (iteration["type"] === "advisor_message") odd.push("an advisor model's tokens are counted as this model's");
  }
  for (const field of ["input_tokens", "cache_read_tokens", "output_tokens"] as const) {
    if (sum[field] > (usage[field] ?? 0)) usage[field] = sum[field];
  }
  if (written(sum) > written(usage)) {
    usage.cache_write_5m_tokens = sum.cache_write_5m_tokens;
    usage.cache_write_1h_tokens = sum.cache_write_1h_tokens;
  }
}

/** Reads one usage object; null when it holds no field of ours. `known1h` as in `countsOf`; null for a whole body and a start. */
export function readUsage(raw: Record<string, unknown>, known1h: number | null): ReadUsage | null {
  if (!FIELDS.some((field) => raw[field] !== null && raw[field] !== undefined)) return null;
  const odd: string[] = [];
  const usage = countsOf(raw, known1h, odd);
  addIterations(usage, raw["iterations"], known1h, odd);
  return { usage, anomaly: odd.length === 0 ? null : [...new Set(odd)].join("; ") };
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
    // Without the hour's class the total says it all; a class nobody reported gets no number.
    ...(written1h === null
      ? {}
      : {
          cache_creation: {
            ...(written5m === null ? {} : { ephemeral_5m_input_tokens: written5m }),
            ephemeral_1h_input_tokens: written1h,
          },
        }),
    output_tokens: usage.output_tokens,
    ...(usage.reasoning_tokens === null ? {} : { output_tokens_details: { thinking_tokens: usage.reasoning_tokens } }),
    ...(costMicroRub === null ? {} : { cost_micro_rub: costMicroRub }),
  };
}
