import { spawn } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ROOT } from "../../scripts/start/system.ts";

/** A slice of `npm run bulk`, with its default seed. */
const REQUESTS = 2_000;

test(`${REQUESTS} billed requests reach D1 once through a queue that repeats, reorders and loses, and a consumer that crashes`, async () => {
  const parameters = ["--requests", String(REQUESTS), "--accounts", "2"];
  const child = spawn(process.execPath, [join(ROOT, "scripts/bulk.ts"), ...parameters], { cwd: ROOT });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (bytes: Buffer) => (output += bytes.toString()));
  const code = await new Promise((resolve) => child.on("close", resolve));
  expect(output).toContain("bulk: ledger, rows, rollups and exports are equal to the micro-RUB");
  expect(code).toBe(0);
});
