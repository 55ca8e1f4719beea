/** One run from its first operation to its verdict: safety with faults, then liveness without, then what restorations must not change. */
import { apply } from "./apply.ts";
import type { Run } from "./operations.ts";
import type { Product } from "./product.ts";
import { comeToRest, drain, driven } from "./rest.ts";
import { restoreEverything, takeBackup, type Backup } from "./restore.ts";
import { type Violation, World } from "./world.ts";

/** How often each thing happened. */
export class Tally {
  readonly counts = new Map<string, number>();

  readonly add = (what: string): void => {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  };

  join(other: Tally): void {
    for (const [what, count] of other.counts) this.counts.set(what, (this.counts.get(what) ?? 0) + count);
  }
}

export interface Verdict {
  /** Null: everything held. `step`: the operation after which it did not, or null when it was at rest. */
  violation: (Violation & { step: number | null }) | null;
  /** Of each account: its ledger's last entry, and what was executed. */
  ledgers: { id: string; seq: number; hash: string; balance: string; log: World["accounts"][number]["books"]["log"] }[];
}

export async function runOnce(product: Product, run: Run, tally: Tally): Promise<Verdict> {
  const world = new World(product, run.setting, tally.add);
  let step: number | null = null;
  let backup: Backup | null = null;
  try {
    await driven(world, world.open(), tally.add);
    for (const [index, operation] of run.operations.entries()) {
      if (world.violation !== null) break;
      if (index === run.setting.restoreTo) backup = takeBackup(world);
      step = index;
      await apply(world, operation, tally.add);
      for (const { books } of world.accounts) books.checkStep();
      if (run.setting.eager) await drain(world, tally.add);
    }
    if (world.violation === null) {
      step = null;
      await comeToRest(world, tally.add);
    }
    const ledgers = ledgersOf(world);
    if (world.violation === null && backup !== null) await restoreEverything(world, backup, tally.add);
    return { violation: world.violation === null ? null : { ...world.violation, step }, ledgers };
  } catch (error) {
    const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
    // What was broken before is the cause.
    return { violation: { ...(world.violation ?? { invariant: "simulator", detail }), step }, ledgers: [] };
  } finally {
    world.close();
  }
}

function ledgersOf(world: World): Verdict["ledgers"] {
  return world.accounts.map(({ id, books }) => ({
    id,
    seq: books.hashes.length,
    hash: books.hashes.at(-1) ?? "",
    balance: books.auditor.balance.toString(),
    log: [...books.log],
  }));
}
