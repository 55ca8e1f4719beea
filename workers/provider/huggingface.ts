/** Hugging Face's router: Chat Completions, served by one of many providers behind it, so streams are drained after an abort. */
import type { ProviderDefinition } from "../../schema/provider.ts";

export const huggingface = {
  id: "huggingface",
  name: "Hugging Face",
  base_url: "https://router.huggingface.co/v1",
  api_key_env: "HUGGINGFACE_API_KEY",
  base_url_env: "HUGGINGFACE_BASE_URL",
  endpoints: [{ protocol: "openai-chat", path: "/chat/completions" }],
  auth: { kind: "bearer" },
  headers: {},
  passed_headers: [],
  abort_stops_billing: false,
  quirks: { maxTokensField: "max_tokens", developerRole: false, reasoningField: "reasoning_content" },
  offline_path: "/huggingface/v1",
} satisfies ProviderDefinition;
