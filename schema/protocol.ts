/** The wire formats the gateway speaks. Each has one folder in `workers/protocol/` and may be spoken by callers and by providers. */
import { z } from "zod";

export const PROTOCOL_IDS = ["openai-chat", "anthropic-messages"] as const;
export const protocolIdSchema = z.enum(PROTOCOL_IDS);
export type ProtocolId = z.infer<typeof protocolIdSchema>;
