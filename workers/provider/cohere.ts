/** Cohere: its own v2 Chat and Embed. Billed units, not all tokens, are what its invoice charges. */
import type { ProviderDefinition } from "../../schema/provider.ts";

export const cohere = {
  id: "cohere",
  name: "Cohere",
  base_url: "https://api.cohere.com",
  api_key_env: "COHERE_API_KEY",
  base_url_env: "COHERE_BASE_URL",
  endpoints: [
    { protocol: "cohere-chat", path: "/v2/chat" },
    { protocol: "cohere-embeddings", path: "/v2/embed" },
  ],
  auth: { kind: "bearer" },
  headers: {},
  passed_headers: [],
  abort_stops_billing: true,
  quirks: {},
  offline_path: "/cohere",
} satisfies ProviderDefinition;
