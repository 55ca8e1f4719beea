/** Anthropic's own API. The base URL is without `/v1`, as its SDK takes it. */
import type { ProviderDefinition } from "../../schema/provider.ts";

export const anthropic = {
  id: "anthropic",
  name: "Anthropic",
  base_url: "https://api.anthropic.com",
  api_key_env: "ANTHROPIC_API_KEY",
  base_url_env: "ANTHROPIC_BASE_URL",
  endpoints: [{ protocol: "anthropic-messages", path: "/v1/messages" }],
  auth: { kind: "header", header: "x-api-key" },
  headers: { "anthropic-version": "2023-06-01" },
  passed_headers: ["anthropic-beta", "anthropic-version"],
  abort_stops_billing: true,
  quirks: {},
  offline_path: "",
} satisfies ProviderDefinition;
