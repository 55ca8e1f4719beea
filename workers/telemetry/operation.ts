/** What a finished request is in the words of the GenAI conventions, shared by its spans and its metrics. Pure. */
import type { LegRecord } from "../../schema/ensemble.ts";
import type { RequestRecord } from "../../schema/message.ts";
import type { ProtocolId } from "../../schema/protocol.ts";
import type { Usage } from "../../schema/usage.ts";

/** From our id of a provider to its well-known value of `gen_ai.provider.name`. */
export type ProviderNames = (provider: string) => string;

/** One call of a provider. */
export interface ModelCall {
  operation: string;
  provider: string;
  /** The model as the provider names it. */
  model: string;
  stream: boolean;
  errorCode: string | null;
  finishReason: string | null;
  providerRequestId: string | null;
  /** As the provider reported it; null where it did not, since token counts must not be guessed. */
  usage: Usage | null;
  /** Milliseconds of the owner's clock. */
  startedAt: number;
  endedAt: number;
  firstByteAt: number | null;
  httpStatus: number | null;
  /** Its place in an ensemble; null for a call by itself. */
  leg: { node: string; state: string } | null;
}

/** Well-known values of `gen_ai.operation.name`. */
export function operationName(protocol: ProtocolId): string {
  if (protocol.endsWith("-embeddings")) return "embeddings";
  if (protocol === "gemini") return "generate_content";
  return protocol === "ollama-generate" ? "text_completion" : "chat";
}

/**
 * The calls of a request in the order they were begun. Attempts that failed have no usage; the one that answered has the request's. The
 * end of an attempt that was given up is the beginning of the next.
 */
export function callsOf(record: RequestRecord, nameOf: ProviderNames): ModelCall[] {
  if (record.legs !== undefined) return record.legs.map((leg) => legCall(leg, record, nameOf));
  const { attempts, timings } = record;
  return attempts.map((attempt, index) => {
    const isLast = index === attempts.length - 1;
    return {
      operation: operationName(attempt.protocol),
      provider: nameOf(attempt.provider),
      model: attempt.model,
      stream: record.stream,
      errorCode: isLast ? (record.error_code ?? attempt.error_code) : attempt.error_code,
      finishReason: isLast ? record.finish_reason : null,
      providerRequestId: attempt.provider_request_id,
      usage: isLast && record.usage_source === "provider" ? record.usage : null,
      startedAt: attempt.started_at,
      endedAt: attempts[index + 1]?.started_at ?? timings.finished_at,
      firstByteAt: isLast ? timings.first_byte_at : null,
      httpStatus: attempt.status,
      leg: null,
    };
  });
}

function legCall(leg: LegRecord, record: RequestRecord, nameOf: ProviderNames): ModelCall {
  const { dispatched_at, finished_at } = record.timings;
  return {
    operation: operationName(leg.protocol),
    provider: nameOf(leg.provider),
    model: leg.model,
    stream: record.stream,
    errorCode: leg.error_code,
    finishReason: leg.finish_reason,
    providerRequestId: null,
    usage: leg.usage_source === "provider" ? leg.usage : null,
    // A leg's own times are not kept; it ran within its request's.
    startedAt: dispatched_at,
    endedAt: finished_at,
    firstByteAt: null,
    httpStatus: null,
    leg: { node: leg.node, state: leg.state },
  };
}

/** All prompt tokens, caches included, as the conventions count them; null where the provider left a class out that it must have. */
export function promptTokens({ input_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens }: Usage): number | null {
  if (input_tokens === null) return null;
  return input_tokens + (cache_read_tokens ?? 0) + (cache_write_5m_tokens ?? 0) + (cache_write_1h_tokens ?? 0);
}
