/** Objects that die between a hold and its settlement: whoever comes next ends the hold exactly once, and the alarm stays armed. */
import { abortAllDurableObjects, evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { describe, expect, test } from "vitest";
import { hashText } from "../../workers/http/authenticate.ts";
import { type Account, balanceOf, endings, newAccount, open, send, until } from "../http/gateway.ts";
import { admitCommand, settleCommand } from "../ledger/commands.ts";
import { accountStub, envelope, laneStub, reconciled } from "./envelope.ts";

const OPENING = 100_000_000;

/** Holds money for a request of lane 0 that was never dispatched. */
async function hold(account: Account, requestId: string, facts: Partial<Parameters<typeof admitCommand>[2]> = {}): Promise<void> {
  const admitted = await accountStub(account).admit(
    admitCommand(requestId, 1000, { key_hash: hashText(account.key), lane: "lane-0", ...facts }),
  );
  expect(admitted.ok).toBe(true);
}

async function alarmOf(account: Account): Promise<number | null> {
  return runInDurableObject(accountStub(account), (_instance, { storage }) => storage.getAlarm());
}

/** Opens a streamed completion and reads its first bytes. Gives its id and how many bytes were read. */
async function startStream(account: Account, commands: string): Promise<string> {
  const response = await open("/v1/chat/completions", {
    key: account.key,
    body: { model: `openai/gpt-5-mini@${commands}`, stream: true, messages: [{ role: "user", content: "Tell me of the sea, please." }] },
  });
  expect(response.status).toBe(200);
  const reader = response.body?.getReader();
  await reader?.read();
  return response.headers.get("x-plyrum-request-id") ?? "";
}

/** Ends every object as a crash would: memory is gone, storage stays. */
async function crash(): Promise<void> {
  await abortAllDurableObjects();
}

/** Waits for the account to be at rest and checks that each of its requests ended once, that its chain holds and D1 agrees. */
async function atRest(account: Account): Promise<Awaited<ReturnType<typeof endings>>> {
  await until("the holds end", async () => ((await balanceOf(account.id)).held === 0 ? true : null));
  const ended = await endings(account.id);
  expect(new Set(ended.map((entry) => entry.request_id)).size).toBe(ended.length);
  const charged = ended.reduce((sum, entry) => sum + entry.amount_micro_rub, 0);
  expect((await balanceOf(account.id)).balance).toBe(OPENING + charged);
  expect(await accountStub(account).verifyChain()).toMatchObject({ ok: true });
  expect(await reconciled(account)).toMatchObject({ accounts: [{ gaps: [], repaired: 0 }] });
  return ended;
}

describe("an account's object that dies", () => {
  test("between hold and dispatch gives the hold back, once", async () => {
    const account = await newAccount(OPENING);
    await hold(account, "req_undispatched");
    expect((await balanceOf(account.id)).held).toBe(1000);
    await evictDurableObject(accountStub(account));
    expect(await atRest(account)).toEqual([{ kind: "release", request_id: "req_undispatched", amount_micro_rub: 0 }]);
    await crash();
    expect(await atRest(account)).toHaveLength(1);
  });

  test("in the middle of a stream settles what the client was sent, once, however often it dies", async () => {
    const account = await newAccount(OPENING);
    const id = await startStream(account, "tokens=400,chunks=200,stall=80");
    // Progress is stored once a second.
    await new Promise((resolve) => setTimeout(resolve, 1_300));
    await crash();
    const [ended] = await atRest(account);
    expect(ended).toMatchObject({ kind: "settle", request_id: id });
    expect(ended?.amount_micro_rub).toBeLessThan(0);
    const view = (await send(`/v1/requests/${id}`, { key: account.key })).json;
    expect(view).toMatchObject({
      id,
      state: "failed",
      settlement: "settled",
      usage_source: "estimated",
      error: { code: "provider_error" },
    });
    for (let time = 0; time < 2; time++) await crash();
    expect(await atRest(account)).toEqual([ended]);
  });

  test("before anything came gives the hold back, once", async () => {
    const account = await newAccount(OPENING);
    const running = send("/v1/chat/completions", {
      key: account.key,
      body: { model: "openai/gpt-5-mini@hang", messages: [{ role: "user", content: "hi" }] },
    }).catch(() => null);
    await until("the hold", async () => ((await balanceOf(account.id)).held > 0 ? true : null));
    await crash();
    await running;
    expect((await atRest(account)).map((entry) => entry.kind)).toEqual(["release"]);
  });

  test("with a request nobody can read ends its other requests, serves on, and expires that one at its time", async () => {
    const account = await newAccount(OPENING);
    for (const id of ["req_a", "req_unreadable", "req_z"]) await hold(account, id, { ttl_ms: id === "req_unreadable" ? 1 : 60_000 });
    await runInDurableObject(accountStub(account), (_instance, { storage }) => {
      storage.sql.exec(
        "INSERT INTO request (id, ended, state, facts, frames, updated_at) VALUES ('req_unreadable', 0, 'dispatched', '{\"of\":\"a later version\"}', '[]', 0)",
      );
    });
    await crash();
    expect((await balanceOf(account.id)).held).toBe(1000);
    expect((await endings(account.id)).map((entry) => [entry.kind, entry.request_id])).toEqual([
      ["release", "req_a"],
      ["release", "req_z"],
    ]);
    await accountStub(account).kick();
    expect((await atRest(account)).map((entry) => entry.kind)).toEqual(["release", "release", "expire"]);
    // Its owner turns out to live: it is charged late, once.
    expect(await accountStub(account).settle(settleCommand("req_unreadable", 300))).toMatchObject({ state: "settled_late" });
    expect(await accountStub(account).settle(settleCommand("req_unreadable", 300))).toMatchObject({ state: "exists" });
    expect(await balanceOf(account.id)).toEqual({ balance: OPENING - 300, held: 0 });
  });

  test("after it was settled answers a late second settlement with the first, and keeps the contradiction as an incident", async () => {
    const account = await newAccount(OPENING);
    await hold(account, "req_late");
    const first = await accountStub(account).settle(settleCommand("req_late", 700));
    await crash();
    expect(await accountStub(account).settle(settleCommand("req_late", 700))).toEqual({ ...first, state: "exists" });
    expect(await accountStub(account).settle(settleCommand("req_late", 1))).toEqual({ ...first, state: "exists_with_different" });
    expect((await accountStub(account).facts()).incidents).toBe(1);
    expect(await endings(account.id)).toEqual([{ kind: "settle", request_id: "req_late", amount_micro_rub: -700 }]);
  });
});

describe("a further lane that dies", () => {
  test("has its request settled by the lane of its next life, which the account wakes, once", async () => {
    const account = await newAccount(OPENING);
    const response = await laneStub(account, 5).serve(envelope(account, "req_lane", "tokens=400,chunks=200,stall=80"));
    const reader = response instanceof Response ? response.body?.getReader() : undefined;
    await reader?.read();
    await new Promise((resolve) => setTimeout(resolve, 1_300));
    await crash();
    // Held with 5000; the answer outgrew that, and its stream extended the hold.
    expect((await balanceOf(account.id)).held).toBeGreaterThan(5000);
    await accountStub(account).kick();
    const ended = await atRest(account);
    expect(ended).toMatchObject([{ kind: "settle", request_id: "req_lane" }]);
    await accountStub(account).kick();
    await laneStub(account, 5).recover();
    expect(await atRest(account)).toEqual(ended);
  });

  test("before it dispatched has the hold given back", async () => {
    const account = await newAccount(OPENING);
    await hold(account, "req_nowhere", { lane: "lane-6" });
    await accountStub(account).kick();
    expect((await atRest(account)).map((entry) => entry.kind)).toEqual(["release"]);
  });
});

describe("the alarm of an account", () => {
  test("is armed with the first hold, survives a crash, and is armed again while anything is open", async () => {
    const account = await newAccount(0);
    await send(`/admin/accounts/${account.id}/credits`, { body: { amount_micro_rub: OPENING, reference: "opening" } });
    await hold(account, "req_open", { lane: "lane-0" });
    expect(await alarmOf(account)).not.toBeNull();
    const id = await startStream(account, "tokens=400,chunks=200,stall=20");
    expect(await runDurableObjectAlarm(accountStub(account))).toBe(true);
    expect(await alarmOf(account)).not.toBeNull();
    await crash();
    expect(await alarmOf(account)).not.toBeNull();
    expect(await runDurableObjectAlarm(accountStub(account))).toBe(true);
    expect((await atRest(account)).map((entry) => entry.request_id).toSorted()).toEqual(["req_open", id].toSorted());
  });

  test("is armed again when its work failed", async () => {
    const account = await newAccount(OPENING);
    await hold(account, "req_waiting", { lane: "lane-3" });
    await runInDurableObject(accountStub(account), (_instance, { storage }) => storage.sql.exec("DROP TABLE answer").toArray());
    expect(await runDurableObjectAlarm(accountStub(account))).toBe(true);
    expect(await alarmOf(account)).not.toBeNull();
  });

  test("is left off at rest, so that the object can sleep", async () => {
    const account = await newAccount(OPENING);
    await until("D1 has it", async () => {
      await send("/admin/reconcile", { body: { account_id: account.id } });
      const { seq, recorded_seq } = await accountStub(account).watermark();
      return seq === recorded_seq ? true : null;
    });
    await runDurableObjectAlarm(accountStub(account));
    expect(await alarmOf(account)).toBeNull();
  });
});
