/** What an auditor asks of one account's rows in D1 beyond their number and sum: are they one chain, is each request in the usage, do the rollups add up. */
import { WRONG_ROLLUPS } from "./rollups.ts";

export interface Audit {
  /** Entries for which a message came with another hash than the stored row has. */
  conflicts: number[];
  /** Rows that do not follow the row before them: another hash, or a balance that is not its sum. */
  unchained: number[];
  /** Charges whose usage row has another amount. */
  usageDiffers: number[];
  /** Days whose rollups are not the sums of their rows. */
  wrongDays: string[];
}

const CONFLICTS = "SELECT DISTINCT seq FROM entry_conflict WHERE account_id = ?1 ORDER BY seq LIMIT ?2";

/** Neighbours only: where a row is missing there is nothing to compare, and the gap itself is reported. */
const UNCHAINED = `SELECT seq FROM (SELECT seq, prev_hash, balance_after_micro_rub AS balance, amount_micro_rub AS amount,
    lag(seq, 1, 0) OVER chain AS seq_before, lag(hash, 1, '') OVER chain AS hash_before, lag(balance_after_micro_rub, 1, 0) OVER chain AS balance_before
    FROM entry WHERE account_id = ?1 WINDOW chain AS (ORDER BY seq))
  WHERE seq = seq_before + 1 AND (prev_hash <> hash_before OR balance <> balance_before + amount) ORDER BY seq LIMIT ?2`;

const CHARGES = `FROM entry e LEFT JOIN usage u ON u.account_id = e.account_id AND u.seq = e.seq
  WHERE e.account_id = ?1 AND e.kind IN ('settle', 'late_settle')`;
const USAGE_DIFFERS = `SELECT e.seq AS seq ${CHARGES} AND u.charged_micro_rub <> -e.amount_micro_rub ORDER BY e.seq LIMIT ?2`;
const WITHOUT_USAGE = `SELECT e.seq AS seq ${CHARGES} AND u.seq IS NULL ORDER BY e.seq LIMIT ?2`;

/** Each list names at most `limit` a database. */
export async function auditRows(databases: readonly D1Database[], accountId: string, limit: number): Promise<Audit> {
  const audits = await Promise.all(databases.map((database) => auditDatabase(database, accountId, limit)));
  return {
    conflicts: audits.flatMap((audit) => audit.conflicts),
    unchained: audits.flatMap((audit) => audit.unchained),
    usageDiffers: audits.flatMap((audit) => audit.usageDiffers),
    wrongDays: audits.flatMap((audit) => audit.wrongDays),
  };
}

async function auditDatabase(database: D1Database, accountId: string, limit: number): Promise<Audit> {
  const statements = [CONFLICTS, UNCHAINED, USAGE_DIFFERS, WRONG_ROLLUPS].map((sql) => database.prepare(sql).bind(accountId, limit));
  const [conflicts, unchained, usageDiffers, wrongDays] = await database.batch<{ seq: number; day: string }>(statements);
  return {
    conflicts: seqsOf(conflicts),
    unchained: seqsOf(unchained),
    usageDiffers: seqsOf(usageDiffers),
    wrongDays: (wrongDays?.results ?? []).map((row) => row.day),
  };
}

function seqsOf(result: D1Result<{ seq: number }> | undefined): number[] {
  return (result?.results ?? []).map((row) => row.seq);
}

/** Charges that have no usage row. */
export async function seqsWithoutUsage(databases: readonly D1Database[], accountId: string, limit: number): Promise<number[]> {
  const found = await Promise.all(
    databases.map((database) => database.prepare(WITHOUT_USAGE).bind(accountId, limit).all<{ seq: number }>()),
  );
  return found.flatMap((result) => result.results.map((row) => row.seq));
}
