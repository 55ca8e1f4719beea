/**
 * `npm run bench`: Plyrum with everything on against the direct call, a bare workerd pass-through, and Portkey's gateway on Node and on
 * workerd, interleaved round by round in one run on one machine. Only ratios mean anything; the table says which ones we hold ourselves to.
 *
 * `--rounds N` (default 3), `--quick` for a tenth of the load, `--memory` adds 10,000 streams, half of them aborted. `--pairs` measures
 * translation instead: each caller's wire against each provider's, with pass-through and with Portkey where it speaks the pair.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { bareWorkerd, type Contender, direct, plyrum, portkeyOnNode, portkeyOnWorkerd, startUpstream } from "./bench/contenders.ts";
import { measureMemory, measureRound, type Row } from "./bench/measure.ts";
import { medianPairs, pairGoals, pairLines, relayLines } from "./bench/pair-table.ts";
import {
  CALLERS,
  measurePair,
  measurePortkeyPair,
  type PairRow,
  plyrumOfPairs,
  PORTKEY_PAIRS,
  startOfflineProcess,
  UPSTREAMS,
} from "./bench/pairs.ts";
import { measureRelays } from "./bench/relay-alone.ts";
import { goalLines, medianRows, tableLines } from "./bench/table.ts";
import { ROOT } from "./start/system.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    quick: { type: "boolean", default: false },
    memory: { type: "boolean", default: false },
    pairs: { type: "boolean", default: false },
  },
});
const rounds = Math.max(1, Number(values.rounds));
const scale = values.quick ? 0.1 : 1;
const RELAY_RUNS = values.quick ? 60 : 400;

/** What is to be ended when the run is over, or broken off. */
const closers: (() => unknown)[] = [];
const endAll = async (): Promise<void> => {
  for (const close of closers.splice(0).toReversed()) await close();
};
process.once("SIGINT", () => void endAll().then(() => process.exit(130)));

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

function writeReport(name: string, figures: object): void {
  mkdirSync(join(ROOT, "target"), { recursive: true });
  const report = {
    at: new Date(Date.now()).toISOString(),
    evidence: "offline",
    assumption: "upstream and load on the same machine; only ratios within this run mean anything",
    rounds,
    scale,
    ...figures,
  };
  writeFileSync(join(ROOT, "target", name), JSON.stringify(report, null, 2));
}

async function benchContenders(): Promise<void> {
  const upstream = await startUpstream();
  closers.push(() => upstream.close());
  const contenders: Contender[] = [];
  for (const start of [direct, bareWorkerd, plyrum, portkeyOnNode, portkeyOnWorkerd]) {
    const contender = await start(upstream);
    contenders.push(contender);
    closers.push(() => contender.close());
  }
  const measured: Row[] = [];
  for (let round = 1; round <= rounds; round++) {
    for (const contender of contenders) {
      say(`round ${round}/${rounds}: ${contender.name}`);
      measured.push(await measureRound(contender, scale));
    }
  }
  const rows = medianRows(measured);
  const ours = contenders.find((contender) => contender.name.startsWith("plyrum"));
  const memory = values.memory && ours !== undefined ? await measureMemory(ours, Math.round(10_000 * scale), say) : null;
  const goals = goalLines(rows);
  console.log([...tableLines(rows), "", ...goals.map((goal) => goal.line), ...(memory === null ? [] : ["", memory.line])].join("\n"));
  writeReport("bench.json", { rows, goals, memory });
}

async function benchPairs(): Promise<void> {
  // Before anything else is started, since this is measured in this process.
  const relays = measureRelays(RELAY_RUNS);
  const offline = await startOfflineProcess();
  closers.push(() => offline.close());
  const ours = await plyrumOfPairs(offline);
  closers.push(() => ours.close());
  const theirs = await portkeyOnWorkerd({ port: Number(new URL(offline.url).port), close: () => undefined });
  closers.push(() => theirs.close());
  const measured: PairRow[] = [];
  const measuredTheirs: PairRow[] = [];
  for (let round = 1; round <= rounds; round++) {
    for (const upstream of UPSTREAMS) {
      say(`round ${round}/${rounds}: providers that speak ${upstream}`);
      for (const caller of CALLERS) measured.push(await measurePair(ours, { caller, upstream }, scale));
      for (const pair of PORTKEY_PAIRS.filter((one) => one.upstream === upstream))
        measuredTheirs.push(await measurePortkeyPair(theirs, offline, pair, scale));
    }
  }
  const pairs = medianPairs(measured);
  const portkey = medianPairs(measuredTheirs);
  const goals = pairGoals(pairs);
  console.log([...relayLines(relays), "", ...pairLines(pairs, portkey), "", ...goals.map((goal) => goal.line)].join("\n"));
  writeReport("bench-pairs.json", { pairs, portkey, relays, goals });
}

try {
  await (values.pairs ? benchPairs() : benchContenders());
} finally {
  await endAll();
}
process.exit();
