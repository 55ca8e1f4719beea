/**
 * What the GenAI conventions say of attributes, to check spans and metrics against: from OpenTelemetry's own registry where the folder of
 * data sets is beside the repository, else from the excerpt below, which the registry is compared with where it is there.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import type { OtlpAttribute } from "../../workers/telemetry/otlp.ts";

type Kind = "string" | "int" | "double" | "boolean" | "string[]" | "enum";

export const EXCERPT: Readonly<Record<string, Kind>> = {
  "gen_ai.provider.name": "enum",
  "gen_ai.operation.name": "enum",
  "gen_ai.request.model": "string",
  "gen_ai.request.stream": "boolean",
  "gen_ai.response.id": "string",
  "gen_ai.response.finish_reasons": "string[]",
  "gen_ai.response.time_to_first_chunk": "double",
  "gen_ai.usage.input_tokens": "int",
  "gen_ai.usage.cache_read.input_tokens": "int",
  "gen_ai.usage.cache_creation.input_tokens": "int",
  "gen_ai.usage.output_tokens": "int",
  "gen_ai.usage.reasoning.output_tokens": "int",
  "gen_ai.token.type": "enum",
  "gen_ai.workflow.name": "string",
};

const registrySchema = z.object({
  groups: z.array(
    z.object({
      attributes: z.array(
        z.looseObject({ id: z.string().optional(), type: z.union([z.string(), z.object({ members: z.array(z.unknown()) })]).optional() }),
      ),
    }),
  ),
});

const path = join(process.env["PLYRUM_DATASETS"] ?? join(import.meta.dirname, "../../../shared/datasets"), "otel_genai/registry.yaml");

/** Null where it is not beside the repository. */
export function readRegistry(): Record<string, string> | null {
  if (!existsSync(path)) return null;
  const { groups } = registrySchema.parse(parse(readFileSync(path, "utf8")));
  return Object.fromEntries(
    groups.flatMap(({ attributes }) =>
      attributes.flatMap(({ id, type }) =>
        id === undefined || type === undefined ? [] : [[id, typeof type === "string" ? type : "enum"]],
      ),
    ),
  );
}

const VALUE_OF: Readonly<Record<string, string>> = {
  string: "stringValue",
  enum: "stringValue",
  int: "intValue",
  double: "doubleValue",
  boolean: "boolValue",
  "string[]": "arrayValue",
};

/** Attributes of the conventions that are unknown, or of another type than they must be. */
export function faultsOf(attributes: readonly OtlpAttribute[]): string[] {
  const known: Readonly<Record<string, string>> = readRegistry() ?? EXCERPT;
  return attributes
    .filter(({ key }) => key.startsWith("gen_ai."))
    .flatMap(({ key, value }) => {
      const kind = known[key];
      if (kind === undefined) return [`${key} is unknown`];
      return VALUE_OF[kind] === Object.keys(value)[0] ? [] : [`${key} is ${JSON.stringify(value)} and should be ${kind}`];
    });
}

/** Attributes as a plain object, 64-bit integers as numbers. */
export function plain(attributes: readonly OtlpAttribute[]): Record<string, unknown> {
  return Object.fromEntries(
    attributes.map(({ key, value }) => {
      if ("intValue" in value) return [key, Number(value.intValue)];
      if ("arrayValue" in value) return [key, value.arrayValue.values.map((each) => each.stringValue)];
      return [key, Object.values(value)[0]];
    }),
  );
}
