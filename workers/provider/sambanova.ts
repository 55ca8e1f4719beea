/** SambaNova Cloud: Chat Completions for open models. An abort does not stop its billing. */
import type { ProviderDefinition } from "../../schema/provider.ts";

export const sambanova = {
  id: "sambanova",
  name: "SambaNova",
  base_url: "https://api.sambanova.ai/v1",
  api_key_env: "SAMBANOVA_API_KEY",
  base_url_env: "SAMBANOVA_BASE_URL",
  endpoints: [
    { protocol: "openai-chat", path: "/chat/completions" },
    { protocol: "openai-embeddings", path: "/embeddings" },
  ],
  auth: { kind: "bearer" },
  headers: {},
  passed_headers: [],
  abort_stops_billing: false,
  quirks: {
    maxTokensField: "max_tokens",
    developerRole: false,
    reasoningField: "reasoning_content",
    refusedFields: ["logit_bias", "logprobs", "top_logprobs", "n", "presence_penalty", "frequency_penalty"],
  },
  offline_path: "/sambanova/v1",
} satisfies ProviderDefinition;
