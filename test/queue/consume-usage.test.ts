/** Exactly-once rows from at-least-once messages: what a queue may do to them, and what D1 may refuse. */
import { env } from "cloudflare:workers";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { LIMITS } from "../../schema/limits.ts";
import { deliver, joined } from "./deliver.ts";
import { ledgerAccount, rows } from "./ledger-account.ts";

const messageSchema = z.looseObject({ record: z.looseObject({}) });

async function entriesOf(accountId: string): Promise<Record<string, unknown>[]> {
  return rows("SELECT seq, kind, amount_micro_rub AS amount FROM entry WHERE account_id = ? ORDER BY seq", accountId);
}

async function lettersOf(text: string): Promise<Record<string, unknown>[]> {
  return rows("SELECT queue, reason, body, replayed_at FROM dead_letter WHERE instr(body, ?) > 0 ORDER BY body", text);
}

const FIVE = [
  { seq: 1, kind: "credit", amount: 1_000_000 },
  { seq: 2, kind: "settle", amount: -100 },
  { seq: 3, kind: "settle", amount: -200 },
  { seq: 4, kind: "settle", amount: -300 },
  { seq: 5, kind: "settle", amount: -400 },
];
const CHARGES = [100, 200, 300, 400];

/** Rollups that are not the sums of their rows, either way round. */
async function wrongRollups(): Promise<unknown[]> {
  const sums = `SELECT account_id, day, model, provider, key_id, count(*), sum(coalesce(input_tokens, 0)), sum(coalesce(output_tokens, 0)),
    sum(coalesce(cost_micro_rub, 0)), sum(charged_micro_rub) FROM usage GROUP BY 1, 2, 3, 4, 5`;
  const stored =
    "SELECT account_id, day, model, provider, key_id, requests, input_tokens, output_tokens, cost_micro_rub, charged_micro_rub FROM usage_day";
  return rows(`SELECT * FROM (${sums} EXCEPT ${stored}) UNION ALL SELECT * FROM (${stored} EXCEPT ${sums})`);
}

describe("delivery", () => {
  test("a message that comes again, in its batch and in later ones, changes nothing", async () => {
    const account = await ledgerAccount("twice", CHARGES);
    const whole = joined(account.messages);
    for (let time = 0; time < 3; time++) {
      expect(await deliver(account.env, [whole, whole, ...account.messages])).toEqual({
        acked: ["m0", "m1", "m2", "m3", "m4", "m5", "m6"],
        retried: [],
      });
    }
    expect(await entriesOf(account.id)).toEqual(FIVE);
    expect(await rows("SELECT requests, charged_micro_rub AS charged FROM usage_day WHERE account_id = ?", account.id)).toEqual([
      { requests: 4, charged: 1000 },
    ]);
    expect(await rows("SELECT * FROM entry_conflict WHERE account_id = ?", account.id)).toEqual([]);
    expect(account.recorded).toEqual([5]);
  });

  test("messages in any order, one by one, give the same rows", async () => {
    const account = await ledgerAccount("order", CHARGES);
    for (const index of [3, 0, 4, 2, 1]) await deliver(account.env, [account.messages[index]]);
    expect(await entriesOf(account.id)).toEqual(FIVE);
    expect(await wrongRollups()).toEqual([]);
  });

  test("the watermark moves over what is contiguous, and never past a gap", async () => {
    const account = await ledgerAccount("gaps", CHARGES);
    const [first = "", second = "", third = "", fourth = "", fifth = ""] = account.messages;
    await deliver(account.env, [joined([third, fifth])]);
    expect(account.recorded).toEqual([]);
    await deliver(account.env, [first]);
    await deliver(account.env, [first]);
    expect(account.recorded).toEqual([1]);
    await deliver(account.env, [fourth]);
    expect(account.recorded).toEqual([1]);
    await deliver(account.env, [second]);
    expect(account.recorded).toEqual([1, 5]);
  });

  test("a body that arrives parsed is the same as its text", async () => {
    const account = await ledgerAccount("parsed", [100]);
    const bodies = account.messages.map((text): unknown => z.unknown().parse(JSON.parse(text)));
    expect((await deliver(account.env, [bodies])).acked).toEqual(["m0"]);
    expect(await entriesOf(account.id)).toHaveLength(2);
  });

  test("a full batch of full messages goes into D1 in statements of a bounded size", async () => {
    const account = await ledgerAccount("full", [100]);
    const [credit = "", settle = ""] = account.messages;
    const count = LIMITS.d1RowsPerStatement * 3 + 7;
    const many = Array.from({ length: count }, (_, index) =>
      settle.replace('"seq":2', `"seq":${index + 2}`).replaceAll("req_full_0", `req_full_${index}`),
    );
    expect((await deliver(account.env, [credit, joined(many)])).acked).toEqual(["m0", "m1"]);
    expect(await rows("SELECT count(*) AS entries, max(seq) AS last FROM entry WHERE account_id = ?", account.id)).toEqual([
      { entries: count + 1, last: count + 1 },
    ]);
    expect(await wrongRollups()).toEqual([]);
  });
});

describe("a message nobody can read", () => {
  test("is parked, and the others of its batch and of its message are applied and acknowledged", async () => {
    const account = await ledgerAccount("poison", CHARGES);
    const [first = "", second = "", third = "", fourth = "", fifth = ""] = account.messages;
    const strange = '{"v":2,"poison":"another version"}';
    const delivered = await deliver(account.env, [first, "poison: no JSON", joined([second, strange, third]), joined([fourth, fifth])]);
    expect(delivered).toEqual({ acked: ["m0", "m1", "m2", "m3"], retried: [] });
    expect(await entriesOf(account.id)).toEqual(FIVE);
    expect(account.recorded).toEqual([5]);
    const letters = await lettersOf("poison");
    expect(letters.map(({ queue, body, replayed_at }) => ({ queue, body, replayed_at }))).toEqual([
      { queue: "usage", body: "poison: no JSON", replayed_at: null },
      { queue: "usage", body: strange, replayed_at: null },
    ]);
  });

  test("that comes again is the same letter", async () => {
    for (let time = 0; time < 3; time++) await deliver(env, ["again and again", "again and again"]);
    expect(await lettersOf("again and again")).toHaveLength(1);
  });

  test("nests 5,000 deep, is empty or null, and stops nothing", async () => {
    const account = await ledgerAccount("odd", [100]);
    const bodies = ["[".repeat(5000), "", "null", "[]", "[[]]", "7", joined(account.messages)];
    expect((await deliver(account.env, bodies)).retried).toEqual([]);
    expect(await entriesOf(account.id)).toHaveLength(2);
  });
});

describe("a charge whose record nobody can read", () => {
  const broken = [
    ["misses a field", (record: Record<string, unknown>) => ({ ...record, key_id: undefined })],
    ["has a field of another type", (record: Record<string, unknown>) => ({ ...record, snapshot: "7" })],
    ["is of another request", (record: Record<string, unknown>) => ({ ...record, request_id: "req_other" })],
    ["is only a note", () => ({ note: "lost" })],
    ["is not there", () => null],
  ] as const;
  test.each(broken)("because it %s keeps its entry, has no usage row, and is parked with the reason", async (why, change) => {
    const account = await ledgerAccount(`record${broken.findIndex(([each]) => each === why)}`, [100]);
    const message = messageSchema.parse(JSON.parse(account.messages[1] ?? ""));
    const bad = JSON.stringify({ ...message, record: change(message.record) });
    expect((await deliver(account.env, [account.messages[0], bad])).acked).toEqual(["m0", "m1"]);
    expect(await entriesOf(account.id)).toHaveLength(2);
    expect(account.recorded).toEqual([2]);
    expect(await rows("SELECT * FROM usage WHERE account_id = ?", account.id)).toEqual([]);
    const letters = await rows("SELECT reason FROM dead_letter WHERE body = ?", bad);
    expect(letters).toHaveLength(1);
    expect(String(letters[0]?.["reason"])).toMatch(/record/);
    // The letter with a readable record later fills the row in, once.
    await deliver(account.env, [account.messages[1]]);
    await deliver(account.env, [account.messages[1]]);
    expect(await rows("SELECT charged_micro_rub AS charged FROM usage WHERE account_id = ?", account.id)).toEqual([{ charged: 100 }]);
    expect(await wrongRollups()).toEqual([]);
  });

  test("is no concern of a release that never reached a provider", async () => {
    const account = await ledgerAccount("norec", [100]);
    const message = messageSchema.parse(JSON.parse(account.messages[1] ?? ""));
    const release = { ...message, kind: "release", amount_micro_rub: "0", facts: { reason: "not_dispatched" }, record: null };
    await deliver(account.env, [account.messages[0], JSON.stringify(release)]);
    expect(await entriesOf(account.id)).toHaveLength(2);
    expect(await lettersOf(account.id)).toEqual([]);
  });
});

describe("a message that contradicts a stored row", () => {
  test("changes no row, counts nowhere, and is kept as evidence", async () => {
    const account = await ledgerAccount("conflict", [100, 200]);
    await deliver(account.env, [joined(account.messages)]);
    const other = (account.messages[1] ?? "").replace(/"hash":"[^"]*"/, '"hash":"forged"').replace('"-100"', '"-1"');
    // The first entry is a credit without a usage row: a forged charge in its place must not get one.
    const inPlaceOfCredit = other.replace('"seq":2', '"seq":1').replaceAll("req_conflict_0", "req_forged");
    expect((await deliver(account.env, [other, inPlaceOfCredit])).acked).toEqual(["m0", "m1"]);
    expect(await entriesOf(account.id)).toEqual(FIVE.slice(0, 3));
    expect(await rows("SELECT request_id FROM usage WHERE account_id = ? ORDER BY seq", account.id)).toEqual([
      { request_id: "req_conflict_0" },
      { request_id: "req_conflict_1" },
    ]);
    expect(await rows("SELECT seq, hash FROM entry_conflict WHERE account_id = ? ORDER BY seq", account.id)).toEqual([
      { seq: 1, hash: "forged" },
      { seq: 2, hash: "forged" },
    ]);
    expect(await wrongRollups()).toEqual([]);
  });

  test("is seen too when both come in one batch", async () => {
    const account = await ledgerAccount("both", [100]);
    const other = (account.messages[1] ?? "").replace(/"hash":"[^"]*"/, '"hash":"forged"');
    await deliver(account.env, [joined([...account.messages, other])]);
    expect(await rows("SELECT seq FROM entry_conflict WHERE account_id = ?", account.id)).toEqual([{ seq: 2 }]);
  });
});

describe("D1 that fails", () => {
  /** D1 whose `batch` does what `fails` says of its n-th call, from 1. */
  function failing(base: Env, fails: (call: number) => "before" | "after" | null): Env {
    let calls = 0;
    const batch = async (statements: D1PreparedStatement[]): Promise<D1Result[]> => {
      calls += 1;
      const how = fails(calls);
      if (how === "before") throw new Error("D1_ERROR: overloaded");
      const results = await base.DB.batch(statements);
      if (how === "after") throw new Error("Network connection lost");
      return results;
    };
    const DB = { prepare: (sql: string) => base.DB.prepare(sql), batch } as unknown as D1Database;
    return { ...base, DB };
  }

  test("altogether: nothing is acknowledged, every message comes again, and then all is there", async () => {
    const account = await ledgerAccount("down", CHARGES);
    let calls = 0;
    const down = failing(account.env, (call) => {
      calls = call;
      return "before";
    });
    expect(await deliver(down, account.messages)).toEqual({ acked: [], retried: ["m0", "m1", "m2", "m3", "m4"] });
    // It is not asked once a message when it is down.
    expect(calls).toBe(1 + LIMITS.loneMessageFailures);
    expect(await entriesOf(account.id)).toEqual([]);
    expect(account.recorded).toEqual([]);
    await deliver(account.env, account.messages);
    expect(await entriesOf(account.id)).toEqual(FIVE);
  });

  test("after it committed: the repeat changes nothing", async () => {
    const account = await ledgerAccount("after", CHARGES);
    const delivered = await deliver(
      failing(account.env, () => "after"),
      account.messages.slice(0, 3),
    );
    expect(delivered.acked).toEqual([]);
    await deliver(account.env, account.messages);
    expect(await entriesOf(account.id)).toEqual(FIVE);
    expect(await wrongRollups()).toEqual([]);
  });

  test("over one message alone: that one comes again, the others are applied and acknowledged", async () => {
    const account = await ledgerAccount("alone", CHARGES);
    const [, second = ""] = account.messages;
    await env.DB.prepare(
      "CREATE TRIGGER refuses BEFORE INSERT ON entry WHEN NEW.account_id = 'acc_alone000' AND NEW.seq = 2 BEGIN SELECT RAISE(ABORT, 'refused'); END",
    ).run();
    expect(await deliver(account.env, account.messages)).toEqual({ acked: ["m0", "m2", "m3", "m4"], retried: ["m1"] });
    expect((await entriesOf(account.id)).map((row) => row["seq"])).toEqual([1, 3, 4, 5]);
    expect(account.recorded).toEqual([1]);
    await env.DB.prepare("DROP TRIGGER refuses").run();
    expect((await deliver(account.env, [second])).acked).toEqual(["m0"]);
    expect(account.recorded).toEqual([1, 5]);
  });
});
