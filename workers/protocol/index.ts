/** The registry of wire formats: the one place that lists them all. Everything else asks here by id. */
import type { ProtocolId } from "../../schema/protocol.ts";
import { openaiChat } from "./openai-chat/index.ts";
import type { Protocol } from "./protocol.ts";

export const PROTOCOLS: Record<ProtocolId, Protocol> = {
  "openai-chat": openaiChat,
};
