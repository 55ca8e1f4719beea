/** Splitting a total into integer parts that add up to it again: receipt lines, legs of one request. */

/**
 * Parts of `total` (≥ 0) in proportion to `weights` (each ≥ 0), by largest remainder: each part is within one unit of its exact share and
 * the parts sum to the total. Of equal remainders the lower index gets the unit; when all weights are zero the first part gets all.
 */
export function splitByLargestRemainder(total: bigint, weights: readonly bigint[]): bigint[] {
  const sum = weights.reduce((left, right) => left + right, 0n);
  if (sum === 0n) return weights.map((_, index) => (index === 0 ? total : 0n));
  const parts = weights.map((weight) => (total * weight) / sum);
  const remainders = weights.map((weight, index) => ({ index, remainder: (total * weight) % sum }));
  remainders.sort((left, right) =>
    left.remainder === right.remainder ? left.index - right.index : left.remainder > right.remainder ? -1 : 1,
  );
  const leftOver = total - parts.reduce((left, right) => left + right, 0n);
  for (const { index } of remainders.filter((_, rank) => BigInt(rank) < leftOver)) parts[index] = (parts[index] ?? 0n) + 1n;
  return parts;
}
