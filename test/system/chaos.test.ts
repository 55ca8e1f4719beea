import { spawn } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ROOT } from "../../scripts/start/system.ts";

/** The first kills of `npm run chaos`, with its default seed. */
const KILLS = 3;

test(`a system killed ${KILLS} times mid-stream ends every hold, charges nothing twice and loses nothing`, async () => {
  const child = spawn(process.execPath, [join(ROOT, "scripts/chaos.ts"), "--kills", String(KILLS)], { cwd: ROOT });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (bytes: Buffer) => (output += bytes.toString()));
  const code = await new Promise((resolve) => child.on("close", resolve));
  expect(output).toContain("chaos: every hold ended, ledger = D1, nothing twice, nothing lost");
  expect(code).toBe(0);
});
