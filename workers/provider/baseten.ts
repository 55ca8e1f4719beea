/** Baseten's model APIs: Chat Completions for open models. Whether an abort stops billing is not published, so streams are drained. */
import type { ProviderDefinition } from "../../schema/provider.ts";

export const baseten = {
  id: "baseten",
  name: "Baseten",
  base_url: "https://inference.baseten.co/v1",
  api_key_env: "BASETEN_API_KEY",
  base_url_env: "BASETEN_BASE_URL",
  endpoints: [{ protocol: "openai-chat", path: "/chat/completions" }],
  auth: { kind: "bearer" },
  headers: {},
  passed_headers: [],
  abort_stops_billing: false,
  quirks: { maxTokensField: "max_tokens", developerRole: false, reasoningField: "reasoning_content" },
  offline_path: "/baseten/v1",
} satisfies ProviderDefinition;
