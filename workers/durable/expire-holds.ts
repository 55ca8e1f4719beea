/** The backstop of holds: past their expiry their lane ends them by what it knows; what is then still open is expired here. */
import type { Hold } from "../../schema/ledger.ts";
import { LIMITS } from "../../schema/limits.ts";
import { laneOf } from "./lane-name.ts";
import type { Ledger } from "./ledger-store.ts";

export async function expireHolds(ledger: Ledger, accountId: string, env: Env): Promise<void> {
  const due = ledger.expireDue(LIMITS.holdExpiryRowsPerPass);
  await wakeLanes(due, accountId, env);
  for (const hold of due) ledger.expire(hold.request_id, null);
}

/** Wakes the further lanes that hold something, so that requests of an owner that died are ended now and not at its next alarm. */
export async function wakeLanes(holds: readonly Hold[], accountId: string, env: Env): Promise<void> {
  for (const lane of new Set(holds.map((hold) => laneOf(hold.lane)))) {
    if (lane === 0) continue;
    const stub = env.REQUEST.get(env.REQUEST.idFromName(`${accountId}:${lane}`));
    await stub.recover().catch((error: unknown) => console.error("a lane did not answer", lane, error));
  }
}
