/** The cron job: wakes every account and reconciles it, so that nothing depends on an alarm that was lost. */
import { isContradiction, reconcileAll } from "./reconcile.ts";

export async function scheduled(env: Env): Promise<void> {
  for (const account of await reconcileAll(env)) {
    const contradicted = account.gaps.filter(isContradiction);
    if (contradicted.length > 0)
      console.error("an account's ledger and D1 contradict each other", account.account_id, JSON.stringify(contradicted));
  }
}
