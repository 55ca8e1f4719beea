/**
 * llama.cpp's server, on a machine of yours: Chat Completions. Needs no key, only `LLAMACPP_BASE_URL`; whole tool calls come in one
 * chunk and error codes are numbers (both recorded).
 */
import type { ProviderDefinition } from "../../schema/provider.ts";

export const llamacpp = {
  id: "llamacpp",
  name: "llama.cpp",
  base_url: "http://localhost:8080/v1",
  api_key_env: "LLAMACPP_API_KEY",
  base_url_env: "LLAMACPP_BASE_URL",
  endpoints: [
    { protocol: "openai-chat", path: "/chat/completions" },
    { protocol: "openai-embeddings", path: "/embeddings" },
  ],
  auth: { kind: "bearer" },
  headers: {},
  passed_headers: [],
  abort_stops_billing: true,
  quirks: { maxTokensField: "max_tokens", developerRole: false, reasoningField: "reasoning_content" },
  offline_path: "/llamacpp/v1",
} satisfies ProviderDefinition;
