/** What an auditor would try: leave at every chunk, fail in every way, ask at the same time, ask twice. One settled row each, no hold left. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { post as postTo, type Sent } from "./post.ts";
import { type Account, type Stage, startStage } from "./shared-system.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await startStage();
});
afterAll(() => stage.close());

const invoiceSchema = z.object({
  lines: z.array(
    z.looseObject({
      request_id: z.string().nullable(),
      reported: z.boolean(),
      input: z.number(),
      output: z.number(),
      client_closed_at_event: z.number().nullable(),
    }),
  ),
});

async function invoice(): Promise<z.infer<typeof invoiceSchema>["lines"]> {
  return invoiceSchema.parse(await (await fetch(`${stage.system.offlineUrl}/_invoice`)).json()).lines;
}

/** As `post` of a caller of the system on stage. */
function post(account: Account, body: object, options: Parameters<typeof postTo>[3] = {}): Promise<Sent> {
  return postTo(stage, account, body, options);
}

const chat = (model: string, extra: object = {}): object => ({
  model,
  max_tokens: 400,
  messages: [{ role: "user", content: "Tell me a long story about a gateway" }],
  ...extra,
});

describe("a client that leaves", () => {
  test.each([
    { policy: "cancel", model: "openai/gpt-5-mini" },
    { policy: "finish", model: "openai/gpt-5-mini" },
    { policy: "cancel", model: "anthropic/claude-haiku-4-5" },
    { policy: "cancel", model: "groq/llama-3.3-70b-versatile" },
  ])(
    "at every chunk of a stream of $model ($policy) leaves one row, no hold, and a bill that is the invoice where usage was reported",
    async ({ policy, model }) => {
      const account = await stage.account(1_000_000_000);
      const ids: string[] = [];
      for (let leaveAfter = 0; leaveAfter < 12; leaveAfter++) {
        const sent = await post(account, chat(`${model}@chunks=10,delay=8`, { stream: true, stream_options: { include_usage: true } }), {
          leaveAfter,
          headers: { "x-plyrum-on-disconnect": policy },
        });
        ids.push(sent.id);
      }
      await account.atRest();
      const rows = await account.usage();
      expect(rows.map((row) => row.request_id).toSorted()).toEqual(ids.toSorted());
      const lines = new Map((await invoice()).map((line) => [line.request_id, line]));
      for (const row of rows) {
        const line = lines.get(row.request_id);
        // Written to a socket that was being closed, it may have been reported to nobody; what was not reported is estimated, and says so.
        if (line?.reported === true && line.client_closed_at_event === null) expect(row.usage_source).toBe("provider");
        if (row.usage_source === "provider")
          expect([row.request_id, row.input_tokens, row.output_tokens]).toEqual([row.request_id, line?.input, line?.output]);
        else if (row.charged_micro_rub > 0) expect([row.state, row.usage_source]).toEqual(["cancelled", "estimated"]);
      }
      // A provider that bills an aborted stream is read to its end, whatever the client asked for.
      if (policy === "finish" || model.startsWith("groq")) expect(rows.every((row) => row.usage_source === "provider")).toBe(true);
      const charged = rows.reduce((sum, row) => sum + row.charged_micro_rub, 0);
      expect((await account.balance()).balance_micro_rub).toBe(1_000_000_000 - charged);
    },
  );

  test("ends the upstream soon where that stops its billing", async () => {
    const account = await stage.account(1_000_000_000);
    const sent = await post(account, chat("openai/gpt-5-mini@endless,delay=20", { stream: true }), { leaveAfter: 3 });
    await account.atRest();
    const { open } = z.object({ open: z.number() }).parse(await (await fetch(`${stage.system.offlineUrl}/_open`)).json());
    expect(open).toBe(0);
    expect((await account.request(sent.id)).state).toBe("cancelled");
  });
});

describe("an upstream that fails", () => {
  const cases: { fault: string; status: number; code: string; stream: boolean; charged: boolean }[] = [
    { fault: "status=500", status: 502, code: "provider_error", stream: false, charged: false },
    { fault: "status=401", status: 502, code: "provider_error", stream: false, charged: false },
    { fault: "status=429,retry_after=3", status: 429, code: "rate_limited", stream: true, charged: false },
    { fault: "status=503", status: 503, code: "overloaded", stream: true, charged: false },
    { fault: "refuse", status: 502, code: "provider_error", stream: false, charged: false },
    { fault: "html", status: 502, code: "provider_error", stream: false, charged: false },
    { fault: "html,status=200", status: 502, code: "provider_error", stream: false, charged: false },
    { fault: "html,status=200", status: 502, code: "provider_error", stream: true, charged: false },
    { fault: "garbage", status: 502, code: "provider_error", stream: false, charged: false },
    { fault: "error_at=0", status: 502, code: "provider_error", stream: true, charged: false },
    { fault: "cut=0", status: 502, code: "provider_error", stream: true, charged: false },
  ];
  test.each(cases)(
    "by $fault (stream $stream) before any content is a clear error and costs nothing",
    async ({ fault, status, code, stream, charged }) => {
      const account = await stage.account(10_000_000);
      const sent = await post(account, chat(`openai/gpt-5-mini@${fault}`, { stream }));
      expect(sent.status).toBe(status);
      expect(JSON.parse(sent.text)).toMatchObject({ error: { code }, request_id: sent.id });
      expect(sent.text).not.toContain("<html>");
      await account.atRest();
      const rows = await account.usage();
      expect(rows).toHaveLength(1);
      expect(rows[0]?.charged_micro_rub === 0).toBe(!charged);
      expect((await account.balance()).balance_micro_rub).toBe(10_000_000);
    },
  );

  test.each(["cut=6", "end=6", "error_at=6"])(
    "in the middle by %s ends in an error and never in a success, and is settled once",
    async (fault) => {
      const account = await stage.account(10_000_000);
      for (const model of ["openai/gpt-5-mini", "anthropic/claude-haiku-4-5"]) {
        const sent = await post(account, chat(`${model}@${fault},chunks=10,delay=15`, { stream: true }));
        expect(sent.status).toBe(200);
        expect(sent.text).not.toContain("[DONE]");
        expect(sent.text).toContain('"error"');
      }
      await account.atRest();
      const rows = await account.usage();
      expect(rows.map((row) => row.state)).toEqual(["failed", "failed"]);
      expect(rows.every((row) => row.charged_micro_rub > 0 && row.usage_source !== "provider")).toBe(true);
    },
  );

  test.each(["nousage", "usage_zero"])("by %s is settled at a labelled estimate, not at zero", async (fault) => {
    const account = await stage.account(10_000_000);
    await post(account, chat(`openai/gpt-5-mini@${fault}`, { stream: true }));
    await account.atRest();
    const [row] = await account.usage();
    expect(row?.usage_source).toBe("estimated");
    expect(row?.charged_micro_rub).toBeGreaterThan(0);
  });

  test.each(["split=1", "split=7,crlf", "utf8,split=3", "finish_twice", "nodone", "bigline=200000"])(
    "that merely writes oddly (%s) is a whole answer",
    async (fault) => {
      const account = await stage.account(100_000_000);
      const sent = await post(
        account,
        chat(`openai/gpt-5-mini@${fault}`, { stream: true, max_tokens: 60_000, stream_options: { include_usage: true } }),
        { path: "/v1/chat/completions" },
      );
      expect(sent.text).toContain('"finish_reason":"stop"');
      expect(sent.text).toContain("cost_micro_rub");
      await account.atRest();
      expect((await account.usage())[0]).toMatchObject({ state: "settled", usage_source: "provider" });
    },
  );
});

describe("requests at the same time", () => {
  test("200 on a balance for 50: exactly the affordable ones run, and nothing is overdrawn", async () => {
    const probe = await stage.account(1_000_000_000);
    const body = chat("openai/gpt-5-mini@delay=30", { stream: true });
    const first = await post(probe, body);
    const view = z
      .looseObject({
        lifecycle: z.array(
          z.looseObject({ event: z.string(), detail: z.looseObject({ hold_micro_rub: z.number().optional() }).optional() }),
        ),
      })
      .parse(await probe.request(first.id));
    const hold = view.lifecycle.find((frame) => frame.event === "held")?.detail?.hold_micro_rub ?? 0;
    expect(hold).toBeGreaterThan(0);
    const account = await stage.account(hold * 50);
    let low = Number.POSITIVE_INFINITY;
    const watching = setInterval(() => void account.balance().then((balance) => (low = Math.min(low, balance.available_micro_rub))), 20);
    const sent = await Promise.all(Array.from({ length: 200 }, () => post(account, { ...body, model: "openai/gpt-5-mini@delay=150" })));
    clearInterval(watching);
    await account.atRest();
    const ran = sent.filter((each) => each.status === 200).length;
    const refused = sent.filter((each) => each.status === 402).length;
    expect([ran + refused, ran]).toEqual([200, 50]);
    expect(low).toBeGreaterThanOrEqual(0);
    const rows = await account.usage();
    expect(rows).toHaveLength(50);
    const balance = await account.balance();
    expect(balance.held_micro_rub).toBe(0);
    expect(balance.balance_micro_rub).toBe(hold * 50 - rows.reduce((sum, row) => sum + row.charged_micro_rub, 0));
  });

  test("more than one lane holds are spread over lanes and all settle", async () => {
    const account = await stage.account(10_000_000_000);
    const sent = await Promise.all(Array.from({ length: 150 }, () => post(account, chat("openai/gpt-5-mini@delay=120", { stream: true }))));
    expect(sent.every((each) => each.status === 200)).toBe(true);
    await account.atRest();
    expect(await account.usage()).toHaveLength(150);
    const lanes = new Set(sent.map((each) => each.id.slice(each.id.lastIndexOf("_"))));
    expect(lanes.size).toBeGreaterThan(1);
    const beyond = sent.find((each) => !each.id.endsWith("_0"));
    expect((await account.request(beyond?.id ?? "")).settlement).toBe("settled");
  });
});

describe("an Idempotency-Key", () => {
  test.each([false, true])("gives the same answer for the same body, charged once (stream %s)", async (stream) => {
    const account = await stage.account(10_000_000);
    const headers = { "idempotency-key": `once-${stream}` };
    const first = await post(account, chat("openai/gpt-5-mini", { stream }), { headers });
    const second = await post(account, chat("openai/gpt-5-mini", { stream }), { headers });
    expect(second.text).toBe(first.text);
    expect(second.id).toBe(first.id);
    await account.atRest();
    expect(await account.usage()).toHaveLength(1);
    const other = await post(account, chat("openai/gpt-5-mini", { stream, temperature: 0.5 }), { headers });
    expect([other.status, JSON.parse(other.text).error.code]).toEqual([422, "idempotency_mismatch"]);
  });

  test("is refused while the first request runs", async () => {
    const account = await stage.account(10_000_000);
    const headers = { "idempotency-key": "busy" };
    const first = post(account, chat("openai/gpt-5-mini@delay=60", { stream: true }), { headers });
    await new Promise((resolve) => setTimeout(resolve, 150));
    const second = await post(account, chat("openai/gpt-5-mini@delay=60", { stream: true }), { headers });
    expect([second.status, JSON.parse(second.text).error.code]).toEqual([409, "request_in_progress"]);
    await first;
    await account.atRest();
  });
});

describe("a refused request changes nothing", () => {
  test.each([
    { name: "malformed JSON", body: "{", status: 400, code: "invalid_json" },
    { name: "no messages", body: '{"model":"openai/gpt-5-mini"}', status: 400, code: "invalid_request" },
    { name: "a wrong type", body: '{"model":"openai/gpt-5-mini","messages":"hi"}', status: 400, code: "invalid_request" },
    {
      name: "a nest of 5,000 brackets",
      body: `{"model":"openai/gpt-5-mini","messages":${"[".repeat(5000)}${"]".repeat(5000)}}`,
      status: 400,
      code: "invalid_json",
    },
    {
      name: "an unpriced model",
      body: '{"model":"openai/never-heard-of","messages":[{"role":"user","content":"x"}]}',
      status: 404,
      code: "model_not_priced",
    },
    { name: "an array", body: "[]", status: 400, code: "invalid_request" },
  ])("$name", async ({ body, status, code }) => {
    const account = await stage.account(10_000_000);
    const response = await fetch(`${stage.system.url}/v1/chat/completions`, {
      method: "POST",
      body,
      headers: { authorization: `Bearer ${account.key}`, "content-type": "application/json" },
    });
    expect([
      response.status,
      z.looseObject({ error: z.looseObject({ code: z.string() }) }).parse(await response.json()).error.code,
    ]).toEqual([status, code]);
    expect(await account.balance()).toEqual({ balance_micro_rub: 10_000_000, held_micro_rub: 0, available_micro_rub: 10_000_000 });
    expect(await account.usage()).toEqual([]);
  });

  test("a balance that is too small is a 402 before anything is sent", async () => {
    const before = (await invoice()).length;
    const account = await stage.account(10);
    const sent = await post(account, chat("openai/gpt-5-mini"));
    expect([sent.status, JSON.parse(sent.text).error.code]).toEqual([402, "insufficient_balance"]);
    expect((await invoice()).length).toBe(before);
  });

  test("a revoked key is refused at once", async () => {
    const account = await stage.account(10_000_000);
    const { keys } = z
      .object({ keys: z.array(z.looseObject({ key_id: z.string() })) })
      .parse(await stage.admin(`/accounts/${account.id}`, { method: "GET" }));
    await stage.admin(`/keys/${keys[0]?.key_id ?? ""}`, { method: "DELETE" });
    const sent = await post(account, chat("openai/gpt-5-mini"));
    expect([sent.status, JSON.parse(sent.text).error.code]).toEqual([401, "invalid_api_key"]);
  });
});

test("a finished request shows its life, and its events end with the settlement", async () => {
  const account = await stage.account(10_000_000);
  const sent = await post(account, chat("openai/gpt-5-mini", { stream: true }));
  await account.atRest();
  const view = await account.request(sent.id);
  expect(view.lifecycle.map((frame) => frame.event)).toEqual([
    "received",
    "held",
    "dispatched",
    "streaming",
    "finished",
    "settled",
    "recorded",
  ]);
  const events = await (
    await fetch(`${stage.system.url}/v1/requests/${sent.id}/events`, {
      headers: { authorization: `Bearer ${account.key}`, "last-event-id": "3" },
    })
  ).text();
  expect([...events.matchAll(/^event: (\w+)$/gm)].map((match) => match[1])).toEqual(["streaming", "finished", "settled"]);
  const stranger = await stage.account(0);
  const response = await fetch(`${stage.system.url}/v1/requests/${sent.id}`, { headers: { authorization: `Bearer ${stranger.key}` } });
  expect(response.status).toBe(404);
});
