/** The wire formats, by id. The one place that knows all of them; each folder knows only itself and the hub. */
import type { ProtocolId } from "../../schema/protocol.ts";
import { anthropicMessages } from "./anthropic-messages/index.ts";
import { bedrockConverse } from "./bedrock-converse/index.ts";
import { bedrockInvoke } from "./bedrock-invoke/index.ts";
import { cohereChat } from "./cohere-chat/index.ts";
import { cohereEmbeddings } from "./cohere-embeddings/index.ts";
import { gemini } from "./gemini/index.ts";
import { geminiEmbeddings } from "./gemini-embeddings/index.ts";
import { ollamaChat } from "./ollama-chat/index.ts";
import { ollamaEmbeddings } from "./ollama-embeddings/index.ts";
import { ollamaGenerate } from "./ollama-generate/index.ts";
import { openaiChat } from "./openai-chat/index.ts";
import { openaiEmbeddings } from "./openai-embeddings/index.ts";
import { openaiResponses } from "./openai-responses/index.ts";
import type { Protocol } from "./protocol.ts";

export const PROTOCOLS: Readonly<Record<ProtocolId, Protocol>> = {
  "openai-chat": openaiChat,
  "openai-responses": openaiResponses,
  "anthropic-messages": anthropicMessages,
  gemini: gemini,
  "bedrock-converse": bedrockConverse,
  "bedrock-invoke": bedrockInvoke,
  "ollama-chat": ollamaChat,
  "ollama-generate": ollamaGenerate,
  "cohere-chat": cohereChat,
  "openai-embeddings": openaiEmbeddings,
  "gemini-embeddings": geminiEmbeddings,
  "cohere-embeddings": cohereEmbeddings,
  "ollama-embeddings": ollamaEmbeddings,
};
