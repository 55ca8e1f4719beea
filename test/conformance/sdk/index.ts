/** The official SDK of each protocol that the gateway serves to callers: the client side of the conformance table. */
import { anthropicSdk } from "./anthropic.ts";
import { bedrockSdk } from "./bedrock.ts";
import { geminiSdk } from "./gemini.ts";
import { ollamaChatSdk, ollamaGenerateSdk } from "./ollama.ts";
import { openaiChatSdk, openaiResponsesSdk } from "./openai.ts";
import type { Sdk } from "./reading.ts";

export const SDKS = {
  "openai-chat": openaiChatSdk,
  "openai-responses": openaiResponsesSdk,
  "anthropic-messages": anthropicSdk,
  gemini: geminiSdk,
  "bedrock-converse": bedrockSdk,
  "ollama-chat": ollamaChatSdk,
  "ollama-generate": ollamaGenerateSdk,
} as const satisfies Readonly<Record<string, Sdk>>;

export type ClientId = keyof typeof SDKS;
