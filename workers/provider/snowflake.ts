/**
 * Snowflake Cortex: Chat Completions at an address of each account. Members it does not fill are there and empty, and the finish
 * reason may be an empty string (both recorded); effort goes in an object.
 */
import type { ProviderDefinition } from "../../schema/provider.ts";

export const snowflake = {
  id: "snowflake",
  name: "Snowflake Cortex",
  base_url: "https://ACCOUNT.snowflakecomputing.com/api/v2/cortex/v1",
  own_address: true,
  api_key_env: "SNOWFLAKE_API_KEY",
  base_url_env: "SNOWFLAKE_BASE_URL",
  endpoints: [{ protocol: "openai-chat", path: "/chat/completions" }],
  auth: { kind: "bearer" },
  headers: {},
  passed_headers: [],
  abort_stops_billing: false,
  quirks: { maxTokensField: "max_completion_tokens", reasoningControl: "reasoning", refusedFields: ["logit_bias", "user"] },
  offline_path: "/snowflake/api/v2/cortex/v1",
} satisfies ProviderDefinition;
