/**
 * GitHub Copilot's API in the style of Chat Completions. The caller's editor headers are passed on and none is invented; ids may be
 * empty and change within a stream (recorded).
 */
import type { ProviderDefinition } from "../../schema/provider.ts";

export const copilot = {
  id: "copilot",
  name: "GitHub Copilot",
  base_url: "https://api.githubcopilot.com",
  api_key_env: "COPILOT_API_KEY",
  base_url_env: "COPILOT_BASE_URL",
  endpoints: [{ protocol: "openai-chat", path: "/chat/completions" }],
  auth: { kind: "bearer" },
  headers: {},
  passed_headers: [
    "copilot-integration-id",
    "editor-version",
    "editor-plugin-version",
    "openai-intent",
    "x-initiator",
    "copilot-vision-request",
  ],
  abort_stops_billing: false,
  quirks: { maxTokensField: "max_tokens" },
  offline_path: "/copilot",
} satisfies ProviderDefinition;
