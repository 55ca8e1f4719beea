/** SiliconFlow: Chat Completions for open models. Thinking is a switch with a budget, as with Qwen's own cloud. */
import type { ProviderDefinition } from "../../schema/provider.ts";

export const siliconflow = {
  id: "siliconflow",
  name: "SiliconFlow",
  base_url: "https://api.siliconflow.com/v1",
  api_key_env: "SILICONFLOW_API_KEY",
  base_url_env: "SILICONFLOW_BASE_URL",
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
    reasoningControl: "enable_thinking",
    refusedFields: ["logit_bias", "user"],
  },
  offline_path: "/siliconflow/v1",
} satisfies ProviderDefinition;
