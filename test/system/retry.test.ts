/** What a failing provider costs the caller: a retry where a moment heals it, a quick refusal where it does not, and never two charges. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { LIMITS } from "../../schema/limits.ts";
import { post, type Sent } from "./post.ts";
import { type Account, type Stage, startStage } from "./shared-system.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await startStage();
});
afterAll(() => stage.close());

const invoiceSchema = z.object({ lines: z.array(z.looseObject({ request_id: z.string().nullable(), status: z.number() })) });

async function callsOf(requestId: string): Promise<number[]> {
  const { lines } = invoiceSchema.parse(await (await fetch(`${stage.system.offlineUrl}/_invoice`)).json());
  return lines.filter((line) => line.request_id === requestId).map((line) => line.status);
}

function ask(account: Account, command: string, stream: boolean): Promise<Sent> {
  const body = { model: `openai/gpt-5-mini@${command}`, max_tokens: 100, stream, messages: [{ role: "user", content: "Hello" }] };
  return post(stage, account, body);
}

describe.each([false, true])("a provider (stream %s)", (stream) => {
  test("that fails for a moment is asked again, and its answer is charged once", async () => {
    const account = await stage.account(10_000_000);
    const sent = await ask(account, `flaky=${LIMITS.retriesPerAttempt}`, stream);
    expect([sent.status, sent.text.includes(stream ? "[DONE]" : "You said: Hello")]).toEqual([200, true]);
    expect(await callsOf(sent.id)).toEqual([503, 503, 200]);
    await account.atRest();
    const rows = await account.usage();
    expect(rows.map((row) => row.state)).toEqual(["settled"]);
    expect((await account.balance()).balance_micro_rub).toBe(10_000_000 - (rows[0]?.charged_micro_rub ?? 0));
    const view = z
      .looseObject({ attempts: z.array(z.looseObject({ status: z.number().nullable() })) })
      .parse(await account.request(sent.id));
    expect(view.attempts.map((attempt) => attempt.status)).toEqual([503, 503, 200]);
  });

  test("that goes on failing is given up, at no charge", async () => {
    const account = await stage.account(10_000_000);
    const sent = await ask(account, "status=503", stream);
    expect(sent.status).toBe(503);
    expect(await callsOf(sent.id)).toHaveLength(1 + LIMITS.retriesPerAttempt);
    await account.atRest();
    expect((await account.balance()).balance_micro_rub).toBe(10_000_000);
  });

  test("that wants more time than a caller should wait is not waited for", async () => {
    const account = await stage.account(10_000_000);
    const sent = await ask(account, "status=429,retry_after=30", stream);
    expect([sent.status, sent.headers["retry-after"]]).toEqual([429, "30"]);
    expect(await callsOf(sent.id)).toEqual([429]);
  });

  test("whose refusal is the caller's own fault is not asked twice", async () => {
    const account = await stage.account(10_000_000);
    const sent = await ask(account, "status=400", stream);
    expect(sent.status).toBe(400);
    expect(await callsOf(sent.id)).toEqual([400]);
  });

  test("that failed several times in a row is left alone for a moment", async () => {
    const account = await stage.account(10_000_000);
    const calls: number[] = [];
    for (let asked = 0; calls.length < LIMITS.breakerFailures && asked < LIMITS.breakerFailures; asked++)
      calls.push(...(await callsOf((await ask(account, "status=500", stream)).id)));
    const refused = await ask(account, "status=500", stream);
    expect([refused.status, await callsOf(refused.id)]).toEqual([503, []]);
    expect(Number(refused.headers["retry-after"])).toBeGreaterThan(0);
    // Another model of the same provider is not held responsible.
    expect((await ask(account, "chunks=2", stream)).status).toBe(200);
    await account.atRest();
  });
});
