/** GitHub Models: Chat Completions with a GitHub token, for models named `publisher/model`. */
import type { ProviderDefinition } from "../../schema/provider.ts";

export const githubModels = {
  id: "github-models",
  name: "GitHub Models",
  base_url: "https://models.github.ai/inference",
  api_key_env: "GITHUB_MODELS_API_KEY",
  base_url_env: "GITHUB_MODELS_BASE_URL",
  endpoints: [
    { protocol: "openai-chat", path: "/chat/completions" },
    { protocol: "openai-embeddings", path: "/embeddings" },
  ],
  auth: { kind: "bearer" },
  headers: { "x-github-api-version": "2022-11-28" },
  passed_headers: [],
  abort_stops_billing: false,
  quirks: { maxTokensField: "max_tokens" },
  offline_path: "/github-models/inference",
} satisfies ProviderDefinition;
