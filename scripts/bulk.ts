/**
 * `npm run bulk`: a hundred thousand billed requests from the accounts' ledgers through the queue into D1, in the running system, while
 * messages are duplicated, held back, reordered and lost, the consumer crashes before and after it writes, D1 refuses and forgets to answer,
 * and some messages fail until they are dead letters, which are then replayed. In the end ledger, rows and rollups are equal to the micro-RUB.
 *
 * `--requests N` (default 100000), `--accounts N` (5), `--seed N` (1), `--calm` (nothing goes wrong: the plain rate). Prints what went
 * wrong on purpose, times and rows a second. The system runs test/queue/bulk-worker.ts: the worker itself with those faults around it.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { z } from "zod";
import { costReport } from "../workers/cost/report.ts";
import { costOfProcess } from "./bench/process-cost.ts";
import { factsOfSystem } from "./report/system.ts";
import { ROOT, startSystem } from "./start/system.ts";

const { values } = parseArgs({
  options: {
    requests: { type: "string", default: "100000" },
    accounts: { type: "string", default: "5" },
    seed: { type: "string", default: "1" },
    calm: { type: "boolean", default: false },
  },
});
const [requests, accountCount, seed] = [Number(values.requests), Number(values.accounts), Number(values.seed)];

const REQUESTS_PER_CALL = 500;
/** How long everything goes wrong after the last request, at most. */
const FAULTY_MILLISECONDS = 60_000;
/** Ten tries, each behind all that the outboxes send again meanwhile. */
const DYING_MILLISECONDS = 5 * 60_000;
const REST_MILLISECONDS = 10 * 60_000;
/** Longer than a queue waits for a batch to fill. */
const QUIET_MILLISECONDS = 2_500;
const OPENING_MICRO_RUB = 1_000_000_000_000_000;

interface BulkAccount {
  id: string;
  key: string;
  billed: Map<string, { requests: number; charged: bigint }>;
}

const billedSchema = z.record(z.string(), z.object({ requests: z.number(), charged: z.string() }));
const reconciledSchema = z.object({
  accounts: z.array(
    z.looseObject({
      ledger: z.looseObject({ seq: z.number(), sum: z.string(), hash: z.string(), open_holds: z.number(), incidents: z.number() }),
      d1: z.looseObject({ count: z.number(), sum: z.string(), hash: z.string() }),
      gaps: z.array(z.looseObject({ kind: z.string() })),
      repaired: z.number(),
    }),
  ),
});
const groupsSchema = z.object({ rows: z.array(z.looseObject({ model: z.string(), requests: z.number(), charged_micro_rub: z.number() })) });

const stateDir = mkdtempSync(join(tmpdir(), "plyrum-bulk-"));
const entry = join(ROOT, "test/queue/bulk-worker.ts");
const system = await startSystem({ port: 0, stateDir, entry, environment: {}, workerLog: false });
const wrong: string[] = [];

async function call(path: string, init: { key?: string; body?: unknown; method?: string } = {}): Promise<Response> {
  const response = await fetch(`${system.url}${path}`, {
    method: init.method ?? (init.body === undefined ? "GET" : "POST"),
    headers: { authorization: `Bearer ${init.key ?? system.adminKey}`, "content-type": "application/json" },
    ...(init.body === undefined ? {} : { body: JSON.stringify(init.body) }),
  });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return response;
}

async function json(path: string, init: { key?: string; body?: unknown; method?: string } = {}): Promise<unknown> {
  return (await call(path, init)).json();
}

async function openAccount(): Promise<BulkAccount> {
  const { id } = z.object({ id: z.string() }).parse(await json("/admin/accounts", { body: { name: "bulk" } }));
  await json(`/admin/accounts/${id}/credits`, { body: { amount_micro_rub: OPENING_MICRO_RUB, reference: "bulk" } });
  const { key } = z.object({ key: z.string() }).parse(await json(`/admin/accounts/${id}/keys`, { body: { name: "bulk" } }));
  return { id, key, billed: new Map() };
}

/** Bills every request, the accounts in turn, and keeps what their ledgers say was charged. */
async function bill(accounts: readonly BulkAccount[]): Promise<void> {
  for (let first = 0, turn = 0; first < requests; first += REQUESTS_PER_CALL, turn++) {
    const account = accounts[turn % accounts.length];
    if (account === undefined) throw new Error("there is no account");
    const order = {
      account_id: account.id,
      key: account.key,
      first,
      count: Math.min(REQUESTS_PER_CALL, requests - first),
      seed,
      calm: values.calm,
    };
    for (const [model, line] of Object.entries(billedSchema.parse(await json("/bulk/charge", { body: order })))) {
      const before = account.billed.get(model) ?? { requests: 0, charged: 0n };
      account.billed.set(model, { requests: before.requests + line.requests, charged: before.charged + BigInt(line.charged) });
    }
  }
}

/** Requests that D1's rollups count. */
async function recorded(accounts: readonly BulkAccount[]): Promise<number> {
  let count = 0;
  for (const account of accounts) for (const row of await rollupsOf(account)) count += row.requests;
  return count;
}

async function rollupsOf(account: BulkAccount): Promise<z.infer<typeof groupsSchema>["rows"]> {
  return groupsSchema.parse(await json("/v1/usage?group_by=model&limit=500", { key: account.key })).rows;
}

interface Rest {
  /** What the queue brought to D1 before anything was replayed or mended, and when the last of it came. */
  delivered: { rows: number; at: number };
  replayed: number;
  repaired: number;
}

const deadLettersSchema = z.object({ dead_letters: z.array(z.looseObject({ replayed_at: z.number().nullable() })) });

async function waitingLetters(): Promise<number> {
  const { dead_letters: letters } = deadLettersSchema.parse(await json("/admin/dead-letters"));
  return letters.filter((letter) => letter.replayed_at === null).length;
}

/** Waits until the queue brings no more rows. */
async function untilDelivered(accounts: readonly BulkAccount[]): Promise<Rest["delivered"]> {
  let delivered = { rows: await recorded(accounts), at: performance.now() };
  for (const deadline = Date.now() + FAULTY_MILLISECONDS; Date.now() < deadline;) {
    await sleep(QUIET_MILLISECONDS);
    const rows = await recorded(accounts);
    if (rows === delivered.rows) return delivered;
    delivered = { rows, at: performance.now() };
  }
  return delivered;
}

/** Waits, with no other fault, until the doomed messages are dead letters and no further one dies. */
async function untilDead(): Promise<void> {
  await call("/bulk/calm");
  let before = 0;
  for (const deadline = Date.now() + DYING_MILLISECONDS; Date.now() < deadline;) {
    await sleep(QUIET_MILLISECONDS);
    const dead = await waitingLetters();
    if (dead > 0 && dead === before) return;
    before = dead;
  }
}

/** Heals, replays the dead letters, and lets reconciliation mend what was lost, until nothing is missing. */
async function comeToRest(accounts: readonly BulkAccount[]): Promise<Rest> {
  const delivered = await untilDelivered(accounts);
  if (!values.calm) await untilDead();
  await call("/bulk/heal");
  let [replayed, repaired] = [0, 0];
  const deadline = Date.now() + REST_MILLISECONDS;
  for (let left = 1; left > 0 && Date.now() < deadline;) {
    replayed += z.object({ replayed: z.number() }).parse(await json("/admin/dead-letters/replay", { method: "POST" })).replayed;
    await sleep(QUIET_MILLISECONDS);
    left = await waitingLetters();
    for (const { id } of accounts) {
      for (const found of reconciledSchema.parse(await json("/admin/reconcile", { body: { account_id: id } })).accounts) {
        repaired += found.repaired;
        left += found.gaps.length;
      }
    }
  }
  return { delivered, replayed, repaired };
}

/** Ledger, rows and rollups of one account against what was billed. */
async function check(account: BulkAccount): Promise<void> {
  const say = (what: string): void => void wrong.push(`${account.id}: ${what}`);
  const charged = [...account.billed.values()].reduce((sum, line) => sum + line.charged, 0n);
  const count = [...account.billed.values()].reduce((sum, line) => sum + line.requests, 0);
  const [found] = reconciledSchema.parse(await json("/admin/reconcile", { body: { account_id: account.id } })).accounts;
  if (found === undefined) return say("it is gone");
  const { ledger, d1, gaps } = found;
  if (gaps.length > 0) say(`gaps ${JSON.stringify(gaps)}`);
  if (ledger.open_holds > 0 || ledger.incidents > 0) say(`${ledger.open_holds} open holds, ${ledger.incidents} incidents`);
  if (ledger.seq !== count + 1) say(`${ledger.seq} entries for ${count} requests and a credit`);
  if (BigInt(ledger.sum) !== BigInt(OPENING_MICRO_RUB) - charged) say(`the ledger's sum is ${ledger.sum}, ${charged} was charged`);
  if (d1.count !== ledger.seq || d1.sum !== ledger.sum || d1.hash !== ledger.hash) say("rows and ledger differ");
  const rollups = await rollupsOf(account);
  for (const [model, line] of account.billed) {
    const rollup = rollups.find((row) => row.model === model);
    if (rollup?.requests !== line.requests || BigInt(rollup.charged_micro_rub) !== line.charged)
      say(`the rollup of ${model} is ${JSON.stringify(rollup)}`);
  }
}

/** Reads an account's whole export. Gives its rows and the sum of what was charged. */
async function exported(account: BulkAccount): Promise<{ rows: number; charged: bigint }> {
  const response = await call("/v1/usage/export?format=jsonl", { key: account.key });
  const decoder = new TextDecoder();
  let [rows, charged, rest] = [0, 0n, ""];
  for await (const bytes of response.body ?? []) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    rows += lines.length;
    for (const line of lines) charged += BigInt(/"charged_micro_rub":(\d+)/.exec(line)?.[1] ?? 0);
  }
  return { rows, charged };
}

/** MiB that workerd holds. */
function resident(): number {
  return system.workerdPid === null ? 0 : Math.round(costOfProcess(system.workerdPid).residentBytes / 2 ** 20);
}

function seconds(from: number, to: number): string {
  return ((to - from) / 1000).toFixed(1);
}

async function checkExports(accounts: readonly BulkAccount[]): Promise<string> {
  const [before, started] = [resident(), performance.now()];
  let rows = 0;
  for (const account of accounts) {
    const all = await exported(account);
    rows += all.rows;
    const charged = [...account.billed.values()].reduce((sum, line) => sum + line.charged, 0n);
    const count = [...account.billed.values()].reduce((sum, line) => sum + line.requests, 0);
    if (all.rows !== count || all.charged !== charged) wrong.push(`${account.id}: its export has ${all.rows} rows and ${all.charged}`);
  }
  const ended = performance.now();
  return `bulk: exported ${rows} rows in ${seconds(started, ended)} s (${Math.round((rows * 1000) / (ended - started))} rows/s), workerd ${before} → ${resident()} MiB`;
}

async function run(): Promise<void> {
  const started = performance.now();
  const accounts: BulkAccount[] = [];
  for (let index = 0; index < accountCount; index++) accounts.push(await openAccount());
  await bill(accounts);
  const billedAt = performance.now();
  console.log(
    `bulk: ${requests} requests admitted and ended in ${seconds(started, billedAt)} s (${Math.round((requests * 1000) / (billedAt - started))}/s)`,
  );
  const { delivered, replayed, repaired } = await comeToRest(accounts);
  const restedAt = performance.now();
  for (const account of accounts) await check(account);
  console.log(`bulk: faults ${JSON.stringify(await json("/bulk/faults"))}`);
  const deliveredRate = Math.round((delivered.rows * 1000) / (delivered.at - started));
  console.log(
    `bulk: the faulty queue brought ${delivered.rows} rows to D1 in ${seconds(started, delivered.at)} s (${deliveredRate} rows/s)`,
  );
  if (!values.calm && replayed === 0) wrong.push("no message became a dead letter, so none was replayed");
  console.log(`bulk: ${replayed} dead letters replayed, ${repaired} entries put back by reconciliation`);
  const rate = Math.round((requests * 1000) / (restedAt - started));
  console.log(
    `bulk: ${requests + accounts.length} entries at rest in D1 ${seconds(started, restedAt)} s after the first request (${rate} rows/s, waits for dead letters included)`,
  );
  const report = costReport({ asOf: null, ...(await factsOfSystem(system.url, system.adminKey, null)) });
  for (const failing of report.checks.filter((each) => !each.ok)) wrong.push(`${failing.name}: ${failing.accounts.join(", ")}`);
  console.log(await checkExports(accounts));
}

await run().catch((error: unknown) => wrong.push(error instanceof Error ? (error.stack ?? error.message) : String(error)));
await system.close();
rmSync(stateDir, { recursive: true, force: true });
console.log(
  wrong.length === 0
    ? "bulk: ledger, rows, rollups and exports are equal to the micro-RUB"
    : `bulk: WRONG: ${wrong.slice(0, 20).join("; ")}`,
);
process.exit(wrong.length === 0 ? 0 : 1);
