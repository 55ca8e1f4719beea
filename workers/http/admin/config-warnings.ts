/**
 * A configuration as it comes: Plano's older keys by their present names, and a warning for each thing that is kept although nothing acts
 * on it, with what to do instead. A file made for Plano loads as it is; nothing in it is ignored in silence.
 */
import { configDocumentSchema, type ConfigDocument } from "../../../schema/document.ts";
import { isObject } from "../../../schema/json.ts";
import { unknownKeys } from "../../../schema/unknown-keys.ts";
import { oddityOf } from "../declared-providers.ts";

/** Path of `unknownKeys` (schema/unknown-keys.ts) → what to know about it. Everything else is only "kept". */
const ADVICE: Readonly<Record<string, string>> = {
  listeners: "one address serves every format; its port is that of the deployment",
  listener: "one address serves every format; its port is that of the deployment",
  state_storage: "conversations are kept in the account's own durable object, whatever is written here",
  tracing: "spans and metrics go where OTEL_EXPORTER_OTLP_ENDPOINT says",
  model_metrics_sources: "prices are the catalogue's (PUT /admin/prices), latency is measured here",
  agents: "agents are not called yet",
  filters: "filters are not called yet",
  prompt_targets: "prompt targets are not called yet",
  endpoints: "only prompt targets use endpoints, and they are not called yet",
  system_prompt: "only prompt targets use it, and they are not called yet",
  "model_providers[].passthrough_auth": "a caller's key is ours and goes to no provider: give the entry an access_key",
  "model_providers[].http_host": "calls carry the host of their base_url",
  "routing.session_max_entries": "affinity is not kept in memory, so nothing needs evicting",
  "routing.session_cache": "affinity is kept with the account, for all instances",
};

/** The document by the keys of today. `llm_providers` was Plano's name of `model_providers`. */
export function modernised(body: unknown): unknown {
  if (!isObject(body) || !Array.isArray(body["llm_providers"])) return body;
  const { llm_providers, model_providers, ...rest } = body;
  return { ...rest, model_providers: [...(Array.isArray(model_providers) ? (model_providers as unknown[]) : []), ...llm_providers] };
}

/** In words for whoever wrote the file. */
export function configWarnings(config: ConfigDocument): string[] {
  return [
    ...unknownKeys(configDocumentSchema, config).map((path) => {
      const advice = ADVICE[path];
      return `"${path}" is kept, but nothing acts on it${advice === undefined ? " yet" : `: ${advice}`}`;
    }),
    ...(config.model_providers ?? []).flatMap((declared) => oddityOf(declared) ?? []),
  ];
}
