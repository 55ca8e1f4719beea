/** A central bank's document, read exactly, and what of it is refused. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isRateStale, parseCentralBankRates, rateAgeDays, withRate } from "../../workers/cost/exchange-rate.ts";
import { parsePriceDocument } from "../../workers/cost/price.ts";

function valute(code: string, nominal: string, value: string): string {
  return `<Valute ID="R0${code}"><NumCode>840</NumCode><CharCode>${code}</CharCode><Nominal>${nominal}</Nominal><Name>\ufffd\ufffd</Name><Value>${value}</Value><VunitRate>${value}</VunitRate></Valute>`;
}

function rates(valutes: string, date = "21.11.2026"): string {
  return `<?xml version="1.0" encoding="windows-1251"?><ValCurs Date="${date}" name="Foreign Currency Market">${valutes}</ValCurs>`;
}

const usd = (nominal: string, value: string): string =>
  rates(valute("AUD", "1", "52,1") + valute("USD", nominal, value) + valute("EUR", "1", "94,9"));

describe("a rate", () => {
  test.each([
    ["1", "81,2345", 81_234_500n, true],
    ["1", "81.2345", 81_234_500n, true],
    ["100", "8123,4567", 81_234_567n, true],
    ["10", "812,34567", 81_234_567n, true],
    ["1", "90", 90_000_000n, true],
    ["10000", "812345,6789", 81_234_568n, false],
    ["3", "100,0000", 33_333_334n, false],
    ["7", "0,0001", 15n, false],
    ["1", "0,000001", 1n, true],
  ])("of %s for %s is exact, or rounded up once", (nominal, value, expected, isExact) => {
    const parsed = parseCentralBankRates(usd(nominal, value), "USD");
    expect(parsed).toEqual({ ok: true, value: { date: "2026-11-21", nominal, value, microRubPerUnit: expected, isExact } });
  });

  test("is never below the true one and less than a micro-RUB above it", () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 1n, max: 1_000_000n }),
        fc.integer({ min: 0, max: 6 }),
        fc.integer({ min: 1, max: 100_000 }),
        (figures, decimals, nominal) => {
          const padded = String(figures).padStart(decimals + 1, "0");
          const value = decimals === 0 ? padded : `${padded.slice(0, -decimals)},${padded.slice(-decimals)}`;
          const parsed = parseCentralBankRates(usd(String(nominal), value), "USD");
          if (!parsed.ok) throw new Error(parsed.message);
          const scaled = parsed.value.microRubPerUnit * 10n ** BigInt(decimals) * BigInt(nominal);
          const exact = figures * 1_000_000n;
          expect(scaled >= exact && scaled - exact < 10n ** BigInt(decimals) * BigInt(nominal)).toBe(true);
          expect(parsed.value.isExact).toBe(scaled === exact);
        },
      ),
    );
  });

  test.each([
    ["a document that is none", "hello", "ValCurs.Date"],
    ["no date", rates(valute("USD", "1", "81,2"), ""), "ValCurs.Date"],
    ["a day that is none", rates(valute("USD", "1", "81,2"), "31.02.2026"), "ValCurs.Date"],
    ["no such currency", rates(valute("EUR", "1", "94,1")), "Valute.CharCode"],
    ["the currency twice", rates(valute("USD", "1", "81,2") + valute("USD", "1", "82,2")), "Valute.CharCode"],
    ["a currency inside a comment only", rates(`<!-- ${valute("USD", "1", "81,2")} -->`), "Valute.CharCode"],
    ["a nominal of zero", usd("0", "81,2"), "Valute.Nominal"],
    ["a nominal with a fraction", usd("1,5", "81,2"), "Valute.Nominal"],
    ["a value with a space", usd("1", "1 081,2"), "Valute.Value"],
    ["a value with two commas", usd("1", "1,081,2"), "Valute.Value"],
    ["a value below zero", usd("1", "-81,2"), "Valute.Value"],
    ["a value with an exponent", usd("1", "8e1"), "Valute.Value"],
    ["a value of zero", usd("1", "0,0000"), "Valute.Value"],
    ["a value beyond the range", usd("1", "999999999"), "Valute.Value"],
    ["two values", usd("1", "81,2</Value><Value>82,2"), "Valute.Value"],
    ["a document type", `<!DOCTYPE x [<!ENTITY v "81">]>${usd("1", "&v;")}`, "ValCurs"],
  ])("with %s is refused, and the element is named", (_what, xml, path) => {
    expect(parseCentralBankRates(xml, "USD")).toMatchObject({ ok: false, path });
  });

  test("is found in a megabyte of broken elements without long search", () => {
    const started = performance.now();
    expect(parseCentralBankRates(rates("<Valute><CharCode>".repeat(58_000)), "USD").ok).toBe(false);
    expect(parseCentralBankRates("<ValCurs ".repeat(100_000), "USD").ok).toBe(false);
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});

describe("prices at another rate", () => {
  const parsed = parsePriceDocument({
    version: "2026-11",
    fx: { micro_rub_per_usd: 90_000_000, source: "test", date: "2026-11-01" },
    markup_bps: 1500,
    models: { "alpha/*": { input: "1", output: "2" } },
  });
  if (!parsed.ok) throw new Error(parsed.message);
  const rate = { date: "2026-11-21", nominal: "1", value: "81,2345", microRubPerUnit: 81_234_500n, isExact: true };

  test("are a version of their own with everything else as it was", () => {
    const next = withRate(parsed.value, rate, "bank");
    expect(next).toEqual({
      ...parsed.value,
      version: "2026-11+fx.2026-11-21.81234500",
      fx: { micro_rub_per_usd: 81_234_500, source: "bank", date: "2026-11-21" },
    });
    expect(withRate(next, { ...rate, date: "2026-11-22" }, "bank").version).toBe("2026-11+fx.2026-11-22.81234500");
    expect(withRate(next, { ...rate, microRubPerUnit: 81_234_501n }, "bank").version).toBe("2026-11+fx.2026-11-21.81234501");
    expect(parsePriceDocument(next).ok).toBe(true);
    expect(parsePriceDocument(withRate({ ...parsed.value, version: "v".repeat(64) }, rate, "s".repeat(999))).ok).toBe(true);
  });

  test("are stale the day after their last allowed one, and not before", () => {
    expect(rateAgeDays("2026-11-21", Date.UTC(2026, 10, 21, 23, 59))).toBe(0);
    expect(rateAgeDays("2026-11-22", Date.UTC(2026, 10, 21, 23, 59))).toBe(-1);
    expect(isRateStale("2026-11-21", Date.UTC(2026, 10, 24, 23, 59), { max_age_days: 3 })).toBe(false);
    expect(isRateStale("2026-11-21", Date.UTC(2026, 10, 25, 0, 0), { max_age_days: 3 })).toBe(true);
  });
});
