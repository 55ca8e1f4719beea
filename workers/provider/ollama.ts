/** Ollama: a server of one's own, by default on this machine and without a credential. Leaving ends the generation. */
import type { ProviderDefinition } from "../../schema/provider.ts";

export const ollama = {
  id: "ollama",
  name: "Ollama",
  base_url: "http://127.0.0.1:11434",
  api_key_env: "OLLAMA_API_KEY",
  base_url_env: "OLLAMA_BASE_URL",
  endpoints: [
    { protocol: "ollama-chat", path: "/api/chat" },
    { protocol: "ollama-generate", path: "/api/generate" },
    { protocol: "ollama-embeddings", path: "/api/embed" },
  ],
  auth: { kind: "bearer" },
  headers: {},
  passed_headers: [],
  abort_stops_billing: true,
  quirks: {},
  offline_path: "/ollama",
} satisfies ProviderDefinition;
