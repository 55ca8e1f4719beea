/** Reconciliation: what D1 lost comes back, what contradicts the ledger is named, and nothing is mended in silence. */
import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { insertAccount } from "../../db/accounts.ts";
import { reconcileAccount, reconcileAll, type Gap } from "../../workers/queue/reconcile.ts";
import { deliver, joined } from "./deliver.ts";
import { type LedgerAccount, ledgerAccount, rows } from "./ledger-account.ts";

async function recordedAccount(name: string): Promise<LedgerAccount> {
  const account = await ledgerAccount(name, [100, 200, 300, 400]);
  await deliver(account.env, [joined(account.messages)]);
  return account;
}

async function gapsOf(account: LedgerAccount): Promise<Pick<Gap, "kind" | "seqs">[]> {
  const { gaps } = await reconcileAccount(account.id, account.env);
  return gaps.map(({ kind, seqs }) => ({ kind, seqs }));
}

async function run(sql: string): Promise<void> {
  await env.DB.prepare(sql).run();
}

const DAY = "SELECT requests, charged_micro_rub AS charged FROM usage_day WHERE account_id = ?";

test("an account whose rows are all there has nothing to report", async () => {
  const account = await recordedAccount("whole");
  const report = await reconcileAccount(account.id, account.env);
  expect(report).toMatchObject({ repaired: 0, gaps: [], ledger: { seq: 5, sum: "999000" }, d1: { seq: 5, count: 5, sum: "999000" } });
  expect(report.d1?.hash).toBe(account.facts.hash);
});

test("entries that never arrived are written from the ledger, and the watermark follows", async () => {
  const account = await ledgerAccount("never", [100, 200, 300, 400]);
  await deliver(account.env, [account.messages[1], account.messages[3]]);
  const report = await reconcileAccount(account.id, account.env);
  expect(report).toMatchObject({ repaired: 3, gaps: [{ kind: "missing", seqs: [1, 3, 5] }], d1: { count: 5 } });
  expect(account.recorded).toEqual([5]);
  expect(await rows(DAY, account.id)).toEqual([{ requests: 4, charged: 1000 }]);
  expect(await gapsOf(account)).toEqual([]);
});

test("rows that were deleted come back, and their rollups count them once", async () => {
  const account = await recordedAccount("deleted");
  await run(`DELETE FROM entry WHERE account_id = '${account.id}' AND seq IN (2, 5)`);
  await run(`DELETE FROM usage WHERE account_id = '${account.id}' AND seq IN (2, 5)`);
  expect(await gapsOf(account)).toEqual([{ kind: "missing", seqs: [2, 5] }]);
  expect(await rows("SELECT count(*) AS n FROM usage WHERE account_id = ?", account.id)).toEqual([{ n: 4 }]);
  expect(await rows(DAY, account.id)).toEqual([{ requests: 4, charged: 1000 }]);
  expect(await gapsOf(account)).toEqual([]);
});

test("a usage row that was deleted beside its entry comes back", async () => {
  const account = await recordedAccount("unused");
  await run(`DELETE FROM usage WHERE account_id = '${account.id}' AND seq = 3`);
  expect(await gapsOf(account)).toEqual([{ kind: "usage_missing", seqs: [3] }]);
  expect(await rows(DAY, account.id)).toEqual([{ requests: 4, charged: 1000 }]);
  expect(await gapsOf(account)).toEqual([]);
});

test("a restored older D1 is filled up from the ledger", async () => {
  const account = await recordedAccount("restored");
  for (const table of ["entry", "usage", "usage_day"]) await run(`DELETE FROM ${table} WHERE account_id = '${account.id}'`);
  expect(await reconcileAccount(account.id, account.env)).toMatchObject({ repaired: 5, d1: { count: 5 } });
  expect(await rows(DAY, account.id)).toEqual([{ requests: 4, charged: 1000 }]);
});

test("a message that contradicted a stored row is reported every time", async () => {
  const account = await recordedAccount("forged");
  await deliver(account.env, [(account.messages[2] ?? "").replace(/"hash":"[^"]*"/, '"hash":"forged"')]);
  expect(await gapsOf(account)).toEqual([{ kind: "conflict", seqs: [3] }]);
  expect(await gapsOf(account)).toEqual([{ kind: "conflict", seqs: [3] }]);
});

const falsified: [what: string, change: string, kinds: string[]][] = [
  ["an amount", "UPDATE entry SET amount_micro_rub = amount_micro_rub + 1 WHERE seq = 3", ["chain_broken", "usage_differs", "sum_differs"]],
  ["the last hash", "UPDATE entry SET hash = 'other' WHERE seq = 5", ["hash_differs"]],
  ["a hash in the middle", "UPDATE entry SET hash = 'other' WHERE seq = 3", ["chain_broken"]],
  ["a balance", "UPDATE entry SET balance_after_micro_rub = 5 WHERE seq = 5", ["chain_broken"]],
  ["what a usage row says was charged", "UPDATE usage SET charged_micro_rub = 1 WHERE seq = 4", ["usage_differs", "rollup_differs"]],
  ["a rollup", "UPDATE usage_day SET requests = requests + 1 WHERE true", ["rollup_differs"]],
];
test.each(falsified)("%s that was changed in D1 is reported and left as it is", async (_what, change, kinds) => {
  const account = await recordedAccount(`false${falsified.findIndex((each) => each[1] === change)}`);
  await run(`${change} AND account_id = '${account.id}'`);
  const first = await reconcileAccount(account.id, account.env);
  expect([first.gaps.map((gap) => gap.kind), first.repaired]).toEqual([kinds, 0]);
  expect((await reconcileAccount(account.id, account.env)).gaps).toEqual(first.gaps);
});

test("two amounts that were changed against each other are noticed, though the sum is right", async () => {
  const account = await recordedAccount("offset");
  await run(`UPDATE entry SET amount_micro_rub = amount_micro_rub + 1 WHERE seq = 3 AND account_id = '${account.id}'`);
  await run(`UPDATE entry SET amount_micro_rub = amount_micro_rub - 1 WHERE seq = 4 AND account_id = '${account.id}'`);
  expect(await gapsOf(account)).toEqual([
    { kind: "chain_broken", seqs: [3, 4] },
    { kind: "usage_differs", seqs: [3, 4] },
  ]);
});

test("a row that the ledger does not have is reported", async () => {
  const account = await recordedAccount("ahead");
  account.facts = { ...account.facts, seq: 4, count: 4 };
  expect((await gapsOf(account)).map((gap) => gap.kind)).toEqual(["d1_ahead"]);
});

test("an entry of the ledger that makes no whole row is named, and the rest is mended", async () => {
  const account = await ledgerAccount("torn", [100, 200]);
  account.messages[1] = '{"v":1,"seq":2}';
  account.messages[2] = (account.messages[2] ?? "").replace('"key_id"', '"key"');
  const { gaps, repaired } = await reconcileAccount(account.id, account.env);
  expect(repaired).toBe(1);
  expect(gaps.find((gap) => gap.kind === "unreadable")?.seqs).toEqual([2, 3]);
  expect(account.recorded).toEqual([1]);
});

test("an account that does not answer is reported, and the others are reconciled", async () => {
  const account = await recordedAccount("fellow");
  for (const id of ["acc_brokenaccount", account.id]) await insertAccount(env.DB, { id, name: id, created_at: 1 });
  const get = (id: unknown): unknown => {
    if (String(id) === "acc_brokenaccount") throw new Error("the object is overloaded");
    return account.env.ACCOUNT.get(account.env.ACCOUNT.idFromName(account.id));
  };
  const ACCOUNT = { idFromName: (name: string) => name, get } as unknown as Env["ACCOUNT"];
  const reports = await reconcileAll({ ...env, ACCOUNT });
  expect(reports.map(({ account_id, gaps }) => [account_id, gaps.map((gap) => gap.kind)])).toEqual([
    ["acc_brokenaccount", ["unreachable"]],
    [account.id, []],
  ]);
});
