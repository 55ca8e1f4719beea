/**
 * Azure OpenAI, version 1 of its API: Chat Completions at an address of each resource; the model is the deployment's name. The first
 * chunk has no choices and the id changes once the answer begins (protocols.md §5.1, 7).
 */
import type { ProviderDefinition } from "../../schema/provider.ts";

export const azureOpenai = {
  id: "azure-openai",
  name: "Azure OpenAI",
  telemetry_name: "azure.ai.openai",
  base_url: "https://RESOURCE.openai.azure.com/openai/v1",
  own_address: true,
  api_key_env: "AZURE_OPENAI_API_KEY",
  base_url_env: "AZURE_OPENAI_BASE_URL",
  endpoints: [
    { protocol: "openai-chat", path: "/chat/completions" },
    { protocol: "openai-responses", path: "/responses" },
    { protocol: "openai-embeddings", path: "/embeddings" },
  ],
  auth: { kind: "header", header: "api-key" },
  headers: {},
  passed_headers: [],
  abort_stops_billing: true,
  quirks: { maxTokensField: "max_completion_tokens", reasoningModelPattern: "^(o\\d|gpt-5(-(mini|nano|pro|codex)|$))" },
  offline_path: "/azure-openai/openai/v1",
} satisfies ProviderDefinition;
