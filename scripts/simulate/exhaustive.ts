/**
 * Small scope, all of it: two requests, one top-up, one expiry, in every order, with the object dying at every failpoint it passes. Most
 * defects of such systems show in a case this small; here none of them can hide behind chance.
 */
import type { Operation, Run, Setting } from "./operations.ts";
import type { Product } from "./product.ts";
import { runOnce, Tally, type Verdict } from "./run.ts";

const LIFE = 40_000;
const SETTING: Setting = {
  accounts: 1,
  lanes: 1,
  opening: 1_000,
  parallel: 10,
  spendPerDay: 1_000_000,
  hangs: true,
  eager: true,
  restoreTo: null,
};

/** One line of the scope: what must come in this order, whatever comes in between. */
type Line = readonly (readonly Operation[])[];

const ADMITTED = { account: 0, lane: 0, key: 0, idempotency: null } as const;
/** A top-up that was never told of by itself, and time that passes beyond the life of a hold, with the alarm that finds it. */
const TOP_UP: Line = [
  [
    { op: "pay", account: 0, payment: 7, amount: 5_000, succeeds: true },
    { op: "webhook", payment: 7 },
  ],
];
const EXPIRY: Line = [[{ op: "wait", ms: LIFE + 1_000 }]];

export interface Scope {
  name: string;
  setting: Setting;
  lines: readonly Line[];
}

function request(number: number, hold: number, finish: { how: "usage" | "release" | "estimate"; output: number }): Line {
  return [
    [{ op: "admit", ...ADMITTED, request: number, hold, ttl: LIFE }],
    [{ op: "finish", request: number, input: 10, cached: 0, ...finish }],
  ];
}

/** A request whose settlement stays under way, until it arrives whatever has become of the hold. */
function slowRequest(number: number, hold: number, output: number): Line {
  const [admitted, finished] = request(number, hold, { how: "usage", output });
  return [admitted ?? [], [{ op: "slow", request: number }, ...(finished ?? [])], [{ op: "deliver", request: number }]];
}

/** Request numbers choose the prices; these give costs within, at and beyond hold and balance. */
export const SCOPES: readonly Scope[] = [
  {
    name: "settle beside release on a balance for one",
    setting: SETTING,
    lines: [request(1, 800, { how: "usage", output: 3 }), request(5, 900, { how: "release", output: 0 }), TOP_UP, EXPIRY],
  },
  {
    name: "both beyond their holds",
    setting: SETTING,
    lines: [request(1, 100, { how: "usage", output: 9_000 }), request(5, 100, { how: "estimate", output: 4_000 }), TOP_UP, EXPIRY],
  },
  {
    name: "a settlement under way, beside one at once",
    setting: SETTING,
    lines: [slowRequest(1, 800, 3), request(5, 100, { how: "usage", output: 9_000 }), TOP_UP, EXPIRY],
  },
];

/** Every way to put the lines together that keeps the order of each. */
export function* interleavings(lines: readonly Line[]): Generator<Operation[]> {
  if (lines.every((line) => line.length === 0)) {
    yield [];
    return;
  }
  for (const [index, line] of lines.entries()) {
    const [first, ...others] = line;
    if (first === undefined) continue;
    for (const tail of interleavings(lines.map((each, place) => (place === index ? others : each)))) yield [...first, ...tail];
  }
}

export interface Explored {
  orders: number;
  runs: number;
  failure: { run: Run; verdict: Verdict } | null;
}

/** Runs a scope. `every`: only each so-manieth order. `go` is asked before each order and may end it. */
export async function explore(
  product: Product,
  scope: Scope,
  tally: Tally,
  options: { every: number; go: () => boolean },
): Promise<Explored> {
  const explored: Explored = { orders: 0, runs: 0, failure: null };
  let number = 0;
  for (const operations of interleavings(scope.lines)) {
    number += 1;
    if (number % options.every !== 0) continue;
    if (!options.go()) return explored;
    explored.orders += 1;
    // First without a death, to learn how many failpoints there are.
    for (let after: number | null = null; ; after = after === null ? 0 : after + 1) {
      const death: Operation[] = after === null ? [] : [{ op: "crashAt", account: 0, after }];
      const run: Run = { setting: scope.setting, operations: [...death, ...operations] };
      const counted = new Tally();
      const verdict = await runOnce(product, run, counted);
      tally.join(counted);
      explored.runs += 1;
      if (verdict.violation !== null) return { ...explored, failure: { run, verdict } };
      // It outlived the whole run: there are no failpoints beyond.
      if (after !== null && (counted.counts.get("object dies") ?? 0) === 0) break;
    }
  }
  return explored;
}

/**
 * Operations that commute lead to one ledger (I12): on a balance for everything, without expiry or death, every order of the same requests
 * and top-up ends in the same balance. Gives the balances there were; one is right.
 */
export async function commutes(product: Product, tally: Tally): Promise<Set<string>> {
  const setting = { ...SETTING, opening: 1_000_000_000 };
  const lines = [request(1, 5_000, { how: "usage", output: 30 }), request(5, 7_000, { how: "usage", output: 11 }), TOP_UP];
  const balances = new Set<string>();
  for (const operations of interleavings(lines)) {
    const { ledgers, violation } = await runOnce(product, { setting, operations }, tally);
    tally.add("checked I12");
    balances.add(violation === null ? (ledgers[0]?.balance ?? "") : `${violation.invariant}: ${violation.detail}`);
  }
  return balances;
}
