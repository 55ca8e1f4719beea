/**
 * A central bank's daily rates in the Bank of Russia's form (`XML_daily`): read as text, exact to the last figure. A rate is quoted for a
 * nominal number of units with a decimal comma ("1 234,5678 for 100" is 12.345678 for one), so it is a rational until the one rounding to
 * micro-RUB, upwards like every rounding here. The document says it is windows-1251; its figures and codes are ASCII in any case.
 */
import type { FxPolicy } from "../../schema/document.ts";
import type { Parsed } from "../../schema/json.ts";
import { microRub, toJsonNumber } from "../../schema/money.ts";
import type { PriceDocument } from "../../schema/price.ts";
import { ceilDiv } from "./cost.ts";

const MICRO = 1_000_000n;
const RATE_MAX = 1_000_000_000_000n;
const DAY_MILLISECONDS = 86_400_000;

export interface CentralBankRate {
  /** The day the rate is set for, `YYYY-MM-DD`. */
  date: string;
  /** As they stand in the document. */
  nominal: string;
  value: string;
  microRubPerUnit: bigint;
  /** False: value / nominal had more than six decimals and was rounded up. */
  isExact: boolean;
}

function refused(message: string, path: string): { ok: false; message: string; path: string } {
  return { ok: false, message, path };
}

/** The rate of one currency by its letter code. Every fault names its element. */
export function parseCentralBankRates(xml: string, code: string): Parsed<CentralBankRate> {
  const text = xml.replace(/<!--[\s\S]*?-->/g, "");
  if (/<!(DOCTYPE|ENTITY)/i.test(text)) return refused("has a document type, which rates do not have", "ValCurs");
  const date = dateOf(text);
  if (date === null) return refused("has no date DD.MM.YYYY", "ValCurs.Date");
  const quoted = text
    .split("</Valute>")
    .slice(0, -1)
    .map((piece) => piece.slice(piece.lastIndexOf("<Valute")))
    .filter((valute) => element(valute, "CharCode") === code);
  const [valute] = quoted;
  if (valute === undefined || quoted.length > 1) return refused(`has ${quoted.length} rates of ${code}`, "Valute.CharCode");
  const nominal = element(valute, "Nominal") ?? "";
  if (!/^[1-9]\d{0,8}$/.test(nominal)) return refused("must be a whole number above zero", "Valute.Nominal");
  const value = element(valute, "Value") ?? "";
  const figures = /^(\d{1,9})(?:[.,](\d{1,12}))?$/.exec(value);
  if (figures === null) return refused("must be a decimal with a comma, without spaces", "Valute.Value");
  const [, whole = "", fraction = ""] = figures;
  const numerator = BigInt(whole + fraction) * MICRO;
  const denominator = 10n ** BigInt(fraction.length) * BigInt(nominal);
  const microRubPerUnit = ceilDiv(numerator, denominator);
  if (microRubPerUnit < 1n || microRubPerUnit > RATE_MAX) return refused("is out of range", "Valute.Value");
  return { ok: true, value: { date, nominal, value, microRubPerUnit, isExact: numerator % denominator === 0n } };
}

/** The text of the one element of that name; null when there is none, or more than one. */
function element(text: string, name: string): string | null {
  const found = [...text.matchAll(new RegExp(`<${name}>\\s*([^<]{1,64}?)\\s*</${name}>`, "g"))];
  return found.length === 1 ? (found[0]?.[1] ?? null) : null;
}

/** The document's own day, if it is one of the calendar. */
function dateOf(text: string): string | null {
  const [, day, month, year] = /<ValCurs\b[^>]{0,256}\bDate="(\d{2})[./](\d{2})[./](\d{4})"/.exec(text) ?? [];
  const iso = `${year}-${month}-${day}`;
  const at = Date.parse(iso);
  return !Number.isNaN(at) && new Date(at).toISOString().slice(0, 10) === iso ? iso : null;
}

/**
 * The same prices at another rate, as a version of its own: rows name their version, so two rates must not share one. A day can have
 * two, when the bank corrects itself; so the rate stands in the name beside its day.
 */
export function withRate(document: PriceDocument, rate: CentralBankRate, source: string): PriceDocument {
  const suffix = `+fx.${rate.date}.${rate.microRubPerUnit}`;
  const base = document.version.replace(/\+fx\.\d{4}-\d{2}-\d{2}\.\d+$/, "").slice(0, 64 - suffix.length);
  return {
    ...document,
    version: base + suffix,
    fx: { micro_rub_per_usd: toJsonNumber(microRub(rate.microRubPerUnit)), source: source.slice(0, 256), date: rate.date },
  };
}

/** Whole days between the day of a rate and an instant in milliseconds; negative for a rate of tomorrow. */
export function rateAgeDays(date: string, at: number): number {
  return Math.floor(at / DAY_MILLISECONDS) - Math.floor(Date.parse(date) / DAY_MILLISECONDS);
}

export const FX_POLICY: Pick<FxPolicy, "max_age_days" | "stale"> = { max_age_days: 14, stale: "warn" };

export function isRateStale(date: string, at: number, policy: Pick<FxPolicy, "max_age_days"> = FX_POLICY): boolean {
  return rateAgeDays(date, at) > policy.max_age_days;
}

/** By how much a rate moved, in ten-thousandths of the one before; rounded towards zero. */
export function movedBps(before: bigint, after: bigint): bigint {
  return ((after - before) * 10_000n) / before;
}
