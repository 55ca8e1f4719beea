/** One account's books as they are, with nothing mended: for `npm run audit` and an operator's eyes. */
import { auditRows } from "../../db/audit.ts";
import { entryRuns } from "../../db/entries.ts";
import { factsOf, missingIn, type StoredFacts } from "../../db/runs.ts";
import { usageShards } from "../../db/usage-shards.ts";
import type { LedgerFacts } from "../../schema/ledger.ts";
import { LIMITS } from "../../schema/limits.ts";
import type { ChainVerdict } from "../../schema/rpc.ts";
import { auditGaps, contradictions, type Gap } from "./reconcile.ts";

export interface AccountAudit {
  account_id: string;
  ledger: LedgerFacts;
  /** Every hash, balance and posting of the ledger, recomputed. */
  chain: ChainVerdict;
  /** The sum of each account's postings, in micro-RUB as text; together they are zero. */
  postings: Record<string, string>;
  d1: StoredFacts;
  /** Entries of the ledger that D1 has not: late ones while it is busy, none at rest. */
  missing: number[];
  gaps: Gap[];
}

export async function auditAccount(accountId: string, env: Env): Promise<AccountAudit> {
  const account = env.ACCOUNT.get(env.ACCOUNT.idFromName(accountId));
  const shards = await usageShards(env);
  const runs = await entryRuns(shards, accountId);
  const audit = await auditRows(shards.of(accountId), accountId, LIMITS.auditRows);
  const d1 = factsOf(runs);
  // After D1, so that an entry written in between is not taken for one that D1 has and the ledger lacks.
  const [chain, postings, ledger] = await Promise.all([account.verifyChain(), account.postingSums(), account.facts()]);
  return {
    account_id: accountId,
    ledger,
    chain,
    postings,
    d1,
    missing: missingIn(runs, ledger.seq, LIMITS.auditRows),
    gaps: [...auditGaps(audit, runs), ...contradictions(ledger, d1)],
  };
}
