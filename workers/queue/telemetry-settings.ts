/** Where telemetry goes, from OpenTelemetry's own variables (https://opentelemetry.io/docs/specs/otel/protocol/exporter/) and one of ours. */

export interface Collector {
  tracesUrl: string;
  metricsUrl: string;
  headers: Record<string, string>;
  serviceName: string;
}

/** Null: nobody asked for telemetry. */
export function collectorOf(env: Env): Collector | null {
  const endpoint = variable(env, "OTEL_EXPORTER_OTLP_ENDPOINT");
  const tracesUrl = variable(env, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") ?? signalUrl(endpoint, "traces");
  const metricsUrl = variable(env, "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT") ?? signalUrl(endpoint, "metrics");
  if (tracesUrl === null || metricsUrl === null) return null;
  return {
    tracesUrl,
    metricsUrl,
    headers: headersOf(variable(env, "OTEL_EXPORTER_OTLP_HEADERS") ?? ""),
    serviceName: variable(env, "OTEL_SERVICE_NAME") ?? "plyrum",
  };
}

/** Whether a line of each finished request is kept in the archive bucket. */
export function keepsAuditLog(env: Env): boolean {
  return env.PLYRUM_AUDIT_LOG === "r2";
}

function variable(env: Env, name: `OTEL_${string}`): string | null {
  const value = env[name];
  return value === undefined || value === "" ? null : value;
}

function signalUrl(endpoint: string | null, signal: string): string | null {
  return endpoint === null ? null : `${endpoint.replace(/\/+$/, "")}/v1/${signal}`;
}

/** `name=value,name=value`, with percent-encoded values; what has no `=` is no header. */
function headersOf(text: string): Record<string, string> {
  const pairs = text.split(",").flatMap((pair) => {
    const at = pair.indexOf("=");
    return at < 1 ? [] : [[pair.slice(0, at).trim(), decoded(pair.slice(at + 1).trim())] as const];
  });
  return Object.fromEntries(pairs);
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}
