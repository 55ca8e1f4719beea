/**
 * Streams that are dropped and gone on with, over real sockets: whatever the place, what a reader had and what it then gets are together the
 * stream of a reader who never left, byte for byte, and the request is charged once. `PLYRUM_CUTS=all` cuts at every event and more.
 */
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Account, type Stage, startStage } from "./shared-system.ts";
import { ask, bodiesFolder, type Call, dropAfter, eventsOf, lastNumber, playedStreams, resume } from "./resume-cuts.ts";

const isWhole = process.env["PLYRUM_CUTS"] === "all";
/** Cuts of one stream in the suite; at least its first and last events are among them. */
const SLICE = 6;
const AT_ONCE = 8;

let stage: Stage;
let account: Account;
let call: Call;

beforeAll(async () => {
  stage = await startStage({ PLYRUM_RECORDINGS: bodiesFolder });
  account = await stage.account(10_000_000_000);
  call = { url: stage.system.url, key: account.key };
});
afterAll(() => stage.close());

interface Cut {
  events: number;
  bytes: number;
}

/** Before the first event, after each one, and inside of some. */
function cutsOf(events: readonly string[]): Cut[] {
  const edges = events.map((_, index) => ({ events: index, bytes: 0 }));
  const inside = events.map((event, index) => ({ events: index, bytes: Math.max(1, Math.floor((event.length * (index % 5)) / 5)) }));
  const all = [...edges, ...inside];
  if (isWhole) return all;
  const step = Math.max(1, Math.floor(all.length / SLICE));
  return all.filter((_, index) => index % step === 0);
}

async function inTurns<T>(work: readonly T[], run: (item: T) => Promise<void>): Promise<void> {
  const queue = [...work];
  const next = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await run(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, next));
}

describe.each(playedStreams())("$protocol callers of a recorded $upstream stream ($name)", (played) => {
  test("get the rest of it, byte for byte, wherever they dropped it", async () => {
    const own = await stage.account(10_000_000_000);
    const ownCall = { url: stage.system.url, key: own.key };
    const undropped = await ask(ownCall, played, { delay: 0 });
    expect(undropped.headers.get("x-plyrum-resumable")).toBe("1");
    const id = undropped.headers.get("x-plyrum-request-id") ?? "";
    const whole = await undropped.text();
    const events = eventsOf(whole);
    expect(events.length).toBeGreaterThan(3);
    expect(await resume(ownCall, id, null)).toBe(whole);
    await inTurns(cutsOf(events), async (cut) => {
      const dropped = await dropAfter(ownCall, played, cut);
      const rest = await resume(ownCall, dropped.id, lastNumber(dropped.had, played.protocol));
      const place = `${played.name} after ${cut.events} events and ${cut.bytes} bytes`;
      const all = await resume(ownCall, dropped.id, null);
      expect(`${place}: ${dropped.had}${rest}`).toBe(`${place}: ${all}`);
      // A translation has an id and a time of its own.
      if (played.protocol === played.upstream) expect(`${place}: ${all}`).toBe(`${place}: ${whole}`);
      else expect(eventsOf(all)).toHaveLength(events.length);
    });
    await own.atRest();
    const rows = await own.usage();
    expect(new Set(rows.map((row) => row.request_id)).size).toBe(cutsOf(events).length + 1);
    expect(rows).toHaveLength(cutsOf(events).length + 1);
    const [first] = rows;
    // However often it was read, the same answer costs the same, once.
    expect(new Set(rows.map((row) => `${row.state} ${row.usage_source} ${row.charged_micro_rub}`)).size).toBe(1);
    expect((await own.balance()).balance_micro_rub).toBe(10_000_000_000 - rows.length * (first?.charged_micro_rub ?? 0));
  });
});

describe("a stream while it runs", () => {
  const chat = (commands: string, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(`${call.url}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${call.key}`, "x-plyrum-resumable": "1", ...headers },
      body: JSON.stringify({
        model: `openai/gpt-5-mini@${commands}`,
        stream: true,
        messages: [{ role: "user", content: "Tell me of the sea" }],
      }),
    });

  test("is followed by several readers at once, from wherever each of them is", async () => {
    const response = await chat("chunks=40,tokens=80,delay=15");
    const id = response.headers.get("x-plyrum-request-id") ?? "";
    const [whole, ...followed] = await Promise.all([response.text(), resume(call, id, null), resume(call, id, 1), resume(call, id, 20)]);
    const events = eventsOf(whole);
    expect(followed).toEqual([whole, events.slice(1).join(""), events.slice(20).join("")]);
    expect(await resume(call, id, events.length)).toBe("");
  });

  test("ends for its readers as it ended for nobody: with the provider's error", async () => {
    const response = await chat("chunks=20,tokens=40,delay=10,cut=12");
    const id = response.headers.get("x-plyrum-request-id") ?? "";
    await response.body?.cancel();
    const rest = await resume(call, id, 3);
    expect(eventsOf(rest).at(-1)).toMatch(/^id: \d+\ndata: .*"error"/);
    expect(rest).not.toContain("[DONE]");
  });

  test("is another account's business to nobody else", async () => {
    const response = await chat("chunks=3");
    const id = response.headers.get("x-plyrum-request-id") ?? "";
    await response.text();
    const stranger = await stage.account(1_000_000);
    const status = async (path: string, key: string): Promise<number> =>
      (await fetch(`${call.url}${path}`, { headers: { authorization: `Bearer ${key}` } })).status;
    expect(await status(`/v1/requests/${id}/stream`, stranger.key)).toBe(404);
    expect(await status("/v1/requests/req_nobody/stream", call.key)).toBe(404);
    expect(await status(`/v1/requests/${id}/stream`, "ply_none")).toBe(401);
    expect(await status(`/v1/requests/${id}/stream`, call.key)).toBe(200);
    expect(await status(`/v1/requests/${id}/stream?after=soon`, call.key)).toBe(400);
  });

  test("can be cancelled, which is charged by what was used, and is over for its readers", async () => {
    const response = await chat("chunks=400,tokens=800,delay=20");
    const id = response.headers.get("x-plyrum-request-id") ?? "";
    const following = response.text();
    const cancelled = async (): Promise<Response> =>
      fetch(`${call.url}/v1/requests/${id}/cancel`, { method: "POST", headers: { authorization: `Bearer ${call.key}` } });
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect((await cancelled()).status).toBe(200);
    expect(await following).toContain("cancelled");
    await account.atRest();
    const row = (await account.usage()).find((each) => each.request_id === id);
    expect([row?.state, row?.usage_source]).toEqual(["cancelled", "estimated"]);
    expect((await cancelled()).status).toBe(409);
  });

  test("is read by the official packages, which know its ids", async () => {
    const options = { apiKey: call.key, maxRetries: 0, defaultHeaders: { "x-plyrum-resumable": "1" } };
    const messages = [{ role: "user" as const, content: "Hello" }];
    let text = "";
    const openai = new OpenAI({ ...options, baseURL: `${call.url}/v1` });
    for await (const chunk of await openai.chat.completions.create({ model: "openai/gpt-5-mini", messages, stream: true }))
      text += chunk.choices[0]?.delta.content ?? "";
    const anthropic = new Anthropic({ ...options, baseURL: call.url });
    const whole = await anthropic.messages.stream({ model: "anthropic/claude-haiku-4-5", max_tokens: 100, messages }).finalText();
    expect([text, whole]).toEqual(["You said: Hello", "You said: Hello"]);
  });

  test("is the same again under its Idempotency-Key", async () => {
    const [first, again] = [
      await (await chat("chunks=3", { "idempotency-key": "k" })).text(),
      await chat("chunks=3", { "idempotency-key": "k" }),
    ];
    expect(again.headers.get("x-plyrum-replayed")).toBe("true");
    expect(await again.text()).toBe(first);
    expect(first).toMatch(/^id: 1$/m);
  });

  test("is not recorded unless that is asked for, and not where there are no events to number", async () => {
    const response = await chat("chunks=3", { "x-plyrum-resumable": "0" });
    expect(await response.text()).not.toMatch(/^id: /m);
    const path = `/v1/requests/${response.headers.get("x-plyrum-request-id") ?? ""}/stream`;
    expect((await fetch(call.url + path, { headers: { authorization: `Bearer ${call.key}` } })).status).toBe(404);
    const lines = await fetch(`${call.url}/api/chat`, {
      method: "POST",
      headers: { authorization: `Bearer ${call.key}`, "x-plyrum-resumable": "1" },
      body: JSON.stringify({ model: "openai/gpt-5-mini", messages: [{ role: "user", content: "Hello" }] }),
    });
    expect(lines.status).toBe(400);
  });
});
