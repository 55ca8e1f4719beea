import { spawn } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ROOT } from "../../scripts/start/system.ts";

/** Of the cases of `npm run chaos:mixture`, drawn by its default seed. */
const CASES = 80;

test(`${CASES} mixtures of faulty proposers, quorums and callers that leave settle and release every hold, and end once`, async () => {
  const child = spawn(process.execPath, [join(ROOT, "scripts/chaos-mixture.ts"), "--cases", String(CASES)], { cwd: ROOT });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (bytes: Buffer) => (output += bytes.toString()));
  const code = await new Promise((resolve) => child.on("close", resolve));
  expect(output).toContain("chaos: every hold is settled and released in full, every request ended once");
  expect(code).toBe(0);
});
