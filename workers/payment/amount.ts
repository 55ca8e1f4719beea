/** Amounts from a provider's own digits, as whole millionths of their currency. Integer arithmetic on text; what is not plain is refused. */

const DECIMALS = 6;

/** Millionths of plain decimal text ("100", "99.90"); null for signs, exponents, spaces, or more digits than six decimals or an order has. */
export function microOfDecimal(text: string): string | null {
  const match = /^(\d{1,9})(?:\.(\d{1,6}))?$/.exec(text);
  if (match?.[1] === undefined) return null;
  return BigInt(match[1] + (match[2] ?? "").padEnd(DECIMALS, "0")).toString();
}

/** Millionths of an integer in hundredths (kopecks, cents). Both currencies of an order have hundredths; any other is parked by its name. */
export function microOfHundredths(text: string): string | null {
  return /^\d{1,12}$/.test(text) ? (BigInt(text) * 10_000n).toString() : null;
}

/** Millionths as a decimal with two digits after the point, as payment pages want it. */
export function decimalOfMicro(micro: bigint): string {
  const hundredths = (micro / 10_000n).toString().padStart(3, "0");
  return `${hundredths.slice(0, -2)}.${hundredths.slice(-2)}`;
}

/** Micro-RUB for a payment in millionths of a USD, at a rate in micro-RUB per USD; rounded down, for the house. */
export function microRubOfUsd(micro: bigint, microRubPerUsd: bigint): bigint {
  return (micro * microRubPerUsd) / 1_000_000n;
}
