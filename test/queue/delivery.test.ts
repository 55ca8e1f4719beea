/** The whole way with nothing in between but the platform's own queue: an entry of an account's object becomes rows of D1 and moves the watermark. */
import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { accountStub } from "../durable/envelope.ts";
import { newAccount, send, until } from "../http/gateway.ts";
import { rows } from "./ledger-account.ts";

test("a credit and a completion reach D1 by themselves, once, and the account knows it", async () => {
  const account = await newAccount(10_000_000);
  const body = { model: "openai/gpt-5-mini", messages: [{ role: "user", content: "hi" }] };
  const sent = await send("/v1/chat/completions", { key: account.key, body });
  const id = sent.headers.get("x-plyrum-request-id") ?? "";
  await until("the watermark", async () => ((await accountStub(account).watermark()).recorded_seq === 2 ? true : null));
  expect(await rows("SELECT seq, kind FROM entry WHERE account_id = ? ORDER BY seq", account.id)).toEqual([
    { seq: 1, kind: "credit" },
    { seq: 2, kind: "settle" },
  ]);
  const [row] = await rows("SELECT request_id, charged_micro_rub AS charged FROM usage WHERE account_id = ?", account.id);
  expect(row).toEqual({ request_id: id, charged: Number(sent.headers.get("x-plyrum-cost-micro-rub")) });
  expect((await send(`/v1/requests/${id}`, { key: account.key })).json).toMatchObject({ state: "recorded" });
});

test("an entry that the account's object wrote is what D1 has, hash for hash", async () => {
  const account = await newAccount(5_000);
  await until("the watermark", async () => ((await accountStub(account).watermark()).recorded_seq === 1 ? true : null));
  const facts = await accountStub(account).facts();
  expect(await rows("SELECT hash, CAST(amount_micro_rub AS TEXT) AS amount FROM entry WHERE account_id = ?", account.id)).toEqual([
    { hash: facts.hash, amount: facts.sum },
  ]);
  expect(await env.DB.prepare("SELECT count(*) AS n FROM dead_letter").first()).toEqual({ n: 0 });
});
