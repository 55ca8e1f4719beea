/**
 * The versioned documents in force: prices and configuration, from D1, kept in the isolate. The hot path waits for D1 only at its
 * very first request; later the known document is used while a fresher one is fetched, and a PUT in this isolate counts at once.
 */
import { insertDocument, latestDocument, type DocumentKind } from "../../db/documents.ts";
import { configDocumentSchema, type ConfigDocument } from "../../schema/document.ts";
import { parseJson, parseWith, type Parsed } from "../../schema/json.ts";
import { LIMITS } from "../../schema/limits.ts";
import type { PriceDocument } from "../../schema/price.ts";
import catalogue from "../cost/catalogue.json" with { type: "json" };
import { parsePriceDocument } from "../cost/price.ts";

export interface Documents {
  prices: PriceDocument;
  config: ConfigDocument;
}

type KeptKind = Extract<DocumentKind, "prices" | "config">;

interface Cached {
  documents: Documents;
  numbers: Record<KeptKind, number>;
  readAt: number;
}

let cached: Cached | null = null;
/**
 * When a request began to fetch a fresher document. A time and not the promise: one that a request began never settles once that request has been
 * cancelled by its caller, so whoever waited for it would wait for ever.
 */
let refreshBegunAt = 0;
/** Reads are numbered as they begin; one that was overtaken changes nothing. */
let readsBegun = 0;
let lastApplied = 0;

/** The catalogue that the deployment brings along. */
export function defaultPrices(): PriceDocument {
  const parsed = parsePriceDocument(catalogue);
  if (!parsed.ok) throw new Error(`the bundled price catalogue is wrong: ${parsed.message} at ${parsed.path ?? "?"}`);
  return parsed.value;
}

/** The documents in force. `waitUntil` carries the refresh that this request does not wait for. */
export async function loadDocuments(env: Env, waitUntil: (work: Promise<unknown>) => void): Promise<Documents> {
  if (cached === null) return (await read(env)).documents;
  const now = Date.now();
  if (now - cached.readAt > LIMITS.configCacheMilliseconds && now - refreshBegunAt > LIMITS.configRefreshMilliseconds) {
    refreshBegunAt = now;
    waitUntil(
      read(env).then(
        () => (refreshBegunAt = 0),
        (error: unknown) => console.error("documents were not refreshed", error),
      ),
    );
  }
  return cached.documents;
}

/** Reads both kinds; an unchanged version keeps its object, so that what was computed from it stays valid. */
async function read(env: Env): Promise<Cached> {
  readsBegun += 1;
  const place = readsBegun;
  const [prices, config] = await Promise.all([latestDocument(env.DB, "prices"), latestDocument(env.DB, "config")]);
  const before = cached;
  if (before !== null && place < lastApplied) return before;
  lastApplied = place;
  const isSame = (kind: KeptKind, number: number): boolean => before !== null && before.numbers[kind] === number;
  const pricesNumber = prices?.number ?? 0;
  const configNumber = config?.number ?? 0;
  const documents = {
    prices:
      before !== null && isSame("prices", pricesNumber)
        ? before.documents.prices
        : prices === null
          ? defaultPrices()
          : stored(parsePrices(prices.body)),
    config:
      before !== null && isSame("config", configNumber)
        ? before.documents.config
        : config === null
          ? {}
          : stored(parseWith(configDocumentSchema, config.body)),
  };
  cached = {
    documents:
      before !== null && documents.prices === before.documents.prices && documents.config === before.documents.config
        ? before.documents
        : documents,
    numbers: { prices: pricesNumber, config: configNumber },
    readAt: Date.now(),
  };
  return cached;
}

function parsePrices(text: string): Parsed<PriceDocument> {
  const parsed = parseJson(text);
  return parsed.ok ? parsePriceDocument(parsed.value) : parsed;
}

/** A document we validated before storing it; unreadable now is a defect, not an input. */
function stored<T>(parsed: Parsed<T>): T {
  if (!parsed.ok) throw new Error(`a stored document is unreadable: ${parsed.message}`);
  return parsed.value;
}

/** Stores the next version of a validated document; it is in force in this isolate when this resolves, elsewhere within the cache's life. */
export async function storeDocument(env: Env, kind: KeptKind, body: string): Promise<number> {
  const number = await insertDocument(env.DB, kind, body, Date.now());
  await read(env);
  return number;
}
