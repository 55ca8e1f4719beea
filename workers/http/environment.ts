/** Which providers are on in this deployment, with their addresses and credentials: from the environment and from the config. */
import type { ConfigDocument } from "../../schema/document.ts";
import { PROTOCOL_IDS, type ProtocolId } from "../../schema/protocol.ts";
import type { ProviderDefinition } from "../../schema/provider.ts";
import { PROVIDERS } from "../provider/index.ts";

export interface ActiveProvider {
  definition: ProviderDefinition;
  baseUrl: string;
  /** Null: the address takes calls without one. */
  credential: string | null;
}

function variable(env: Env, name: string): string | null {
  const value: unknown = Reflect.get(env, name);
  return typeof value === "string" && value !== "" ? value : null;
}

/** A provider is on when its key or its base URL is in the environment, or when the config declares it. */
export function activeProviders(env: Env, config: ConfigDocument): Map<string, ActiveProvider> {
  const active = new Map<string, ActiveProvider>();
  for (const definition of Object.values(PROVIDERS)) {
    const credential = variable(env, definition.api_key_env);
    const baseUrl = variable(env, definition.base_url_env);
    if (credential === null && baseUrl === null) continue;
    active.set(definition.id, { definition, baseUrl: baseUrl ?? definition.base_url, credential });
  }
  for (const declared of config.model_providers ?? []) addDeclared(declared, env, active);
  return active;
}

type Declared = NonNullable<ConfigDocument["model_providers"]>[number];

/** One entry of the config: more facts for a provider of the registry, or any address that speaks a protocol of ours. */
function addDeclared(declared: Declared, env: Env, active: Map<string, ActiveProvider>): void {
  const id = declared.model.slice(0, Math.max(0, declared.model.indexOf("/")));
  if (id === "") return;
  const known = PROVIDERS[id] ?? (declared.provider_interface === undefined ? undefined : PROVIDERS[declared.provider_interface]);
  const before = active.get(id);
  const baseUrl = declared.base_url ?? before?.baseUrl ?? (PROVIDERS[id] === undefined ? undefined : known?.base_url);
  if (baseUrl === undefined) return;
  const credential = credentialOf(declared.access_key, env) ?? before?.credential ?? null;
  active.set(id, { definition: { ...(known ?? compatible(id, baseUrl)), id }, baseUrl, credential });
}

/** `$NAME` is read from the environment; anything else is the credential itself. */
function credentialOf(accessKey: string | undefined, env: Env): string | null {
  if (accessKey === undefined) return null;
  return accessKey.startsWith("$") ? variable(env, accessKey.slice(1).replace(/^\{|\}$/g, "")) : accessKey;
}

/** Any address that speaks the first protocol of the list, which is what "compatible" means in this field. */
function compatible(id: string, baseUrl: string): ProviderDefinition {
  const protocol: ProtocolId = PROTOCOL_IDS[0];
  return {
    id,
    name: id,
    base_url: baseUrl,
    api_key_env: `${id.toUpperCase()}_API_KEY`,
    base_url_env: `${id.toUpperCase()}_BASE_URL`,
    endpoints: [{ protocol, path: "/chat/completions" }],
    auth: { kind: "bearer" },
    headers: {},
    passed_headers: [],
    abort_stops_billing: false,
    quirks: {},
    offline_path: "",
  };
}
