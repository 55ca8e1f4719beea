/**
 * What the configuration's `model_providers` add to the providers of the registry: another key or address for some models of a known
 * one, or any address that speaks a wire format of ours. Each entry counts for the names its `model` matches.
 */
import type { ConfigDocument } from "../../schema/document.ts";
import { operationOf, PROTOCOL_IDS, type ProtocolId, protocolIdSchema } from "../../schema/protocol.ts";
import type { ProviderDefinition } from "../../schema/provider.ts";
import { PROVIDERS } from "../provider/index.ts";

export type Declared = NonNullable<ConfigDocument["model_providers"]>[number];

/** The part of a slug or glob before its first slash; empty when there is none. */
export function providerIdOf(model: string): string {
  return model.slice(0, Math.max(0, model.indexOf("/")));
}

/**
 * How to talk to a declared provider. `provider_interface` names a protocol id, or a provider of the registry that it is like; left
 * out, or a word nobody knows, it is a known provider's own file, and otherwise the first protocol of the list, which is what
 * "compatible" means in this field. Null for a protocol that no provider of the registry speaks, so that nobody says at which path.
 */
export function definitionOf(declared: Declared): ProviderDefinition | null {
  const id = providerIdOf(declared.model);
  const known = PROVIDERS[id];
  const name = declared.provider_interface;
  const protocol = protocolIdSchema.safeParse(name);
  const like = name === undefined || name === id ? undefined : PROVIDERS[name];
  // A name that is both, is the provider: its file knows more.
  if (like !== undefined) return { ...likeProvider(id, like), quirks: like.quirks };
  if (protocol.success && name !== id) return speaking(id, protocol.data);
  return known ?? speaking(id, PROTOCOL_IDS[0]);
}

/** What is odd about an entry, in words for whoever wrote it; null when nothing is. None of it is refused: the rest of the file still counts. */
export function oddityOf(declared: Declared): string | null {
  const { model, provider_interface: name, base_url: baseUrl } = declared;
  const id = providerIdOf(model);
  if (id === "" || id.includes("*")) return `"${model}" names no provider: it should be provider/model or provider/*`;
  if (definitionOf(declared) === null) return `"${model}" is off: no provider here speaks ${name ?? ""}, so its paths are not known`;
  const known = PROVIDERS[id];
  if (baseUrl === undefined && (known === undefined || known.own_address === true)) {
    return `"${model}" is off until it has a base_url${known === undefined ? "" : `, here or in ${known.base_url_env}`}`;
  }
  if (name !== undefined && name !== id && PROVIDERS[name] === undefined && !protocolIdSchema.safeParse(name).success) {
    return `"${name}" is no provider and no protocol here; "${model}" is spoken to in ${PROTOCOL_IDS[0]}`;
  }
  return null;
}

/** An address that speaks this protocol as the first provider of the registry that does: its paths, its kind of credential, its headers. */
function speaking(id: string, protocol: ProtocolId): ProviderDefinition | null {
  const template = Object.values(PROVIDERS).find(({ endpoints }) => endpoints.some((endpoint) => endpoint.protocol === protocol));
  return template === undefined ? null : likeProvider(id, template, protocol);
}

/**
 * Another address like a provider's: only the main format of each kind of call, since the rest is rarely copied; and what an abort
 * costs there is not known, so streams are drained.
 */
function likeProvider(id: string, template: ProviderDefinition, protocol?: ProtocolId): ProviderDefinition {
  const preferred = template.endpoints.toSorted((left, right) => Number(right.protocol === protocol) - Number(left.protocol === protocol));
  const isMain = (endpoint: (typeof preferred)[number]): boolean =>
    preferred.find((other) => operationOf(other.protocol) === operationOf(endpoint.protocol)) === endpoint;
  const variable = id.toUpperCase().replaceAll(/[^A-Z0-9]/g, "_");
  return {
    ...template,
    id,
    name: id,
    api_key_env: `${variable}_API_KEY`,
    base_url_env: `${variable}_BASE_URL`,
    endpoints: preferred.filter(isMain),
    abort_stops_billing: false,
    quirks: {},
  };
}
