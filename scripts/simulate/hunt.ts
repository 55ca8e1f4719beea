/** The search for each planted defect, by the same runs that find none in the product as it is. */
import { explore, SCOPES } from "./exhaustive.ts";
import { generateRun } from "./generate.ts";
import type { Mutant } from "./mutants.ts";
import type { Run } from "./operations.ts";
import { loadProduct } from "./product.ts";
import { runOnce, Tally, type Verdict } from "./run.ts";

export interface Killed {
  mutant: Mutant;
  /** How it was found; null when it survived. */
  by: { invariant: string; runs: number; steps: number; verdict: Verdict; run: Run } | null;
}

const STEPS = 400;
const EPISODES_MAX = 400;

/** Hunts one mutant: a few random runs, then the small scope, then many random runs. */
export async function hunt(mutant: Mutant, seed: number, go: () => boolean): Promise<Killed> {
  const product = await loadProduct(mutant.mutations);
  let runs = 0;
  let steps = 0;
  const found = (run: Run, verdict: Verdict): Killed => ({
    mutant,
    by: { invariant: verdict.violation?.invariant ?? "", runs, steps, verdict, run },
  });
  for (let episode = 0; episode < EPISODES_MAX && go(); episode++) {
    const run = generateRun(seed, episode, STEPS);
    const verdict = await runOnce(product, run, new Tally());
    runs += 1;
    steps += STEPS;
    if (verdict.violation !== null) return found(run, verdict);
    if (episode !== 40) continue;
    for (const scope of SCOPES) {
      const { failure, runs: more } = await explore(product, scope, new Tally(), { every: 15, go });
      runs += more;
      if (failure !== null) return found(failure.run, failure.verdict);
    }
  }
  return { mutant, by: null };
}
