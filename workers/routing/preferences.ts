/** The routing preferences of a configuration: its list, and what its models' own entries say (Plano's older form). */
import type { ConfigDocument } from "../../schema/document.ts";
import type { RoutingPreference } from "../../schema/routing.ts";

/** Entries of one name count as one, with the models of all of them in order; the list comes first. */
export function preferencesOf({ routing_preferences: listed, model_providers: providers }: ConfigDocument): RoutingPreference[] {
  const own = (providers ?? []).flatMap(({ model, routing_preferences: preferences }) =>
    model.includes("*") ? [] : (preferences ?? []).map(({ name, description }) => ({ name, description, models: [model] })),
  );
  const byName = new Map<string, RoutingPreference>();
  for (const preference of [...(listed ?? []), ...own]) {
    const known = byName.get(preference.name);
    if (known === undefined) byName.set(preference.name, preference);
    else byName.set(preference.name, { ...known, models: [...new Set([...known.models, ...preference.models])] });
  }
  return [...byName.values()];
}

/** The model that is asked when no preference matches; null when the configuration names none. */
export function defaultModelOf({ model_providers: providers }: ConfigDocument): string | null {
  return (providers ?? []).find((provider) => provider.default === true && !provider.model.includes("*"))?.model ?? null;
}

/** The models that the configuration names in full; the router chooses among them where there are any. */
export function namedModels({ model_providers: providers }: ConfigDocument): string[] {
  return [...new Set((providers ?? []).map(({ model }) => model))].filter((model) => !model.includes("*"));
}
