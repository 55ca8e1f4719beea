/** OpenAI's own API. An aborted stream stops generation and its billing; the usage chunk is then never sent. */
import type { ProviderDefinition } from "../../schema/provider.ts";

export const openai = {
  id: "openai",
  name: "OpenAI",
  base_url: "https://api.openai.com/v1",
  api_key_env: "OPENAI_API_KEY",
  base_url_env: "OPENAI_BASE_URL",
  endpoints: [
    { protocol: "openai-chat", path: "/chat/completions" },
    { protocol: "openai-responses", path: "/responses" },
    { protocol: "openai-embeddings", path: "/embeddings" },
  ],
  auth: { kind: "bearer" },
  headers: {},
  passed_headers: ["openai-organization", "openai-project"],
  abort_stops_billing: true,
  quirks: { maxTokensField: "max_completion_tokens", reasoningModelPattern: "^(o\\d|gpt-5(-(mini|nano|pro|codex)|$))" },
  offline_path: "/v1",
} satisfies ProviderDefinition;
