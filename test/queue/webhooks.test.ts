/** From entries to deliveries and from deliveries to their ends, with a receiver that answers as told and a clock that is turned by hand. */
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, test } from "vitest";
import { insertAccount } from "../../db/accounts.ts";
import { usageShards } from "../../db/usage-shards.ts";
import { deliveriesOf, disableEndpoint, findEndpoint, insertEndpoint, type LoggedDelivery } from "../../db/webhooks.ts";
import { LIMITS } from "../../schema/limits.ts";
import type { UsageMessage } from "../../schema/message.ts";
import type { WebhookEventType, WebhookMessage } from "../../schema/webhook.ts";
import { announceEntries } from "../../workers/queue/announce.ts";
import { consumeWebhooks, sweepWebhooks } from "../../workers/queue/consume-webhooks.ts";
import { entryRow } from "../../workers/queue/entry-row.ts";
import { usageMessage } from "../db/usage-message.ts";
import { deliver } from "./deliver.ts";
import { rows } from "./ledger-account.ts";

interface Stage {
  accountId: string;
  endpointId: string;
  env: Env;
  /** What the queue was given. */
  sent: WebhookMessage[];
  /** Calls of the receiver. */
  calls: Request[];
  answer: { status: number; headers: Record<string, string> };
}

let made = 0;

async function stage(events: WebhookEventType[], lowBalance: number | null = null): Promise<Stage> {
  made += 1;
  const accountId = `acc_webhook${String(made).padStart(9, "0")}`;
  const endpointId = `wh_${accountId}`;
  await insertAccount(env.DB, { id: accountId, name: "test", created_at: 1 });
  await env.DB.prepare("UPDATE account SET low_balance_micro_rub = ? WHERE id = ?").bind(lowBalance, accountId).run();
  const endpoint = { id: endpointId, account_id: accountId, url: "https://hooks.plyrum-test.com/in", events, created_at: 1 };
  await insertEndpoint(env.DB, { ...endpoint, disabled_reason: null, disabled_at: null });
  const staged: Stage = { accountId, endpointId, env, sent: [], calls: [], answer: { status: 204, headers: {} } };
  const queue = { sendBatch: async (batch: { body: WebhookMessage }[]) => void staged.sent.push(...batch.map(({ body }) => body)) };
  const network = {
    fetch: async (url: string, init: RequestInit) => {
      staged.calls.push(new Request(url, init));
      return new Response(null, staged.answer);
    },
  };
  const fakes: object = { WEBHOOK_QUEUE: queue, MEDIA_NETWORK: network };
  staged.env = Object.assign(Object.create(null) as Env, env, fakes);
  return staged;
}

function message(accountId: string, seq: number, facts: Partial<UsageMessage> = {}): UsageMessage {
  return { ...usageMessage(seq), account_id: accountId, at: Date.now(), balance_after_micro_rub: "1000000", ...facts };
}

async function announced(staged: Stage, messages: readonly UsageMessage[]): Promise<LoggedDelivery[]> {
  await announceEntries(messages.map(entryRow), await usageShards(staged.env), staged.env);
  return all(staged);
}

/** Oldest first. */
async function all({ endpointId }: Stage): Promise<LoggedDelivery[]> {
  return (await deliveriesOf(env.DB, endpointId, { beforeId: Number.MAX_SAFE_INTEGER, limit: 500 })).toReversed();
}

interface Consumed {
  acks: number;
  retries: (number | undefined)[];
}

async function consume(staged: Stage, bodies: readonly unknown[]): Promise<Consumed> {
  const consumed: Consumed = { acks: 0, retries: [] };
  const messages = bodies.map((body, index) => ({
    id: `m${index}`,
    timestamp: new Date(),
    attempts: 1,
    body,
    ack: () => void (consumed.acks += 1),
    retry: (options?: QueueRetryOptions) => void consumed.retries.push(options?.delaySeconds),
  }));
  const none = (): void => undefined;
  const metadata = { metrics: { backlogCount: 0, backlogBytes: 0 } };
  await consumeWebhooks({ queue: "webhooks", messages, metadata, ackAll: none, retryAll: none }, staged.env);
  return consumed;
}

/** As if the wait were over. */
async function turnClock(staged: Stage): Promise<void> {
  await env.DB.prepare("UPDATE webhook_delivery SET next_at = 0 WHERE endpoint_id = ?").bind(staged.endpointId).run();
}

describe("entries as events", () => {
  test("a settlement is two events, each once however often its entry is announced", async () => {
    const staged = await stage(["request.settled", "balance.updated", "balance.low"]);
    for (let time = 0; time < 3; time++) await announced(staged, [message(staged.accountId, 1), message(staged.accountId, 2)]);
    expect((await all(staged)).map((each) => [each.event_id, each.type])).toEqual([
      [`evt_${staged.accountId}_1_request_settled`, "request.settled"],
      [`evt_${staged.accountId}_1_balance_updated`, "balance.updated"],
      [`evt_${staged.accountId}_2_request_settled`, "request.settled"],
      [`evt_${staged.accountId}_2_balance_updated`, "balance.updated"],
    ]);
    expect(staged.sent).toHaveLength(4);
  });

  test("entries that D1 has were announced before and are not again, whatever became of their deliveries", async () => {
    const staged = await stage(["request.settled"]);
    const entry = message(staged.accountId, 1);
    await deliver(staged.env, [JSON.stringify(entry)]);
    expect(await all(staged)).toHaveLength(1);
    await env.DB.prepare("DELETE FROM webhook_delivery WHERE endpoint_id = ?").bind(staged.endpointId).run();
    await deliver(staged.env, [JSON.stringify(entry)]);
    expect(await all(staged)).toEqual([]);
  });

  test("an entry from before the receiver was registered, or one that comes weeks late, is no news", async () => {
    const staged = await stage(["request.settled"]);
    await env.DB.prepare("UPDATE webhook_endpoint SET created_at = ? WHERE id = ?").bind(Date.now(), staged.endpointId).run();
    expect(await announced(staged, [message(staged.accountId, 1, { at: Date.now() - 60_000 })])).toEqual([]);
    await env.DB.prepare("UPDATE webhook_endpoint SET created_at = 1 WHERE id = ?").bind(staged.endpointId).run();
    expect(await announced(staged, [message(staged.accountId, 2, { at: Date.now() - LIMITS.webhookNewsMilliseconds - 1 })])).toEqual([]);
  });

  test("a balance is low when it falls below the threshold and exhausted when it falls to zero, not while it stays there", async () => {
    const staged = await stage(["balance.low", "balance.exhausted"], 5000);
    const fall = (seq: number, amount: number, after: number): UsageMessage =>
      message(staged.accountId, seq, { amount_micro_rub: String(amount), balance_after_micro_rub: String(after) });
    const events = await announced(staged, [
      fall(1, -1000, 5000),
      fall(2, -1, 4999),
      fall(3, -999, 4000),
      fall(4, -4000, 0),
      fall(5, -10, -10),
      fall(6, 9000, 8990),
    ]);
    expect(events.map((each) => [each.type, JSON.parse(each.body).data.seq])).toEqual([
      ["balance.low", 2],
      ["balance.exhausted", 4],
    ]);
  });

  test("a charge whose record nobody can read is told with its amount, and nulls", async () => {
    const staged = await stage(["request.settled"]);
    const [event] = await announced(staged, [message(staged.accountId, 1, { record: { nonsense: true } })]);
    expect(JSON.parse(event?.body ?? "{}").data).toMatchObject({
      request_id: "req_1",
      charged_micro_rub: 4399,
      model: null,
      cost_micro_rub: null,
    });
  });

  test("a receiver that is off, or of another account, gets nothing", async () => {
    const staged = await stage(["request.settled"]);
    const other = await stage(["request.settled"]);
    await disableEndpoint(env.DB, staged.endpointId, "operator", Date.now());
    expect(await announced(staged, [message(staged.accountId, 1)])).toEqual([]);
    expect(await all(other)).toEqual([]);
  });
});

describe("a delivery", () => {
  let staged: Stage;
  let due: WebhookMessage;
  beforeEach(async () => {
    staged = await stage(["request.settled"]);
    const [delivery] = await announced(staged, [message(staged.accountId, 1)]);
    due = { delivery: delivery?.id ?? 0 };
  });

  test("that fails is tried at growing distances for three days, and then no more", async () => {
    staged.answer = { status: 503, headers: {} };
    const waits: number[] = [];
    for (;;) {
      const { retries } = await consume(staged, [due]);
      const [delay] = retries;
      if (delay === undefined) break;
      waits.push(delay);
      await turnClock(staged);
    }
    expect(waits).toEqual([...LIMITS.webhookRetrySeconds]);
    const hours = waits.reduce((sum, seconds) => sum + seconds, 0) / 3600;
    expect(hours).toBeGreaterThan(72);
    expect(hours).toBeLessThan(80);
    expect(staged.calls).toHaveLength(12);
    expect(new Set(staged.calls.map((call) => call.headers.get("webhook-id"))).size).toBe(1);
    const [ended] = await all(staged);
    expect(ended).toMatchObject({ state: "failed", attempts: 12 });
    expect(ended?.log).toHaveLength(12);
    expect(await consume(staged, [due])).toEqual({ acks: 1, retries: [] });
    expect(staged.calls).toHaveLength(12);
  });

  test("is left alone for as long as the receiver asks, where that is longer", async () => {
    staged.answer = { status: 429, headers: { "retry-after": "90" } };
    expect((await consume(staged, [due])).retries).toEqual([90]);
    await turnClock(staged);
    expect((await consume(staged, [due])).retries).toEqual([300]);
    await turnClock(staged);
    staged.answer = { status: 429, headers: { "retry-after": "99999999" } };
    expect((await consume(staged, [due])).retries).toEqual([LIMITS.queueDelaySecondsMax]);
  });

  test("that comes too early waits, and one that is under way is not sent beside itself", async () => {
    staged.answer = { status: 500, headers: {} };
    await consume(staged, [due]);
    const { retries } = await consume(staged, [due]);
    expect(retries[0]).toBeGreaterThanOrEqual(4);
    expect(retries[0]).toBeLessThanOrEqual(5);
    await turnClock(staged);
    staged.answer = { status: 200, headers: {} };
    await Promise.all([consume(staged, [due]), consume(staged, [due, due])]);
    expect(staged.calls).toHaveLength(2);
  });

  test("whose message the queue lost is found by the cron job, once it is overdue", async () => {
    const mine = (): number => staged.sent.filter((sent) => JSON.stringify(sent) === JSON.stringify(due)).length;
    await sweepWebhooks(staged.env, Date.now());
    expect(mine()).toBe(1);
    await sweepWebhooks(staged.env, Date.now() + 120_000);
    expect(mine()).toBe(2);
  });

  test("to a receiver that answers 410 ends all that waits for it", async () => {
    await announced(staged, [message(staged.accountId, 2)]);
    staged.answer = { status: 410, headers: {} };
    expect(await consume(staged, [due])).toEqual({ acks: 1, retries: [] });
    expect((await all(staged)).map((each) => each.state)).toEqual(["failed", "stopped"]);
    expect(await findEndpoint(env.DB, staged.endpointId)).toMatchObject({ disabled_reason: "gone" });
  });

  test("to an address that has become private is never made, and its log says why", async () => {
    await env.DB.prepare("UPDATE webhook_endpoint SET url = 'https://10.0.0.1/in' WHERE id = ?").bind(staged.endpointId).run();
    await consume(staged, [due]);
    expect(staged.calls).toEqual([]);
    expect((await all(staged))[0]?.log[0]).toMatchObject({
      status: null,
      error: "the address is not called: it is an IP address and not a name",
    });
  });

  test("of which nothing is left, and messages nobody can read, are done with", async () => {
    await env.DB.prepare("DELETE FROM webhook_delivery WHERE endpoint_id = ?").bind(staged.endpointId).run();
    expect(await consume(staged, [due, { nonsense: 1 }, "x"])).toEqual({ acks: 3, retries: [] });
  });
});

describe("the log", () => {
  test("of a receiver for whom too much waits ends with the receiver turned off", async () => {
    const staged = await stage(["request.settled"]);
    await announced(staged, [message(staged.accountId, 1)]);
    await env.DB.prepare(
      `INSERT INTO webhook_delivery (endpoint_id, event_id, account_id, type, body, created_at, state, next_at)
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i <= ?2) SELECT ?1, 'evt_' || i, 'a', 'request.settled', '{}', 1, 'pending', 1e15 FROM n`,
    )
      .bind(staged.endpointId, LIMITS.webhookPendingMax)
      .run();
    await sweepWebhooks(staged.env, Date.now());
    expect(await findEndpoint(env.DB, staged.endpointId)).toMatchObject({ disabled_reason: "overflow" });
    expect(await rows("SELECT state, count(*) AS n FROM webhook_delivery WHERE endpoint_id = ? GROUP BY 1", staged.endpointId)).toEqual([
      { state: "stopped", n: LIMITS.webhookDeliveriesKept },
    ]);
  });

  test("keeps what ended for a month", async () => {
    const staged = await stage(["request.settled"]);
    const [delivery] = await announced(staged, [message(staged.accountId, 1)]);
    await consume(staged, [{ delivery: delivery?.id }]);
    await sweepWebhooks(staged.env, Date.now() + LIMITS.webhookRetentionMilliseconds - 60_000);
    expect(await all(staged)).toHaveLength(1);
    for (let pass = 0; pass < 2; pass++) await sweepWebhooks(staged.env, Date.now() + LIMITS.webhookRetentionMilliseconds + 60_000);
    expect(await all(staged)).toEqual([]);
  });
});
