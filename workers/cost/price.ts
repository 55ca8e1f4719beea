/**
 * Turns prices as an administrator writes them into the exact integers a request is charged by. Decimal text becomes pico-USD per
 * token without passing through a float; a model nobody priced gives null, and its request is refused rather than served free.
 */
import { longestMatch } from "../../schema/glob.ts";
import { checkWith, type Parsed } from "../../schema/json.ts";
import {
  type ClassPrices,
  type ModelPrice,
  type PriceDocument,
  type PriceSnapshot,
  type PriceTier,
  priceDocumentSchema,
} from "../../schema/price.ts";

const PICO_DECIMALS = 12;
/** USD per million tokens has six decimals fewer than pico-USD per token. */
const PER_MILLION_DECIMALS = 6;

/** Checks a price document; `path` of a failure names the wrong field. */
export function parsePriceDocument(value: unknown): Parsed<PriceDocument> {
  return checkWith(priceDocumentSchema, value);
}

/** Exact value of plain decimal text times 10^`decimals`. Throws on anything the price schema would have refused. */
function scaledInteger(text: string, decimals: number): bigint {
  const match = /^(\d+)(?:\.(\d+))?$/.exec(text);
  const fraction = match?.[2] ?? "";
  if (match === null || fraction.length > decimals) throw new RangeError(`"${text}" is not a decimal with at most ${decimals} decimals`);
  return BigInt(`${match[1] ?? ""}${fraction.padEnd(decimals, "0")}`);
}

/** "1.25" USD per million tokens → 1250000n pico-USD per token. */
export function picoUsdPerToken(decimal: string): bigint {
  return scaledInteger(decimal, PER_MILLION_DECIMALS);
}

function integerTextOf(decimal: string): string {
  return picoUsdPerToken(decimal).toString();
}

function nullableTextOf(decimal: string | null): string | null {
  return decimal === null ? null : integerTextOf(decimal);
}

function classPrices(price: ModelPrice, tier: Partial<PriceTier>): ClassPrices {
  return {
    input: integerTextOf(tier.input ?? price.input),
    cache_read: nullableTextOf(tier.cache_read === undefined ? price.cache_read : tier.cache_read),
    cache_write_5m: nullableTextOf(tier.cache_write_5m === undefined ? price.cache_write_5m : tier.cache_write_5m),
    cache_write_1h: nullableTextOf(tier.cache_write_1h === undefined ? price.cache_write_1h : tier.cache_write_1h),
    output: integerTextOf(tier.output ?? price.output),
  };
}

/** Everything a request for `slug` will be held and settled by, fixed now; null when the document has no price for it. */
export function priceSnapshot(document: PriceDocument, slug: string): PriceSnapshot | null {
  const key = longestMatch(Object.keys(document.models), slug);
  const price = key === null ? undefined : document.models[key];
  if (key === null || price === undefined) return null;
  const tiers = price.above.toSorted((left, right) => left.prompt_tokens - right.prompt_tokens);
  return {
    version: document.version,
    model: slug,
    price_key: key,
    prices: classPrices(price, {}),
    request_pico_usd: scaledInteger(price.request, PICO_DECIMALS).toString(),
    tiers: tiers.map((tier) => ({ above_prompt_tokens: tier.prompt_tokens, prices: classPrices(price, tier) })),
    fx_micro_rub_per_usd: document.fx.micro_rub_per_usd.toString(),
    fx_source: document.fx.source,
    fx_date: document.fx.date,
    markup_bps: document.markup_bps,
    rounding_version: 1,
    context_tokens: price.context_tokens,
    max_output_tokens: price.max_output_tokens,
  };
}
