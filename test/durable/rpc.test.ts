/** The objects' doors: whatever comes over RPC in another shape is refused before anything is done. */
import { runInDurableObject } from "cloudflare:test";
import { beforeAll, describe, expect, test } from "vitest";
import { hashText } from "../../workers/http/authenticate.ts";
import { type Account, balanceOf, endings, newAccount } from "../http/gateway.ts";
import { admitCommand, creditCommand, settleCommand } from "../ledger/commands.ts";
import { accountStub, envelope, laneStub } from "./envelope.ts";

type Call = (value: unknown) => Promise<unknown>;

let account: Account;
beforeAll(async () => {
  account = await newAccount(1_000_000);
});

/** Calls a method of the object itself, as the platform does when a call arrives. */
async function callAccount(method: string, ...values: unknown[]): Promise<string> {
  return runInDurableObject(accountStub(account), (instance) => outcomeOf(instance, method, values));
}

async function outcomeOf(instance: object, method: string, values: unknown[]): Promise<string> {
  const called: Call | undefined = Reflect.get(instance, method);
  try {
    await called?.call(instance, ...(values as [unknown]));
    return "taken";
  } catch (error) {
    return error instanceof TypeError ? error.message : "another error";
  }
}

const admission = (): Record<string, unknown> => ({ ...admitCommand("req_rpc", 100, { lane: "lane-0", key_hash: hashText(account.key) }) });
const settlement = (): Record<string, unknown> => ({ ...settleCommand("req_rpc", 100) });
const payment = (): Record<string, unknown> => ({ ...creditCommand("rpc", 100) });
const served = (): Record<string, unknown> => ({ ...envelope(account, "req_rpc", "tokens=1") });

describe("a call that does not fit its schema", () => {
  const wrong: [method: string, what: string, value: () => unknown][] = [
    ["admit", "nothing", () => undefined],
    ["admit", "a hold below zero", () => ({ ...admission(), hold_micro_rub: "-100" })],
    ["admit", "a hold that is a number", () => ({ ...admission(), hold_micro_rub: 100 })],
    ["admit", "a hold with a fraction", () => ({ ...admission(), hold_micro_rub: "1.5" })],
    ["admit", "a life of zero", () => ({ ...admission(), ttl_ms: 0 })],
    ["admit", "no key", () => ({ ...admission(), key_hash: "" })],
    ["settle", "a cost below zero", () => ({ ...settlement(), facts: { ...settleCommand("req_rpc", 1).facts, cost_micro_rub: "-1" } })],
    ["settle", "a fact nobody knows", () => ({ ...settlement(), facts: { ...settleCommand("req_rpc", 1).facts, discount: "1" } })],
    ["settle", "a record that is no object", () => ({ ...settlement(), record: "7" })],
    ["release", "no reason", () => ({ request_id: "req_rpc", record: null })],
    ["credit", "an amount of zero", () => ({ ...payment(), amount_micro_rub: "0" })],
    ["credit", "an amount below zero", () => ({ ...payment(), amount_micro_rub: "-5" })],
    ["credit", "an amount that is a number", () => ({ ...payment(), amount_micro_rub: 5 })],
    ["credit", "an empty reference", () => ({ ...payment(), external_id: "" })],
    ["createKey", "a key id of another shape", () => ({ key_id: "x", key_hash: "h".repeat(64), name: "n", limits: {} })],
    ["revokeKey", "an object", () => ({})],
    ["keyIdOfHash", "a number", () => 7],
    ["recorded", "a seq below zero", () => -1],
    ["recorded", "no number", () => Number.NaN],
    ["ledger", "a text", () => "1; DROP TABLE entry"],
    ["messages", "texts", () => ["1"]],
    ["live", "no word on what may be seen", () => ({})],
    ["request", "null", () => null],
    ["events", "an array", () => []],
    ["entryOf", "a number", () => 1],
    ["serve", "no hold", () => ({ ...served(), hold_micro_rub: "" })],
    ["serve", "a hold below zero", () => ({ ...served(), hold_micro_rub: "-1" })],
    ["serve", "bodies that are texts", () => ({ ...served(), bodies: ["{}"] })],
    ["serve", "a plan without an attempt", () => ({ ...served(), plan: { ...envelope(account, "r", "").plan, attempts: [] } })],
    ["serve", "a wire format nobody speaks", () => ({ ...served(), protocol: "telegraph" })],
    ["serve", "a way to prove who we are that nobody knows", () => withAuth({ kind: "magic" })],
  ];
  function withAuth(auth: unknown): unknown {
    const { plan } = envelope(account, "req_rpc", "");
    return { ...served(), plan: { ...plan, attempts: plan.attempts.map((attempt) => ({ ...attempt, auth })) } };
  }

  test.each(wrong)("to %s with %s is refused and changes nothing", async (method, _what, value) => {
    expect(await callAccount(method, value())).toMatch(/^Cannot take this call: /);
    expect(await balanceOf(account.id)).toEqual({ balance: 1_000_000, held: 0 });
    expect(await endings(account.id)).toEqual([]);
  });

  test.each(wrong.filter(([method]) => ["serve", "request", "events"].includes(method)))(
    "to a further lane's %s with %s is refused too",
    async (method, _what, value) => {
      const outcome = await runInDurableObject(laneStub(account, 1), (instance) => outcomeOf(instance, method, [value()]));
      expect(outcome).toMatch(/^Cannot take this call: /);
      expect(await balanceOf(account.id)).toEqual({ balance: 1_000_000, held: 0 });
    },
  );

  test("says what is wrong without repeating what was sent", async () => {
    const message = await callAccount("serve", { ...served(), credentials: [{ secret: "test-credential" }] });
    expect(message).toContain("credentials.0");
    expect(message).not.toContain("test-credential");
  });
});

test("a field of a newer sender is dropped, and the call is served", async () => {
  const newer = await newAccount(1_000_000);
  const lane = laneStub(newer, 2);
  const sent = { ...envelope(newer, "req_newer", "tokens=4"), colour: "green" };
  const response = await lane.serve(sent);
  expect(response instanceof Response ? await response.text() : response).toContain("[DONE]");
  const admitted = { ...admitCommand("req_plain", 100, { lane: "lane-0", key_hash: hashText(newer.key) }), colour: "green" };
  expect(await accountStub(newer).admit(admitted)).toMatchObject({ ok: true });
  expect(await accountStub(newer).settle(settleCommand("req_plain", 5))).toMatchObject({ state: "settled" });
});
