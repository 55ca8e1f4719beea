/** The sums a cost report is made from, for one account. Runs on D1 and, for a state folder that is not running, on the same files. */
import { z } from "zod";
import { type AccountFacts, entrySumsSchema, usageSumsSchema } from "../schema/report.ts";
import { ENTRY_SUMS, REPORT_SUMS } from "./usage-sums.ts";

/** One database, asked several things at one instant: the rows of each statement, all with the same parameters. */
export type ReadTogether = (statements: readonly string[], ...values: string[]) => Promise<unknown[][]>;

const SPLIT = "SELECT count(*) AS parts FROM archive_part WHERE account_id = ?1 AND last_at > CAST(?2 AS INTEGER)";
const splitSchema = z.array(z.object({ parts: z.number() }));

/**
 * Entries and usage up to `asOf` milliseconds. Null: a part of the archive goes beyond that instant, and its sums cannot be told apart;
 * a report of that time has to be one that was kept.
 */
export async function accountSums(
  databases: readonly ReadTogether[],
  accountId: string,
  asOf: number,
): Promise<Pick<AccountFacts, "entries" | "usage"> | null> {
  const facts: Pick<AccountFacts, "entries" | "usage"> = { entries: [], usage: [] };
  for (const read of databases) {
    const [split, entries, usage] = await read([SPLIT, ENTRY_SUMS, REPORT_SUMS], accountId, String(asOf));
    if ((splitSchema.parse(split)[0]?.parts ?? 0) > 0) return null;
    facts.entries.push(...z.array(entrySumsSchema).parse(entries));
    facts.usage.push(...z.array(usageSumsSchema).parse(usage));
  }
  return facts;
}
