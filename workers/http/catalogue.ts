/** What routing needs of the documents and the environment, computed once for each version of them and not once a request. */
import type { ConfigDocument } from "../../schema/document.ts";
import { longestMatch } from "../../schema/glob.ts";
import { LIMITS } from "../../schema/limits.ts";
import type { PriceDocument, PriceSnapshot } from "../../schema/price.ts";
import type { ProtocolId } from "../../schema/protocol.ts";
import { priceSnapshot } from "../cost/price.ts";
import type { RoutingTable } from "../routing/resolve-model.ts";
import { activeProviders, type ActiveProvider } from "./environment.ts";

interface Priced {
  snapshot: PriceSnapshot;
  snapshotText: string;
}

export interface Catalogue {
  /** Who serves a slug; null: nobody. */
  providerOf: (slug: string) => ActiveProvider | null;
  table: RoutingTable;
  /** Ids of the providers that speak a wire format. */
  speakersOf: (protocol: ProtocolId) => readonly string[];
  /** The price of a slug; null: it has none. */
  snapshot: (slug: string) => Priced | null;
}

interface Documents {
  prices: PriceDocument;
  config: ConfigDocument;
}

let latest: { documents: Documents; catalogue: Catalogue } | null = null;

/** The catalogue of these documents. Documents are replaced, never changed, so their identity is their version. */
export function catalogueOf(documents: Documents, env: Env): Catalogue {
  if (latest?.documents.prices === documents.prices && latest.documents.config === documents.config) return latest.catalogue;
  const catalogue = makeCatalogue(documents, env);
  latest = { documents, catalogue };
  return catalogue;
}

function makeCatalogue({ prices, config }: Documents, env: Env): Catalogue {
  const active = activeProviders(env, config);
  const served = [...active.keys()];
  const aliases = Object.fromEntries(Object.entries(config.model_aliases ?? {}).map(([name, alias]) => [name, alias.target]));
  const snapshots = new Map<string, Priced>();
  return {
    providerOf: (slug) => active.get(longestMatch(served, slug) ?? "") ?? null,
    speakersOf: (protocol) =>
      [...active.values()]
        .map(({ definition }) => definition)
        .filter(({ endpoints }) => endpoints.some((endpoint) => endpoint.protocol === protocol))
        .map(({ id }) => id),
    table: { served, pricedModels: Object.keys(prices.models), aliases },
    snapshot: (slug) => {
      const known = snapshots.get(slug);
      if (known !== undefined) return known;
      const snapshot = priceSnapshot(prices, slug);
      if (snapshot === null) return null;
      const priced = { snapshot, snapshotText: JSON.stringify(snapshot) };
      if (snapshots.size >= LIMITS.snapshotsCached) snapshots.delete(snapshots.keys().next().value ?? "");
      snapshots.set(slug, priced);
      return priced;
    },
  };
}
