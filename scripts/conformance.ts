/**
 * The conformance table: every recorded body (and every own one of test/bodies) through every client protocol, every recorded request through
 * every provider protocol, and every provider of the registry, with all that is asked of a translation (test/conformance/case.ts lists
 * it). `npm run conformance`, or with parts of names: `npm run conformance -- gemini`. `--quick` cuts and splits at few places.
 *
 * Two threads share the work, the largest first. Progress goes to stderr, the table to stdout, everything to
 * target/conformance.json. Exits 1 when a case failed.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isMainThread, parentPort, Worker } from "node:worker_threads";
import { type CaseResult, FULL_EFFORT, SLICE_EFFORT } from "../test/conformance/case.ts";
import { addResults, CLIENTS, newReport, type Report, summaryOf, tableOf, UPSTREAMS } from "../test/conformance/report.ts";
import { recordedRequests } from "../test/conformance/requests.ts";
import { runProvider, runRecording, runRequest } from "../test/conformance/run.ts";
import { recordings, recordingsFolder } from "../test/protocol/recordings.ts";
import { PROVIDERS } from "../workers/provider/index.ts";

const THREADS = 2;
const parameters = process.argv.slice(2);
const isQuick = parameters.includes("--quick");
const parts = parameters.filter((parameter) => !parameter.startsWith("--"));
const EFFORT = isQuick ? SLICE_EFFORT : FULL_EFFORT;
const target = join(import.meta.dirname, "../target");

interface Job {
  name: string;
  /** About how long it takes, for the order. */
  size: number;
  run: () => Promise<CaseResult[]>;
}

const PROVIDER_SIZE = 64 * 1024;

/** The same list in every thread. */
const jobs: readonly Job[] = [
  ...recordings.map((recording) => ({
    name: recording.name,
    size: recording.bytes.length,
    run: () => runRecording(recording, CLIENTS, EFFORT),
  })),
  ...Object.values(PROVIDERS).map((provider) => ({
    name: provider.id,
    size: PROVIDER_SIZE,
    run: () => runProvider(provider, CLIENTS, SLICE_EFFORT),
  })),
  ...recordedRequests.map((request) => ({ name: request.name, size: 0, run: () => runRequest(request, UPSTREAMS) })),
];

/** In a thread: runs the job of each number it is sent, and answers with its cases. */
function serve(): void {
  const port = parentPort;
  if (port === null) throw new Error("no thread");
  // SDKs print what they cannot read; here it is part of the question.
  console.error = () => {};
  console.warn = () => {};
  port.on("message", (index: number) => {
    const job = jobs[index];
    if (job === undefined) throw new Error(`no job ${index}`);
    void job.run().then((results) => port.postMessage(results));
  });
}

function wantedJobs(): number[] {
  return jobs
    .map((job, index) => ({ ...job, index }))
    .filter(({ name }) => parts.length === 0 || parts.some((part) => name.includes(part)))
    .toSorted((one, other) => other.size - one.size)
    .map(({ index }) => index);
}

function showProgress(report: Report, wanted: number, started: number): void {
  const { total, bodies, requests, providers, failures } = report;
  const done = bodies + requests + Object.keys(providers).length;
  const seconds = Math.round((performance.now() - started) / 1000);
  const failed = failures.length === 0 ? "" : `, ${failures.length} FAILED`;
  process.stderr.write(`conformance: ${done} of ${wanted} bodies, requests and providers, ${total.cases} cases${failed} (${seconds} s)\n`);
}

function lineOf({ client, upstream, check, body, fault }: CaseResult): string {
  return `FAILED ${client} < ${upstream} ${check} ${body}: ${fault}\n`;
}

/** Hands the jobs out one by one; resolves when all are back. */
function runAll(queue: number[], report: Report): Promise<void> {
  return new Promise((resolve, reject) => {
    let running = 0;
    for (let thread = 0; thread < THREADS; thread++) {
      const worker = new Worker(new URL(import.meta.url), { argv: parameters });
      const hand = (): void => {
        const next = queue.shift();
        if (next !== undefined) return worker.postMessage(next, []);
        running -= 1;
        void worker.terminate();
        if (running === 0) resolve();
      };
      running += 1;
      worker.on("message", (results: CaseResult[]) => {
        addResults(report, results);
        for (const result of results) if (result.outcome === "failed") process.stderr.write(lineOf(result));
        hand();
      });
      worker.once("error", reject);
      hand();
    }
  });
}

async function main(): Promise<void> {
  const started = performance.now();
  const queue = wantedJobs();
  const wanted = queue.length;
  const report = newReport();
  process.on("SIGINT", () => {
    showProgress(report, wanted, started);
    process.exit(130);
  });
  showProgress(report, wanted, started);
  const progress = setInterval(() => showProgress(report, wanted, started), 5_000);
  await runAll(queue, report);
  clearInterval(progress);
  mkdirSync(target, { recursive: true });
  const evidence =
    recordingsFolder === null ? "our own bodies alone (test/bodies): no recordings beside the repository" : "recordings and our own bodies";
  writeFileSync(join(target, "conformance.json"), `${JSON.stringify({ evidence, ...report }, null, 1)}\n`);
  // A part of the bodies cannot need all rows.
  if (parts.length > 0) report.unused = [];
  for (const failure of report.failures) process.stdout.write(lineOf(failure));
  process.stdout.write(
    `${tableOf(report)}\n\n${summaryOf(report)}\nin ${Math.round((performance.now() - started) / 1000)} s, on ${evidence}${isQuick ? ", cut at few places" : ""}\n`,
  );
  process.exitCode = report.failures.length === 0 && wanted > 0 ? 0 : 1;
}

if (isMainThread) await main();
else serve();
