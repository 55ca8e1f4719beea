/** `npm run conformance` as a whole: a provider that was just added is in it, a body that is understood wrongly fails it, and it can be stopped. */
import { spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
let copy = "";

beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), "plyrum-conformance-"));
  for (const path of [
    "schema",
    "workers",
    "test/conformance",
    "test/protocol",
    "test/hostile/bodies.ts",
    "test/bodies",
    "scripts",
    "package.json",
  ])
    cpSync(join(root, path), join(copy, path), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
});
afterAll(() => rmSync(copy, { recursive: true, force: true }));

interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs a script of the copy. `stopped`: the signal that is sent when it first says how far it is. */
function run(parameters: string[], options: { recordings?: string; stopped?: NodeJS.Signals } = {}): Promise<Ended> {
  const child = spawn(process.execPath, parameters, {
    cwd: copy,
    env: { ...process.env, PLYRUM_RECORDINGS: options.recordings ?? join(copy, "nothing") },
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (bytes: Buffer) => (stdout += bytes.toString()));
  child.stderr.on("data", (bytes: Buffer) => {
    stderr += bytes.toString();
    if (options.stopped !== undefined && !child.killed && stderr.includes("conformance: ")) child.kill(options.stopped);
  });
  return new Promise((resolve) => child.once("close", (code) => resolve({ code, stdout, stderr })));
}

test("a provider that npm run new-provider wrote is tried by itself, on our own bodies where there are no recordings", async () => {
  const added = await run(["scripts/new-provider.ts", "acme-labs", "--base-url", "https://api.acme.test/v1"]);
  expect(added.code).toBe(0);
  const { code, stdout, stderr } = await run(["scripts/conformance.ts", "--quick", "acme-labs", "own request of openai-chat"]);
  expect([code, stderr.includes("FAILED")]).toEqual([0, false]);
  expect(stdout).toMatch(/1 providers of the registry, with their quirks: [\d,]{3,} cases, none failed/);
  expect(stdout).toContain("on our own bodies alone (test/bodies): no recordings beside the repository");
  expect(stdout).toContain("| openai-chat | 1 |");
}, 120_000);

test("a body that does not become what it should is told at once and at the end, and fails the command", async () => {
  const recordings = join(copy, "recordings");
  mkdirSync(recordings);
  // A refusal that is recorded with a status nobody has, so what is expected of it cannot come true.
  const row = { file: "odd.json", request_file: null, protocol: "openai-chat", provider: "x", stream: false, status: 599, url: null };
  writeFileSync(join(recordings, "index.jsonl"), `${JSON.stringify(row)}\n`);
  writeFileSync(join(recordings, "odd.json"), '{"error":{"message":"odd"}}');
  const { code, stdout, stderr } = await run(["scripts/conformance.ts", "odd.json"], { recordings });
  expect(code).toBe(1);
  expect(stderr).toContain("FAILED anthropic-messages < openai-chat error odd.json: status 599 became");
  expect(stdout).toContain("**1 failed** of 1");
  expect(stdout).toContain("on recordings and our own bodies");
}, 120_000);

test("names that fit nothing are no success", async () => {
  const { code, stdout } = await run(["scripts/conformance.ts", "no such body"]);
  expect([code, stdout]).toEqual([1, expect.stringContaining("0 cases of 0 bodies")]);
}, 120_000);

test("Ctrl-C ends it at once, with how far it came", async () => {
  const { code, stdout, stderr } = await run(["scripts/conformance.ts"], { stopped: "SIGINT" });
  expect([code, stdout]).toEqual([130, ""]);
  expect(stderr).toMatch(/conformance: \d+ of \d+ bodies, requests and providers/);
}, 120_000);
