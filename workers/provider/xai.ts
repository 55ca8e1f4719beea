/** xAI: OpenAI Chat Completions at its own address. Its `completion_tokens` leave reasoning out, and cached tokens may exceed `prompt_tokens` (research/billing.md §4.3). */
import type { ProviderDefinition } from "../../schema/provider.ts";

export const xai = {
  id: "xai",
  name: "xAI",
  telemetry_name: "x_ai",
  base_url: "https://api.x.ai/v1",
  api_key_env: "XAI_API_KEY",
  base_url_env: "XAI_BASE_URL",
  endpoints: [{ protocol: "openai-chat", path: "/chat/completions" }],
  auth: { kind: "bearer" },
  headers: {},
  passed_headers: [],
  abort_stops_billing: true,
  quirks: {
    maxTokensField: "max_completion_tokens",
    reasoningField: "reasoning_content",
    outputExcludesReasoning: true,
    inputExcludesCache: true,
  },
  offline_path: "/xai/v1",
} satisfies ProviderDefinition;
