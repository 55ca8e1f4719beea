/**
 * `npm run report`: the cost report, as `target/cost_report.json`. Of a running system with `--url URL` (or `PLYRUM_URL`) and its admin key in
 * `PLYRUM_ADMIN_KEY`; otherwise of the state folder (`--state-dir`, `STATE_DIR`, or `.wrangler/state`), which is only read.
 *
 * `--as-of INSTANT` leaves later rows out; without it the newest row says what time it is. `--out FILE` for another file. The same facts
 * give the same bytes. Exits 1 when a check in the report does not hold.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { costReport, type ReportInputs } from "../workers/cost/report.ts";
import { canonicalJson } from "./report/canonical-json.ts";
import { factsOfSystem } from "./report/system.ts";
import { factsOfState } from "./report/state.ts";
import { isSet, readEnvironment } from "./start/environment.ts";

// Not from start/system.ts: a report loads no runtime.
const ROOT = dirname(import.meta.dirname);

const { values } = parseArgs({
  options: { url: { type: "string" }, "state-dir": { type: "string" }, "as-of": { type: "string" }, out: { type: "string" } },
});
const environment = readEnvironment(ROOT);

function instant(text: string): number {
  const at = Date.parse(text);
  if (Number.isNaN(at)) throw new Error(`--as-of ${text} is no date or instant`);
  return at;
}

async function readFacts(asOf: number | null): Promise<{ facts: Omit<ReportInputs, "asOf">; from: string }> {
  const url = values.url ?? environment["PLYRUM_URL"];
  if (isSet(url)) {
    const adminKey = environment["PLYRUM_ADMIN_KEY"];
    if (!isSet(adminKey)) throw new Error("set PLYRUM_ADMIN_KEY to the admin key of that system");
    return { facts: await factsOfSystem(url, adminKey, asOf), from: url };
  }
  const folder = resolve(values["state-dir"] ?? environment["STATE_DIR"] ?? join(ROOT, ".wrangler/state"));
  return { facts: await factsOfState(folder, asOf), from: folder };
}

try {
  const asOf = values["as-of"] === undefined ? null : instant(values["as-of"]);
  const { facts, from } = await readFacts(asOf);
  const report = costReport({ asOf, ...facts });
  const out = resolve(values.out ?? join(ROOT, "target/cost_report.json"));
  mkdirSync(dirname(out), { recursive: true });
  writeFileSync(out, canonicalJson(report));
  const { totals } = report;
  console.log(
    `report: ${totals.requests} requests of ${report.by_account.length} accounts from ${from}, as of ${report.as_of}, evidence ${report.evidence}`,
  );
  console.log(
    `report: charged ${totals.charged_micro_rub}, provider cost ${totals.provider_cost_micro_rub}, margin ${totals.margin_micro_rub} micro-RUB; written to ${out}`,
  );
  const failing = report.checks.filter((check) => !check.ok);
  for (const check of failing) console.error(`report: does not hold: ${check.name} (${check.accounts.join(", ")})`);
  process.exitCode = failing.length === 0 ? 0 : 1;
} catch (error) {
  console.error(`report: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
