/**
 * From the name a caller wrote to one provider and model. Pure: the providers that are on, the priced models and the aliases are
 * arguments, so a decision can be replayed.
 */
import { failed, gatewayError, type Outcome } from "../../schema/error.ts";
import { globMatches } from "../../schema/glob.ts";

export interface RoutingTable {
  /** Ids of the providers that are on. */
  providers: readonly string[];
  /** Keys of the price document: slugs and globs. */
  pricedModels: readonly string[];
  /** Alias → slug or bare name. */
  aliases: Readonly<Record<string, string>>;
}

export interface ResolvedModel {
  provider: string;
  model: string;
  reason: "slug" | "alias" | "bare-name" | "provider-hint";
}

/** Names listed in a 404 at most. */
const AVAILABLE_MAX = 50;

function available(table: RoutingTable): string[] {
  return table.pricedModels.filter((slug) => table.providers.includes(providerOf(slug))).slice(0, AVAILABLE_MAX);
}

function providerOf(slug: string): string {
  const slash = slug.indexOf("/");
  return slash === -1 ? "" : slug.slice(0, slash);
}

function isPriced(slug: string, table: RoutingTable): boolean {
  return table.pricedModels.some((pattern) => globMatches(pattern, slug));
}

function split(slug: string, reason: ResolvedModel["reason"]): Outcome<ResolvedModel> {
  const slash = slug.indexOf("/");
  return { ok: true, value: { provider: slug.slice(0, slash), model: slug.slice(slash + 1), reason } };
}

function byHint(name: string, hint: string, table: RoutingTable): Outcome<ResolvedModel> {
  if (!table.providers.includes(hint)) {
    return failed(
      gatewayError("provider_not_found", `There is no provider "${hint}" here.`, {
        param: "x-plyrum-provider-hint",
        available: [...table.providers],
        suggestion: "Name one of the available providers, or leave the hint out.",
      }),
    );
  }
  return split(providerOf(name) === hint ? name : `${hint}/${name}`, "provider-hint");
}

function byBareName(name: string, table: RoutingTable): Outcome<ResolvedModel> {
  const exact = table.pricedModels.filter((slug) => slug.endsWith(`/${name}`) && slug.length - name.length - 1 === providerOf(slug).length);
  const named = exact.filter((slug) => table.providers.includes(providerOf(slug)));
  const candidates =
    named.length > 0 ? named : table.providers.map((provider) => `${provider}/${name}`).filter((slug) => isPriced(slug, table));
  const [only] = candidates;
  if (only !== undefined && candidates.length === 1) return split(only, "bare-name");
  const message = candidates.length === 0 ? `There is no model "${name}" here.` : `The model name "${name}" is ambiguous.`;
  return failed(
    gatewayError("model_not_found", message, {
      param: "model",
      available: candidates.length > 0 ? candidates : available(table),
      suggestion: "Use a full name, provider/model, from the list.",
    }),
  );
}

/**
 * Resolves `name` (a slug `provider/model`, an alias, or a bare model name that only one provider has).
 * Errors: `model_not_found` with what is available; `provider_not_found` for an unknown hint.
 */
export function resolveModel(name: string, hint: string | null, table: RoutingTable): Outcome<ResolvedModel> {
  const target = Object.hasOwn(table.aliases, name) ? table.aliases[name] : undefined;
  if (target !== undefined && target !== name) {
    const resolved = resolveModel(target, hint, { ...table, aliases: {} });
    return resolved.ok ? { ok: true, value: { ...resolved.value, reason: "alias" } } : resolved;
  }
  if (hint !== null) return byHint(name, hint, table);
  if (table.providers.includes(providerOf(name))) return split(name, "slug");
  return byBareName(name, table);
}
