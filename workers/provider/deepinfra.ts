/** DeepInfra: Chat Completions for open models, below `/v1/openai`. */
import type { ProviderDefinition } from "../../schema/provider.ts";

export const deepinfra = {
  id: "deepinfra",
  name: "DeepInfra",
  base_url: "https://api.deepinfra.com/v1/openai",
  api_key_env: "DEEPINFRA_API_KEY",
  base_url_env: "DEEPINFRA_BASE_URL",
  endpoints: [
    { protocol: "openai-chat", path: "/chat/completions" },
    { protocol: "openai-embeddings", path: "/embeddings" },
  ],
  auth: { kind: "bearer" },
  headers: {},
  passed_headers: [],
  abort_stops_billing: true,
  quirks: { maxTokensField: "max_tokens", developerRole: false, reasoningField: "reasoning_content", refusedFields: ["logit_bias"] },
  offline_path: "/deepinfra/v1/openai",
} satisfies ProviderDefinition;
