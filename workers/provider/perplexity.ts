/** Perplexity: Chat Completions that search the web. No `[DONE]`, usage so far on every chunk (recorded), no functions of the caller's. */
import type { ProviderDefinition } from "../../schema/provider.ts";

export const perplexity = {
  id: "perplexity",
  name: "Perplexity",
  base_url: "https://api.perplexity.ai",
  api_key_env: "PERPLEXITY_API_KEY",
  base_url_env: "PERPLEXITY_BASE_URL",
  endpoints: [{ protocol: "openai-chat", path: "/chat/completions" }],
  auth: { kind: "bearer" },
  headers: {},
  passed_headers: [],
  abort_stops_billing: false,
  quirks: {
    maxTokensField: "max_tokens",
    streamOptions: false,
    developerRole: false,
    tools: false,
    refusedFields: ["logit_bias", "logprobs", "top_logprobs", "seed", "n", "user"],
  },
  offline_path: "/perplexity",
} satisfies ProviderDefinition;
