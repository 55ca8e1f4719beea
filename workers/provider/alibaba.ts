/** Alibaba Cloud Model Studio (Qwen), in its compatible mode, at the international address. Thinking is a switch with a budget. */
import type { ProviderDefinition } from "../../schema/provider.ts";

export const alibaba = {
  id: "alibaba",
  name: "Alibaba Cloud",
  base_url: "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
  api_key_env: "ALIBABA_API_KEY",
  base_url_env: "ALIBABA_BASE_URL",
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
    forcedToolChoice: false,
    refusedFields: ["logit_bias", "user"],
  },
  offline_path: "/alibaba/compatible-mode/v1",
} satisfies ProviderDefinition;
