/** Together: Chat Completions for open models. Usage comes in the finish chunk, whether asked for or not. */
import type { ProviderDefinition } from "../../schema/provider.ts";

export const together = {
  id: "together",
  name: "Together AI",
  base_url: "https://api.together.ai/v1",
  api_key_env: "TOGETHER_API_KEY",
  base_url_env: "TOGETHER_BASE_URL",
  endpoints: [
    { protocol: "openai-chat", path: "/chat/completions" },
    { protocol: "openai-embeddings", path: "/embeddings" },
  ],
  auth: { kind: "bearer" },
  headers: {},
  passed_headers: [],
  abort_stops_billing: true,
  quirks: { maxTokensField: "max_tokens", developerRole: false, reasoningField: "reasoning" },
  offline_path: "/together/v1",
} satisfies ProviderDefinition;
