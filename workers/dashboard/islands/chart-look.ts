/** How charts write their values: amounts stay whole micro-units until `Intl` has written them. */

export type Kind = "money" | "count" | "milliseconds" | "share";

const isRussian = document.documentElement.lang === "ru";
const locale = isRussian ? "ru-RU" : "en-US";

const money = new Intl.NumberFormat(locale, {
  style: "currency",
  currency: "RUB",
  currencyDisplay: "narrowSymbol",
  maximumFractionDigits: 4,
});
const shortMoney = new Intl.NumberFormat(locale, {
  style: "currency",
  currency: "RUB",
  currencyDisplay: "narrowSymbol",
  notation: "compact",
  maximumFractionDigits: 2,
  minimumFractionDigits: 0,
});
const whole = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 });
const shortCount = new Intl.NumberFormat(locale, { notation: "compact", maximumFractionDigits: 1 });
const share = new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 1 });
const days = new Intl.DateTimeFormat(isRussian ? locale : "en-GB", { day: "numeric", month: "short", timeZone: "UTC" });

function decimalOf(micro: number): Intl.StringNumericLiteral {
  const digits = String(Math.round(Math.abs(micro))).padStart(7, "0");
  return `${micro < 0 ? "-" : ""}${digits.slice(0, -6)}.${digits.slice(-6)}` as Intl.StringNumericLiteral;
}

export function written(value: number | null | undefined, kind: Kind, isShort = false): string {
  if (value === null || value === undefined) return "–";
  if (kind === "money") return (isShort ? shortMoney : money).format(decimalOf(value));
  if (kind === "share") return share.format(value);
  const text = (isShort ? shortCount : whole).format(value);
  return kind === "milliseconds" ? `${text} ms` : text;
}

/** `seconds` of an instant at the start of a UTC day. */
export function dayWritten(seconds: number): string {
  return days.format(seconds * 1_000);
}

/** A colour of the page's own, as it is now. */
export function colour(name: string): string {
  const probe = document.createElement("span");
  probe.style.color = `var(--${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

const exact = new Intl.NumberFormat(locale, {
  style: "currency",
  currency: "RUB",
  currencyDisplay: "narrowSymbol",
  minimumFractionDigits: 2,
  maximumFractionDigits: 6,
});
const cut = new Intl.NumberFormat(locale, { style: "currency", currency: "RUB", currencyDisplay: "narrowSymbol", roundingMode: "trunc" });

/** Decimal text of micro-units given as text: no digit goes through a float. */
function decimalOfText(micro: string): Intl.StringNumericLiteral {
  const digits = micro.replace("-", "").padStart(7, "0");
  return `${micro.startsWith("-") ? "-" : ""}${digits.slice(0, -6)}.${digits.slice(-6)}` as Intl.StringNumericLiteral;
}

/** Every digit of an amount in micro-units. */
export function exactMoney(micro: string): string {
  return exact.format(decimalOfText(micro));
}

/** Whole kopecks, cut rather than rounded. */
export function kopecks(micro: string): string {
  return cut.format(decimalOfText(micro));
}

/** 840 ms, 2.4 s. */
export function time(milliseconds: number): string {
  const [value, unit, digits] = milliseconds < 1_000 ? [milliseconds, "millisecond", 0] : [milliseconds / 1_000, "second", 1];
  return new Intl.NumberFormat(locale, {
    style: "unit",
    unit: String(unit),
    unitDisplay: "short",
    maximumFractionDigits: Number(digits),
  }).format(Number(value));
}
