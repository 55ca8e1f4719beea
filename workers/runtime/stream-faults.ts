/** What went wrong with an answer under way, in words: the same for a stream that is pumped and for one that is read. */
import { gatewayError, type GatewayError } from "../../schema/error.ts";

const FURTHER = { suggestion: "Try again, or use another model." };

export const NEVER_BEGAN = (): GatewayError => gatewayError("provider_timeout", "The provider took too long to begin its answer.", FURTHER);
export const IDLE = (): GatewayError => gatewayError("provider_timeout", "The provider stopped sending before the end of its answer.");
export const TOO_LONG = (): GatewayError => gatewayError("provider_timeout", "The answer took longer than a stream may last.");
export const BROKEN = (): GatewayError => gatewayError("provider_error", "The provider's answer broke off before its end.");
