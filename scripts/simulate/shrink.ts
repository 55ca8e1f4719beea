/** From a run that fails to a short one that fails in the same way: operations are taken out as long as it does. */
import type { Operation, Run } from "./operations.ts";
import type { Product } from "./product.ts";
import { runOnce, Tally, type Verdict } from "./run.ts";

const TRIALS_MAX = 2_000;

export interface Shrunk {
  run: Run;
  verdict: Verdict;
  trials: number;
}

/** `go` is asked before each trial and may end it early with what was reached. */
export async function shrink(product: Product, failing: Run, verdict: Verdict, go: () => boolean): Promise<Shrunk> {
  const invariant = verdict.violation?.invariant;
  const shrunk: Shrunk = { run: failing, verdict, trials: 0 };
  const tries = async (run: Run): Promise<boolean> => {
    if (shrunk.trials >= TRIALS_MAX || !go()) return false;
    shrunk.trials += 1;
    const tried = await runOnce(product, run, new Tally());
    if (tried.violation?.invariant !== invariant) return false;
    shrunk.run = run;
    shrunk.verdict = tried;
    return true;
  };
  const step = verdict.violation?.step ?? null;
  if (step !== null) await tries({ ...failing, operations: failing.operations.slice(0, step + 1) });
  for (let before = Number.POSITIVE_INFINITY; shrunk.run.operations.length < before;) {
    before = shrunk.run.operations.length;
    await removeParts(shrunk, tries);
  }
  await simplify(shrunk, tries);
  return shrunk;
}

/** Takes out runs of operations: half of them, then smaller and smaller parts. */
async function removeParts(shrunk: Shrunk, tries: (run: Run) => Promise<boolean>): Promise<void> {
  for (let size = Math.ceil(shrunk.run.operations.length / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let from = 0; from < shrunk.run.operations.length;) {
      const { setting, operations } = shrunk.run;
      const left = [...operations.slice(0, from), ...operations.slice(from + size)];
      const restoreTo = setting.restoreTo === null ? null : Math.min(setting.restoreTo, Math.max(0, left.length - 1));
      if (!(await tries({ setting: { ...setting, restoreTo }, operations: left }))) from += size;
    }
  }
}

/** Smaller settings and numbers, one at a time. */
async function simplify(shrunk: Shrunk, tries: (run: Run) => Promise<boolean>): Promise<void> {
  for (const setting of [{ restoreTo: null }, { accounts: 1 }, { lanes: 1 }, { parallel: 1000 }, { spendPerDay: 1_000_000_000 }]) {
    await tries({ ...shrunk.run, setting: { ...shrunk.run.setting, ...setting } });
  }
  for (let index = 0; index < shrunk.run.operations.length; index++) {
    const operation = shrunk.run.operations[index];
    if (operation === undefined || !("n" in operation) || operation.n === 0) continue;
    const simpler: Operation = { ...operation, n: 0 };
    await tries({ ...shrunk.run, operations: shrunk.run.operations.with(index, simpler) });
  }
}
