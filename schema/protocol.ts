/** The wire formats the gateway speaks. Each has one folder in `workers/protocol/` and may be spoken by callers and by providers. */
import { z } from "zod";

export const PROTOCOL_IDS = [
  "openai-chat",
  "openai-responses",
  "anthropic-messages",
  "gemini",
  "bedrock-converse",
  "bedrock-invoke",
  "ollama-chat",
  "ollama-generate",
  "cohere-chat",
  "openai-embeddings",
  "gemini-embeddings",
  "cohere-embeddings",
  "ollama-embeddings",
] as const;
export const protocolIdSchema = z.enum(PROTOCOL_IDS);
export type ProtocolId = z.infer<typeof protocolIdSchema>;

/** What a call asks for. A caller's format can only be served by a provider's format of the same operation. */
export type Operation = "generate" | "embed";

export function operationOf(protocol: ProtocolId): Operation {
  return protocol.endsWith("-embeddings") ? "embed" : "generate";
}

/** How a streamed answer is cut into frames: server-sent events, a JSON text a line, or Amazon's binary event stream. */
export type StreamFraming = "sse" | "ndjson" | "eventstream";
