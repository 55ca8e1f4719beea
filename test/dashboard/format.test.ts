/** Amounts and numbers as pages write them: exact to the last millionth, whatever their size. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compact, decimalOf, exactRoubles, percent, roubles } from "../../workers/dashboard/frame/format.ts";

/** Digits of a written amount, without groups and signs of currency. */
function digits(text: string): string {
  return text.replaceAll(/[^\d.,-]/g, "").replaceAll(/,(?=\d{3})/g, "");
}

describe("amounts in roubles", () => {
  test("are written to the last millionth, beyond what a float can hold", () => {
    expect(exactRoubles(9_007_199_254_740_991n, "en")).toBe("₽9,007,199,254.740991");
    expect(exactRoubles(1, "en")).toBe("₽0.000001");
    expect(exactRoubles("-1234567", "en")).toBe("-₽1.234567");
    expect(exactRoubles(1_234_567_890n, "ru").replaceAll(/\s/g, " ")).toBe("1 234,56789 ₽");
  });

  test("of a balance are cut to kopecks, never rounded up", () => {
    expect(roubles(99_999_999n, "en")).toBe("₽99.99");
    expect(roubles(9_999n, "en")).toBe("₽0.00");
  });

  test("lose nothing on the way through decimal text", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n }), (micro) => {
        const [whole = "", fraction = ""] = decimalOf(micro).split(".");
        expect(BigInt(whole + fraction)).toBe(micro);
        expect(fraction).toHaveLength(6);
      }),
    );
  });

  test("read back to what they were", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 60n }), (micro) => {
        const [whole = "", fraction = ""] = digits(exactRoubles(micro, "en")).split(".");
        expect(BigInt(whole) * 1_000_000n + BigInt(fraction.padEnd(6, "0"))).toBe(micro);
      }),
    );
  });
});

describe("numbers", () => {
  test("are written as the reader's language does", () => {
    expect(compact(12_345_678, "en")).toBe("12.3M");
    expect(compact(12_345_678, "ru").replaceAll(/\s/g, " ")).toBe("12,3 млн");
    expect(percent(0.0123, "ru").replaceAll(/\s/g, " ")).toBe("1,2 %");
  });
});
