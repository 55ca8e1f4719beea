/**
 * Cerebras: Chat Completions. Its streams may end without `[DONE]`, with usage in the finish chunk (both recorded); penalties and
 * token biases are refused.
 */
import type { ProviderDefinition } from "../../schema/provider.ts";

export const cerebras = {
  id: "cerebras",
  name: "Cerebras",
  base_url: "https://api.cerebras.ai/v1",
  api_key_env: "CEREBRAS_API_KEY",
  base_url_env: "CEREBRAS_BASE_URL",
  endpoints: [{ protocol: "openai-chat", path: "/chat/completions" }],
  auth: { kind: "bearer" },
  headers: {},
  passed_headers: [],
  abort_stops_billing: false,
  quirks: {
    maxTokensField: "max_completion_tokens",
    reasoningField: "reasoning",
    temperatureMax: 1.5,
    refusedFields: ["frequency_penalty", "presence_penalty", "logit_bias"],
  },
  offline_path: "/cerebras/v1",
} satisfies ProviderDefinition;
