/** DeepSeek: OpenAI Chat Completions at its own address. Reasoning comes as `reasoning_content`. */
import type { ProviderDefinition } from "../../schema/provider.ts";

export const deepseek = {
  id: "deepseek",
  name: "DeepSeek",
  base_url: "https://api.deepseek.com",
  api_key_env: "DEEPSEEK_API_KEY",
  base_url_env: "DEEPSEEK_BASE_URL",
  endpoints: [{ protocol: "openai-chat", path: "/chat/completions" }],
  auth: { kind: "bearer" },
  headers: {},
  passed_headers: [],
  abort_stops_billing: true,
  quirks: { maxTokensField: "max_tokens", developerRole: false, reasoningField: "reasoning_content", reasoningControl: "thinking" },
  offline_path: "/deepseek",
} satisfies ProviderDefinition;
