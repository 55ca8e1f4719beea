/** Nebius Token Factory: Chat Completions for open models. An abort does not stop its billing. */
import type { ProviderDefinition } from "../../schema/provider.ts";

export const nebius = {
  id: "nebius",
  name: "Nebius",
  base_url: "https://api.tokenfactory.nebius.com/v1",
  api_key_env: "NEBIUS_API_KEY",
  base_url_env: "NEBIUS_BASE_URL",
  endpoints: [
    { protocol: "openai-chat", path: "/chat/completions" },
    { protocol: "openai-embeddings", path: "/embeddings" },
  ],
  auth: { kind: "bearer" },
  headers: {},
  passed_headers: [],
  abort_stops_billing: false,
  quirks: { maxTokensField: "max_tokens", developerRole: false, reasoningField: "reasoning_content" },
  offline_path: "/nebius/v1",
} satisfies ProviderDefinition;
