/** Plain readers by wire format; a format without one here is not in the conformance suite. */
import type { ProtocolId } from "../../../schema/protocol.ts";
import { readAnthropicMessages } from "./anthropic-messages.ts";
import { readBedrockConverse } from "./bedrock-converse.ts";
import { readBedrockInvoke } from "./bedrock-invoke.ts";
import { readCohereChat } from "./cohere-chat.ts";
import { readOllamaChat, readOllamaGenerate } from "./ollama.ts";
import { readGemini } from "./gemini.ts";
import { readOpenaiChat } from "./openai-chat.ts";
import { readOpenaiResponses } from "./openai-responses.ts";
import type { PlainReader } from "./reading.ts";

export const READINGS: Partial<Record<ProtocolId, PlainReader>> = {
  "openai-chat": readOpenaiChat,
  "openai-responses": readOpenaiResponses,
  "anthropic-messages": readAnthropicMessages,
  gemini: readGemini,
  "bedrock-converse": readBedrockConverse,
  "bedrock-invoke": readBedrockInvoke,
  "cohere-chat": readCohereChat,
  "ollama-chat": readOllamaChat,
  "ollama-generate": readOllamaGenerate,
};
