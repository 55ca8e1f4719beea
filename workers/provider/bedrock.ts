/**
 * Amazon Bedrock, through its own runtime API: Converse for every model, InvokeModel with Messages bodies for callers of that format.
 * An answer that is broken off is billed whole (research/billing.md §3.4), so the stream is drained.
 */
import type { ProviderDefinition } from "../../schema/provider.ts";

export const bedrock = {
  id: "bedrock",
  name: "Amazon Bedrock",
  telemetry_name: "aws.bedrock",
  base_url: "https://bedrock-runtime.{region}.amazonaws.com",
  api_key_env: "AWS_ACCESS_KEY_ID",
  base_url_env: "BEDROCK_BASE_URL",
  endpoints: [
    { protocol: "bedrock-converse", path: "/model/{model}/converse", stream_path: "/model/{model}/converse-stream" },
    {
      protocol: "bedrock-invoke",
      path: "/model/{model}/invoke",
      stream_path: "/model/{model}/invoke-with-response-stream",
      models: "anthropic\\.",
      kin: "anthropic-messages",
    },
  ],
  auth: {
    kind: "sigv4",
    service: "bedrock",
    secret_env: "AWS_SECRET_ACCESS_KEY",
    token_env: "AWS_SESSION_TOKEN",
    region_env: "AWS_REGION",
    region: "us-east-1",
  },
  headers: {},
  passed_headers: [],
  abort_stops_billing: false,
  quirks: {
    modelFamilies: [
      { family: "claude", pattern: "anthropic\\." },
      { family: "nova", pattern: "amazon\\.nova" },
    ],
  },
  offline_path: "",
} satisfies ProviderDefinition;
