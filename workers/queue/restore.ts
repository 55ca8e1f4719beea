/**
 * Making an account whole after its object, or the database, was restored to an earlier time. One procedure for both:
 *
 *   freeze    the object finds at its start that D1 has entries its ledger lacks, or reconciliation does, or an operator says so. It then
 *             admits nothing (503 `overloaded`) and appends nothing: settlements wait with their lanes, payments with their webhooks.
 *   replay    entries that D1 has and the ledger lacks are put back into the ledger, each checked as the next link of its hash chain.
 *   continue  the freeze ends, and reconciliation puts into D1 what the ledger has and D1 lacks (a restored database needs only this).
 *
 * An object asks D1 when it starts, and its first entry waits for the answer. Where entries cannot be put back (their texts are gone, or the
 * ledger has others) the account stays frozen until an operator says `force`; the ledger then remembers up to where the two part.
 *
 * What stays with the operator: entries that had not reached D1 are gone from both (the payment providers know their payments: compare
 * and credit again, references count once); a request admitted after the restored time and not ended is not held any more (its late
 * settlement finds no hold: true it up or adjust); keys created or revoked after it must be created or revoked again.
 */
import { insertAccount } from "../../db/accounts.ts";
import { lastStoredEntry, storedEntries } from "../../db/entry-source.ts";
import type { Freeze } from "../../schema/ledger.ts";
import { LIMITS } from "../../schema/limits.ts";
import { reconcileAccount, type Reconciled } from "./reconcile.ts";

export interface Restored {
  account_id: string;
  /** `frozen`: entries are missing that nobody can put back, or the two contradict each other; `fault` says where. */
  state: "whole" | "frozen";
  /** Entries put back into the ledger. */
  replayed: number;
  fault: { seq: number; reason: string } | null;
  frozen: Freeze | null;
  reconciled: Reconciled | null;
}

/**
 * Runs the procedure; repeating it is harmless. `force` continues with the ledger as it is, although D1 has more or other entries:
 * reconciliation then goes on naming them.
 */
export async function restoreAccount(accountId: string, options: { force: boolean; now: number }, env: Env): Promise<Restored> {
  const account = env.ACCOUNT.get(env.ACCOUNT.idFromName(accountId));
  const stored = await lastStoredEntry(env, accountId);
  const before = await account.facts();
  let replayed = 0;
  let fault: Restored["fault"] = null;
  const isBehind = stored !== null && stored.seq > before.seq;
  const frozen = isBehind ? await account.freeze({ reason: "d1_ahead", d1_seq: stored.seq }) : before.frozen;
  if (frozen !== null) {
    ({ replayed, fault } = await replayInto(account, accountId, env));
    if (fault === null || options.force) await account.thaw(options.force);
  }
  const after = await account.facts();
  if (after.frozen !== null) {
    const short = { seq: after.seq + 1, reason: "D1 has later entries, and not the texts of this one" };
    const state = { account_id: accountId, replayed, frozen: after.frozen, reconciled: null };
    return { ...state, state: "frozen", fault: fault ?? (after.seq < after.frozen.d1_seq ? short : null) };
  }
  // An account made after the time its database was restored to is known to its object only.
  if (after.seq > 0) await insertAccount(env.DB, { id: accountId, name: accountId, created_at: options.now });
  return { account_id: accountId, state: "whole", replayed, fault, frozen: null, reconciled: await reconcileAccount(accountId, env) };
}

/** From the ledger's own last entry on, so that the first one read shows that the two agree up to there. */
async function replayInto(
  account: ReturnType<Env["ACCOUNT"]["get"]>,
  accountId: string,
  env: Env,
): Promise<{ replayed: number; fault: Restored["fault"] }> {
  let replayed = 0;
  for (let from = (await account.facts()).seq; ;) {
    const entries = await storedEntries(env, accountId, from, LIMITS.restoreRowsPerCall);
    const result = await account.replay(entries);
    replayed += result.applied;
    if (result.fault !== null) return { replayed, fault: result.fault };
    if (entries.length < LIMITS.restoreRowsPerCall) return { replayed, fault: null };
    from = result.seq + 1;
  }
}
