/** The table of the benchmark and the goals it is held against, each a ratio or a difference within the same run. */
import { quantile, type Row } from "./measure.ts";

/** Medians over the rounds, by contender. */
export function medianRows(rows: readonly Row[]): Row[] {
  const names = [...new Set(rows.map((row) => row.name))];
  return names.map((name) => {
    const own = rows.filter((row) => row.name === name);
    const median = (field: Exclude<keyof Row, "name">): number =>
      quantile(
        own.map((row) => row[field]),
        0.5,
      );
    return {
      name,
      unaryP50Milliseconds: median("unaryP50Milliseconds"),
      unaryCpuMilliseconds: median("unaryCpuMilliseconds"),
      parallelPerSecond: median("parallelPerSecond"),
      parallelCpuMilliseconds: median("parallelCpuMilliseconds"),
      chunkCpuMicroseconds: median("chunkCpuMicroseconds"),
      chunksPerSecond: median("chunksPerSecond"),
      firstByteP50Milliseconds: median("firstByteP50Milliseconds"),
      firstByteP99Milliseconds: median("firstByteP99Milliseconds"),
      chunkDelayP50Milliseconds: median("chunkDelayP50Milliseconds"),
      chunkDelayP99Milliseconds: median("chunkDelayP99Milliseconds"),
      residentMegabytes: median("residentMegabytes"),
    };
  });
}

const LINES: readonly { label: string; field: Exclude<keyof Row, "name">; digits: number }[] = [
  { label: "unary, 1 client: p50 ms", field: "unaryP50Milliseconds", digits: 2 },
  { label: "unary, 1 client: CPU ms/request", field: "unaryCpuMilliseconds", digits: 2 },
  { label: "unary, 16 clients: requests/s", field: "parallelPerSecond", digits: 0 },
  { label: "unary, 16 clients: CPU ms/request", field: "parallelCpuMilliseconds", digits: 2 },
  { label: "stream, no delay, 4 clients: CPU µs/chunk", field: "chunkCpuMicroseconds", digits: 0 },
  { label: "stream, no delay, 4 clients: chunks/s", field: "chunksPerSecond", digits: 0 },
  { label: "stream, paced: TTFT p50 ms", field: "firstByteP50Milliseconds", digits: 2 },
  { label: "stream, paced: TTFT p99 ms", field: "firstByteP99Milliseconds", digits: 2 },
  { label: "stream, paced: delay a chunk p50 ms", field: "chunkDelayP50Milliseconds", digits: 2 },
  { label: "stream, paced: delay a chunk p99 ms", field: "chunkDelayP99Milliseconds", digits: 2 },
  { label: "memory after the run, MB", field: "residentMegabytes", digits: 0 },
];

export function tableLines(rows: readonly Row[]): string[] {
  return [
    `| | ${rows.map((row) => row.name).join(" | ")} |`,
    `|---|${rows.map(() => "---|").join("")}`,
    ...LINES.map(
      ({ label, field, digits }) =>
        `| ${label} | ${rows.map((row) => (row[field] === 0 ? "–" : row[field].toFixed(digits))).join(" | ")} |`,
    ),
  ];
}

export interface Goal {
  name: string;
  measured: number;
  limit: number;
  met: boolean;
  line: string;
}

export function goal(name: string, measured: number, limit: number, isAtMost: boolean): Goal {
  const met = isAtMost ? measured <= limit : measured >= limit;
  return {
    name,
    measured,
    limit,
    met,
    line: `${met ? "met    " : "NOT MET"} ${name}: ${measured.toFixed(2)} (${isAtMost ? "at most" : "at least"} ${limit})`,
  };
}

/** The goals of the gateway against its peers. */
export function goalLines(rows: readonly Row[]): Goal[] {
  const of = (start: string): Row => {
    const row = rows.find((candidate) => candidate.name.startsWith(start));
    if (row === undefined) throw new Error(`no row of ${start}`);
    return row;
  };
  const [own, base, onNode, onWorkerd] = [of("plyrum"), of("direct"), of("Portkey on Node"), of("Portkey on workerd")];
  return [
    goal("added time to first token, paced, p50 ms", own.firstByteP50Milliseconds - base.firstByteP50Milliseconds, 3, true),
    goal("added delay a chunk, paced, p50 ms", own.chunkDelayP50Milliseconds - base.chunkDelayP50Milliseconds, 0.8, true),
    goal("CPU a unary request ÷ Portkey on Node", own.unaryCpuMilliseconds / onNode.unaryCpuMilliseconds, 0.95, true),
    goal("requests/s at 16 in parallel ÷ Portkey on Node", own.parallelPerSecond / onNode.parallelPerSecond, 1, false),
    goal("CPU a chunk ÷ Portkey on workerd", own.chunkCpuMicroseconds / onWorkerd.chunkCpuMicroseconds, 0.7, true),
  ];
}
