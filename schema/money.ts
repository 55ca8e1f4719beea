/**
 * Money is a branded bigint: micro-RUB for charges and balances, pico-USD for provider cost. It crosses a boundary as a decimal
 * string (SQL, RPC, queue: numbers above 2^53 and bound SQL numbers lose digits) and, in our public JSON, as a number below 2^53.
 */
import { z } from "zod";

export type MicroRub = bigint & { readonly unit: "micro-rub" };
export type PicoUsd = bigint & { readonly unit: "pico-usd" };

const SAFE_MAX = 9_007_199_254_740_991n;

/** Brands an exact amount; asserts the range in which JSON numbers stay exact. */
export function microRub(amount: bigint): MicroRub {
  if (amount > SAFE_MAX || amount < -SAFE_MAX) throw new RangeError(`micro-RUB amount ${amount} is outside ±(2^53-1)`);
  return amount as MicroRub;
}

export function picoUsd(amount: bigint): PicoUsd {
  return amount as PicoUsd;
}

/** The one place where an amount becomes a JSON number. Exact, since `microRub` bounds it. */
export function toJsonNumber(amount: MicroRub): number {
  return Number(amount);
}

/** A decimal integer in text, as SQL, RPC and the queue carry it. */
export const integerText = z.string().regex(/^-?\d{1,40}$/, "must be a decimal integer in a string");

/** An amount in a request body of ours: a JSON integer above zero. */
export const microRubPositive = z
  .number()
  .int()
  .positive()
  .max(Number.MAX_SAFE_INTEGER)
  .transform((value) => microRub(BigInt(value)));
