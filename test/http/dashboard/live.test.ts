/** What a page is told while it is open: whole states from the account's own object, no more than the role may see, to a bounded number of readers. */
import { describe, expect, test } from "vitest";
import { env } from "cloudflare:workers";
import { parseWith } from "../../../schema/json.ts";
import { LIMITS } from "../../../schema/limits.ts";
import { type LiveState, liveStateSchema } from "../../../schema/live.ts";
import { open, send } from "../gateway.ts";
import { type Insider, newMember, newOwner } from "./browser.ts";

/** Asks at a pace at which those who have gone are found out. */
async function stateFor(insider: Insider): Promise<LiveState> {
  await new Promise((resolve) => setTimeout(resolve, 100));
  const seen = await insider.browser.get(`/app/${insider.organisation}/live`);
  expect(seen.headers.get("content-type")).toBe("text/event-stream");
  return stateOf(seen.html);
}

function stateOf(event: string): LiveState {
  const parsed = parseWith(liveStateSchema, /^data: (.*)$/m.exec(event)?.[1] ?? "");
  if (!parsed.ok) throw new Error(`no state: ${parsed.message} in ${event}`);
  return parsed.value;
}

async function withMoney(): Promise<{ owner: Insider; key: string }> {
  const owner = await newOwner();
  const created = (await send(`/admin/accounts/${owner.accountId}/keys`, { body: { name: "k" } })).json;
  await send(`/admin/accounts/${owner.accountId}/credits`, { body: { amount_micro_rub: 5_000_000_000, reference: "r" } });
  return { owner, key: String(created?.["key"]) };
}

function body(commands: string): object {
  return { model: `openai/gpt-5-mini@${commands}`, stream: true, messages: [{ role: "user", content: "Hello" }] };
}

describe("an account followed live", () => {
  test("shows a request while it holds money, what it has come to so far, and how it ended", async () => {
    const { owner, key } = await withMoney();
    const before = await stateFor(owner);
    expect(before).toMatchObject({ seq: 1, requests: { running: [], ended: [] }, money: { balance_micro_rub: "5000000000" } });
    const answer = await open("/v1/chat/completions", { body: body("chunks=40,delay=60,tokens=400"), key });
    const id = answer.headers.get("x-plyrum-request-id");
    const whole = answer.text();
    let during = await stateFor(owner);
    expect(during.requests?.running).toMatchObject([{ id, model: "openai/gpt-5-mini" }]);
    expect(BigInt(during.money?.held_micro_rub ?? 0)).toBe(BigInt(during.requests?.running[0]?.hold_micro_rub ?? -1));
    for (const end = Date.now() + 5_000; typeof during.requests?.running[0]?.output_tokens !== "number" && Date.now() < end;)
      during = await stateFor(owner);
    expect(BigInt(during.requests?.running[0]?.cost_micro_rub ?? 0)).toBeGreaterThan(0n);
    await whole;
    let after = await stateFor(owner);
    for (const end = Date.now() + 5_000; after.requests?.ended.length === 0 && Date.now() < end;) after = await stateFor(owner);
    const ended = after.requests?.ended[0];
    expect(after.requests?.running).toEqual([]);
    expect(ended).toMatchObject({ id, kind: "settle", state: "settled", output_tokens: 400 });
    expect(BigInt(after.money?.balance_micro_rub ?? 0)).toBe(5_000_000_000n - BigInt(ended?.charged_micro_rub ?? 0));
  });

  test("writes to who is there when something changes, without being asked again", async () => {
    const { owner } = await withMoney();
    const stream = await env.ACCOUNT.get(env.ACCOUNT.idFromName(owner.accountId)).live({ money: true, requests: false });
    const reader = stream?.getReader();
    const next = async (): Promise<LiveState> => stateOf(new TextDecoder().decode((await reader?.read())?.value));
    expect((await next()).money?.balance_micro_rub).toBe("5000000000");
    await send(`/admin/accounts/${owner.accountId}/credits`, { body: { amount_micro_rub: 1, reference: "more" } });
    expect(await next()).toMatchObject({ seq: 2, requests: null, money: { balance_micro_rub: "5000000001" } });
    await reader?.cancel();
  });

  test("shows a role nothing it may not see elsewhere", async () => {
    const { owner } = await withMoney();
    expect(await stateFor(await newMember(owner, "member"))).toMatchObject({ money: null, requests: { running: [], ended: [] } });
    const billing = await stateFor(await newMember(owner, "billing"));
    expect(billing.requests).toBeNull();
    expect(billing.money?.balance_micro_rub).toBe("5000000000");
  });

  test("has a bounded number of readers, and takes another when one has gone", async () => {
    const { owner } = await withMoney();
    const account = env.ACCOUNT.get(env.ACCOUNT.idFromName(owner.accountId));
    const streams: ReadableStream<Uint8Array>[] = [];
    for (let count = 0; count < LIMITS.liveWatchersPerAccount; count++) {
      const stream = await account.live({ money: true, requests: true });
      if (stream !== null) streams.push(stream);
    }
    expect(streams.length).toBe(LIMITS.liveWatchersPerAccount);
    expect((await owner.browser.get(`/app/${owner.organisation}/live`)).status).toBe(429);
    for (const stream of streams) await stream.cancel();
    await send(`/admin/accounts/${owner.accountId}/credits`, { body: { amount_micro_rub: 1, reference: "gone" } });
    await expect
      .poll(async () => (await owner.browser.get(`/app/${owner.organisation}/live`)).status, { timeout: 5_000, interval: 200 })
      .toBe(200);
  });
});
