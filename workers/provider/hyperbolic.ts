/** Hyperbolic: Chat Completions for open models, at one price for tokens in and out. */
import type { ProviderDefinition } from "../../schema/provider.ts";

export const hyperbolic = {
  id: "hyperbolic",
  name: "Hyperbolic",
  base_url: "https://api.hyperbolic.xyz/v1",
  api_key_env: "HYPERBOLIC_API_KEY",
  base_url_env: "HYPERBOLIC_BASE_URL",
  endpoints: [{ protocol: "openai-chat", path: "/chat/completions" }],
  auth: { kind: "bearer" },
  headers: {},
  passed_headers: [],
  abort_stops_billing: true,
  quirks: { maxTokensField: "max_tokens", developerRole: false },
  offline_path: "/hyperbolic/v1",
} satisfies ProviderDefinition;
