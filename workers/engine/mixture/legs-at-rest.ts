/** Before an ensemble is settled, none of its calls may still be counting. */
import { LIMITS } from "../../../schema/limits.ts";
import type { OwnerPorts } from "../ports.ts";
import type { Run } from "../run.ts";

/**
 * Resolves when every call has ended. Those that were overtaken and are read to their end, since their whole answer is owed, are given a
 * moment for it, or all the time that a drain has when nobody waits; then they are ended too, and charged by what was seen.
 */
export async function legsAtRest(
  { live }: Run,
  { calls, ports, clientGone }: { calls: readonly Promise<unknown>[]; ports: OwnerPorts; clientGone: boolean },
): Promise<void> {
  const all = Promise.all(calls);
  const patience = clientGone ? LIMITS.drainMilliseconds : LIMITS.overtakenWaitMilliseconds;
  await new Promise<void>((resolve) => {
    const calledOff = ports.runtime.after(patience, resolve);
    void all.then(() => {
      calledOff();
      resolve();
    });
  });
  for (const leg of live.legs ?? []) if (leg.state === "running" || leg.state === "lost") leg.abort();
  await all;
}
