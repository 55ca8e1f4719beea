/** What was tried too often: parked where an operator reads it, sent again once, and never lost. */
import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { countWaiting, deadLetters } from "../../db/dead-letters.ts";
import { replayDeadLetters } from "../../workers/queue/consume-dead.ts";
import { deliver, joined } from "./deliver.ts";
import { ledgerAccount, rows } from "./ledger-account.ts";

/** The bindings with a queue that only notes what is sent; `fails` from that send on, counted from 0. */
function noting(fails = Number.POSITIVE_INFINITY): { env: Env; sent: string[] } {
  const sent: string[] = [];
  const send = async (body: string): Promise<void> => {
    if (sent.length >= fails) throw new Error("Too Many Requests");
    sent.push(body);
  };
  return { env: { ...env, USAGE_QUEUE: { send } as unknown as Queue }, sent };
}

test("dead messages are parked, replayed once, and applied once", async () => {
  const account = await ledgerAccount("dead", [100, 200]);
  const body = joined(account.messages);
  expect((await deliver(account.env, [body, body], "usage-dead")).acked).toEqual(["m0", "m1"]);
  expect(await deadLetters(env.DB, { limit: 10, waitingOnly: true })).toMatchObject([
    { queue: "usage", body, reason: "tried too often", replayed_at: null },
  ]);
  const queue = noting();
  expect(await replayDeadLetters(queue.env, 1_000)).toBe(1);
  expect(await replayDeadLetters(queue.env, 2_000)).toBe(0);
  expect(queue.sent).toEqual([body]);
  expect(await deadLetters(env.DB, { limit: 10, waitingOnly: false })).toMatchObject([{ body, replayed_at: 1_000 }]);
  await deliver(account.env, queue.sent);
  await deliver(account.env, queue.sent);
  expect(await rows("SELECT seq FROM entry WHERE account_id = ? ORDER BY seq", account.id)).toEqual([{ seq: 1 }, { seq: 2 }, { seq: 3 }]);
});

test("a letter whose replay fails too waits again", async () => {
  await deliver(env, ["still unreadable"]);
  const queue = noting();
  expect(await replayDeadLetters(queue.env, 1_000)).toBe(1);
  expect(await countWaiting(env.DB)).toBe(0);
  await deliver(env, queue.sent);
  expect(await countWaiting(env.DB)).toBe(1);
  expect(await replayDeadLetters(noting().env, 2_000)).toBe(1);
});

test("letters whose replay breaks off in the middle are all still waiting", async () => {
  await deliver(env, ["first of three", "second of three", "third of three"]);
  await expect(replayDeadLetters(noting(1).env, 1_000)).rejects.toThrow("Too Many Requests");
  expect(await countWaiting(env.DB)).toBe(3);
  expect(await replayDeadLetters(noting().env, 2_000)).toBe(3);
  expect(await countWaiting(env.DB)).toBe(0);
});

test("a dead batch that D1 does not take is not acknowledged", async () => {
  const DB = {
    prepare: (sql: string) => env.DB.prepare(sql),
    batch: async () => {
      throw new Error("D1 is down");
    },
  } as unknown as D1Database;
  await expect(deliver({ ...env, DB }, ["kept"], "usage-dead")).rejects.toThrow("D1 is down");
});
