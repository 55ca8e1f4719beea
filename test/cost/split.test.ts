import fc from "fast-check";
import { expect, test } from "vitest";
import { splitByLargestRemainder } from "../../workers/cost/split.ts";

test("the parts of a split sum to the total and each is within one unit of its exact share", () => {
  const weights = fc.array(fc.bigInt({ min: 0n, max: 10n ** 18n }), { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 9_007_199_254_740_991n }), weights, (total, shares) => {
      const parts = splitByLargestRemainder(total, shares);
      const sum = shares.reduce((left, right) => left + right, 0n);
      expect(parts.reduce((left, right) => left + right, 0n)).toBe(total);
      if (sum === 0n) return;
      for (const [index, part] of parts.entries()) {
        const difference = part * sum - total * (shares[index] ?? 0n);
        expect(difference > -sum && difference < sum).toBe(true);
      }
    }),
    { seed: 5 },
  );
});

test("of equal remainders the first gets the unit, and with no weights at all the first part gets everything", () => {
  expect(splitByLargestRemainder(10n, [1n, 1n, 1n])).toEqual([4n, 3n, 3n]);
  expect(splitByLargestRemainder(7n, [0n, 0n])).toEqual([7n, 0n]);
});
