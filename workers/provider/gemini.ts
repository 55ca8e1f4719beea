/** Google's Gemini API (AI Studio). The base URL is without a version, as its SDK takes it. An abort is billed in full all the same. */
import type { ProviderDefinition } from "../../schema/provider.ts";

export const gemini = {
  id: "gemini",
  name: "Google Gemini",
  telemetry_name: "gcp.gemini",
  base_url: "https://generativelanguage.googleapis.com",
  api_key_env: "GEMINI_API_KEY",
  base_url_env: "GEMINI_BASE_URL",
  endpoints: [
    {
      protocol: "gemini",
      path: "/v1beta/models/{model}:generateContent",
      stream_path: "/v1beta/models/{model}:streamGenerateContent?alt=sse",
    },
    { protocol: "gemini-embeddings", path: "/v1beta/models/{model}:batchEmbedContents" },
  ],
  auth: { kind: "header", header: "x-goog-api-key" },
  headers: {},
  passed_headers: [],
  abort_stops_billing: false,
  quirks: {},
  offline_path: "",
} satisfies ProviderDefinition;
