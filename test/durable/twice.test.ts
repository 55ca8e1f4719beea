/**
 * A stress like Formance's: everything that moves money is fired twice at the same time at a real object, over RPC and over HTTP, and has
 * exactly one effect. One of each pair does it, the other is told what was done; entries, balance, postings and D1 know of one.
 */
import { evictDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { randomOf } from "../../scripts/simulate/random.ts";
import type { AdmitResult, ChargeFacts, CreditCommand, LedgerFacts } from "../../schema/ledger.ts";
import { hashText } from "../../workers/http/authenticate.ts";
import { usageMessage } from "../db/usage-message.ts";
import { type Account, newAccount, send } from "../http/gateway.ts";
import { admitCommand, chargeFacts, creditCommand } from "../ledger/commands.ts";
import { accountStub, reconciled } from "./envelope.ts";

const REQUESTS = 60;
const OPENING = 1_000_000;
const HOLD = 1_000;

/** The answers of a pair, whichever came first. */
interface Pair {
  /** What it is, and what it must come to: the sum of all of these is the balance. */
  name: string;
  kind: string;
  amount: number;
  fire: (stub: ReturnType<typeof accountStub>) => Promise<{ state: string; seq: number | null }>;
}

let account: Account;
let admitted: AdmitResult[];
let held: LedgerFacts;
let pairs: Pair[];
let answers: Map<string, { state: string; seq: number | null }[]>;

function facts(cost: number): ChargeFacts {
  return chargeFacts(cost, { provider_cost_micro_rub: String(Math.floor(cost / 2)) });
}

function record(id: string, cost: number): string {
  return JSON.stringify({ ...usageMessage(1).record, request_id: id, cost_micro_rub: String(cost) });
}

/** Every third request is released, the others are charged their number; some cost more than their hold. */
function requestPair(index: number): Pair {
  const id = `req_twice_${index}`;
  if (index % 3 === 0)
    return { name: id, kind: "release", amount: 0, fire: (stub) => stub.release({ request_id: id, reason: "refused", record: null }) };
  const cost = index % 10 === 1 ? HOLD + index : 100 + index;
  return {
    name: id,
    kind: "settle",
    amount: -cost,
    fire: (stub) => stub.settle({ request_id: id, facts: facts(cost), record: record(id, cost) }),
  };
}

function paymentPair(kind: CreditCommand["kind"], index: number, amount: number): Pair {
  const command = { ...creditCommand(`${kind}:${index}`, amount, kind), fee_micro_rub: "7" };
  const isOutward = kind === "refund" || kind === "chargeback";
  return { name: command.external_id, kind, amount: isOutward ? -amount : amount, fire: (stub) => stub.credit(command) };
}

function allPairs(): Pair[] {
  const numbers = Array.from({ length: 20 }, (_, index) => index);
  return [
    ...Array.from({ length: REQUESTS }, (_, index) => requestPair(index)),
    ...numbers.map((index) => paymentPair("credit", index, 5_000 + index)),
    ...numbers.map((index) => paymentPair("refund", index, 1_000 + index)),
    ...numbers.map((index) => paymentPair("chargeback", index, 500 + index)),
    ...numbers.map((index) => paymentPair("adjust", index, index % 2 === 0 ? 30 + index : -30 - index)),
  ];
}

function shuffled<T>(items: readonly T[], seed: number): T[] {
  const random = randomOf(seed, 0);
  const left = [...items];
  return items.flatMap(() => left.splice(random.below(left.length), 1));
}

/** Fires each pair's two calls among all the others, all under way at once, each through a stub of its own. */
async function fireTwice(all: readonly Pair[], seed: number): Promise<Map<string, { state: string; seq: number | null }[]>> {
  const results = new Map<string, { state: string; seq: number | null }[]>(all.map(({ name }) => [name, []]));
  await Promise.all(
    shuffled([...all, ...all], seed).map(async ({ name, fire }) => {
      const { state, seq } = await fire(accountStub(account));
      results.get(name)?.push({ state, seq });
    }),
  );
  return results;
}

const entriesSchema = z.array(
  z.object({
    seq: z.number(),
    kind: z.string(),
    request_id: z.string().nullable(),
    external_id: z.string().nullable(),
    amount_micro_rub: z.string(),
  }),
);

async function entriesNow(): Promise<z.infer<typeof entriesSchema>> {
  return entriesSchema.parse(await accountStub(account).ledger(0, 1_000));
}

describe("every settlement, release, payment, refund, chargeback and adjustment, fired twice in parallel", () => {
  beforeAll(async () => {
    account = await newAccount(OPENING);
    const admissions = Array.from({ length: REQUESTS }, (_, index) =>
      admitCommand(`req_twice_${index}`, HOLD, { key_hash: hashText(account.key), lane: "lane-9", ttl_ms: 600_000 }),
    );
    admitted = await Promise.all([...admissions, ...admissions].map((command) => accountStub(account).admit(command)));
    held = await accountStub(account).facts();
    pairs = allPairs();
    answers = await fireTwice(pairs, 20_261_121);
  });

  test("begins with admissions that were fired twice too, and hold once", () => {
    expect(admitted.map((answer) => answer.ok && answer.replay === null)).toEqual(admitted.map(() => true));
    expect(held).toMatchObject({ open_holds: REQUESTS, held_micro_rub: String(REQUESTS * HOLD) });
  });

  test("is done by one of the two, and the other is told what was done", () => {
    const done = { settle: "settled", release: "released" };
    for (const { name, kind } of pairs) {
      const [first, second] = (answers.get(name) ?? []).toSorted((left) => (left.state === "exists" ? 1 : -1));
      expect([name, first?.state]).toEqual([name, Reflect.get(done, kind) ?? "credited"]);
      expect([name, second]).toEqual([name, { state: "exists", seq: first?.seq }]);
    }
  });

  test("has one entry, of its kind and amount, and nothing is held", async () => {
    const entries = (await entriesNow()).filter((entry) => entry.external_id !== "opening");
    const seen = entries.map((entry) => [entry.kind, entry.request_id ?? entry.external_id, entry.amount_micro_rub].join(" "));
    expect(seen.toSorted()).toEqual(pairs.map(({ kind, name, amount }) => `${kind} ${name} ${amount}`).toSorted());
    const balance = pairs.reduce((sum, pair) => sum + pair.amount, OPENING);
    expect(await accountStub(account).facts()).toMatchObject({
      balance_micro_rub: String(balance),
      sum: String(balance),
      held_micro_rub: "0",
      open_holds: 0,
      incidents: 0,
      seq: pairs.length + 1,
    });
  });

  test("leaves a chain that verifies and accounts that sum to zero", async () => {
    expect(await accountStub(account).verifyChain()).toEqual({ ok: true, checked: pairs.length + 1 });
    const sums = await accountStub(account).postingSums();
    expect(Object.values(sums).reduce((sum, amount) => sum + BigInt(amount), 0n)).toBe(0n);
    expect(sums["fees"]).toBe(String(-7 * 80));
  });

  test("is told the same after the object was evicted, and changes nothing then", async () => {
    const before = await accountStub(account).facts();
    await evictDurableObject(accountStub(account));
    const again = await fireTwice(pairs, 7);
    for (const [name, pair] of again) {
      const seq = answers.get(name)?.[0]?.seq;
      expect([name, ...pair]).toEqual([name, { state: "exists", seq }, { state: "exists", seq }]);
    }
    expect({ ...(await accountStub(account).facts()), recorded_seq: before.recorded_seq }).toEqual(before);
  });

  test("is in D1 once", async () => {
    expect(await reconciled(account)).toMatchObject({ accounts: [{ gaps: [], repaired: 0 }] });
    const query = "SELECT count(*) AS entries, CAST(sum(amount_micro_rub) AS TEXT) AS sum FROM entry WHERE account_id = ?";
    const balance = pairs.reduce((sum, pair) => sum + pair.amount, OPENING);
    expect(await env.DB.prepare(query).bind(account.id).first()).toEqual({ entries: pairs.length + 1, sum: String(balance) });
    const usage =
      "SELECT count(*) AS rows, CAST(sum(charged_micro_rub) AS TEXT) AS charged FROM usage WHERE account_id = ? AND kind = 'settle'";
    const settled = pairs.filter(({ kind }) => kind === "settle");
    const charged = settled.reduce((sum, pair) => sum - pair.amount, 0);
    expect(await env.DB.prepare(usage).bind(account.id).first()).toEqual({ rows: settled.length, charged: String(charged) });
  });
});

test("two ends that contradict each other, fired at once, have one effect, and the other leaves an incident", async () => {
  account = await newAccount(OPENING);
  const ids = Array.from({ length: 30 }, (_, index) => `req_contradicted_${index}`);
  const stub = (): ReturnType<typeof accountStub> => accountStub(account);
  for (const id of ids) await stub().admit(admitCommand(id, HOLD, { key_hash: hashText(account.key), lane: "lane-9", ttl_ms: 600_000 }));
  const ends = await Promise.all(
    ids.map((id, index) => {
      const settle = (): Promise<{ state: string }> => stub().settle({ request_id: id, facts: facts(10), record: null });
      const other = (): Promise<{ state: string }> =>
        index % 2 === 0
          ? stub().release({ request_id: id, reason: "refused", record: null })
          : stub().settle({ request_id: id, facts: facts(11), record: null });
      return Promise.all(index % 3 === 0 ? [other(), settle()] : [settle(), other()]);
    }),
  );
  for (const pair of ends) {
    expect(pair.filter(({ state }) => state === "exists_with_different")).toHaveLength(1);
    expect(pair.filter(({ state }) => state === "settled" || state === "released")).toHaveLength(1);
  }
  expect(await stub().facts()).toMatchObject({ seq: ids.length + 1, incidents: ids.length, open_holds: 0, held_micro_rub: "0" });
});

test("true-ups, credits and refunds over HTTP, fired twice in parallel, are booked once and answer with the same entry", async () => {
  account = await newAccount(OPENING);
  const stub = accountStub(account);
  const { snapshot } = z.looseObject({ snapshot: z.unknown() }).parse(usageMessage(1).record);
  const ids = Array.from({ length: 15 }, (_, index) => `req_corrected_${index}`);
  for (const id of ids) {
    const facets = { key_hash: hashText(account.key), lane: "lane-9", ttl_ms: 600_000, snapshot: JSON.stringify(snapshot) };
    await stub.admit(admitCommand(id, HOLD, facets));
    await stub.settle({ request_id: id, facts: facts(10), record: record(id, 10) });
  }
  const path = `/admin/accounts/${account.id}`;
  const calls = [
    ...ids.map((id) => ({ path: `${path}/true-ups`, body: { request_id: id, usage: { ...chargeFacts(0).usage, output_tokens: 50 } } })),
    ...ids.map((id) => ({ path: `${path}/credits`, body: { amount_micro_rub: 300, reference: `pay:${id}` } })),
    ...ids.map((id) => ({ path: `${path}/refunds`, body: { amount_micro_rub: 100, reference: `back:${id}` } })),
  ];
  const before = await stub.facts();
  const results = await Promise.all(calls.map((call) => Promise.all([send(call.path, call), send(call.path, call)])));
  for (const [first, second] of results) {
    expect([first.status, second.status]).toEqual([200, 200]);
    expect(first.json?.["seq"]).toBe(second.json?.["seq"]);
  }
  const after = await stub.facts();
  expect(after).toMatchObject({ seq: before.seq + calls.length, incidents: 0 });
  const entries = (await entriesNow()).filter((entry) => entry.seq > before.seq);
  expect(new Set(entries.map((entry) => entry.external_id)).size).toBe(calls.length);
  const trueUps = entries.filter((entry) => entry.kind === "true_up").reduce((sum, entry) => sum + BigInt(entry.amount_micro_rub), 0n);
  expect(BigInt(after.balance_micro_rub)).toBe(BigInt(before.balance_micro_rub) + trueUps + 200n * BigInt(ids.length));
  expect(await stub.verifyChain()).toEqual({ ok: true, checked: after.seq });
});
