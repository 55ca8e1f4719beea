/** Which providers are on in this deployment, with their addresses and credentials: from the environment and from the config. */
import type { ConfigDocument } from "../../schema/document.ts";
import { LIMITS } from "../../schema/limits.ts";
import type { ProviderDefinition } from "../../schema/provider.ts";
import { PROVIDERS } from "../provider/index.ts";
import { type Declared, definitionOf, providerIdOf } from "./declared-providers.ts";

export interface ActiveProvider {
  definition: ProviderDefinition;
  baseUrl: string;
  /** Null: the address takes calls without one. */
  credential: string | null;
  /** Its weight among the deployments of the same models. */
  weight: number;
  /** Further deployments that the configuration declares for the same models. */
  others: ActiveProvider[];
}

function variable(env: Env, name: string): string | null {
  const value: unknown = Reflect.get(env, name);
  return typeof value === "string" && value !== "" ? value : null;
}

/**
 * What is on, by the slug or glob it serves (the longest that matches counts): a provider whose key or base URL is in the environment
 * as `provider/*`, and each entry of the config as its `model`.
 */
export function activeProviders(env: Env, config: ConfigDocument): Map<string, ActiveProvider> {
  const active = new Map<string, ActiveProvider>();
  for (const known of Object.values(PROVIDERS)) {
    const definition = inRegion(known, env);
    const credential = credentialFromEnvironment(definition, env);
    const baseUrl = variable(env, definition.base_url_env);
    if (credential === null && baseUrl === null) continue;
    if (baseUrl === null && definition.own_address === true) continue;
    active.set(`${definition.id}/*`, { definition, baseUrl: baseUrl ?? definition.base_url, credential, weight: 1, others: [] });
  }
  const declaredBefore = new Set<string>();
  for (const declared of config.model_providers ?? []) {
    addDeclared(declared, env, { active, isFurther: declaredBefore.has(declared.model) });
    declaredBefore.add(declared.model);
  }
  return active;
}

/** The definition as it is in this deployment: the environment's region in its address and its signatures. */
function inRegion(definition: ProviderDefinition, env: Env): ProviderDefinition {
  const { auth } = definition;
  if (auth.kind !== "sigv4") return definition;
  const region = variable(env, auth.region_env) ?? auth.region;
  return { ...definition, base_url: definition.base_url.replace("{region}", region), auth: { ...auth, region } };
}

/** The provider's key; for one that takes signatures, all that a signature is made with. Null: not there, or not whole. */
function credentialFromEnvironment({ api_key_env: name, auth }: ProviderDefinition, env: Env): string | null {
  const key = variable(env, name);
  if (auth.kind !== "sigv4" || key === null) return key;
  const secret = variable(env, auth.secret_env);
  const token = variable(env, auth.token_env);
  return secret === null ? null : [key, secret, ...(token === null ? [] : [token])].join(":");
}

/** Adds one entry of the config. What it leaves out is that of the same provider before it, or of the registry. */
function addDeclared(
  declared: Declared,
  env: Env,
  { active, isFurther }: { active: Map<string, ActiveProvider>; isFurther: boolean },
): void {
  const id = providerIdOf(declared.model);
  if (id === "" || id.includes("*")) return;
  const before = active.get(declared.model) ?? active.get(`${id}/*`);
  const named = declared.provider_interface === undefined && before !== undefined ? before.definition : definitionOf(declared);
  if (named === null) return;
  const definition = withHeaders(inRegion(named, env), declared);
  const own = PROVIDERS[id] === undefined || PROVIDERS[id].own_address === true ? undefined : inRegion(PROVIDERS[id], env).base_url;
  const baseUrl = declared.base_url ?? before?.baseUrl ?? own;
  if (baseUrl === undefined) return;
  // A key is never sent to an address it was not given for.
  const inherited = declared.base_url === undefined ? (before?.credential ?? null) : null;
  const credential = declared.access_key === undefined ? inherited : credentialOf(declared.access_key, env);
  const deployment = { definition, baseUrl, credential, weight: declared.weight ?? 1, others: [] };
  const first = isFurther ? active.get(declared.model) : undefined;
  if (first === undefined) active.set(declared.model, deployment);
  else if (first.others.length < LIMITS.deploymentsPerModel - 1) first.others.push(deployment);
}

function withHeaders(definition: ProviderDefinition, { headers }: Declared): ProviderDefinition {
  if (headers === undefined) return definition;
  const own = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  return { ...definition, headers: { ...definition.headers, ...own } };
}

/** `$NAME` is read from the environment; anything else is the credential itself. */
function credentialOf(accessKey: string, env: Env): string | null {
  return accessKey.startsWith("$") ? variable(env, accessKey.slice(1).replace(/^\{|\}$/g, "")) : accessKey;
}
