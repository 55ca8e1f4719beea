/**
 * `npm run chaos`: kills the whole system (SIGKILL of workerd and of its host) in the middle of streams, again and again, and starts it on the
 * same state. In the end every hold has ended, ledger and D1 are the same, and no request was charged twice or lost.
 *
 * `--kills N` (default 50), `--seed N`: when it kills, how many streams run and which fault their upstream has all come from the seed.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { z } from "zod";
import { childrenOf } from "./bench/process-cost.ts";
import { startOfflineProvider } from "./offline/server.ts";
import { ROOT } from "./start/system.ts";

const { values } = parseArgs({ options: { kills: { type: "string", default: "50" }, seed: { type: "string", default: "1" } } });
const kills = Number(values.kills);

const ADMIN_KEY = "chaos-admin";
const READY_MILLISECONDS = 30_000;
const REST_MILLISECONDS = 90_000;

/** A small generator, so that a seed decides everything the harness chooses. */
function seeded(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const stateDir = mkdtempSync(join(tmpdir(), "plyrum-chaos-"));
const upstream = await startOfflineProvider();
const random = seeded(Number(values.seed));
const port = 20_000 + random(20_000);
const url = `http://127.0.0.1:${port}`;
let host: ChildProcess | null = null;

function end(code: number): void {
  for (const child of host?.pid === undefined ? [] : childrenOf(host.pid)) process.kill(child, "SIGKILL");
  host?.kill("SIGKILL");
  void upstream.close().then(() => {
    rmSync(stateDir, { recursive: true, force: true });
    process.exit(code);
  });
}
process.once("SIGINT", () => end(130));

async function start(): Promise<void> {
  host = spawn(process.execPath, [join(ROOT, "scripts/start.ts")], {
    cwd: ROOT,
    stdio: "ignore",
    env: {
      ...process.env,
      PORT: String(port),
      STATE_DIR: stateDir,
      PLYRUM_ADMIN_KEY: ADMIN_KEY,
      // The upstream here is the offline provider, which is told what to do in the model name.
      PLYRUM_EVIDENCE: "offline",
      OPENAI_API_KEY: "sk-chaos",
      OPENAI_BASE_URL: `${upstream.url}/v1`,
      ANTHROPIC_API_KEY: "sk-chaos",
      ANTHROPIC_BASE_URL: upstream.url,
    },
  });
  const deadline = Date.now() + READY_MILLISECONDS;
  while ((await fetch(`${url}/healthz`).catch(() => null))?.status !== 200) {
    if (Date.now() > deadline) throw new Error("the system did not come up again");
    await sleep(50);
  }
}

/** The host first or the runtime first: both orders happen in life. */
async function kill(): Promise<void> {
  const pid = host?.pid;
  if (pid === undefined) return;
  const runtime = childrenOf(pid);
  const all = random(2) === 0 ? [...runtime, pid] : [pid, ...runtime];
  for (const victim of all) {
    try {
      process.kill(victim, "SIGKILL");
    } catch {
      // It went with the other.
    }
  }
  await sleep(30);
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

async function admin(path: string, body?: unknown): Promise<unknown> {
  const response = await fetch(`${url}/admin${path}`, {
    method: body === undefined ? "GET" : "POST",
    headers: { authorization: `Bearer ${ADMIN_KEY}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return response.json();
}

const seen = new Set<string>();
const MODELS = [
  "openai/gpt-5-mini@chunks=40,delay=12",
  "anthropic/claude-haiku-4-5@chunks=40,delay=12",
  "openai/gpt-5-mini@ttft=400",
  "openai/gpt-5-mini",
];

/** One request whose end nobody waits for; its id is noted when the answer began. */
function fire(key: string): void {
  const model = MODELS[random(MODELS.length)] ?? "openai/gpt-5-mini";
  const stream = random(4) > 0;
  fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify({ model, stream, max_tokens: 300, messages: [{ role: "user", content: "Say something that takes a while" }] }),
  })
    .then(async (response) => {
      const id = response.headers.get("x-plyrum-request-id");
      if (id !== null && response.status === 200) seen.add(id);
      await response.text();
    })
    .catch(() => undefined);
}

const entrySchema = z.object({
  seq: z.number(),
  kind: z.string(),
  request_id: z.string().nullable(),
  amount_micro_rub: z.number(),
  held_after_micro_rub: z.number(),
});
type LedgerEntry = z.infer<typeof entrySchema>;

async function ledgerOf(id: string): Promise<LedgerEntry[]> {
  const all: LedgerEntry[] = [];
  for (;;) {
    const { entries } = z
      .object({ entries: z.array(entrySchema) })
      .parse(await admin(`/accounts/${id}/ledger?after_seq=${all.at(-1)?.seq ?? 0}&limit=500`));
    all.push(...entries);
    if (entries.length < 500) return all;
  }
}

const reconciledSchema = z.object({
  accounts: z.array(
    z.looseObject({
      ledger: z.looseObject({
        seq: z.number(),
        sum: z.string(),
        hash: z.string(),
        held_micro_rub: z.number(),
        open_holds: z.number(),
        incidents: z.number(),
      }),
      d1: z.looseObject({ seq: z.number(), count: z.number(), sum: z.string(), hash: z.string() }),
      gaps: z.array(z.unknown()),
    }),
  ),
});

/** Waits until nothing is open and D1 has everything. Gives what is then still wrong. */
async function comeToRest(id: string): Promise<string[]> {
  const deadline = Date.now() + REST_MILLISECONDS;
  for (;;) {
    const [found] = reconciledSchema.parse(await admin("/reconcile", { account_id: id })).accounts;
    if (found === undefined) return ["the account is gone"];
    const { ledger, d1, gaps } = found;
    const wrong = [
      ...(ledger.open_holds === 0 && ledger.held_micro_rub === 0 ? [] : [`${ledger.open_holds} holds are open`]),
      ...(gaps.length === 0 ? [] : [`gaps: ${JSON.stringify(gaps)}`]),
      ...(d1.count === ledger.seq && d1.sum === ledger.sum && d1.hash === ledger.hash ? [] : ["ledger and D1 differ"]),
      ...(ledger.incidents === 0 ? [] : [`${ledger.incidents} incidents`]),
    ];
    if (wrong.length === 0 || Date.now() > deadline) return wrong;
    await sleep(500);
  }
}

await start();
const { id } = z.object({ id: z.string() }).parse(await admin("/accounts", { name: "chaos" }));
await admin(`/accounts/${id}/credits`, { amount_micro_rub: 100_000_000_000, reference: "chaos" });
const { key } = z.object({ key: z.string() }).parse(await admin(`/accounts/${id}/keys`, { name: "chaos" }));

let fired = 0;
for (let round = 1; round <= kills; round++) {
  const count = 3 + random(8);
  for (let each = 0; each < count; each++) fire(key);
  fired += count;
  await sleep(60 + random(900));
  await kill();
  await start();
  if (round % 5 === 0 || round === kills)
    console.log(`chaos: killed ${round} of ${kills} times, ${fired} requests sent, ${seen.size} answers begun`);
}
const wrong = await comeToRest(id);
const entries = await ledgerOf(id);
const ends = entries.filter((entry) => entry.request_id !== null);
const once = new Set(ends.map((entry) => entry.request_id));
if (once.size !== ends.length) wrong.push(`${ends.length - once.size} requests ended twice in the ledger`);
const lost = [...seen].filter((requestId) => !once.has(requestId));
if (lost.length > 0) wrong.push(`${lost.length} begun answers have no entry: ${lost.slice(0, 3).join(", ")}`);
if (existsSync(join(stateDir, "secrets.json")) && readFileSync(join(stateDir, "secrets.json")).length === 0)
  wrong.push("the secrets are gone");
const charged = ends.filter((entry) => entry.amount_micro_rub < 0).length;
console.log(`chaos: ${ends.length} requests ended (${charged} charged, ${ends.length - charged} released), ${entries.length} entries`);
console.log(wrong.length === 0 ? "chaos: every hold ended, ledger = D1, nothing twice, nothing lost" : `chaos: WRONG: ${wrong.join("; ")}`);
end(wrong.length === 0 ? 0 : 1);
