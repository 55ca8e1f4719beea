/**
 * `npm run simulate`: the deployed code on virtual time against everything that can go wrong, watched by an auditor that shares no code
 * with it (scripts/simulate/: start with world.ts and auditor.ts).
 *
 *   --seed N --steps M     runs of 1,000 operations until M are done; the same seed is the same runs (1 and 20,000)
 *   --seeds K              that for K seeds, from N on
 *   --exhaustive           two requests, a top-up and an expiry in every order, with a death at every failpoint
 *   --mutants              plants each known defect and looks for it; one that survives fails the command
 *   --replay FILE          one saved run
 *   --save                 with --mutants: keeps the short run that found each defect in test/simulate/corpus
 *
 * A run that fails is cut down, printed and saved there. Exit code 0 only when nothing failed. Ctrl-C ends after the current run.
 */
import { basename } from "node:path";
import { parseArgs } from "node:util";
import { readCorpus, saveRun } from "./simulate/corpus.ts";
import { commutes, explore, SCOPES } from "./simulate/exhaustive.ts";
import { generateRun } from "./simulate/generate.ts";
import { hunt } from "./simulate/hunt.ts";
import { MUTANTS } from "./simulate/mutants.ts";
import type { Run } from "./simulate/operations.ts";
import { loadProduct, type Product } from "./simulate/product.ts";
import { runOnce, Tally, type Verdict } from "./simulate/run.ts";
import { shrink } from "./simulate/shrink.ts";
import { printTally } from "./simulate/tally-table.ts";

const STEPS_PER_RUN = 1_000;
const PROGRESS_MILLISECONDS = 2_000;

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    steps: { type: "string", default: "20000" },
    seeds: { type: "string", default: "1" },
    exhaustive: { type: "boolean", default: false },
    mutants: { type: "boolean", default: false },
    save: { type: "boolean", default: false },
    replay: { type: "string" },
  },
});

function integer(name: "seed" | "steps" | "seeds"): number {
  const value = Number(values[name]);
  if (Number.isInteger(value) && value > 0) return value;
  process.stderr.write(`simulate: --${name} must be a whole number above zero\n`);
  process.exit(2);
}

let isStopping = false;
process.on("SIGINT", () => {
  if (isStopping) process.exit(130);
  isStopping = true;
  process.stderr.write("\nsimulate: ending after the current run; Ctrl-C again ends at once\n");
});

const tally = new Tally();
const started = performance.now();
let shownAt = started;

function progress(line: () => string): void {
  const now = performance.now();
  if (now - shownAt < PROGRESS_MILLISECONDS) return;
  shownAt = now;
  process.stderr.write(`simulate: ${line()}, ${Math.round((now - started) / 1000)} s\n`);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

const go = (): boolean => !isStopping;

/** Prints and saves what failed, as short as it can be made. */
async function report(product: Product, run: Run, verdict: Verdict, origin: string): Promise<void> {
  const { violation } = verdict;
  say(`FAILED ${origin}: ${violation?.invariant ?? ""}: ${violation?.detail ?? ""}`);
  process.stderr.write("simulate: cutting it down\n");
  const short = await shrink(product, run, verdict, go);
  say(`the same with ${short.run.operations.length} operations (${short.trials} trials): ${short.verdict.violation?.detail ?? ""}`);
  say(`  setting ${JSON.stringify(short.run.setting)}`);
  for (const operation of short.run.operations) say(`  ${JSON.stringify(operation)}`);
  say(`saved as ${saveRun({ name: violation?.invariant ?? "failure", found: origin, run: short.run })}`);
}

/** False: something failed, and was reported. */
async function simulate(product: Product): Promise<boolean> {
  const [seed, steps, seeds] = [integer("seed"), integer("steps"), integer("seeds")];
  let done = 0;
  let ops = 0;
  for (let each = seed; each < seed + seeds && go(); each++) {
    for (let from = 0, episode = 0; from < steps && go(); from += STEPS_PER_RUN, episode++) {
      const run = generateRun(each, episode, Math.min(STEPS_PER_RUN, steps - from));
      const verdict = await runOnce(product, run, tally);
      done += 1;
      ops += run.operations.length;
      if (verdict.violation !== null) {
        await report(product, run, verdict, `seed ${each}, run ${episode}`);
        return false;
      }
      progress(() => `seed ${each}, ${ops} steps in ${done} runs`);
    }
  }
  say(
    `${isStopping ? "stopped after " : ""}${ops} steps in ${done} runs of seeds ${seed} to ${seed + seeds - 1}: every invariant held after every step`,
  );
  return true;
}

async function exhaust(product: Product): Promise<boolean> {
  const balances = await commutes(product, tally);
  say(`operations that commute end in ${balances.size} balance: ${[...balances].join(", ")}`);
  if (balances.size !== 1) return false;
  for (const scope of SCOPES) {
    const explored = await explore(product, scope, tally, {
      every: 1,
      go: () => {
        progress(() => `"${scope.name}" under way`);
        return go();
      },
    });
    if (explored.failure !== null) {
      await report(product, explored.failure.run, explored.failure.verdict, `small scope "${scope.name}"`);
      return false;
    }
    say(`"${scope.name}": ${explored.orders} orders, ${explored.runs} runs with a death at each failpoint or none: every invariant held`);
  }
  return true;
}

async function plantDefects(): Promise<boolean> {
  let killed = 0;
  for (const mutant of MUTANTS) {
    if (!go()) break;
    const { by } = await hunt(mutant, integer("seed"), go);
    if (by === null) {
      say(`SURVIVED  ${mutant.name}`);
      continue;
    }
    killed += 1;
    say(`killed    ${mutant.name}: ${by.invariant} after ${by.runs} runs`);
    progress(() => `${killed} of ${MUTANTS.length} defects found`);
    if (!values.save) continue;
    const short = await shrink(await loadProduct(mutant.mutations), by.run, by.verdict, go);
    saveRun({ name: mutant.name, found: `the planted defect "${mutant.name}": ${by.invariant}`, run: short.run });
  }
  say(`${killed} of ${MUTANTS.length} planted defects were found`);
  return killed === MUTANTS.length;
}

async function replay(product: Product, path: string): Promise<boolean> {
  const saved = readCorpus(path);
  const verdict = await runOnce(product, saved.run, tally);
  say(
    `${basename(path)}: ${verdict.violation === null ? "every invariant held" : `${verdict.violation.invariant}: ${verdict.violation.detail}`}`,
  );
  return verdict.violation === null;
}

async function main(): Promise<boolean> {
  if (values.mutants) return plantDefects();
  const product = await loadProduct();
  if (values.replay !== undefined) return replay(product, values.replay);
  const isRight = values.exhaustive ? await exhaust(product) : await simulate(product);
  printTally(tally, say);
  return isRight;
}

const isRight = await main();
process.exit(isStopping ? 130 : isRight ? 0 : 1);
