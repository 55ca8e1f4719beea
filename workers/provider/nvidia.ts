/** NVIDIA's hosted NIM catalogue: Chat Completions for open models. Whether an abort stops billing is not published, so streams are drained. */
import type { ProviderDefinition } from "../../schema/provider.ts";

export const nvidia = {
  id: "nvidia",
  name: "NVIDIA",
  base_url: "https://integrate.api.nvidia.com/v1",
  api_key_env: "NVIDIA_API_KEY",
  base_url_env: "NVIDIA_BASE_URL",
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
    refusedFields: ["logit_bias", "user"],
  },
  offline_path: "/nvidia/v1",
} satisfies ProviderDefinition;
