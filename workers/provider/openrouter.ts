/** OpenRouter: OpenAI Chat Completions at its own address. Whether an abort stops billing depends on who serves the model behind it, so the stream is drained. */
import type { ProviderDefinition } from "../../schema/provider.ts";

export const openrouter = {
  id: "openrouter",
  name: "OpenRouter",
  base_url: "https://openrouter.ai/api/v1",
  api_key_env: "OPENROUTER_API_KEY",
  base_url_env: "OPENROUTER_BASE_URL",
  endpoints: [{ protocol: "openai-chat", path: "/chat/completions" }],
  auth: { kind: "bearer" },
  headers: {},
  passed_headers: [],
  abort_stops_billing: false,
  quirks: { maxTokensField: "max_tokens", reasoningField: "reasoning", reasoningControl: "reasoning" },
  offline_path: "/openrouter/api/v1",
} satisfies ProviderDefinition;
