/**
 * Finished requests as the client metrics of the GenAI conventions: histograms with their required attributes and advised buckets, as
 * deltas: each export counts its own calls. Pure. `time_per_output_chunk` is not given: times of single chunks are not kept.
 */
import type { RequestRecord } from "../../schema/message.ts";
import { callsOf, type ModelCall, promptTokens, type ProviderNames } from "./operation.ts";
import { type Attributes, nanoseconds, otlpAttributes, type OtlpHistogram, type OtlpHistogramPoint } from "./otlp.ts";
import { secondsBetween } from "./spans.ts";

/** Upper bounds, as the conventions advise them: seconds doubling from 0.01, and tokens in powers of four. */
const SECONDS = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
const TOKENS = [1, 4, 16, 64, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216, 67_108_864];

interface Measurement {
  attributes: Attributes;
  value: number;
}

interface Instrument {
  name: string;
  description: string;
  unit: string;
  bounds: readonly number[];
  measure: (call: ModelCall) => Measurement[];
}

const INSTRUMENTS: readonly Instrument[] = [
  {
    name: "gen_ai.client.operation.duration",
    description: "GenAI operation duration.",
    unit: "s",
    bounds: SECONDS,
    measure: (call) => {
      const value = secondsBetween(call.startedAt, call.endedAt);
      return value === null ? [] : [{ attributes: { "error.type": call.errorCode }, value }];
    },
  },
  {
    name: "gen_ai.client.token.usage",
    description: "Number of input and output tokens used.",
    unit: "{token}",
    bounds: TOKENS,
    measure: ({ usage }) => {
      if (usage === null) return [];
      const counts = { input: promptTokens(usage), output: usage.output_tokens };
      return Object.entries(counts).flatMap(([type, value]) =>
        value === null ? [] : [{ attributes: { "gen_ai.token.type": type }, value }],
      );
    },
  },
  {
    name: "gen_ai.client.operation.time_to_first_chunk",
    description: "Time to receive the first chunk of a streamed answer.",
    unit: "s",
    bounds: SECONDS,
    measure: (call) => {
      const value = secondsBetween(call.startedAt, call.stream ? call.firstByteAt : null);
      return value === null ? [] : [{ attributes: {}, value }];
    },
  },
];

/** The histograms of these requests; an instrument nobody measured with is left out. */
export function metricsOf(records: readonly RequestRecord[], nameOf: ProviderNames): OtlpHistogram[] {
  const calls = records.flatMap((record) => callsOf(record, nameOf));
  const from = Math.min(...records.map((record) => record.timings.received_at));
  const to = Math.max(...records.map((record) => record.timings.finished_at));
  return INSTRUMENTS.flatMap(({ name, description, unit, bounds, measure }) => {
    const groups = new Map<string, { attributes: Attributes; values: number[] }>();
    for (const call of calls) {
      for (const { attributes: own, value } of measure(call)) {
        const attributes = { ...commonAttributes(call), ...own };
        const key = JSON.stringify(attributes);
        const group = groups.get(key) ?? { attributes, values: [] };
        group.values.push(value);
        groups.set(key, group);
      }
    }
    const dataPoints = [...groups.values()].map(({ attributes, values }) => ({
      ...pointOf(values, bounds),
      attributes: otlpAttributes(attributes),
      startTimeUnixNano: nanoseconds(from),
      timeUnixNano: nanoseconds(to),
    }));
    return dataPoints.length === 0 ? [] : [{ name, description, unit, histogram: { aggregationTemporality: 1, dataPoints } }];
  });
}

function commonAttributes(call: ModelCall): Attributes {
  return { "gen_ai.operation.name": call.operation, "gen_ai.provider.name": call.provider, "gen_ai.request.model": call.model };
}

/** A value on a bound counts below it. */
function pointOf(
  values: readonly number[],
  bounds: readonly number[],
): Omit<OtlpHistogramPoint, "attributes" | "startTimeUnixNano" | "timeUnixNano"> {
  const counts = Array.from({ length: bounds.length + 1 }, () => 0);
  for (const value of values) {
    const above = bounds.findIndex((bound) => value <= bound);
    const bucket = above === -1 ? bounds.length : above;
    counts[bucket] = (counts[bucket] ?? 0) + 1;
  }
  return {
    count: String(values.length),
    sum: values.reduce((total, value) => total + value, 0),
    min: Math.min(...values),
    max: Math.max(...values),
    bucketCounts: counts.map(String),
    explicitBounds: bounds,
  };
}
