/** Moonshot (Kimi): Chat Completions. Usage comes inside the last choice (recorded); temperatures end at 1; a call cannot be forced. */
import type { ProviderDefinition } from "../../schema/provider.ts";

export const moonshot = {
  id: "moonshot",
  name: "Moonshot AI",
  base_url: "https://api.moonshot.ai/v1",
  api_key_env: "MOONSHOT_API_KEY",
  base_url_env: "MOONSHOT_BASE_URL",
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
    refusedFields: ["reasoning_effort", "logit_bias"],
  },
  offline_path: "/moonshot/v1",
} satisfies ProviderDefinition;
