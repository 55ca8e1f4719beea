/** Fireworks: Chat Completions for open models, named `accounts/fireworks/models/…`. An abort stops its billing (billing.md §3.4). */
import type { ProviderDefinition } from "../../schema/provider.ts";

export const fireworks = {
  id: "fireworks",
  name: "Fireworks AI",
  base_url: "https://api.fireworks.ai/inference/v1",
  api_key_env: "FIREWORKS_API_KEY",
  base_url_env: "FIREWORKS_BASE_URL",
  endpoints: [
    { protocol: "openai-chat", path: "/chat/completions" },
    { protocol: "openai-embeddings", path: "/embeddings" },
  ],
  auth: { kind: "bearer" },
  headers: {},
  passed_headers: [],
  abort_stops_billing: true,
  quirks: { maxTokensField: "max_tokens", developerRole: false, reasoningField: "reasoning_content" },
  offline_path: "/fireworks/inference/v1",
} satisfies ProviderDefinition;
