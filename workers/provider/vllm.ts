/** vLLM, on a machine of yours: Chat Completions. Needs no key, only `VLLM_BASE_URL`; an abort frees the machine. */
import type { ProviderDefinition } from "../../schema/provider.ts";

export const vllm = {
  id: "vllm",
  name: "vLLM",
  base_url: "http://localhost:8000/v1",
  api_key_env: "VLLM_API_KEY",
  base_url_env: "VLLM_BASE_URL",
  endpoints: [
    { protocol: "openai-chat", path: "/chat/completions" },
    { protocol: "openai-embeddings", path: "/embeddings" },
  ],
  auth: { kind: "bearer" },
  headers: {},
  passed_headers: [],
  abort_stops_billing: true,
  quirks: { maxTokensField: "max_tokens", developerRole: false, reasoningField: "reasoning" },
  offline_path: "/vllm/v1",
} satisfies ProviderDefinition;
