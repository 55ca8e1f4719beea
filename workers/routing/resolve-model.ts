/**
 * From the name a caller wrote to one provider and model. Pure: what is served, the priced models and the aliases are arguments, so a
 * decision can be replayed.
 */
import { failed, gatewayError, type Outcome } from "../../schema/error.ts";
import { longestMatch } from "../../schema/glob.ts";

export interface RoutingTable {
  /** Slugs and globs that some provider serves: `openai/*`, `acme/large`. */
  served: readonly string[];
  /** Keys of the price document: slugs and globs. */
  pricedModels: readonly string[];
  /** Alias → slug or bare name. */
  aliases: Readonly<Record<string, string>>;
  /** Providers that speak the caller's own wire format. */
  home?: readonly string[];
}

export interface ResolvedModel {
  provider: string;
  model: string;
  reason: "slug" | "alias" | "bare-name" | "provider-hint";
}

/** Names listed in a 404 at most. */
const AVAILABLE_MAX = 50;

function providerOf(slug: string): string {
  const slash = slug.indexOf("/");
  return slash === -1 ? "" : slug.slice(0, slash);
}

function providersOf(table: RoutingTable): string[] {
  return [...new Set(table.served.map(providerOf))];
}

function isServed(slug: string, table: RoutingTable): boolean {
  return longestMatch(table.served, slug) !== null;
}

function isPriced(slug: string, table: RoutingTable): boolean {
  return longestMatch(table.pricedModels, slug) !== null;
}

/** Every slug that is both served and priced and named in full on one side; no globs. */
export function listModels(table: RoutingTable): string[] {
  const named = [...table.pricedModels, ...table.served].filter((slug) => !slug.includes("*"));
  return [...new Set(named)].filter((slug) => isServed(slug, table) && isPriced(slug, table));
}

function split(slug: string, reason: ResolvedModel["reason"]): ResolvedModel {
  const slash = slug.indexOf("/");
  return { provider: slug.slice(0, slash), model: slug.slice(slash + 1), reason };
}

/** The model of a full name, when somebody serves it. Its price is looked at later, so that a missing one is said as such. */
function bySlug(slug: string, reason: ResolvedModel["reason"], table: RoutingTable): Outcome<ResolvedModel> {
  return isServed(slug, table) ? { ok: true, value: split(slug, reason) } : notFound(`There is no model "${slug}" here.`, [], table);
}

function notFound(message: string, candidates: readonly string[], table: RoutingTable): Outcome<never> {
  const available = candidates.length > 0 ? [...candidates] : listModels(table);
  return failed(
    gatewayError("model_not_found", message, {
      param: "model",
      available: available.slice(0, AVAILABLE_MAX),
      suggestion: "Use a full name, provider/model, from the list.",
    }),
  );
}

function byHint(name: string, hint: string, table: RoutingTable): Outcome<ResolvedModel> {
  const providers = providersOf(table);
  if (!providers.includes(hint)) {
    return failed(
      gatewayError("provider_not_found", `There is no provider "${hint}" here.`, {
        param: "x-plyrum-provider-hint",
        available: providers,
        suggestion: "Name one of the available providers, or leave the hint out.",
      }),
    );
  }
  return bySlug(providerOf(name) === hint ? name : `${hint}/${name}`, "provider-hint", table);
}

/**
 * A bare name means the one listed model that ends in it, of those that the configuration declares by their full names where there are some. Otherwise the one provider that takes any model (a price and a service by
 * glob), of those that speak the caller's own format where there are some; a name with a slash is never handed to such a provider, since it is more likely the full name of one that is off.
 */
function byBareName(name: string, table: RoutingTable): Outcome<ResolvedModel> {
  const listed = listModels(table).filter((slug) => slug === `${providerOf(slug)}/${name}`);
  const every = name.includes("/") ? [] : providersOf(table).map((provider) => `${provider}/${name}`);
  const open = every.filter((slug) => isServed(slug, table) && isPriced(slug, table));
  const atHome = open.filter((slug) => table.home?.includes(providerOf(slug)) === true);
  const declared = listed.filter((slug) => table.served.includes(slug));
  const candidates = [declared, listed, atHome, open].find((some) => some.length > 0) ?? [];
  const [only] = candidates;
  if (only !== undefined && candidates.length === 1) return { ok: true, value: split(only, "bare-name") };
  if (candidates.length === 0) return notFound(`There is no model "${name}" here.`, [], table);
  return notFound(`The model name "${name}" is ambiguous.`, candidates, table);
}

const LATEST = ":latest";

/**
 * Clients of Ollama name the default version of a model `name:latest`. A name that nobody lists with that tag is taken without it where
 * somebody lists it so; any other keeps it, and the provider knows what it means.
 */
function withoutLatest(name: string, table: RoutingTable): string {
  if (!name.endsWith(LATEST)) return name;
  const bare = name.slice(0, -LATEST.length);
  const listed = listModels(table);
  const isKnown = (wanted: string): boolean =>
    Object.hasOwn(table.aliases, wanted) || listed.some((slug) => slug === wanted || slug === `${providerOf(slug)}/${wanted}`);
  return isKnown(bare) && !isKnown(name) ? bare : name;
}

/**
 * Resolves what was written (a slug `provider/model`, an alias, or a bare model name that only one provider has).
 * Errors: `model_not_found` with what is available; `provider_not_found` for an unknown hint.
 */
export function resolveModel(written: string, hint: string | null, table: RoutingTable): Outcome<ResolvedModel> {
  const name = withoutLatest(written, table);
  const target = Object.hasOwn(table.aliases, name) ? table.aliases[name] : undefined;
  if (target !== undefined && target !== name) {
    const resolved = resolveModel(target, hint, { ...table, aliases: {} });
    return resolved.ok ? { ok: true, value: { ...resolved.value, reason: "alias" } } : resolved;
  }
  if (hint !== null) return byHint(name, hint, table);
  if (providersOf(table).includes(providerOf(name))) return bySlug(name, "slug", table);
  return byBareName(name, table);
}
