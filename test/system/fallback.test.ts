/** When the first choice fails before the caller has seen anything, the next answers: one clean answer, at the answering model's price, once. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { post, type Sent } from "./post.ts";
import { type Account, type Stage, startStage } from "./shared-system.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await startStage();
  await stage.admin("/config", {
    method: "PUT",
    body: {
      model_providers: [
        { model: "groq/llama-3.1-8b-instant", base_url: "http://127.0.0.1:9/openai/v1", access_key: "dead" },
        { model: "groq/llama-3.1-8b-instant", base_url: `${stage.system.offlineUrl}/groq/openai/v1`, access_key: "spare", weight: 0 },
        { model: "groq/qwen/qwen3-32b", base_url: `${stage.system.offlineUrl}/groq/openai/v1`, access_key: "one" },
        { model: "groq/qwen/qwen3-32b", base_url: `${stage.system.offlineUrl}/v1`, access_key: "two", weight: 3 },
      ],
      model_fallbacks: {
        "openai/gpt-5-mini": ["anthropic/claude-haiku-4-5"],
        "openai/gpt-4.1-mini": ["groq/llama-3.3-70b-versatile@status=503", "nobody/here", "gemini/gemini-2.5-flash"],
        "openai/gpt-4.1": ["cohere/command-a-03-2025", "groq/llama-3.3-70b-versatile"],
      },
    },
  });
});
afterAll(() => stage.close());

const viewSchema = z.looseObject({ attempts: z.array(z.looseObject({ provider: z.string(), status: z.number().nullable() })) });

function ask(account: Account, model: string, extra: object = {}): Promise<Sent> {
  return post(stage, account, { model, max_tokens: 100, messages: [{ role: "user", content: "Hello" }], ...extra });
}

async function answeredBy(account: Account, sent: Sent): Promise<string[]> {
  return viewSchema.parse(await account.request(sent.id)).attempts.map((attempt) => attempt.provider);
}

async function onlyRow(account: Account): Promise<Awaited<ReturnType<Account["usage"]>>[number]> {
  await account.atRest();
  const rows = await account.usage();
  expect(rows).toHaveLength(1);
  const [row] = rows;
  if (row === undefined) throw new Error("no row");
  expect((await account.balance()).balance_micro_rub).toBe(10_000_000 - row.charged_micro_rub);
  return row;
}

describe.each([false, true])("a fallback (stream %s)", (stream) => {
  test.each([
    "status=500",
    "status=429,retry_after=60",
    "status=401",
    "refuse",
    "html,status=200",
    "cut=0",
    stream ? "error_at=0" : "garbage",
  ])("answers when the first choice fails by %s", async (fault) => {
    const account = await stage.account(10_000_000);
    const sent = await ask(account, `openai/gpt-5-mini@${fault}`, { stream });
    expect(sent.status).toBe(200);
    expect(sent.text).not.toContain('"error"');
    expect(sent.text).toContain(stream ? "[DONE]" : "You said: Hello");
    const row = await onlyRow(account);
    expect(row).toMatchObject({ state: "settled", model: "anthropic/claude-haiku-4-5", provider: "anthropic", usage_source: "provider" });
    expect((await answeredBy(account, sent)).at(-1)).toBe("anthropic");
    // By the price of the model that answered: 1 and 5 USD a million tokens, at 90 RUB with 15 % on top.
    const picoUsd = BigInt(row.input_tokens ?? 0) * 1_000_000n + BigInt(row.output_tokens ?? 0) * 5_000_000n;
    expect(BigInt(row.charged_micro_rub)).toBe((picoUsd * 90_000_000n * 11_500n + 10n ** 16n - 1n) / 10n ** 16n);
  });

  test("is passed over when it fails too, or does not exist", async () => {
    const account = await stage.account(10_000_000);
    const sent = await ask(account, "openai/gpt-4.1-mini@status=503", { stream });
    expect(sent.status).toBe(200);
    expect(new Set(await answeredBy(account, sent))).toEqual(new Set(["openai", "groq", "gemini"]));
    expect(await onlyRow(account)).toMatchObject({ model: "gemini/gemini-2.5-flash", state: "settled" });
  });

  test("is not asked for what is the caller's own fault", async () => {
    const account = await stage.account(10_000_000);
    const sent = await ask(account, "openai/gpt-5-mini@status=400", { stream });
    expect([sent.status, await answeredBy(account, sent)]).toEqual([400, ["openai"]]);
  });
});

test("a fallback that would lose content is never asked", async () => {
  const account = await stage.account(10_000_000);
  const sent = await ask(account, "openai/gpt-4.1@status=500", { n: 2 });
  expect(sent.status).toBe(200);
  expect(await answeredBy(account, sent)).not.toContain("cohere");
});

test("an answer that broke off after its first bytes is never spliced with another", async () => {
  const account = await stage.account(10_000_000);
  const sent = await ask(account, "openai/gpt-5-mini@cut=6,chunks=10,delay=15", { stream: true });
  expect(sent.text).toContain('"error"');
  expect(sent.text).not.toContain("[DONE]");
  expect(await answeredBy(account, sent)).toEqual(["openai"]);
});

describe("several deployments of one model", () => {
  const planSchema = z.looseObject({ plan: z.looseObject({ attempts: z.array(z.looseObject({ url: z.string() })) }) });
  const chosen = async (account: Account, sent: Sent): Promise<string | undefined> =>
    planSchema.parse(await account.request(sent.id)).plan.attempts[0]?.url;

  test("stand in for each other, at the one price of the model", async () => {
    const account = await stage.account(10_000_000);
    const sent = await ask(account, "groq/llama-3.1-8b-instant");
    expect([sent.status, sent.text.includes("You said: Hello")]).toEqual([200, true]);
    expect(await onlyRow(account)).toMatchObject({ model: "groq/llama-3.1-8b-instant", provider: "groq", state: "settled" });
  });

  test("share the conversations, each of which stays with one", async () => {
    const account = await stage.account(10_000_000);
    const firsts = new Set<string | undefined>();
    for (let conversation = 0; conversation < 12; conversation++) {
      const messages = [{ role: "user", content: `Question ${conversation}` }];
      const first = await chosen(account, await ask(account, "groq/qwen/qwen3-32b", { messages }));
      const longer = [...messages, { role: "assistant", content: "Answer" }, { role: "user", content: "And then?" }];
      expect(await chosen(account, await ask(account, "groq/qwen/qwen3-32b", { messages: longer }))).toBe(first);
      firsts.add(first);
    }
    expect(firsts.size).toBe(2);
  });
});
