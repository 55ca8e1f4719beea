/** An ensemble whose owner dies in the middle: every call is settled from what was stored of it, once, however often it dies. */
import { abortAllDurableObjects } from "cloudflare:test";
import { beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { type Account, balanceOf, endings, newAccount, open, send, until } from "../http/gateway.ts";
import { accountStub, reconciled } from "./envelope.ts";

const OPENING = 100_000_000;
const ENSEMBLES = {
  proposing: {
    proposers: ["openai/gpt-5-mini", "openai/gpt-5-mini@tokens=400,chunks=200,stall=40"],
    aggregator: "openai/gpt-4.1-mini",
    quorum: 2,
  },
  aggregating: {
    proposers: ["openai/gpt-5-mini", "openai/gpt-4.1"],
    aggregator: "openai/gpt-4.1-mini@tokens=400,chunks=200,stall=40",
    quorum: 2,
  },
};

beforeAll(async () => {
  const { status } = await send("/admin/config", { method: "PUT", body: { ensembles: ENSEMBLES } });
  if (status !== 200) throw new Error(`the configuration was refused: ${status}`);
});

const viewSchema = z.looseObject({
  state: z.string(),
  cost_micro_rub: z.number(),
  usage_source: z.string(),
  legs: z.array(
    z.looseObject({
      node: z.string(),
      state: z.string(),
      usage_source: z.string().nullable(),
      usage: z.looseObject({ output_tokens: z.number() }).nullable(),
      cost_micro_rub: z.number(),
    }),
  ),
});

/** Asks, waits for what is stored once a second, and ends every object as a crash would. */
async function dieDuring(account: Account, model: string): Promise<z.infer<typeof viewSchema>> {
  const response = await open("/v1/chat/completions", {
    key: account.key,
    body: { model, stream: true, max_tokens: 500, messages: [{ role: "user", content: "Tell me of the sea, please." }] },
  });
  expect(response.status).toBe(200);
  await response.body?.getReader().read();
  await new Promise((resolve) => setTimeout(resolve, 2_300));
  await abortAllDurableObjects();
  await until("the hold ends", async () => ((await balanceOf(account.id)).held === 0 ? true : null));
  await abortAllDurableObjects();
  const ended = await endings(account.id);
  expect(ended).toHaveLength(1);
  const view = viewSchema.parse((await send(`/v1/requests/${response.headers.get("x-plyrum-request-id")}`, { key: account.key })).json);
  expect(view.legs.reduce((sum, leg) => sum + leg.cost_micro_rub, 0)).toBe(view.cost_micro_rub);
  expect(ended[0]).toMatchObject({ kind: "settle", amount_micro_rub: -view.cost_micro_rub });
  expect((await balanceOf(account.id)).balance).toBe(OPENING - view.cost_micro_rub);
  expect(await accountStub(account).verifyChain()).toMatchObject({ ok: true });
  expect(await reconciled(account)).toMatchObject({ accounts: [{ gaps: [], repaired: 0 }] });
  return view;
}

test("while proposers still speak, what each has said so far is charged", async () => {
  const view = await dieDuring(await newAccount(OPENING), "moa/proposing");
  expect(view).toMatchObject({
    state: "failed",
    usage_source: "estimated",
    legs: [
      { node: "proposer-1", state: "answered", usage_source: "provider" },
      { node: "proposer-2", state: "lost", usage_source: "estimated" },
    ],
  });
  // 39 of 200 pieces of 400 tokens had come, and the estimate of text is a little above it.
  expect(view.legs[1]?.usage?.output_tokens).toBeGreaterThan(70);
  expect(view.legs[1]?.usage?.output_tokens).toBeLessThan(160);
});

test("while the aggregator speaks, the proposers are charged by their own counts and it by what came of it", async () => {
  const view = await dieDuring(await newAccount(OPENING), "moa/aggregating");
  expect(view).toMatchObject({
    state: "failed",
    legs: [
      { node: "proposer-1", state: "answered", usage_source: "provider" },
      { node: "proposer-2", state: "answered", usage_source: "provider" },
      { node: "aggregator", state: "lost", usage_source: "estimated" },
    ],
  });
});
