/**
 * `npm run limits`: a crowd of callers against the running system, on tight balances and limits. No balance may be overspent by a micro-RUB,
 * no limit passed or fallen short of by more than one percent, and in the end every hold and counter must be at rest.
 *
 * `--keys N` (default 20), `--requests N` at once (default 1000), `--seconds N` of constant demand on each rate (default 30).
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Crowd } from "./limits/crowd.ts";
import { type Claim, PHASES } from "./limits/phases.ts";
import { ROOT, startSystem } from "./start/system.ts";

const { values } = parseArgs({
  options: {
    keys: { type: "string", default: "20" },
    requests: { type: "string", default: "1000" },
    seconds: { type: "string", default: "30" },
  },
});
const scale = { keys: Number(values.keys), requests: Number(values.requests), seconds: Number(values.seconds) };

const stateDir = mkdtempSync(join(tmpdir(), "plyrum-limits-"));
const system = await startSystem({ port: 0, stateDir, environment: {}, workerLog: false });
const claims: Claim[] = [];
try {
  const crowd = new Crowd(system);
  for (const phase of PHASES) {
    for (const claim of await phase(crowd, scale)) {
      claims.push(claim);
      process.stdout.write(`${claim.holds ? "ok  " : "FAIL"} ${claim.phase.padEnd(18)} ${claim.claim}: ${claim.seen}\n`);
    }
  }
} finally {
  await system.close();
  rmSync(stateDir, { recursive: true, force: true });
}
mkdirSync(join(ROOT, "target"), { recursive: true });
writeFileSync(join(ROOT, "target/limits.json"), `${JSON.stringify({ evidence: "offline", scale, claims }, null, 2)}\n`);
const failed = claims.filter((claim) => !claim.holds).length;
process.stdout.write(failed === 0 ? `limits: all ${claims.length} claims hold\n` : `limits: ${failed} of ${claims.length} claims FAILED\n`);
process.exit(failed === 0 ? 0 : 1);
