/** Our own webhooks as a receiver meets them: signed by the specification, sent again until taken, kept in a log, and never in a request's way. */
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { Webhook } from "standardwebhooks";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { type Account, type Stage, startStage } from "./shared-system.ts";

const eventSchema = z.object({ type: z.string(), timestamp: z.string(), data: z.looseObject({ account_id: z.string() }) });

interface Received {
  id: string;
  timestamp: string;
  signature: string;
  body: string;
  event: z.infer<typeof eventSchema>;
}

/** A receiver on a socket of its own; `answer` says what it answers to its nth call. */
interface Receiver {
  url: string;
  received: Received[];
  answer: (call: number, received: Received) => number | Promise<number>;
  close: () => Promise<void>;
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString("utf8");
}

async function startReceiver(): Promise<Receiver> {
  const server: Server = createServer((request, response) => {
    void (async () => {
      const body = await textOf(request);
      const header = (name: string): string => String(request.headers[name] ?? "");
      const taken: Received = {
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp"),
        signature: header("webhook-signature"),
        body,
        event: eventSchema.parse(JSON.parse(body)),
      };
      receiver.received.push(taken);
      const status = await receiver.answer(receiver.received.length, taken);
      response.writeHead(status, status >= 300 && status < 400 ? { location: "http://127.0.0.1:1/elsewhere" } : {});
      response.end("x".repeat(100));
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const receiver: Receiver = {
    url: `http://127.0.0.1:${port}/hook`,
    received: [],
    answer: () => 204,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return receiver;
}

let stage: Stage;
let receiver: Receiver;
beforeAll(async () => {
  stage = await startStage();
});
afterEach(() => receiver.close());
afterAll(() => stage.close());

const createdSchema = z.looseObject({ id: z.string(), secret: z.string() });
const deliveriesSchema = z.object({
  deliveries: z.array(
    z.looseObject({
      id: z.number(),
      event_id: z.string(),
      type: z.string(),
      state: z.string(),
      attempts: z.number(),
      next_at: z.number(),
      log: z.array(z.object({ at: z.number(), milliseconds: z.number(), status: z.number().nullable(), error: z.string().nullable() })),
    }),
  ),
});

async function register(account: Account, events: string[]): Promise<{ id: string; secret: string }> {
  return createdSchema.parse(await stage.admin(`/accounts/${account.id}/webhooks`, { body: { url: receiver.url, events } }));
}

async function deliveriesOf(id: string): Promise<z.infer<typeof deliveriesSchema>["deliveries"]> {
  return deliveriesSchema.parse(await stage.admin(`/webhooks/${id}/deliveries`, { method: "GET" })).deliveries;
}

async function until<T>(what: string, ask: () => T | null | Promise<T | null>): Promise<T> {
  for (const end = Date.now() + 20_000; Date.now() < end; await new Promise((resolve) => setTimeout(resolve, 50))) {
    const answer = await ask();
    if (answer !== null) return answer;
  }
  throw new Error(`${what}: not in time; received ${JSON.stringify(receiver.received.map((each) => each.event.type))}`);
}

const got = (type: string, count = 1): Promise<Received[]> =>
  until(`${count} of ${type}`, () => {
    const of = receiver.received.filter((each) => each.event.type === type);
    return of.length >= count ? of : null;
  });

async function complete(account: Account, extra: object = {}): Promise<number> {
  const response = await fetch(`${stage.system.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${account.key}`, "content-type": "application/json" },
    body: JSON.stringify({
      model: "openai/gpt-5-mini@tokens=20",
      max_tokens: 50,
      messages: [{ role: "user", content: "Hello." }],
      ...extra,
    }),
  });
  await response.text();
  return response.status;
}

/** The specification once more, from its text and sharing nothing with the product. */
function verifies({ id, timestamp, signature, body }: Received, secret: string): boolean {
  const key = Buffer.from(secret.slice("whsec_".length), "base64");
  const expected = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest();
  return signature.split(" ").some((each) => {
    const given = Buffer.from(each.replace(/^v1,/, ""), "base64");
    return each.startsWith("v1,") && given.length === expected.length && timingSafeEqual(given, expected);
  });
}

describe("a receiver", () => {
  test("gets a settled request and its balance, signed so that two independent readers of the specification agree", async () => {
    receiver = await startReceiver();
    const account = await stage.account(10_000_000);
    const { id, secret } = await register(account, ["request.settled", "balance.updated"]);
    expect(await complete(account)).toBe(200);
    const [settled] = await got("request.settled");
    const [updated] = await got("balance.updated");
    if (settled === undefined || updated === undefined) throw new Error("no event");
    for (const each of [settled, updated]) {
      expect(verifies(each, secret)).toBe(true);
      expect(verifies({ ...each, body: each.body.replace("account_id", "account_ix") }, secret)).toBe(false);
      const headers = { "webhook-id": each.id, "webhook-timestamp": each.timestamp, "webhook-signature": each.signature };
      expect(new Webhook(secret).verify(each.body, headers)).toEqual(JSON.parse(each.body));
      expect(each.id).toMatch(/^evt_[\w]+$/);
      expect(Math.abs(Number(each.timestamp) - Date.now() / 1000)).toBeLessThan(20);
    }
    await account.atRest();
    const [row] = await account.usage();
    expect(settled.event.data).toMatchObject({
      account_id: account.id,
      request_id: row?.request_id,
      model: "openai/gpt-5-mini",
      state: "settled",
      usage_source: "provider",
      usage: { input_tokens: row?.input_tokens, output_tokens: row?.output_tokens },
      cost_micro_rub: row?.cost_micro_rub,
      charged_micro_rub: row?.charged_micro_rub,
    });
    expect(updated.event.data).toMatchObject({ kind: "settle", amount_micro_rub: -(row?.charged_micro_rub ?? 0), held_micro_rub: 0 });
    const log = await until("the log", async () => {
      const all = await deliveriesOf(id);
      return all.length === 2 && all.every((each) => each.state === "delivered") ? all : null;
    });
    expect(log.every((each) => each.attempts === 1 && each.log[0]?.status === 204)).toBe(true);
    const shown = JSON.stringify(await stage.admin(`/accounts/${account.id}/webhooks`, { method: "GET" }));
    expect(shown).toContain(receiver.url);
    expect(shown).not.toContain("whsec_");
  });

  test("hears once when the balance falls below the account's threshold, and of each time it does", async () => {
    receiver = await startReceiver();
    const account = await stage.account(1_000_000);
    await stage.admin(`/accounts/${account.id}`, { method: "PATCH", body: { low_balance_micro_rub: 999_000 } });
    await register(account, ["balance.low"]);
    for (let index = 0; index < 3; index++) expect(await complete(account)).toBe(200);
    await got("balance.low");
    await stage.admin(`/accounts/${account.id}/credits`, { body: { amount_micro_rub: 1_000_000, reference: "more" } });
    await stage.admin(`/accounts/${account.id}`, { method: "PATCH", body: { low_balance_micro_rub: 1_980_000 } });
    for (let index = 0; index < 3; index++) expect(await complete(account)).toBe(200);
    const low = await got("balance.low", 2);
    await account.atRest();
    expect(low.map((each) => each.event.data["threshold_micro_rub"])).toEqual([999_000, 1_980_000]);
    expect(receiver.received).toHaveLength(2);
  });

  test("hears of a limit that refuses a key, and of a balance that covers nothing, once for many refusals", async () => {
    receiver = await startReceiver();
    const account = await stage.account(100_000);
    await register(account, ["key.limit_reached", "balance.exhausted"]);
    const shown = z
      .object({ keys: z.array(z.object({ key_id: z.string() })) })
      .parse(await stage.admin(`/accounts/${account.id}`, { method: "GET" }));
    const keyId = shown.keys[0]?.key_id ?? "";
    const statuses = await Promise.all(Array.from({ length: 20 }, () => complete(account, { max_tokens: 900 })));
    expect(statuses.filter((status) => status === 402).length).toBeGreaterThan(10);
    await stage.admin(`/keys/${keyId}`, { method: "PATCH", body: { limits: { requests_per_minute: 1 } } });
    const limited = await Promise.all(Array.from({ length: 20 }, () => complete(account)));
    expect(limited.filter((status) => status === 429)).toHaveLength(19);
    const [exhausted] = await got("balance.exhausted");
    const [reached] = await got("key.limit_reached");
    expect(exhausted?.event.data).toMatchObject({ account_id: account.id, refused: { key_id: keyId, reason: "insufficient_balance" } });
    expect(reached?.event.data).toMatchObject({ key_id: keyId, scope: "key", reason: "requests_per_minute", retry_after_seconds: 60 });
    await account.atRest();
    expect(receiver.received).toHaveLength(2);
  });
});

describe("a delivery that is not taken", () => {
  test("comes again after five seconds with the same id and body, a new time and a new signature", async () => {
    receiver = await startReceiver();
    receiver.answer = (call) => (call === 1 ? 500 : 200);
    const account = await stage.account(10_000_000);
    const { id, secret } = await register(account, ["request.settled"]);
    expect(await complete(account)).toBe(200);
    const [first, second] = await got("request.settled", 2);
    if (first === undefined || second === undefined) throw new Error("no event");
    expect([second.id, second.body]).toEqual([first.id, first.body]);
    expect(Number(second.timestamp) - Number(first.timestamp)).toBeGreaterThanOrEqual(4);
    expect(second.signature).not.toBe(first.signature);
    expect(verifies(second, secret)).toBe(true);
    const [delivery] = await until("the log", async () => {
      const all = await deliveriesOf(id);
      return all[0]?.state === "delivered" ? all : null;
    });
    expect(delivery?.log.map((each) => each.status)).toEqual([500, 200]);
  });

  test("because the receiver redirects is not sent elsewhere", async () => {
    receiver = await startReceiver();
    receiver.answer = () => 302;
    const account = await stage.account(10_000_000);
    const { id } = await register(account, ["request.settled"]);
    await complete(account);
    await got("request.settled");
    const [delivery] = await until("an attempt", async () => {
      const all = await deliveriesOf(id);
      return (all[0]?.log.length ?? 0) > 0 ? all : null;
    });
    expect(delivery).toMatchObject({ state: "pending", log: [{ status: 302, error: null }] });
  });

  test("because the receiver is gone turns the receiver off, until somebody turns it on and replays", async () => {
    receiver = await startReceiver();
    receiver.answer = () => 410;
    const account = await stage.account(10_000_000);
    const { id } = await register(account, ["request.settled"]);
    await complete(account);
    const [gone] = await got("request.settled");
    const off = await until("off", async () => {
      const { webhooks } = z
        .object({ webhooks: z.array(z.looseObject({ disabled_reason: z.string().nullable() })) })
        .parse(await stage.admin(`/accounts/${account.id}/webhooks`, { method: "GET" }));
      return webhooks[0]?.disabled_reason ?? null;
    });
    expect(off).toBe("gone");
    await complete(account);
    await account.atRest();
    expect(receiver.received).toHaveLength(1);
    await expect(stage.admin(`/webhooks/${id}/replay`, { body: {} })).rejects.toThrow(/409/);
    receiver.answer = () => 200;
    await stage.admin(`/webhooks/${id}`, { method: "PATCH", body: { enabled: true } });
    expect(await stage.admin(`/webhooks/${id}/replay`, { body: {} })).toEqual({ replayed: 1 });
    const all = await got("request.settled", 2);
    expect(all.map((each) => each.id)).toEqual([gone?.id, gone?.id]);
  });

  test("holds up no request, however long the receiver keeps the line", async () => {
    receiver = await startReceiver();
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    receiver.answer = async () => {
      await held;
      return 200;
    };
    const account = await stage.account(10_000_000);
    await register(account, ["request.settled", "balance.updated"]);
    await complete(account);
    await got("request.settled");
    const startedAt = Date.now();
    for (let index = 0; index < 5; index++) expect(await complete(account)).toBe(200);
    expect(Date.now() - startedAt).toBeLessThan(3000);
    await account.atRest();
    release();
  });
});

describe("replaying", () => {
  test("one event, or all of them, sends the same ids and bodies again", async () => {
    receiver = await startReceiver();
    const account = await stage.account(10_000_000);
    const { id } = await register(account, ["request.settled"]);
    await complete(account);
    await complete(account);
    const events = await got("request.settled", 2);
    await until("the log", async () => ((await deliveriesOf(id)).every((each) => each.state === "delivered") ? true : null));
    expect(await stage.admin(`/webhooks/${id}/replay`, { body: {} })).toEqual({ replayed: 0 });
    const [first] = events;
    expect(await stage.admin(`/webhooks/${id}/replay`, { body: { event_id: first?.id } })).toEqual({ replayed: 1 });
    const third = (await got("request.settled", 3))[2];
    expect([third?.id, third?.body]).toEqual([first?.id, first?.body]);
    await until("the log", async () => ((await deliveriesOf(id)).every((each) => each.state === "delivered") ? true : null));
    expect(await stage.admin(`/webhooks/${id}/replay`, { body: { which: "all" } })).toEqual({ replayed: 2 });
    await got("request.settled", 5);
    expect(new Set(receiver.received.map((each) => each.id)).size).toBe(2);
  });

  test("a deleted receiver gets nothing, and its log is gone", async () => {
    receiver = await startReceiver();
    const account = await stage.account(10_000_000);
    const { id } = await register(account, ["request.settled"]);
    expect(await stage.admin(`/webhooks/${id}`, { method: "DELETE" })).toEqual({ id, deleted: true });
    await complete(account);
    await account.atRest();
    expect(receiver.received).toEqual([]);
    await expect(stage.admin(`/webhooks/${id}/deliveries`, { method: "GET" })).rejects.toThrow(/404/);
  });
});
