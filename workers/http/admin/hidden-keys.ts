/** Credentials written out in a configuration are taken, and never shown again: an answer has `HIDDEN` in their place, and takes it back. */
import type { ConfigDocument } from "../../../schema/document.ts";
import { failed, gatewayError, type Outcome } from "../../../schema/error.ts";
import { isObject } from "../../../schema/json.ts";

const HIDDEN = "(hidden)";

/** Ours, and those of Plano's keys that are kept without being acted on. */
const SECRETS: ReadonlySet<string> = new Set(["access_key", "api_key", "connection_string"]);

/** `$NAME` names a variable of the environment and is no secret. */
function isSecret(name: string, value: unknown): boolean {
  return SECRETS.has(name) && typeof value === "string" && !value.startsWith("$");
}

/** The same document with every written-out credential hidden, however deep. */
export function withoutKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutKeys);
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, isSecret(name, inner) ? HIDDEN : withoutKeys(inner)]));
}

/** A document as an operator gives it back: a hidden credential is the one the same model's provider has in `known`. */
export function withKnownKeys(config: ConfigDocument, known: ConfigDocument): Outcome<ConfigDocument> {
  if (config.model_providers === undefined) return { ok: true, value: config };
  const model_providers: NonNullable<ConfigDocument["model_providers"]> = [];
  for (const [index, provider] of config.model_providers.entries()) {
    const before = known.model_providers?.find((each) => each.model === provider.model)?.access_key;
    if (provider.access_key !== HIDDEN) model_providers.push(provider);
    else if (before !== undefined) model_providers.push({ ...provider, access_key: before });
    else return failed(noEarlierKey(index));
  }
  return { ok: true, value: { ...config, model_providers } };
}

function noEarlierKey(index: number): ReturnType<typeof gatewayError> {
  return gatewayError("invalid_request", "There is no earlier credential for this provider.", {
    param: `model_providers.${index}.access_key`,
    suggestion: "Name a variable of the environment ($NAME), or write the credential.",
  });
}
