/** LM Studio, on a machine of yours: Chat Completions and Responses. Needs no key, only `LMSTUDIO_BASE_URL`. */
import type { ProviderDefinition } from "../../schema/provider.ts";

export const lmstudio = {
  id: "lmstudio",
  name: "LM Studio",
  base_url: "http://localhost:1234/v1",
  api_key_env: "LMSTUDIO_API_KEY",
  base_url_env: "LMSTUDIO_BASE_URL",
  endpoints: [
    { protocol: "openai-chat", path: "/chat/completions" },
    { protocol: "openai-responses", path: "/responses" },
    { protocol: "openai-embeddings", path: "/embeddings" },
  ],
  auth: { kind: "bearer" },
  headers: {},
  passed_headers: [],
  abort_stops_billing: true,
  quirks: { maxTokensField: "max_tokens", developerRole: false, reasoningField: "reasoning_content" },
  offline_path: "/lmstudio/v1",
} satisfies ProviderDefinition;
