/**
 * A finished request as spans of the OpenTelemetry GenAI conventions: one for the request (an ensemble's is `invoke_workflow`), and one
 * client span for each call of a provider (research/orchestration.md §5: a gateway is a client). Pure. Ids are made from the request's id,
 * so a request that is exported twice gives the same spans.
 */
import type { RequestRecord } from "../../schema/message.ts";
import { callsOf, type ModelCall, promptTokens, type ProviderNames } from "./operation.ts";
import { type Attributes, nanoseconds, otlpAttributes, type OtlpSpan } from "./otlp.ts";

export interface SpanPorts {
  nameOf: ProviderNames;
  /** SHA-256 of a text, in hexadecimal. */
  hash: (text: string) => string;
}

/** The request's span first, then its calls. None where the caller's trace is not recorded. */
export function spansOf(record: RequestRecord, { nameOf, hash }: SpanPorts): OtlpSpan[] {
  const { trace = null } = record;
  if (trace !== null && !trace.sampled) return [];
  const traceId = trace?.trace_id ?? hash(`trace ${record.request_id}`).slice(0, 32);
  const spanId = (part: string): string => hash(`span ${record.request_id} ${part}`).slice(0, 16);
  const root: OtlpSpan = {
    ...requestSpan(record),
    traceId,
    spanId: spanId("request"),
    ...(trace === null ? {} : { parentSpanId: trace.parent_id }),
  };
  const calls = callsOf(record, nameOf).map((call, index) => ({
    ...callSpan(call),
    traceId,
    spanId: spanId(`call ${index}`),
    parentSpanId: root.spanId,
  }));
  return [root, ...calls];
}

type UnplacedSpan = Omit<OtlpSpan, "traceId" | "spanId" | "parentSpanId">;

function requestSpan(record: RequestRecord): UnplacedSpan {
  const isEnsemble = record.legs !== undefined;
  const attributes: Attributes = {
    ...(isEnsemble ? { "gen_ai.operation.name": "invoke_workflow", "gen_ai.workflow.name": record.model } : {}),
    "error.type": record.error_code,
    "plyrum.request.id": record.request_id,
    "plyrum.request.protocol": record.protocol,
    "plyrum.request.model": record.model,
    "plyrum.request.state": record.state,
    "plyrum.key.id": record.key_id,
    "plyrum.usage.source": record.usage_source,
    "plyrum.cost.micro_rub": record.cost_micro_rub,
    "plyrum.degraded": record.degraded ?? null,
    "plyrum.evidence": record.evidence,
  };
  return {
    name: isEnsemble ? `invoke_workflow ${record.model}` : `plyrum ${record.protocol}`,
    kind: isEnsemble ? 1 : 2,
    startTimeUnixNano: nanoseconds(record.timings.received_at),
    endTimeUnixNano: nanoseconds(record.timings.finished_at),
    attributes: otlpAttributes(attributes),
    status: statusOf(record.error_code),
  };
}

function callSpan(call: ModelCall): UnplacedSpan {
  const { usage } = call;
  const firstChunk = secondsBetween(call.startedAt, call.stream ? call.firstByteAt : null);
  const cacheWrites = usage === null ? null : sum(usage.cache_write_5m_tokens, usage.cache_write_1h_tokens);
  const attributes: Attributes = {
    "gen_ai.operation.name": call.operation,
    "gen_ai.provider.name": call.provider,
    "gen_ai.request.model": call.model,
    "gen_ai.request.stream": call.stream ? true : null,
    "gen_ai.response.id": call.providerRequestId,
    "gen_ai.response.finish_reasons": call.finishReason === null ? null : [call.finishReason],
    "gen_ai.response.time_to_first_chunk": firstChunk === null ? null : { double: firstChunk },
    "gen_ai.usage.input_tokens": usage === null ? null : promptTokens(usage),
    "gen_ai.usage.cache_read.input_tokens": usage?.cache_read_tokens ?? null,
    "gen_ai.usage.cache_creation.input_tokens": cacheWrites,
    "gen_ai.usage.output_tokens": usage?.output_tokens ?? null,
    "gen_ai.usage.reasoning.output_tokens": usage?.reasoning_tokens ?? null,
    "error.type": call.errorCode,
    "http.response.status_code": call.httpStatus,
    "plyrum.node.id": call.leg?.node ?? null,
    "plyrum.node.state": call.leg?.state ?? null,
  };
  return {
    name: `${call.operation} ${call.model}`,
    kind: 3,
    startTimeUnixNano: nanoseconds(call.startedAt),
    endTimeUnixNano: nanoseconds(Math.max(call.startedAt, call.endedAt)),
    attributes: otlpAttributes(attributes),
    status: statusOf(call.errorCode),
  };
}

/** Null only where neither is known. */
function sum(left: number | null, right: number | null): number | null {
  return left === null && right === null ? null : (left ?? 0) + (right ?? 0);
}

export function secondsBetween(from: number, to: number | null): number | null {
  return to === null || to < from ? null : (to - from) / 1000;
}

function statusOf(errorCode: string | null): OtlpSpan["status"] {
  return errorCode === null ? { code: 0 } : { code: 2, message: errorCode };
}
