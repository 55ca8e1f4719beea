/** Streams whose provider ignores the cap it was given: they grow their hold while there is money, and are cut when there is none. */
import { request as send } from "node:http";
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { type Account, type Stage, startStage, type UsageRow } from "./shared-system.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await startStage();
});
afterAll(() => stage.close());

const openSchema = z.object({ open: z.number() });

/** Calls the offline provider has open now. */
async function upstreamsOpen(): Promise<number> {
  return openSchema.parse(await (await fetch(`${stage.system.offlineUrl}/_open`)).json()).open;
}

async function untilUpstreamsClosed(): Promise<void> {
  for (const end = Date.now() + 10_000; Date.now() < end; await new Promise((resolve) => setTimeout(resolve, 20)))
    if ((await upstreamsOpen()) === 0) return;
  throw new Error("an upstream is still open");
}

/** The one row of an account's one request, once all is at rest. */
async function onlyRow(account: Account): Promise<UsageRow> {
  await account.atRest();
  const rows = await account.usage();
  expect(rows).toHaveLength(1);
  const [row] = rows;
  if (row === undefined) throw new Error("no row");
  return row;
}

/** What a request of this kind holds, from a refusal of an account that has nothing. */
async function holdOf(model: string): Promise<number> {
  const poor = await stage.account(1);
  const response = await fetch(`${stage.system.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${poor.key}`, "content-type": "application/json" },
    body: JSON.stringify({ model, max_tokens: 50, stream: true, messages: [{ role: "user", content: "Never stop." }] }),
  });
  expect(response.status).toBe(402);
  return Number(/(\d+) micro-RUB needed/.exec(await response.text())?.[1]);
}

const ENDLESS = "endless,delay=1,tokens=400,chunks=20";

/** Asks for an endless answer in one protocol; the body as it ended. */
async function endless(account: Account, path: string, body: object): Promise<{ status: number; text: string }> {
  const url = new URL(stage.system.url);
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${account.key}`, "content-type": "application/json" };
    const outgoing = send({ host: url.hostname, port: url.port, method: "POST", path, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (bytes: Buffer) => chunks.push(bytes));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString("latin1") }));
      response.on("error", reject);
    });
    outgoing.on("error", reject);
    outgoing.end(JSON.stringify(body));
  });
}

const said = [{ role: "user", content: "Never stop." }];
const CHAT = { model: `openai/gpt-5-mini@${ENDLESS}`, max_tokens: 50, stream: true, messages: said };
const MESSAGES = { model: `anthropic/claude-haiku-4-5@${ENDLESS}`, max_tokens: 50, stream: true, messages: said };
const CONVERSE = { messages: [{ role: "user", content: [{ text: "Never stop." }] }], inferenceConfig: { maxTokens: 50 } };
const GENERATE = { contents: [{ role: "user", parts: [{ text: "Never stop." }] }], generationConfig: { maxOutputTokens: 50 } };

describe("an endless answer on an account that has little more than its hold", () => {
  const cases: [what: string, path: string, body: object, end: RegExp][] = [
    ["Chat, passed through", "/v1/chat/completions", CHAT, /"finish_reason":"length".*\n\ndata: \[DONE\]\n\n$/s],
    ["Chat, translated", "/v1/chat/completions", { ...CHAT, model: MESSAGES.model }, /"finish_reason":"length".*\n\ndata: \[DONE\]\n\n$/s],
    ["Messages, passed through", "/v1/messages", MESSAGES, /"stop_reason":"max_tokens".*event: message_stop\ndata: .*\n\n$/s],
    [
      "Messages, translated",
      "/v1/messages",
      { ...MESSAGES, model: CHAT.model },
      /"stop_reason":"max_tokens".*event: message_stop\ndata: .*\n\n$/s,
    ],
    [
      "Responses, passed through",
      "/v1/responses",
      { model: CHAT.model, max_output_tokens: 50, stream: true, input: "Never stop." },
      /^event: response\.incomplete\ndata: .*"reason":"max_output_tokens".*\n\n$/s,
    ],
    [
      "Gemini, passed through",
      `/v1beta/models/gemini/gemini-2.5-flash@${ENDLESS}:streamGenerateContent?alt=sse`,
      GENERATE,
      /"finishReason":"MAX_TOKENS".*\r\n\r\n$/s,
    ],
    ["Converse, translated", `/model/${encodeURIComponent(CHAT.model)}/converse-stream`, CONVERSE, /messageStop.*max_tokens.*metadata/s],
    [
      "Ollama, translated",
      "/api/chat",
      { model: CHAT.model, messages: said, options: { num_predict: 50 } },
      /"done":true,"done_reason":"length".*\n$/s,
    ],
  ];

  test.each(cases)(
    "in %s is ended by its own terminator, its upstream let go, and costs no more than there was",
    async (_what, path, body, end) => {
      const money = 200_000;
      const account = await stage.account(money);
      const { status, text } = await endless(account, path, body);
      expect(status).toBe(200);
      const last = text.lastIndexOf("event: response.");
      expect(text.slice(last === -1 ? -3000 : last)).toMatch(end);
      await untilUpstreamsClosed();
      const row = await onlyRow(account);
      expect(row).toMatchObject({ state: "failed", error_code: "insufficient_balance", usage_source: "cut", finish_reason: "length" });
      expect(row["flagged"]).toBe("hold_exhausted");
      const { balance_micro_rub: left } = await account.balance();
      // Cut only when nothing was left to grow by, and charged for exactly what was told.
      expect(row.charged_micro_rub).toBe(row.cost_micro_rub);
      expect(left).toBe(money - row.charged_micro_rub);
      expect(left).toBeGreaterThanOrEqual(0);
      expect(left).toBeLessThan(money / 20);
      expect(await account.request(row.request_id)).toMatchObject({ error: { code: "insufficient_balance" }, settlement: "settled" });
    },
  );

  test("tells the cost that is charged, in the last usage", async () => {
    const account = await stage.account(400_000);
    const { text } = await endless(account, "/v1/chat/completions", { ...CHAT, stream_options: { include_usage: true } });
    const row = await onlyRow(account);
    expect(text).toContain(`"cost_micro_rub":${row.charged_micro_rub}`);
    expect(text).toContain(": plyrum cut this answer: The balance ran out before the answer was complete.\n\n");
  });

  test("is a whole, cut answer to the official SDKs", async () => {
    const first = await stage.account(400_000);
    const openai = new OpenAI({ apiKey: first.key, baseURL: `${stage.system.url}/v1`, maxRetries: 0 });
    const chat = await openai.chat.completions
      .stream({ model: CHAT.model, max_tokens: 50, messages: [{ role: "user", content: "Never stop." }] })
      .finalChatCompletion();
    expect(chat.choices[0]?.finish_reason).toBe("length");
    const second = await stage.account(400_000);
    const anthropic = new Anthropic({ apiKey: second.key, baseURL: stage.system.url, maxRetries: 0 });
    const message = await anthropic.messages
      .stream({ model: MESSAGES.model, max_tokens: 50, messages: [{ role: "user", content: "Never stop." }] })
      .finalMessage();
    expect(message.stop_reason).toBe("max_tokens");
  });
});

describe("an answer longer than its hold", () => {
  test("grows the hold and is whole where the account can pay for it", async () => {
    const hold = await holdOf("openai/gpt-5-mini");
    const account = await stage.account(1_000_000_000);
    // A provider that ends its answer by itself, thirty times longer than it was allowed.
    const { text } = await endless(account, "/v1/chat/completions", { ...CHAT, model: "openai/gpt-5-mini@uncapped,tokens=1500,chunks=40" });
    expect(text).toContain("data: [DONE]");
    const row = await onlyRow(account);
    expect(row).toMatchObject({ state: "settled", usage_source: "provider" });
    expect(row.charged_micro_rub).toBeGreaterThan(hold);
  });

  test("stops at its key's spend limit although the account has more", async () => {
    const account = await stage.account(1_000_000_000);
    const hold = await holdOf("openai/gpt-5-mini");
    const shown = z
      .object({ keys: z.array(z.object({ key_id: z.string() })) })
      .parse(await stage.admin(`/accounts/${account.id}`, { method: "GET" }));
    const limit = hold * 3;
    await stage.admin(`/keys/${shown.keys[0]?.key_id ?? ""}`, { method: "PATCH", body: { limits: { spend_micro_rub_per_day: limit } } });
    const { text } = await endless(account, "/v1/chat/completions", CHAT);
    expect(text).toMatch(/"finish_reason":"length"/);
    const row = await onlyRow(account);
    expect(text).toContain("spend limit");
    expect(row).toMatchObject({ usage_source: "cut", error_code: "rate_limited" });
    expect(row.charged_micro_rub).toBeLessThanOrEqual(limit);
    expect(row.charged_micro_rub).toBeGreaterThan(limit * 0.9);
  });

  test("never costs many parallel callers more than they have together", async () => {
    const account = await stage.account(1_000_000);
    await Promise.all(Array.from({ length: 12 }, () => endless(account, "/v1/chat/completions", CHAT)));
    await account.atRest();
    const rows = await account.usage();
    const charged = rows.reduce((sum, row) => sum + row.charged_micro_rub, 0);
    const { balance_micro_rub: left, held_micro_rub: held } = await account.balance();
    expect([left, held]).toEqual([1_000_000 - charged, 0]);
    expect(left).toBeGreaterThanOrEqual(0);
    expect(rows.every((row) => row.cost_micro_rub === row.charged_micro_rub)).toBe(true);
    await untilUpstreamsClosed();
  });
});

test("absurd usage charges nobody for what cannot be", async () => {
  const account = await stage.account(10_000_000);
  for (const [path, body] of [
    ["/v1/chat/completions", { ...CHAT, model: "openai/gpt-5-mini@usage_absurd" }],
    ["/v1/messages", { ...MESSAGES, model: "anthropic/claude-haiku-4-5@usage_absurd" }],
  ] as const)
    expect((await endless(account, path, body)).status).toBe(200);
  await account.atRest();
  for (const row of await account.usage()) {
    expect(row.charged_micro_rub).toBeGreaterThan(0);
    expect(row.charged_micro_rub).toBeLessThan(200_000);
  }
});
