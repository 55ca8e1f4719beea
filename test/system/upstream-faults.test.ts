/**
 * Upstreams that are killed, stall, refuse for now, or cut: while nothing of an answer was seen another one answers, and its caller sees one
 * clean stream; afterwards one clean error. What is charged is what the providers that were touched count.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { LIMITS } from "../../schema/limits.ts";
import { chargeFor, type Line, type PriceList, priceListSchema, usedOf } from "../../scripts/chaos/mixture-books.ts";
import { type OfflineProvider, startOfflineProvider } from "../../scripts/offline/server.ts";
import { post, type Sent } from "./post.ts";
import { type Account, type Stage, startStage } from "./shared-system.ts";

const CREDIT = 1_000_000_000;

let stage: Stage;
let prices: PriceList;
/** An upstream of its own, that can be killed. */
let mortal: OfflineProvider;
beforeAll(async () => {
  stage = await startStage();
  mortal = await startOfflineProvider();
  await stage.admin("/config", {
    method: "PUT",
    body: {
      model_providers: [{ model: "groq/*", base_url: `${mortal.url}/groq/openai/v1`, access_key: "mortal" }],
      model_fallbacks: {
        "openai/gpt-5-mini": ["anthropic/claude-haiku-4-5"],
        "openai/gpt-4.1": ["openai/gpt-4.1-mini"],
        "openai/gpt-4.1-nano": ["openai/o4-mini@refuse"],
        "groq/*": ["openai/gpt-4.1-mini"],
      },
      timeouts: {
        "openai/gpt-5-mini": { headers_ms: 600, first_token_ms: 700, idle_ms: 900 },
        "openai/gpt-4.1*": { first_token_ms: LIMITS.firstEventWaitMilliseconds + 500 },
      },
    },
  });
  prices = priceListSchema.parse(await stage.admin("/prices", { method: "GET" }));
});
afterAll(async () => {
  await stage.close();
  await mortal.close();
});

const viewSchema = z.looseObject({
  attempts: z.array(z.looseObject({ provider: z.string(), status: z.number().nullable(), error_code: z.string().nullable() })),
});

function ask(account: Account, model: string, more: { stream?: boolean; leaveAfter?: number } = {}): Promise<Sent> {
  const { stream = true, ...options } = more;
  return post(stage, account, { model, max_tokens: 100, stream, messages: [{ role: "user", content: "Hello" }] }, options);
}

async function askedOf(account: Account, { id }: Sent): Promise<string[]> {
  return viewSchema.parse(await account.request(id)).attempts.map((attempt) => attempt.provider);
}

const invoiceSchema = z.object({
  lines: z.array(
    z.object({
      request_id: z.string().nullable(),
      model: z.string(),
      path: z.string(),
      status: z.number(),
      input: z.number(),
      cache_read: z.number(),
      output: z.number(),
      reported: z.boolean(),
      completed: z.boolean(),
      client_closed_at_event: z.number().nullable(),
    }),
  ),
});

/** What all providers that one request touched would bill for it. */
async function invoiced(id: string): Promise<(Line & { status: number })[]> {
  const urls = [stage.system.offlineUrl ?? "", mortal.url];
  const all = await Promise.all(
    urls.map(async (url) =>
      fetch(`${url}/_invoice`).then(
        async (response) => invoiceSchema.parse(await response.json()).lines,
        () => [],
      ),
    ),
  );
  return all.flat().filter((line) => line.request_id === id);
}

/** One clean stream: all of one answer, once, and its end. */
function expectCleanStream(text: string): void {
  expect(text.match(/data: \[DONE\]/g)).toHaveLength(1);
  expect(text).not.toContain('"error"');
  expect(text.match(/"role":"assistant"/g)).toHaveLength(1);
  expect(text.trimEnd().endsWith("data: [DONE]")).toBe(true);
}

async function expectBilledAsInvoiced(account: Account, { id }: Sent): Promise<void> {
  await account.atRest();
  const lines = await invoiced(id);
  const counted = lines.filter((line) => line.reported);
  // A call that ended before its first token is on nobody's bill.
  for (const line of lines) if (!line.reported) expect(line.output).toBe(0);
  expect(counted).toHaveLength(1);
  const charged = chargeFor(prices, counted.map(usedOf));
  expect((await account.usage()).map((row) => row.charged_micro_rub)).toEqual([charged]);
  expect(await account.balance()).toMatchObject({ balance_micro_rub: CREDIT - charged, held_micro_rub: 0 });
}

describe.concurrent("while nothing of the answer was seen, the next candidate gives all of it, and its price is charged", () => {
  test.each([
    "hang",
    "stall=0",
    "stall=1",
    "status=429,retry_after=60",
    "status=429",
    "status=503",
    "cut=0",
    "cut=1",
    "refuse",
    "error_at=1",
  ])("stream, %s", async (fault) => {
    const account = await stage.account(CREDIT);
    const sent = await ask(account, `openai/gpt-5-mini@${fault}`);
    expect(sent.status).toBe(200);
    expectCleanStream(sent.text);
    const asked = await askedOf(account, sent);
    expect([asked[0], asked.at(-1), new Set(asked).size]).toEqual(["openai", "anthropic", 2]);
    await expectBilledAsInvoiced(account, sent);
  });

  test.each(["hang", "status=429,retry_after=60", "refuse"])("whole answer, %s", async (fault) => {
    const account = await stage.account(CREDIT);
    const sent = await ask(account, `openai/gpt-5-mini@${fault}`, { stream: false });
    expect([sent.status, sent.text.includes("You said: Hello")]).toEqual([200, true]);
    expect((await askedOf(account, sent)).at(-1)).toBe("anthropic");
    await expectBilledAsInvoiced(account, sent);
  });

  test("also when its caller has waited so long that it was given a status line and a comment", async () => {
    const account = await stage.account(CREDIT);
    const other = await stage.account(CREDIT);
    const [rescued, lost] = await Promise.all([ask(account, "openai/gpt-4.1@stall=1"), ask(other, "openai/gpt-4.1-nano@stall=1")]);
    expect(rescued.text.startsWith(":")).toBe(true);
    expectCleanStream(rescued.text);
    await expectBilledAsInvoiced(account, rescued);
    // Where nobody can give it, the one error comes in the stream.
    expect([lost.status, lost.text.startsWith(":"), lost.text.match(/"error"/g)?.length]).toEqual([200, true, 1]);
    expect(lost.text).not.toContain("[DONE]");
    await other.atRest();
    expect((await other.balance()).balance_micro_rub).toBe(CREDIT);
  });
});

describe.concurrent("after the first token there is one clean error, and nobody else is asked", () => {
  test.each(["stall=4", "cut=4", "end=4", "error_at=4"])("%s", async (fault) => {
    const account = await stage.account(CREDIT);
    const sent = await ask(account, `openai/gpt-5-mini@${fault},chunks=8,tokens=40,delay=5`);
    expect(sent.status).toBe(200);
    expect(sent.text.match(/"error":/g)).toHaveLength(1);
    expect(sent.text).not.toContain("[DONE]");
    expect(await askedOf(account, sent)).toEqual(["openai"]);
    await account.atRest();
    const [row] = await account.usage();
    const [line] = await invoiced(sent.id);
    expect(row).toMatchObject({ state: "failed", usage_source: "estimated" });
    // Nobody reported anything, so both sides count what was sent: the provider its tokens, we its characters.
    expect(Math.abs((row?.output_tokens ?? 0) - (line?.output ?? 0))).toBeLessThanOrEqual(8);
    expect((await account.balance()).balance_micro_rub).toBe(CREDIT - (row?.charged_micro_rub ?? 0));
  });
});

describe.concurrent("a circuit breaker", () => {
  test("opens for an upstream that was killed, spares it while it rests, and closes when it is back", async () => {
    const account = await stage.account(CREDIT);
    const model = "groq/llama-3.3-70b-versatile";
    expect(await askedOf(account, await ask(account, model))).toEqual(["groq"]);
    const port = mortal.port;
    await mortal.close();
    const failing = await Promise.all(Array.from({ length: LIMITS.breakerFailures }, () => ask(account, model)));
    for (const sent of failing) expectCleanStream(sent.text);
    const openedAt = Date.now();
    const spared = await ask(account, model);
    expectCleanStream(spared.text);
    expect(await askedOf(account, spared)).toEqual(["openai"]);
    mortal = await startOfflineProvider({ port });
    expect(await askedOf(account, await ask(account, model))).toEqual(["openai"]);
    await new Promise((resolve) => setTimeout(resolve, LIMITS.breakerPauseMilliseconds + 100 - (Date.now() - openedAt)));
    const back = [await ask(account, model), await ask(account, model)];
    expect(await Promise.all(back.map((sent) => askedOf(account, sent)))).toEqual([["groq"], ["groq"]]);
    await account.atRest();
    const lines = (await Promise.all((await account.usage()).map((row) => invoiced(row.request_id))))
      .flat()
      .filter((line) => line.reported);
    // What the killed one had on its bill went with it: its first answer.
    const rows = (await account.usage()).filter((row) => lines.some((line) => line.request_id === row.request_id));
    expect(rows).toHaveLength(failing.length + 4);
    for (const row of rows) {
      const used = lines.filter((line) => line.request_id === row.request_id).map(usedOf);
      expect(row.charged_micro_rub).toBe(
        chargeFor(
          prices,
          used.map((each) => ({ ...each, slug: String(row["model"]) })),
        ),
      );
    }
  });

  test("opens for one that gives a status line and then nothing", async () => {
    const account = await stage.account(CREDIT);
    const model = "openai/gpt-5-mini@stall=0,chunks=3";
    await Promise.all(Array.from({ length: LIMITS.breakerFailures }, () => ask(account, model)));
    expect(await askedOf(account, await ask(account, model))).toEqual(["anthropic"]);
  });
});

describe("a caller that leaves", () => {
  const isOpen = async (): Promise<boolean> => {
    const { open } = z.object({ open: z.number() }).parse(await (await fetch(`${stage.system.offlineUrl}/_open`)).json());
    return open > 0;
  };
  const millisecondsUntilClosed = async (): Promise<number> => {
    const left = performance.now();
    while ((await isOpen()) && performance.now() - left < 5_000) await new Promise((resolve) => setTimeout(resolve, 10));
    return performance.now() - left;
  };

  test.each(["endless,delay=20", "stall=3", "stall=1"])(
    "has its upstream's socket closed within a second where that stops the bill (%s)",
    async (fault) => {
      const account = await stage.account(CREDIT);
      await expect.poll(isOpen, { timeout: 10_000 }).toBe(false);
      await ask(account, `openai/o4-mini@${fault}`, { leaveAfter: 1 });
      expect(await millisecondsUntilClosed()).toBeLessThan(1_000);
      await account.atRest();
      expect((await account.usage()).map((row) => row.state)).toEqual(["cancelled"]);
    },
  );
});
