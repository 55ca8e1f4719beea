/**
 * `npm run bench`: Plyrum with everything on against the direct call, a bare workerd pass-through, and Portkey's gateway on Node and on
 * workerd, interleaved round by round in one run on one machine. Only ratios mean anything; the table says which ones we hold ourselves to.
 *
 * `--rounds N` (default 3), `--quick` for a tenth of the load, `--memory` adds 10,000 streams, half of them aborted.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { bareWorkerd, type Contender, direct, plyrum, portkeyOnNode, portkeyOnWorkerd, startUpstream } from "./bench/contenders.ts";
import { measureMemory, measureRound, type Row } from "./bench/measure.ts";
import { goalLines, medianRows, tableLines } from "./bench/table.ts";
import { ROOT } from "./start/system.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    quick: { type: "boolean", default: false },
    memory: { type: "boolean", default: false },
  },
});
const rounds = Math.max(1, Number(values.rounds));
const scale = values.quick ? 0.1 : 1;

const upstream = await startUpstream();
const contenders: Contender[] = [];
const endAll = async (): Promise<void> => {
  for (const contender of contenders.toReversed()) await contender.close();
  upstream.close();
};
process.once("SIGINT", () => void endAll().then(() => process.exit(130)));

try {
  for (const start of [direct, bareWorkerd, plyrum, portkeyOnNode, portkeyOnWorkerd]) contenders.push(await start(upstream));
  const measured: Row[] = [];
  for (let round = 1; round <= rounds; round++) {
    for (const contender of contenders) {
      process.stderr.write(`round ${round}/${rounds}: ${contender.name}\n`);
      measured.push(await measureRound(contender, scale));
    }
  }
  const rows = medianRows(measured);
  const ours = contenders.find((contender) => contender.name.startsWith("plyrum"));
  const memory =
    values.memory && ours !== undefined
      ? await measureMemory(ours, Math.round(10_000 * scale), (line) => process.stderr.write(`${line}\n`))
      : null;
  const goals = goalLines(rows);
  console.log([...tableLines(rows), "", ...goals.map((goal) => goal.line), ...(memory === null ? [] : ["", memory.line])].join("\n"));
  mkdirSync(join(ROOT, "target"), { recursive: true });
  const report = {
    at: new Date(Date.now()).toISOString(),
    evidence: "offline",
    assumption: "upstream and load on the same machine; only ratios within this run mean anything",
    rounds,
    scale,
    rows,
    goals,
    memory,
  };
  writeFileSync(join(ROOT, "target/bench.json"), JSON.stringify(report, null, 2));
} finally {
  await endAll();
}
process.exit();
