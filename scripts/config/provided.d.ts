/** What the Node side of a test run hands to the tests inside workerd; both are checked against this. */

declare module "vitest" {
  interface ProvidedContext {
    simulatedLedgers: SimulatedLedgersText;
  }
}

/** JSON: a list of `SimulatedLedger` (test/durable/simulated.test.ts). */
export type SimulatedLedgersText = string;
