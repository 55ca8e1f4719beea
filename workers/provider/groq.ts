/** Groq: OpenAI Chat Completions at its own address. An abort does not stop its billing; usage also arrives in `x_groq`. */
import type { ProviderDefinition } from "../../schema/provider.ts";

export const groq = {
  id: "groq",
  name: "Groq",
  base_url: "https://api.groq.com/openai/v1",
  api_key_env: "GROQ_API_KEY",
  base_url_env: "GROQ_BASE_URL",
  endpoints: [{ protocol: "openai-chat", path: "/chat/completions" }],
  auth: { kind: "bearer" },
  headers: {},
  passed_headers: [],
  abort_stops_billing: false,
  quirks: {
    maxTokensField: "max_completion_tokens",
    reasoningField: "reasoning",
    refusedFields: ["logit_bias", "logprobs", "top_logprobs"],
  },
  offline_path: "/groq/openai/v1",
} satisfies ProviderDefinition;
