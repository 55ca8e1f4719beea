/**
 * Usage of this wire ↔ the hub's. It counts as Chat does (input includes the cache, output includes reasoning) under other names, so
 * Chat's reading of figures, and its distrust of them, serves both.
 */
import { isObject, type JsonObject } from "../../../schema/json.ts";
import type { Usage } from "../../../schema/usage.ts";
import { type ReadUsage, readUsage as readChatUsage, renderUsage as renderChatUsage } from "../openai-chat/usage.ts";
import type { Quirks } from "../protocol.ts";

/** This wire's name of a member → Chat's. */
const NAMES: readonly (readonly [string, string])[] = [
  ["input_tokens", "prompt_tokens"],
  ["input_tokens_details", "prompt_tokens_details"],
  ["output_tokens", "completion_tokens"],
  ["output_tokens_details", "completion_tokens_details"],
];

/** Reads the usage of a response object. Null when it states no count. */
export function readUsage(usage: unknown, quirks: Quirks): ReadUsage | null {
  if (!isObject(usage)) return null;
  const renamed: JsonObject = { total_tokens: usage["total_tokens"] };
  for (const [own, chat] of NAMES) renamed[chat] = usage[own];
  return readChatUsage(renamed, quirks);
}

/** The wire's usage object; null when nobody reported both sides. Clients read both details unasked, so they are there, unknown as null. */
export function renderUsage(usage: Usage, costMicroRub: number | null): JsonObject | null {
  const chat = renderChatUsage(usage, costMicroRub);
  if (chat === null) return null;
  return {
    input_tokens: chat["prompt_tokens"],
    input_tokens_details: chat["prompt_tokens_details"] ?? { cached_tokens: null },
    output_tokens: chat["completion_tokens"],
    output_tokens_details: chat["completion_tokens_details"] ?? { reasoning_tokens: null },
    total_tokens: chat["total_tokens"],
    ...(costMicroRub === null ? {} : { cost_micro_rub: costMicroRub }),
  };
}
