/** Venice: Chat Completions without logs kept. Errors are a bare string (recorded), and usage comes in the finish chunk. */
import type { ProviderDefinition } from "../../schema/provider.ts";

export const venice = {
  id: "venice",
  name: "Venice",
  base_url: "https://api.venice.ai/api/v1",
  api_key_env: "VENICE_API_KEY",
  base_url_env: "VENICE_BASE_URL",
  endpoints: [
    { protocol: "openai-chat", path: "/chat/completions" },
    { protocol: "openai-embeddings", path: "/embeddings" },
  ],
  auth: { kind: "bearer" },
  headers: {},
  passed_headers: [],
  abort_stops_billing: false,
  quirks: { maxTokensField: "max_completion_tokens", developerRole: false, reasoningField: "reasoning_content" },
  offline_path: "/venice/api/v1",
} satisfies ProviderDefinition;
