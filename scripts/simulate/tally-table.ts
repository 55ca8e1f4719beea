/** What happened in all runs, as a table: faults that were injected, where objects died, what the ledgers answered. */
import { INVARIANTS } from "./invariants.ts";
import type { Tally } from "./run.ts";

const GROUPS: readonly [title: string, belongs: RegExp][] = [
  ["faults injected", /^(fault: |D1 fails|queue fails|object dies$)/],
  ["objects died", /^object dies: /],
  ["commands that died", /^crash /],
  ["failpoints passed", /^failpoint /],
  ["restorations", /^restored: /],
  ["invariants checked, times", /^I\d+$/],
  ["answers of the ledger", /^(admit|settle|release|expire|extend|credit|trueUp) /],
];

/** The counts, with those of checks by invariant: what is checked together is counted under all its names. */
export function byInvariant(counts: ReadonlyMap<string, number>): Map<string, number> {
  const all = new Map(counts);
  for (const [what, count] of counts) {
    if (!what.startsWith("checked ")) continue;
    for (const invariant of what.split(" ").slice(1)) all.set(invariant, (all.get(invariant) ?? 0) + count);
  }
  return all;
}

function labelOf(what: string): string {
  const invariant = INVARIANTS.get(what);
  if (invariant !== undefined) return `${what}: ${invariant}`;
  return what.replace(/^(fault|failpoint|object dies|restored)(: | )/, "");
}

const inOrder = new Intl.Collator("en", { numeric: true });

export function printTally(tally: Tally, say: (line: string) => void): void {
  const counts = byInvariant(tally.counts);
  for (const [title, belongs] of GROUPS) {
    const rows = [...counts].filter(([what]) => belongs.test(what)).toSorted(([left], [right]) => inOrder.compare(left, right));
    if (rows.length === 0) continue;
    say(`\n${title}`);
    for (const [what, count] of rows) say(`${String(count).padStart(12)}  ${labelOf(what)}`);
  }
}
