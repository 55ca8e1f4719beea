/**
 * Which database keeps an account's rows of a month: a map document and a pure function. One D1 database holds 10 GB and has one writer,
 * so a large installation adds databases (`USAGE_1`, `USAGE_2`, …) from a coming month on; without a map everything is in `DB`.
 *
 * A row's place is decided by its account and the UTC month of its entry, so the rules of months that have begun can never change: what
 * was written by them would no longer be found. `shardMapFault` sees to that.
 */
import { z } from "zod";

/** `DB` itself, or a further D1 binding of that pattern. */
export const usageDatabaseName = z.string().regex(/^(DB|USAGE_[1-9]\d{0,2})$/, "must be DB or USAGE_n");
export const monthSchema = z.string().regex(/^\d{4}-(0[1-9]|1[0-2])$/, "must be a month, YYYY-MM");

export const shardMapSchema = z.strictObject({
  rules: z
    .array(
      z.strictObject({
        /** The first month this rule holds for; it holds until the next rule's. */
        from_month: monthSchema,
        /** Accounts are spread over these by a hash of their id. */
        databases: z.array(usageDatabaseName).min(1).max(128),
      }),
    )
    .max(256)
    .refine(
      (rules) => rules.every((rule, index) => index === 0 || rule.from_month > (rules[index - 1]?.from_month ?? "")),
      "must have ascending months",
    ),
});
export type ShardMap = z.infer<typeof shardMapSchema>;

export const ONE_DATABASE: ShardMap = { rules: [] };
const FIRST_DATABASE = "DB";

/** The UTC month of an instant in milliseconds, `YYYY-MM`. */
export function monthOf(atMilliseconds: number): string {
  return new Date(atMilliseconds).toISOString().slice(0, 7);
}

/** FNV-1a over the UTF-8 bytes of an ASCII id, 32 bits: stable for ever, since rows are found by it. */
function hashOf(id: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < id.length; index++) hash = Math.imul(hash ^ id.charCodeAt(index), 0x01000193) >>> 0;
  return hash;
}

function chosen(databases: readonly string[], accountId: string): string {
  return databases[hashOf(accountId) % databases.length] ?? FIRST_DATABASE;
}

/** The database of an account's rows of one month. */
export function shardOf(map: ShardMap, accountId: string, month: string): string {
  const rule = map.rules.findLast((each) => each.from_month <= month);
  return rule === undefined ? FIRST_DATABASE : chosen(rule.databases, accountId);
}

/** Every database that may hold rows of an account, each once: `DB`, then by the age of the rules. */
export function shardsOf(map: ShardMap, accountId: string): string[] {
  return [...new Set([FIRST_DATABASE, ...map.rules.map((rule) => chosen(rule.databases, accountId))])];
}

/** Every database named, `DB` first. */
export function shardsNamed(map: ShardMap): string[] {
  return [...new Set([FIRST_DATABASE, ...map.rules.flatMap((rule) => rule.databases)])];
}

/** Why `after` may not follow `before`; null when it may. `lockedMonth` is the last month whose rows may already be written. */
export function shardMapFault(before: ShardMap, after: ShardMap, lockedMonth: string): string | null {
  const locked = (map: ShardMap): string => JSON.stringify(map.rules.filter((rule) => rule.from_month <= lockedMonth));
  return locked(before) === locked(after) ? null : `the rules up to ${lockedMonth} are in use and must stay as they are`;
}
