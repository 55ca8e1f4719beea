/** `npm run audit` from outside: of a running system, of its state folder when it is stopped, and of books that somebody touched. */
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ROOT } from "../../scripts/start/system.ts";
import { type Account, type Stage, startStage } from "./shared-system.ts";

let stage: Stage;
let account: Account;

async function audit(...parameters: string[]): Promise<{ code: unknown; said: string }> {
  const child = spawn(process.execPath, [join(ROOT, "scripts/audit.ts"), ...parameters], {
    cwd: ROOT,
    env: { ...process.env, PLYRUM_ADMIN_KEY: stage.system.adminKey },
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (bytes: Buffer) => (said += bytes.toString()));
  const code = await new Promise((resolve) => child.once("close", resolve));
  return { code, said };
}

beforeAll(async () => {
  stage = await startStage();
  account = await stage.account(50_000_000);
  for (const model of ["openai/gpt-5-mini", "openai/gpt-5-mini@status=500"]) {
    const response = await fetch(`${stage.system.url}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${account.key}`, "content-type": "application/json" },
      body: JSON.stringify({ model, messages: [{ role: "user", content: "Say something." }] }),
    });
    await response.text();
  }
  await stage.admin(`/accounts/${account.id}/refunds`, { body: { amount_micro_rub: 1_000_000, reference: "back" } });
  await stage.admin(`/accounts/${account.id}/chargebacks`, {
    body: { amount_micro_rub: 2_000_000, fee_micro_rub: 500_000, reference: "taken" },
  });
  await account.atRest();
});

afterAll(() => stage.close());

test("the books of a running system and of its stopped state are right, and the same", async () => {
  const running = await audit("--url", stage.system.url);
  expect(running).toMatchObject({ code: 0, said: expect.stringContaining(`ok    ${account.id}: 5 entries`) });
  expect(running.said).toContain("the books are right");
  expect(running.said).toMatch(/0\.000000 {2}together/);
  await stage.system.close();
  const stopped = await audit("--state", stage.stateDir);
  expect(stopped).toMatchObject({ code: 0, said: expect.stringContaining(`ok    ${account.id}: 5 entries`) });
  const lines = (said: string): string[] => said.split("\n").filter((line) => line.startsWith("ok "));
  expect(lines(stopped.said).toSorted()).toEqual(lines(running.said).toSorted());
});

test("an entry that was changed in the object's file, past its triggers, is named", async () => {
  const folder = join(stage.stateDir, "resources/do");
  const paths = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".sqlite"));
  let changed = 0;
  for (const path of paths) {
    const database = new DatabaseSync(join(folder, path));
    const isLedger = database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'entry'").get() !== undefined;
    if (isLedger && database.prepare("SELECT 1 FROM entry WHERE kind = 'refund'").get() !== undefined) {
      database.exec("DROP TRIGGER entry_is_not_updated; UPDATE entry SET amount = amount + 1 WHERE kind = 'refund'");
      changed += 1;
    }
    database.close();
  }
  expect(changed).toBe(1);
  const { code, said } = await audit("--state", stage.stateDir);
  expect(code).toBe(1);
  expect(said).toMatch(new RegExp(`WRONG ${account.id}: `));
  expect(said).toContain("entry 4 has another hash than its content");
  expect(said).toContain("entry 4 is another one in D1");
});

test("a folder without books is an error and not a right book", async () => {
  expect(await audit("--state", join(ROOT, "schema"))).toMatchObject({ code: 2, said: expect.stringContaining("there is no database") });
});
