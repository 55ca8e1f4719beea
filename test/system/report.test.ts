/** `npm run report` from outside: of the running system and of its state folder afterwards, the same bytes, and the ledgers' own sums. */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { ROOT, startSystem } from "../../scripts/start/system.ts";
import { type Account, type Stage, startStage } from "./shared-system.ts";

const folder = mkdtempSync(join(tmpdir(), "plyrum-report-"));
let stage: Stage;
let accounts: Account[];

const lineSchema = z.looseObject({
  name: z.string(),
  requests: z.number(),
  charged_micro_rub: z.number(),
  provider_cost_micro_rub: z.number(),
  margin_micro_rub: z.number(),
});
const reportSchema = z.looseObject({
  as_of: z.string(),
  evidence: z.string(),
  assumptions: z.array(z.string()),
  checks: z.array(z.looseObject({ ok: z.boolean() })),
  totals: lineSchema,
  by_account: z.array(lineSchema),
  by_key: z.array(lineSchema),
  by_model: z.array(lineSchema),
  by_provider: z.array(lineSchema),
  holds_by_age: z.array(z.looseObject({ holds: z.number() })),
  attempts_without_settle: z.array(z.looseObject({ requests: z.number(), attempts: z.number(), error_code: z.string().nullable() })),
  estimate_error: z.looseObject({ requests: z.number(), over_estimate_bps: z.number().nullable() }),
});

/** The written report, as its bytes. */
async function report(name: string, parameters: string[]): Promise<string> {
  const out = join(folder, name);
  const child = spawn(process.execPath, [join(ROOT, "scripts/report.ts"), "--out", out, ...parameters], {
    cwd: ROOT,
    env: { ...process.env, PLYRUM_ADMIN_KEY: stage.system.adminKey },
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (bytes: Buffer) => (said += bytes.toString()));
  const code = await new Promise((resolve) => child.once("close", resolve));
  expect(code, said).toBe(0);
  return readFileSync(out, "utf8");
}

beforeAll(async () => {
  stage = await startStage();
  accounts = [await stage.account(50_000_000), await stage.account(50_000_000)];
  const ask = async (account: Account, model: string): Promise<void> => {
    const response = await fetch(`${stage.system.url}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${account.key}`, "content-type": "application/json" },
      body: JSON.stringify({ model, messages: [{ role: "user", content: "Say something." }] }),
    });
    await response.text();
  };
  for (const account of accounts)
    for (const model of ["openai/gpt-5-mini", "anthropic/claude-haiku-4-5", "openai/gpt-5-mini@status=500"]) await ask(account, model);
  for (const account of accounts) await account.atRest();
  // The demo account is in the report too, and its first credit may still be on its way to D1.
  while (!(await allRecorded())) await new Promise((resolve) => setTimeout(resolve, 50));
});

const reconciledSchema = z.object({
  accounts: z.array(z.looseObject({ ledger: z.looseObject({ seq: z.number() }), d1: z.looseObject({ seq: z.number() }) })),
});

async function allRecorded(): Promise<boolean> {
  const { accounts: all } = reconciledSchema.parse(await stage.admin("/reconcile", { body: {} }));
  return all.every(({ ledger, d1 }) => ledger.seq === d1.seq);
}

afterAll(async () => {
  await stage.close();
  rmSync(folder, { recursive: true, force: true });
});

test("of a running system is the same bytes twice, and its sums are those of the ledgers", async () => {
  const first = await report("first.json", ["--url", stage.system.url]);
  expect(await report("second.json", ["--url", stage.system.url])).toBe(first);
  const read = reportSchema.parse(JSON.parse(first));
  expect(read.checks.map((check) => check.ok)).toEqual([true, true, true]);
  expect(read.evidence).toBe("offline");
  expect(read.assumptions.length).toBeGreaterThan(3);
  for (const account of accounts) {
    const { balance_micro_rub: balance } = await account.balance();
    expect(read.by_account.find((line) => line.name === account.id)?.charged_micro_rub).toBe(50_000_000 - balance);
  }
  for (const lines of [read.by_account, read.by_key, read.by_model, read.by_provider]) {
    expect(lines.reduce((sum, line) => sum + line.charged_micro_rub, 0)).toBe(read.totals.charged_micro_rub);
    expect(lines.reduce((sum, line) => sum + line.provider_cost_micro_rub, 0)).toBe(read.totals.provider_cost_micro_rub);
  }
  expect(read.totals.margin_micro_rub).toBe(read.totals.charged_micro_rub - read.totals.provider_cost_micro_rub);
  expect(read.totals.margin_micro_rub).toBeGreaterThan(0);
  expect(read.estimate_error).toMatchObject({ requests: 4, requests_without_hold: 0, cost_above_hold: 0 });
  expect(read.attempts_without_settle).toMatchObject([{ requests: 2, error_code: "provider_error" }]);
  expect(read.attempts_without_settle[0]?.attempts).toBeGreaterThanOrEqual(2);
});

test("of an earlier instant leaves later rows out", async () => {
  const all = reportSchema.parse(JSON.parse(await report("all.json", ["--url", stage.system.url])));
  const early = reportSchema.parse(JSON.parse(await report("early.json", ["--url", stage.system.url, "--as-of", "2020-01-01T00:00:00Z"])));
  expect([early.totals.requests, early.as_of, early.evidence]).toEqual([0, "2020-01-01T00:00:00.000Z", "none"]);
  expect(await report("at.json", ["--url", stage.system.url, "--as-of", all.as_of])).toBe(
    await report("again.json", ["--url", stage.system.url]),
  );
});

test("of the state folder of a system that was stopped is the very same bytes, and the folder is only read", async () => {
  const running = await report("running.json", ["--url", stage.system.url]);
  await stage.system.close();
  expect(await report("stopped.json", ["--state-dir", stage.stateDir])).toBe(running);
  expect(await report("stopped-again.json", ["--state-dir", stage.stateDir])).toBe(running);
  const again = await startSystem({ port: 0, stateDir: stage.stateDir, environment: {}, workerLog: false });
  try {
    expect(await report("restarted.json", ["--url", again.url])).toBe(running);
  } finally {
    await again.close();
  }
});
