/**
 * Every house rule and every test, one after the other: `npm test` and `npm run check`, here and in CI.
 *
 * `npm run check -- lint types` runs the named steps only. All steps run even when one fails; the closing line names those that did.
 */
import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { browserPath } from "./start/browser.ts";
import { writeAssets } from "./start/assets.ts";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const sources = ["workers", "schema", "db", "scripts", "test"].filter((folder) => existsSync(join(root, folder)));
const config = (name: string): string => `scripts/config/${name}`;
const vitest = ["vitest", "run", "--config", config("vitest.config.ts")];

const INSTALL_MILLISECONDS = 180_000;

interface Step {
  name: string;
  purpose: string;
  commands: string[][];
  prepare?: () => void;
}

const STEPS: readonly Step[] = [
  {
    name: "format",
    purpose: "the one layout of the code; `npm run format` mends it",
    commands: [["oxfmt", "--config", config("oxfmt.json"), "--check", ...sources.map((folder) => `${folder}/**/*.{ts,tsx}`)]],
  },
  {
    name: "lint",
    purpose: "known mistakes, lengths, any, cycles",
    commands: [["oxlint", "-c", config("oxlint.jsonc"), "--deny-warnings", ...sources]],
  },
  {
    name: "types",
    purpose: "strict types of what runs on Workers, on Node, and in tests inside workerd",
    commands: ["tsconfig.json", config("tsconfig.node.json"), config("tsconfig.workers-test.json"), config("tsconfig.islands.json")].map(
      (path) => ["tsc", "-p", path],
    ),
  },
  {
    name: "direction",
    purpose: "imports point down, no cycles",
    commands: [["depcruise", "--config", config("depcruise.cjs"), ...sources]],
  },
  { name: "dead-code", purpose: "files, exports and packages nobody uses", commands: [["knip", "--no-progress"]] },
  {
    name: "tests",
    purpose: "tidy rules, pure rooms, and real objects, queues and D1 in workerd",
    commands: [[...vitest, "--project", "node", "--project", "workers"]],
  },
  // Apart from the others: a whole system wants both cores for itself.
  { name: "system", purpose: "the whole system from outside", prepare: ensureBrowser, commands: [[...vitest, "--project", "system"]] },
];

/** Tests of pages want Debian's Chromium: installed where it is missing and we may; otherwise the tests are skipped, and say so. */
function ensureBrowser(): void {
  if (browserPath() !== null) return;
  const mayInstall = process.getuid?.() === 0 && existsSync("/usr/bin/apt-get");
  process.stdout.write(
    mayInstall
      ? "Chromium is missing: installing Debian's package chromium for the tests of pages\n"
      : "Chromium is missing: `apt install chromium` runs the tests of pages, which are skipped and named now\n",
  );
  if (!mayInstall) return;
  if (!installChromium() && !(apt("update") && installChromium()))
    process.stdout.write("Chromium could not be installed: the tests of pages are skipped and named\n");
}

function installChromium(): boolean {
  return apt("install", "--yes", "--no-install-recommends", "chromium");
}

function apt(...parameters: string[]): boolean {
  const environment = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  return (
    spawnSync("apt-get", ["-qq", ...parameters], {
      stdio: ["ignore", "ignore", "inherit"],
      env: environment,
      timeout: INSTALL_MILLISECONDS,
    }).status === 0
  );
}

function run(command: string[]): Promise<boolean> {
  const [program = "", ...parameters] = command;
  const bin = join(root, "node_modules/.bin");
  return new Promise((resolve) => {
    const child = spawn(join(bin, program), parameters, {
      cwd: root,
      stdio: "inherit",
      // The tools' own first line asks for `node`: they get the one that runs this.
      env: { ...process.env, PATH: [dirname(process.execPath), bin, process.env["PATH"]].join(delimiter) },
    });
    child.once("error", () => resolve(false));
    child.once("exit", (code) => resolve(code === 0));
  });
}

async function runStep(step: Step): Promise<boolean> {
  const started = performance.now();
  process.stdout.write(`\n── ${step.name}: ${step.purpose}\n`);
  step.prepare?.();
  let passed = true;
  for (const command of step.commands) passed = (await run(command)) && passed;
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  process.stdout.write(`── ${step.name} ${passed ? "passed" : "FAILED"} in ${seconds} s\n`);
  return passed;
}

await writeAssets(root);
const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !STEPS.some((step) => step.name === name));
if (unknown.length > 0) {
  process.stderr.write(`check: no step named ${unknown.join(", ")}; there are ${STEPS.map((step) => step.name).join(", ")}\n`);
  process.exit(2);
}
const steps = wanted.length === 0 ? STEPS : STEPS.filter((step) => wanted.includes(step.name));
const failed: string[] = [];
for (const step of steps) if (!(await runStep(step))) failed.push(step.name);
const verdict =
  failed.length === 0 ? `all ${steps.length} steps passed` : `${failed.length} of ${steps.length} steps failed: ${failed.join(", ")}`;
process.stdout.write(`\ncheck: ${verdict}\n`);
process.exit(failed.length === 0 ? 0 : 1);
