/**
 * `npm run chaos:mixture`: every mixture of three proposers that are well, slow, limited, failing in the middle, cut off, silent, unwilling or
 * endless, by every quorum and by where its caller leaves. After each, the hold is what was settled and what was released, the request has
 * ended once, and its calls' shares are its cost; in the end the books of ledger, D1 and providers agree and no upstream is left open.
 *
 * `--cases N` runs that many of them, drawn by `--seed N` (default 1), which also draws how the aggregator fares.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { request as send } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { z } from "zod";
import { faultsOf, invoices, type Line, mixtureViewSchema, priceListSchema } from "./chaos/mixture-books.ts";
import { startSystem } from "./start/system.ts";

const { values } = parseArgs({ options: { cases: { type: "string" }, seed: { type: "string", default: "1" } } });

const PROPOSER = {
  ok: "delay=4",
  slow: "ttft=250,delay=30",
  limited: "status=429,retry_after=60",
  failing: "error_at=4,chunks=8,delay=3",
  truncated: "cut=4,chunks=8,delay=3",
  empty: "empty",
  refusal: "refusal",
  huge: "uncapped,tokens=2500000,chunks=160",
} as const;
const KINDS = Object.keys(PROPOSER) as (keyof typeof PROPOSER)[];
const MODELS = ["openai/gpt-5-mini", "anthropic/claude-haiku-4-5", "gemini/gemini-2.5-flash"];
const AGGREGATOR = { well: "chunks=6,delay=8", failing: "error_at=4,chunks=8,delay=5", limited: "status=429,retry_after=60" } as const;
const LEAVES = [
  "never",
  "at once",
  "at the first frame",
  "at the third read",
  "at the first content",
  "after two contents",
  "whole",
] as const;
const OPENING = 100_000_000_000;
const AT_ONCE = 16;
const CASES_PER_ACCOUNT = 120;
const REST_MILLISECONDS = 60_000;

interface Case {
  name: string;
  kinds: (keyof typeof PROPOSER)[];
  quorum: number;
  leave: (typeof LEAVES)[number];
  aggregator: keyof typeof AGGREGATOR;
}

/** A small generator, so that a seed decides everything. */
function seeded(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function allCases(random: (below: number) => number): Case[] {
  const cases: Case[] = [];
  for (const [first, one] of KINDS.entries())
    for (const [second, two] of KINDS.entries())
      for (const three of KINDS.slice(second)) {
        if (second < first) continue;
        const kinds = [one, two, three];
        // Which provider plays which part.
        for (let turn = random(3); turn > 0; turn--) kinds.push(kinds.shift() ?? "ok");
        for (const quorum of [1, 2, 3])
          for (const leave of LEAVES) {
            const aggregator = (["well", "well", "well", "well", "failing", "limited"] as const)[random(6)] ?? "well";
            cases.push({ name: `${kinds.join("-")}-q${quorum}-${aggregator}`, kinds, quorum, leave, aggregator });
          }
      }
  return cases;
}

function drawn(cases: Case[], count: number, random: (below: number) => number): Case[] {
  const left = [...cases];
  return Array.from({ length: Math.min(count, left.length) }, () => left.splice(random(left.length), 1)).flat();
}

const random = seeded(Number(values.seed));
const every = allCases(random);
const cases = values.cases === undefined ? every : drawn(every, Number(values.cases), random);
const stateDir = mkdtempSync(join(tmpdir(), "plyrum-chaos-mixture-"));
const system = await startSystem({ port: 0, stateDir, environment: {}, workerLog: false });
const offlineUrl = system.offlineUrl ?? "";

/** Asked once more where the connection had been idle for so long that the other side closed it. Every call here may be repeated. */
async function call(url: string, init: RequestInit): Promise<Response> {
  return fetch(url, init).catch(() => fetch(url, init));
}

async function admin(path: string, body?: unknown, method = body === undefined ? "GET" : "POST"): Promise<unknown> {
  const response = await call(`${system.url}/admin${path}`, {
    method,
    headers: { authorization: `Bearer ${system.adminKey}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return response.json();
}

/** Asks, and leaves where the case says so. Gives the request's id; null where it left before it learnt it. */
function ask(key: string, { name, leave }: Case): Promise<string | null> {
  const body = JSON.stringify({
    model: `moa/${name}`,
    stream: leave !== "whole",
    max_tokens: 60,
    messages: [{ role: "user", content: "Say something that takes a while." }],
  });
  const headers = { authorization: `Bearer ${key}`, "content-type": "application/json", "content-length": Buffer.byteLength(body) };
  const url = new URL(`${system.url}/v1/chat/completions`);
  return new Promise((resolve) => {
    let id: string | null = null;
    let text = "";
    let reads = 0;
    const outgoing = send({ host: url.hostname, port: url.port, path: url.pathname, method: "POST", headers }, (response) => {
      id = String(response.headers["x-plyrum-request-id"]);
      response.on("data", (bytes: Buffer) => {
        text += bytes.toString();
        reads += 1;
        if (isLeaving(leave, reads, text.split('"content":"').length - 1)) outgoing.destroy();
      });
      response.on("error", () => undefined);
      response.on("close", () => resolve(id));
    });
    outgoing.on("error", () => resolve(id));
    outgoing.end(body);
    if (leave === "at once") setTimeout(() => outgoing.destroy(), 40);
  });
}

function isLeaving(leave: Case["leave"], reads: number, contents: number): boolean {
  switch (leave) {
    case "at the first frame":
      return true;
    case "at the third read":
      return reads >= 3;
    case "at the first content":
      return contents >= 1;
    case "after two contents":
      return contents >= 2;
    default:
      return false;
  }
}

interface Books {
  id: string;
  key: string;
  ids: Map<string, Case>;
}

async function openAccount(): Promise<Books> {
  const { id } = z.object({ id: z.string() }).parse(await admin("/accounts", { name: "chaos" }));
  await admin(`/accounts/${id}/credits`, { amount_micro_rub: OPENING, reference: `chaos ${id}` });
  const { key } = z.object({ key: z.string() }).parse(await admin(`/accounts/${id}/keys`, { name: "chaos" }));
  return { id, key, ids: new Map() };
}

const restSchema = z.object({
  accounts: z.array(
    z.looseObject({
      ledger: z.looseObject({ seq: z.number(), held_micro_rub: z.number(), open_holds: z.number(), incidents: z.number() }),
      d1: z.looseObject({ seq: z.number(), count: z.number() }),
      gaps: z.array(z.unknown()),
    }),
  ),
});

async function comeToRest(id: string): Promise<string[]> {
  for (const deadline = Date.now() + REST_MILLISECONDS; ; await sleep(150)) {
    const [found] = restSchema.parse(await admin("/reconcile", { account_id: id })).accounts;
    if (found === undefined) return ["the account is gone"];
    const { ledger, d1, gaps } = found;
    const isQuiet = ledger.open_holds === 0 && ledger.held_micro_rub === 0 && gaps.length === 0 && d1.count === ledger.seq;
    if (isQuiet) return ledger.incidents === 0 ? [] : [`${ledger.incidents} incidents`];
    if (Date.now() > deadline) return [`does not come to rest: ${JSON.stringify(found)}`];
  }
}

const entrySchema = z.object({ kind: z.string(), request_id: z.string().nullable(), amount_micro_rub: z.number() });

/** What is wrong with an account whose requests have all been asked. */
async function audit(books: Books): Promise<string[]> {
  const wrong = await comeToRest(books.id);
  const { entries } = z.object({ entries: z.array(entrySchema) }).parse(await admin(`/accounts/${books.id}/ledger?limit=500`));
  const ends = entries.filter((entry) => entry.request_id !== null);
  // After the ledger, since a call whose caller left at once may have come late.
  const lines = await invoices(offlineUrl);
  const endedIds = new Set(ends.map((entry) => entry.request_id));
  if (endedIds.size !== ends.length) wrong.push("a request ended twice in the ledger");
  const headers = { authorization: `Bearer ${books.key}` };
  for (const { request_id: id, amount_micro_rub } of ends) {
    const view = mixtureViewSchema.parse(await (await call(`${system.url}/v1/requests/${id}`, { headers })).json());
    const faults = faultsOf(view, prices);
    if ((view.charged_micro_rub ?? 0) !== -amount_micro_rub) faults.push("the ledger took another amount");
    for (const leg of view.legs.filter((each) => each.usage_source === "provider")) {
      const isReported = (line: Line): boolean =>
        line.request_id === id && line.output === leg.usage?.output_tokens && line.input === leg.usage.input_tokens;
      if (!lines.some(isReported)) faults.push(`${leg.node} is charged what no invoice says`);
    }
    const asked = id === null ? undefined : books.ids.get(id);
    tally.set(view.state, (tally.get(view.state) ?? 0) + 1);
    wrong.push(...faults.map((fault) => `${id} (${asked?.name ?? "left at once"}, left ${asked?.leave ?? "at once"}): ${fault}`));
  }
  const unseen = [...books.ids.keys()].filter((id) => !endedIds.has(id));
  if (unseen.length > 0) wrong.push(`no entry for ${unseen.join(", ")}`);
  const { balance_micro_rub } = z
    .object({ balance_micro_rub: z.number() })
    .parse(await (await call(`${system.url}/v1/balance`, { headers })).json());
  const charged = ends.reduce((sum, entry) => sum + entry.amount_micro_rub, 0);
  if (balance_micro_rub !== OPENING + charged) wrong.push(`a balance of ${balance_micro_rub} after ${charged}`);
  ended += ends.length;
  return wrong;
}

const tally = new Map<string, number>();
let ended = 0;
const ensembles = Object.fromEntries(
  cases.map(({ name, kinds, quorum, aggregator }) => {
    const proposers = kinds.map((kind, index) => `${MODELS[index] ?? ""}@${PROPOSER[kind]}`);
    return [name, { proposers, aggregator: `openai/gpt-4.1-mini@${AGGREGATOR[aggregator]}`, quorum, deadline_ms: 3_000 }];
  }),
);
await admin("/config", { ensembles }, "PUT");
const prices = priceListSchema.parse(await admin("/prices"));
const wrong: string[] = [];
const began = performance.now();
for (let from = 0; from < cases.length; from += CASES_PER_ACCOUNT) {
  const books = await openAccount();
  const waiting = cases.slice(from, from + CASES_PER_ACCOUNT);
  const walk = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const id = await ask(books.key, next);
      if (id !== null) books.ids.set(id, next);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, walk));
  await comeToRest(books.id);
  const faults = await audit(books);
  for (const fault of faults.slice(0, 20)) console.log(`chaos: WRONG: ${fault}`);
  wrong.push(...faults);
  await fetch(`${offlineUrl}/_invoice`, { method: "DELETE" });
  const done = Math.min(from + CASES_PER_ACCOUNT, cases.length);
  if (done % 240 === 0) console.log(`chaos: ${done} of ${cases.length} cases, ${wrong.length} faults`);
}
const { open } = z.object({ open: z.number() }).parse(await (await fetch(`${offlineUrl}/_open`)).json());
if (open > 0) {
  wrong.push("open");
  console.log(`chaos: WRONG: ${open} upstream calls are still open`);
}
const seconds = ((performance.now() - began) / 1000).toFixed(0);
const states = [...tally].map(([state, count]) => `${count} ${state}`).join(", ");
console.log(`chaos: ${cases.length} cases of ${every.length} in ${seconds} s, ${ended} requests ended (${states})`);
console.log(
  wrong.length === 0 ? "chaos: every hold is settled and released in full, every request ended once" : `chaos: ${wrong.length} faults`,
);
await system.close();
rmSync(stateDir, { recursive: true, force: true });
process.exit(wrong.length === 0 ? 0 : 1);
