/**
 * Amounts, numbers and instants as the reader writes them. Money stays an integer until `Intl` has written it: the amount goes in as decimal
 * text, which it takes digit by digit.
 */
import type { Locale } from "./words.ts";

/** Dates of Britain, with the day first; numbers of America, where a million is an M. */
const TAGS: Readonly<Record<Locale, string>> = { en: "en-GB", ru: "ru-RU" };
const NUMBER_TAGS: Readonly<Record<Locale, string>> = { en: "en-US", ru: "ru-RU" };

/** Decimal text of micro-units: -1234567 is "-1.234567". */
export function decimalOf(micro: bigint): Intl.StringNumericLiteral {
  const sign = micro < 0n ? "-" : "";
  const digits = (micro < 0n ? -micro : micro).toString().padStart(7, "0");
  return `${sign}${digits.slice(0, -6)}.${digits.slice(-6)}` as Intl.StringNumericLiteral;
}

const formats = new Map<string, Intl.NumberFormat>();

function numberFormat(locale: Locale, name: string, options: Intl.NumberFormatOptions): Intl.NumberFormat {
  const key = `${locale}:${name}`;
  const known = formats.get(key);
  if (known !== undefined) return known;
  const made = new Intl.NumberFormat(NUMBER_TAGS[locale], options);
  formats.set(key, made);
  return made;
}

type Amount = bigint | number | string;

/** An amount of money. Whole kopecks for balances, cut rather than rounded so that nobody sees money they do not have. */
export function roubles(amount: Amount, locale: Locale): string {
  const options = { style: "currency", currency: "RUB", currencyDisplay: "narrowSymbol", roundingMode: "trunc" } as const;
  return numberFormat(locale, "roubles", options).format(decimalOf(BigInt(amount)));
}

/** Every digit of an amount: what a single request cost. */
export function exactRoubles(amount: Amount, locale: Locale): string {
  const digits = { minimumFractionDigits: 2, maximumFractionDigits: 6 } as const;
  const options = { style: "currency", currency: "RUB", currencyDisplay: "narrowSymbol", ...digits } as const;
  return numberFormat(locale, "exact", options).format(decimalOf(BigInt(amount)));
}

export function integer(value: number | bigint, locale: Locale): string {
  return numberFormat(locale, "integer", { maximumFractionDigits: 0 }).format(value);
}

/** 12 345 678 as 12.3M. */
export function compact(value: number | bigint, locale: Locale): string {
  return numberFormat(locale, "compact", { notation: "compact", maximumFractionDigits: 1 }).format(value);
}

export function decimal(value: number, locale: Locale, digits = 1): string {
  return numberFormat(locale, `decimal${digits}`, { maximumFractionDigits: digits }).format(value);
}

export function percent(share: number, locale: Locale, digits = 1): string {
  return numberFormat(locale, `percent${digits}`, { style: "percent", maximumFractionDigits: digits }).format(share);
}

/** Milliseconds as people read them: 840 ms, 2.4 s. */
export function duration(milliseconds: number, locale: Locale): string {
  const [value, unit, digits] = milliseconds < 1_000 ? [milliseconds, "millisecond", 0] : [milliseconds / 1_000, "second", 1];
  const options = { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: digits } as const;
  return numberFormat(locale, String(unit), options).format(value);
}

/** An instant in the reader's zone. */
export function instant(at: number, locale: Locale, timeZone: string, style: "short" | "full" = "short"): string {
  const seconds = style === "full" ? ({ second: "2-digit", fractionalSecondDigits: 3 } as const) : {};
  return new Intl.DateTimeFormat(TAGS[locale], {
    timeZone,
    day: "2-digit",
    month: "short",
    ...(style === "full" ? { year: "numeric" } : {}),
    hour: "2-digit",
    minute: "2-digit",
    ...seconds,
  }).format(at);
}

/** A calendar day: `YYYY-MM-DD` of UTC, which is what usage is counted by. */
export function day(text: string, locale: Locale): string {
  return new Intl.DateTimeFormat(TAGS[locale], { timeZone: "UTC", day: "numeric", month: "short", year: "numeric" }).format(
    Date.parse(`${text}T00:00:00Z`),
  );
}
