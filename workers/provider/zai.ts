/** Z.ai (GLM): Chat Completions. Whole tool calls come in one chunk and the finish reason twice (both recorded); calls cannot be forced. */
import type { ProviderDefinition } from "../../schema/provider.ts";

export const zai = {
  id: "zai",
  name: "Z.ai",
  base_url: "https://api.z.ai/api/paas/v4",
  api_key_env: "ZAI_API_KEY",
  base_url_env: "ZAI_BASE_URL",
  endpoints: [{ protocol: "openai-chat", path: "/chat/completions" }],
  auth: { kind: "bearer" },
  headers: {},
  passed_headers: [],
  abort_stops_billing: false,
  quirks: {
    maxTokensField: "max_tokens",
    developerRole: false,
    reasoningField: "reasoning_content",
    reasoningControl: "thinking",
    temperatureMax: 1,
    forcedToolChoice: false,
    refusedFields: ["logit_bias", "presence_penalty", "frequency_penalty", "n"],
  },
  offline_path: "/zai/api/paas/v4",
} satisfies ProviderDefinition;
