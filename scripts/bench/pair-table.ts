/** The tables of translation: a row a provider's wire, a column a caller's, and the goal they are held against. */
import { quantile } from "./measure.ts";
import { CALLERS, type PairRow, UPSTREAMS } from "./pairs.ts";
import type { RelayRow } from "./relay-alone.ts";
import { type Goal, goal } from "./table.ts";

/** No pair may cost more than this many times pass-through, CPU a chunk. */
const TIMES_PASS_THROUGH = 3;

/** Medians over the rounds, by pair. */
export function medianPairs(rows: readonly PairRow[]): PairRow[] {
  const keys = [...new Set(rows.map(({ caller, upstream }) => `${caller} ${upstream}`))];
  return keys.flatMap((key) => {
    const own = rows.filter(({ caller, upstream }) => `${caller} ${upstream}` === key);
    const median = (field: "unaryCpuMilliseconds" | "chunkCpuMicroseconds"): number =>
      quantile(
        own.map((row) => row[field]),
        0.5,
      );
    return own.slice(0, 1).map((row) => ({
      ...row,
      unaryCpuMilliseconds: median("unaryCpuMilliseconds"),
      chunkCpuMicroseconds: median("chunkCpuMicroseconds"),
    }));
  });
}

/** What pass-through costs for this provider's wire; for one that no caller speaks, what it costs in the middle of the others. */
function passThrough(rows: readonly PairRow[], upstream: string): number {
  const all = rows.filter((row) => row.caller === row.upstream);
  const own = all.find((row) => row.upstream === upstream);
  return (
    own?.chunkCpuMicroseconds ??
    quantile(
      all.map((row) => row.chunkCpuMicroseconds),
      0.5,
    )
  );
}

function grid(title: string, cell: (caller: string, upstream: string) => string): string[] {
  return [
    `| ${title} | ${CALLERS.join(" | ")} |`,
    `|---|${CALLERS.map(() => "---|").join("")}`,
    ...UPSTREAMS.map((upstream) => [upstream, CALLERS.map((caller) => cell(caller, upstream))] as const)
      .filter(([, cells]) => cells.some((text) => text !== "–"))
      .map(([upstream, cells]) => `| ${upstream} | ${cells.join(" | ")} |`),
  ];
}

function timesText(value: number, base: number, digits: number): string {
  return `${value.toFixed(digits)} (${(value / base).toFixed(1)}×)`;
}

function find(list: readonly PairRow[], caller: string, upstream: string): PairRow | undefined {
  return list.find((row) => row.caller === caller && row.upstream === upstream);
}

/** The tables of the whole system; the last is Portkey's, on the same runtime. */
export function pairLines(rows: readonly PairRow[], portkey: readonly PairRow[]): string[] {
  return [
    ...grid("stream: CPU µs/chunk (× pass-through); provider ↓, caller →", (caller, upstream) => {
      const row = find(rows, caller, upstream);
      return row === undefined ? "–" : timesText(row.chunkCpuMicroseconds, passThrough(rows, upstream), 0);
    }),
    "",
    ...grid("unary, 8 clients: CPU ms/request", (caller, upstream) => find(rows, caller, upstream)?.unaryCpuMilliseconds.toFixed(2) ?? "–"),
    "",
    "| pair (caller → provider) | plyrum CPU µs/chunk | Portkey on workerd CPU µs/chunk | plyrum CPU ms/request | Portkey on workerd CPU ms/request |",
    "|---|---|---|---|---|",
    ...portkey.flatMap((theirs) => {
      const ours = find(rows, theirs.caller, theirs.upstream);
      if (ours === undefined) return [];
      const cells = [ours.chunkCpuMicroseconds.toFixed(0), theirs.chunkCpuMicroseconds.toFixed(0)];
      return [
        `| ${theirs.caller} → ${theirs.upstream} | ${cells.join(" | ")} | ${ours.unaryCpuMilliseconds.toFixed(2)} | ${theirs.unaryCpuMilliseconds.toFixed(2)} |`,
      ];
    }),
  ];
}

export function relayLines(rows: readonly RelayRow[]): string[] {
  return grid("relay alone: µs/chunk (× pass-through); provider ↓, caller →", (caller, upstream) => {
    const row = rows.find((one) => one.caller === caller && one.upstream === upstream);
    return row === undefined ? "–" : timesText(row.chunkMicroseconds, row.passMicroseconds, 1);
  });
}

export function pairGoals(rows: readonly PairRow[]): Goal[] {
  const times = rows
    .filter((row) => row.caller !== row.upstream)
    .map((row) => ({ row, times: row.chunkCpuMicroseconds / passThrough(rows, row.upstream) }))
    .toSorted((one, other) => other.times - one.times);
  const [worst] = times;
  if (worst === undefined) return [];
  const { caller, upstream } = worst.row;
  return [goal(`CPU a chunk of the dearest pair (${caller} → ${upstream}) ÷ pass-through`, worst.times, TIMES_PASS_THROUGH, true)];
}
