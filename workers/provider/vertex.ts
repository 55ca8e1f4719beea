/**
 * Gemini models on Google's Vertex AI. The base URL names project and place and ends in the publisher; the credential is an access token,
 * which lives for an hour and is renewed outside.
 */
import type { ProviderDefinition } from "../../schema/provider.ts";

export const vertex = {
  id: "vertex",
  name: "Google Vertex AI",
  telemetry_name: "gcp.vertex_ai",
  base_url: "https://aiplatform.googleapis.com/v1/projects/PROJECT/locations/global/publishers/google",
  own_address: true,
  api_key_env: "VERTEX_API_KEY",
  base_url_env: "VERTEX_BASE_URL",
  endpoints: [
    {
      protocol: "gemini",
      path: "/models/{model}:generateContent",
      stream_path: "/models/{model}:streamGenerateContent?alt=sse",
    },
  ],
  auth: { kind: "bearer" },
  headers: {},
  passed_headers: [],
  abort_stops_billing: false,
  quirks: {},
  offline_path: "/vertex/v1/projects/offline/locations/global/publishers/google",
} satisfies ProviderDefinition;
