/**
 * For the tests inside workerd: a few simulated runs as the commands their ledgers executed and what came of them, so that the same lists
 * can be run on real objects and must give the same ledgers (test/durable/simulated.test.ts).
 */
import type { TestProject } from "vitest/node";
import { generateRun } from "../simulate/generate.ts";
import { loadProduct } from "../simulate/product.ts";
import { runOnce, Tally } from "../simulate/run.ts";

const EPISODES = [3, 4, 7, 19];
const OPERATIONS = 400;

export default async function simulateLedgers(project: TestProject): Promise<void> {
  const product = await loadProduct();
  const ledgers: unknown[] = [];
  for (const episode of EPISODES) {
    const verdict = await runOnce(product, generateRun(1, episode, OPERATIONS), new Tally());
    if (verdict.violation !== null)
      throw new Error(`simulated run ${episode}: ${verdict.violation.invariant}: ${verdict.violation.detail}`);
    ledgers.push(...verdict.ledgers.map((ledger) => ({ ...ledger, id: `${episode}:${ledger.id}` })));
  }
  project.provide("simulatedLedgers", JSON.stringify(ledgers));
}
