/** Mistral: OpenAI Chat Completions at its own address. Usage comes in the finish chunk unasked; tool ids are nine letters or digits. */
import type { ProviderDefinition } from "../../schema/provider.ts";

export const mistral = {
  id: "mistral",
  name: "Mistral",
  telemetry_name: "mistral_ai",
  base_url: "https://api.mistral.ai/v1",
  api_key_env: "MISTRAL_API_KEY",
  base_url_env: "MISTRAL_BASE_URL",
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
    streamOptions: false,
    reasoningField: "content-chunks",
    developerRole: false,
    dimensionsField: "output_dimension",
    toolIdPattern: "nine-alphanumeric",
    refusedFields: ["logit_bias", "logprobs", "top_logprobs", "store", "user"],
  },
  offline_path: "/mistral/v1",
} satisfies ProviderDefinition;
