import { spawn } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ROOT } from "../../scripts/start/system.ts";

/** `npm run limits` in small: the same phases and claims, fewer callers. */
const SCALE = ["--keys", "3", "--requests", "60", "--seconds", "2"];

test("a crowd on tight balances and limits overspends nothing, passes no limit, and leaves every counter at rest", async () => {
  const child = spawn(process.execPath, [join(ROOT, "scripts/limits.ts"), ...SCALE], { cwd: ROOT });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (bytes: Buffer) => (output += bytes.toString()));
  const code = await new Promise((resolve) => child.on("close", resolve));
  expect(output).toMatch(/limits: all \d+ claims hold/);
  expect(code).toBe(0);
});
