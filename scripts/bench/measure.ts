/** One contender's figures of one round: whole answers one by one and 16 at a time, streams at full speed and at a pace. */
import type { Contender } from "./contenders.ts";
import { runLoad, type Sample } from "./load.ts";
import { costOfProcess } from "./process-cost.ts";

export interface Row {
  name: string;
  unaryP50Milliseconds: number;
  unaryCpuMilliseconds: number;
  parallelPerSecond: number;
  parallelCpuMilliseconds: number;
  chunkCpuMicroseconds: number;
  chunksPerSecond: number;
  firstByteP50Milliseconds: number;
  firstByteP99Milliseconds: number;
  chunkDelayP50Milliseconds: number;
  chunkDelayP99Milliseconds: number;
  residentMegabytes: number;
}

const STREAM_CHUNKS = 200;
const PACED_CHUNKS = 40;
const PACE_MILLISECONDS = 5;
const PROMPT = "q".repeat(700);

function body(stream: boolean, order: string): string {
  return JSON.stringify({
    model: "gpt-5-mini",
    max_tokens: 1000,
    user: order,
    messages: [{ role: "user", content: PROMPT }],
    ...(stream ? { stream: true } : {}),
  });
}

export function quantile(values: readonly number[], share: number): number {
  const sorted = values.filter((value) => !Number.isNaN(value)).toSorted((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

interface Phase {
  samples: Sample[];
  perSecond: number;
  cpuMillisecondsEach: number;
}

/** One load at one contender, warmed up, and what it cost its process. */
export async function phase(contender: Contender, load: { body: string; requests: number; parallel: number }): Promise<Phase> {
  const cpu = (): number => (contender.pid === null ? 0 : costOfProcess(contender.pid).cpuMilliseconds);
  await runLoad(contender.target, { ...load, requests: Math.min(20, load.requests), abortAfterReads: null });
  const before = cpu();
  const { samples, milliseconds } = await runLoad(contender.target, { ...load, abortAfterReads: null });
  const failed = samples.find((sample) => sample.status !== 200);
  if (failed !== undefined) throw new Error(`${contender.name} answered ${failed.status}`);
  return { samples, perSecond: (load.requests * 1000) / milliseconds, cpuMillisecondsEach: (cpu() - before) / load.requests };
}

/** Measures one contender once. `scale` shrinks the load. */
export async function measureRound(contender: Contender, scale: number): Promise<Row> {
  const times = (count: number): number => Math.max(10, Math.round(count * scale));
  const unary = await phase(contender, { body: body(false, "0/0"), requests: times(600), parallel: 1 });
  const parallel = await phase(contender, { body: body(false, "0/0"), requests: times(1600), parallel: 16 });
  const streams = await phase(contender, { body: body(true, `${STREAM_CHUNKS}/0`), requests: times(80), parallel: 4 });
  const paced = await phase(contender, { body: body(true, `${PACED_CHUNKS}/${PACE_MILLISECONDS}`), requests: times(30), parallel: 1 });
  const delays = paced.samples.flatMap((sample) => sample.chunkMilliseconds);
  const firstBytes = paced.samples.map((sample) => sample.firstByteMilliseconds);
  return {
    name: contender.name,
    unaryP50Milliseconds: quantile(
      unary.samples.map((sample) => sample.totalMilliseconds),
      0.5,
    ),
    unaryCpuMilliseconds: unary.cpuMillisecondsEach,
    parallelPerSecond: parallel.perSecond,
    parallelCpuMilliseconds: parallel.cpuMillisecondsEach,
    chunkCpuMicroseconds: (streams.cpuMillisecondsEach * 1000) / STREAM_CHUNKS,
    chunksPerSecond: streams.perSecond * STREAM_CHUNKS,
    firstByteP50Milliseconds: quantile(firstBytes, 0.5),
    firstByteP99Milliseconds: quantile(firstBytes, 0.99),
    chunkDelayP50Milliseconds: quantile(delays, 0.5),
    chunkDelayP99Milliseconds: quantile(delays, 0.99),
    residentMegabytes: contender.pid === null ? 0 : costOfProcess(contender.pid).residentBytes / 1_048_576,
  };
}

/** Memory over many streams, every second of them left after a few chunks: growth between the halves is what would be a leak. */
export async function measureMemory(
  contender: Contender,
  streams: number,
  report: (line: string) => void,
): Promise<{ line: string; residentMegabytes: number[] }> {
  const resident = (): number => Math.round((contender.pid === null ? 0 : costOfProcess(contender.pid).residentBytes) / 1_048_576);
  const readings: number[] = [];
  const parts = 10;
  const each = Math.ceil(streams / parts / 2);
  for (let part = 1; part <= parts; part++) {
    await runLoad(contender.target, { body: body(true, "30/0"), requests: each, parallel: 8, abortAfterReads: null });
    await runLoad(contender.target, { body: body(true, "30/0"), requests: each, parallel: 8, abortAfterReads: 5 });
    readings.push(resident());
    report(`memory: ${part * each * 2} streams, ${readings.at(-1) ?? 0} MB`);
  }
  return {
    line: `memory over ${parts * each * 2} streams, half of them aborted, MB after each tenth: ${readings.join(" ")}`,
    residentMegabytes: readings,
  };
}
