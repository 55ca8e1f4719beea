/**
 * A slice of `npm run simulate` in the suite: saved runs, seeded ones, the small scope in part, and some of the planted defects, so that a
 * broken invariant shows here and not in the night. What is skipped here runs there.
 */
import { basename } from "node:path";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { corpus, readCorpus } from "../../scripts/simulate/corpus.ts";
import { commutes, explore, SCOPES } from "../../scripts/simulate/exhaustive.ts";
import { generateRun } from "../../scripts/simulate/generate.ts";
import { hunt } from "../../scripts/simulate/hunt.ts";
import { INVARIANTS } from "../../scripts/simulate/invariants.ts";
import { MUTANTS } from "../../scripts/simulate/mutants.ts";
import { loadProduct, type Product, unplantable } from "../../scripts/simulate/product.ts";
import { runOnce, Tally } from "../../scripts/simulate/run.ts";
import { shrink } from "../../scripts/simulate/shrink.ts";
import { byInvariant } from "../../scripts/simulate/tally-table.ts";

// Two cores are shared with whatever else runs; each of these takes seconds alone.
vi.setConfig({ testTimeout: 180_000 });

let product: Product;
beforeAll(async () => {
  product = await loadProduct();
});

describe("the ledger, its object, the queue and D1 under simulation", () => {
  test.each(corpus().map((path) => [basename(path), path] as const))("hold through the saved run %s", async (_name, path) => {
    const { violation } = await runOnce(product, readCorpus(path).run, new Tally());
    expect(violation).toBeNull();
  });

  test("hold through 20 seeded runs of 300 operations, in which everything that should happen does", async () => {
    const tally = new Tally();
    for (let episode = 0; episode < 20; episode++) {
      const { violation } = await runOnce(product, generateRun(20_261_121, episode, 300), tally);
      expect(violation, `seed 20261121, run ${episode}`).toBeNull();
    }
    const reached = [
      "admit held",
      "admit replay",
      "admit no insufficient_balance",
      "admit no account_blocked",
      "settle settled",
      "settle settled_late",
      "settle exists",
      "settle exists_with_different",
      "release released",
      "expire expired",
      "extend extended",
      "trueUp trued_up",
      "credit credited",
      "credit exists",
      "object dies",
      "fault: message lost",
      "fault: call lost",
      "D1 fails after",
      "restored: entries replayed",
      "restored: database",
    ];
    expect(reached.filter((what) => !tally.counts.has(what))).toEqual([]);
    const checked = byInvariant(tally.counts);
    // Orders of operations that commute are a test of their own, below.
    expect([...INVARIANTS.keys()].filter((number) => !checked.has(number))).toEqual(["I12"]);
  });

  test("hold in the small scope: each sixtieth order, with a death at every failpoint", async () => {
    const [scope] = SCOPES;
    if (scope === undefined) throw new Error("there is no scope");
    const explored = await explore(product, scope, new Tally(), { every: 60, go: () => true });
    expect(explored.failure).toBeNull();
    expect(explored.orders).toBe(3);
    expect(explored.runs).toBeGreaterThan(100);
  });

  test("end in one balance whatever the order of operations that commute", async () => {
    expect([...(await commutes(product, new Tally()))]).toEqual(["999997170"]);
  });

  test("give the same ledger, hash for hash, when a run is repeated", async () => {
    const run = generateRun(7, 7, 300);
    const [first, second] = [await runOnce(product, run, new Tally()), await runOnce(product, run, new Tally())];
    expect(second.ledgers).toEqual(first.ledgers);
    expect(first.ledgers[0]?.seq).toBeGreaterThan(5);
  });
});

describe("a planted defect", () => {
  const quick = ["what is released stays held"];
  test.each(MUTANTS.filter(({ name }) => quick.includes(name)))("($name) is found, and cut down to a few operations", async (mutant) => {
    const { by } = await hunt(mutant, 1, () => true);
    expect(by).not.toBeNull();
    if (by === null) return;
    const short = await shrink(await loadProduct(mutant.mutations), by.run, by.verdict, () => true);
    expect(short.run.operations.length).toBeLessThan(30);
    expect(short.verdict.violation?.invariant).toBe(by.invariant);
  });

  test("is planted in text that is there, once, for each of them", () => {
    expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
    expect(MUTANTS.length).toBeGreaterThanOrEqual(20);
    expect(MUTANTS.flatMap(({ mutations }) => unplantable(mutations) ?? [])).toEqual([]);
  });
});
