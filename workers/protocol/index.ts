/** The wire formats, by id. The one place that knows all of them; each folder knows only itself and the hub. */
import type { ProtocolId } from "../../schema/protocol.ts";
import { anthropicMessages } from "./anthropic-messages/index.ts";
import { openaiChat } from "./openai-chat/index.ts";
import type { Protocol } from "./protocol.ts";

export const PROTOCOLS: Readonly<Record<ProtocolId, Protocol>> = {
  "openai-chat": openaiChat,
  "anthropic-messages": anthropicMessages,
};
