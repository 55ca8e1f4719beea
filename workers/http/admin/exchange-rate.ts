/** `POST /admin/fx/import`: a central bank's daily rates become the next version of the price document. The cron job does the same. */
import type { Context, Hono } from "hono";
import { failed, gatewayError, type Outcome } from "../../../schema/error.ts";
import { LIMITS } from "../../../schema/limits.ts";
import { FX_POLICY, isRateStale, movedBps, parseCentralBankRates, rateAgeDays, withRate } from "../../cost/exchange-rate.ts";
import { readBounded } from "../../runtime/read-bounded.ts";
import type { AppEnv } from "../app-env.ts";
import { type Documents, loadDocuments, storeDocument } from "../documents.ts";
import { errorResponse } from "../respond.ts";

/** A change above this between two imports is named in a warning. */
const NOTABLE_MOVE_BPS = 1_000n;

export interface Imported {
  /** `unchanged`: this very rate is in force already. */
  state: "imported" | "unchanged";
  prices_version: string;
  rate: { currency: "USD"; date: string; nominal: string; value: string; micro_rub_per_usd: number; exact: boolean; source: string };
  warnings: string[];
}

export function registerExchangeRate(app: Hono<AppEnv>): void {
  app.post("/admin/fx/import", importRate);
  app.get("/admin/fx", showRate);
}

async function showRate(context: Context<AppEnv>): Promise<Response> {
  const { prices, config } = await loadDocuments(context.env, (work) => context.executionCtx.waitUntil(work));
  const policy = config.fx ?? FX_POLICY;
  const now = Date.now();
  return context.json({
    ...prices.fx,
    prices_version: prices.version,
    age_days: rateAgeDays(prices.fx.date, now),
    stale: isRateStale(prices.fx.date, now, policy),
    policy: { max_age_days: policy.max_age_days, stale: policy.stale },
  });
}

/** The body is the bank's document; without one it is fetched from the address of the configuration. */
async function importRate(context: Context<AppEnv>): Promise<Response> {
  const { env } = context;
  const documents = await loadDocuments(env, (work) => context.executionCtx.waitUntil(work));
  const body = await readBounded(context.req.raw, LIMITS.fxDocumentBytes);
  const read = body === null ? failed(tooLarge()) : body.trim() === "" ? await fetchRates(documents, env) : posted(body);
  if (!read.ok) return errorResponse(read.error, context.get("requestId"));
  const imported = await putRate(read.value, { documents, env, allowsOlder: context.req.query("allow_older") === "true" });
  return imported.ok ? context.json(imported.value) : errorResponse(imported.error, context.get("requestId"));
}

interface Rates {
  xml: string;
  /** Where it came from. */
  from: string;
}

function posted(xml: string): Outcome<Rates> {
  return { ok: true, value: { xml, from: "posted by an administrator" } };
}

function tooLarge(): ReturnType<typeof gatewayError> {
  return gatewayError("request_too_large", `A document of rates may have at most ${LIMITS.fxDocumentBytes} bytes.`);
}

function notFetched(why: string): Outcome<Rates> {
  return failed(gatewayError("provider_error", `The rates could not be fetched: ${why}.`, { param: "fx.url" }));
}

async function fetchRates({ config }: Documents, env: Env): Promise<Outcome<Rates>> {
  const url = config.fx?.url;
  if (url === undefined) {
    const suggestion = "Send the bank's XML as the body, or set fx.url with PUT /admin/config.";
    return failed(
      gatewayError("invalid_request", "There is no document, and no address to fetch one from.", { param: "fx.url", suggestion }),
    );
  }
  try {
    const response = await (env.UPSTREAM ?? globalThis).fetch(url, { signal: AbortSignal.timeout(LIMITS.fxFetchMilliseconds) });
    if (!response.ok) {
      await response.body?.cancel();
      return notFetched(`the answer is ${response.status}`);
    }
    const xml = await readBounded(response, LIMITS.fxDocumentBytes);
    return xml === null ? notFetched("the answer is too long") : { ok: true, value: { xml, from: new URL(url).host } };
  } catch (error) {
    return notFetched(error instanceof Error && error.name === "TimeoutError" ? "no answer came in time" : "there was no answer");
  }
}

async function putRate(
  { xml, from }: Rates,
  { documents, env, allowsOlder }: { documents: Documents; env: Env; allowsOlder: boolean },
): Promise<Outcome<Imported>> {
  const parsed = parseCentralBankRates(xml, "USD");
  if (!parsed.ok) return failed(gatewayError("invalid_request", `The document ${parsed.message}.`, { param: parsed.path }));
  const rate = parsed.value;
  const { prices } = documents;
  const next = withRate(prices, rate, `central bank daily rates, ${from}: ${rate.value} for ${rate.nominal} USD`);
  const { micro_rub_per_usd } = next.fx;
  const imported: Imported = {
    state: "imported",
    prices_version: next.version,
    rate: {
      currency: "USD",
      date: rate.date,
      nominal: rate.nominal,
      value: rate.value,
      micro_rub_per_usd,
      exact: rate.isExact,
      source: next.fx.source,
    },
    warnings: moveWarnings(prices.fx.micro_rub_per_usd, micro_rub_per_usd),
  };
  const isSame = prices.fx.date === rate.date && prices.fx.micro_rub_per_usd === micro_rub_per_usd && prices.version === next.version;
  if (isSame) return { ok: true, value: { ...imported, state: "unchanged" } };
  if (rate.date < prices.fx.date && !allowsOlder) {
    const suggestion = "Add ?allow_older=true to go back to it.";
    return failed(
      gatewayError("invalid_transition", `The rate in force is of ${prices.fx.date}, this one of ${rate.date}.`, { suggestion }),
    );
  }
  await storeDocument(env, "prices", JSON.stringify(next));
  return { ok: true, value: imported };
}

function moveWarnings(before: number, after: number): string[] {
  const moved = movedBps(BigInt(before), BigInt(after));
  const isNotable = moved > NOTABLE_MOVE_BPS || moved < -NOTABLE_MOVE_BPS;
  return isNotable ? [`the rate moved by ${moved} basis points, from ${before} to ${after} micro-RUB`] : [];
}

/** The cron job's hourly import, where an address is configured, and its word on a rate that has become stale. Never throws. */
export async function refreshRate(env: Env, now: number): Promise<void> {
  try {
    const documents = await loadDocuments(env, () => undefined);
    const { config, prices } = documents;
    if (isRateStale(prices.fx.date, now, config.fx)) console.error("the exchange rate is stale", prices.fx.date);
    if (config.fx?.url === undefined) return;
    const read = await fetchRates(documents, env);
    const imported = read.ok ? await putRate(read.value, { documents, env, allowsOlder: false }) : read;
    if (!imported.ok) console.error("the exchange rate was not imported", imported.error.message);
    else for (const warning of imported.value.warnings) console.error("an exchange rate was imported", warning);
  } catch (error) {
    console.error("the exchange rate was not imported", error);
  }
}
