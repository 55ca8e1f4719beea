/**
 * The JSON form of OTLP (https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding): ids as hexadecimal text, 64-bit integers as
 * decimal text, times in nanoseconds.
 */
export type AttributeValue = string | number | boolean | readonly string[] | Double;
/** A number with a fraction, even where it happens to have none: collectors tell the two kinds apart. */
export interface Double {
  double: number;
}
/** What is null is left out: unknown is never zero. */
export type Attributes = Readonly<Record<string, AttributeValue | null>>;

type OtlpValue =
  | { stringValue: string }
  | { boolValue: boolean }
  | { intValue: string }
  | { doubleValue: number }
  | { arrayValue: { values: { stringValue: string }[] } };
export type OtlpAttribute = Readonly<{ key: string; value: OtlpValue }>;

export interface OtlpSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  /** 1 internal, 2 server, 3 client. */
  kind: 1 | 2 | 3;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes: OtlpAttribute[];
  /** 0 unset, 2 error. */
  status: { code: 0 } | { code: 2; message: string };
}

export interface OtlpHistogramPoint {
  attributes: OtlpAttribute[];
  startTimeUnixNano: string;
  timeUnixNano: string;
  count: string;
  sum: number;
  min: number;
  max: number;
  bucketCounts: string[];
  explicitBounds: readonly number[];
}

export interface OtlpHistogram {
  name: string;
  description: string;
  unit: string;
  /** 1: delta, each export counts its own requests only. */
  histogram: { aggregationTemporality: 1; dataPoints: OtlpHistogramPoint[] };
}

const SCOPE = { name: "plyrum" };

export function otlpAttributes(attributes: Attributes): OtlpAttribute[] {
  return Object.entries(attributes).flatMap(([key, value]) => (value === null ? [] : [{ key, value: otlpValue(value) }]));
}

function otlpValue(value: AttributeValue): OtlpValue {
  if (typeof value === "string") return { stringValue: value };
  if (typeof value === "boolean") return { boolValue: value };
  if (typeof value === "number") return { intValue: String(value) };
  if ("double" in value) return { doubleValue: value.double };
  return { arrayValue: { values: value.map((text) => ({ stringValue: text })) } };
}

/** Milliseconds since 1970 as OTLP writes a time. */
export function nanoseconds(milliseconds: number): string {
  return (BigInt(Math.round(milliseconds)) * 1_000_000n).toString();
}

/** The body of `POST /v1/traces`. */
export function tracesBody(serviceName: string, spans: readonly OtlpSpan[]): string {
  return JSON.stringify({ resourceSpans: [{ resource: resource(serviceName), scopeSpans: [{ scope: SCOPE, spans }] }] });
}

/** The body of `POST /v1/metrics`. */
export function metricsBody(serviceName: string, metrics: readonly OtlpHistogram[]): string {
  return JSON.stringify({ resourceMetrics: [{ resource: resource(serviceName), scopeMetrics: [{ scope: SCOPE, metrics }] }] });
}

function resource(serviceName: string): { attributes: OtlpAttribute[] } {
  return { attributes: otlpAttributes({ "service.name": serviceName }) };
}
