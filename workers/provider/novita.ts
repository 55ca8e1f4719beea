/** Novita: Chat Completions for open models, below `/openai`. */
import type { ProviderDefinition } from "../../schema/provider.ts";

export const novita = {
  id: "novita",
  name: "Novita AI",
  base_url: "https://api.novita.ai/openai",
  api_key_env: "NOVITA_API_KEY",
  base_url_env: "NOVITA_BASE_URL",
  endpoints: [
    { protocol: "openai-chat", path: "/chat/completions" },
    { protocol: "openai-embeddings", path: "/embeddings" },
  ],
  auth: { kind: "bearer" },
  headers: {},
  passed_headers: [],
  abort_stops_billing: true,
  quirks: { maxTokensField: "max_tokens", developerRole: false, reasoningField: "reasoning_content" },
  offline_path: "/novita/openai",
} satisfies ProviderDefinition;
