/**
 * What is kept of Responses calls, with the official `openai` package: answers in the background, conversations by `previous_response_id` and by
 * references to items, over providers that keep such things themselves and over those that know nothing of it.
 */
import { createOpenAI } from "@ai-sdk/openai";
import { generateText, stepCountIs, tool } from "ai";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { type Account, type Stage, startStage } from "./shared-system.ts";

const NATIVE = "openai/gpt-5-mini";
const MODELS = [
  NATIVE,
  "anthropic/claude-haiku-4-5",
  "gemini/gemini-2.5-flash",
  "groq/openai/gpt-oss-20b",
  "bedrock/amazon.nova-lite-v1:0",
];

let stage: Stage;
let account: Account;
let client: OpenAI;
let stranger: OpenAI;

const clientOf = (key: string): OpenAI => new OpenAI({ apiKey: key, baseURL: `${stage.system.url}/v1`, maxRetries: 0 });

beforeAll(async () => {
  stage = await startStage();
  account = await stage.account(1_000_000_000);
  client = clientOf(account.key);
  stranger = clientOf((await stage.account(1_000_000_000)).key);
});
afterAll(() => stage.close());

const failureOf = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => "no failure",
    (error: unknown) => (error instanceof OpenAI.APIError ? [error.status, error.param] : error),
  );

async function ended(id: string): Promise<OpenAI.Responses.Response> {
  for (;;) {
    const response = await client.responses.retrieve(id);
    if (response.status !== "queued" && response.status !== "in_progress") return response;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

describe.each(MODELS.slice(0, 3))("an answer in the background of %s", (model) => {
  test("is promised at once, polled, and then whole", async () => {
    const begun = await client.responses.create({ model: `${model}@ttft=200`, input: "Hello", background: true });
    expect(begun).toMatchObject({ status: "in_progress", background: true, output: [], object: "response" });
    expect(await client.responses.retrieve(begun.id)).toMatchObject({ id: begun.id, status: "in_progress" });
    const answer = await ended(begun.id);
    expect(answer).toMatchObject({ id: begun.id, status: "completed", background: true });
    expect(answer.output).toMatchObject([{ type: "message", content: [{ text: "You said: Hello" }] }]);
    expect(answer.usage).toMatchObject({ cost_micro_rub: expect.any(Number) });
    expect(await failureOf(client.responses.cancel(begun.id))).toBe("no failure");
    expect((await client.responses.retrieve(begun.id)).status).toBe("completed");
  });

  test("is followed as a stream, left, and gone on with by starting_after", async () => {
    const stream = await client.responses.create({
      model: `${model}@chunks=10,delay=20`,
      input: "Hello to you",
      background: true,
      stream: true,
    });
    const seen: OpenAI.Responses.ResponseStreamEvent[] = [];
    for await (const event of stream) {
      seen.push(event);
      if (event.type === "response.output_text.delta") break;
    }
    const [first] = seen;
    const id = first?.type === "response.created" ? first.response.id : "";
    expect(id).toMatch(/^resp_/);
    const last = seen.at(-1)?.sequence_number ?? -1;
    for await (const event of await client.responses.retrieve(id, { stream: true, starting_after: last })) seen.push(event);
    expect(seen.map((event) => event.sequence_number)).toEqual(seen.map((_, index) => index));
    const text = seen.flatMap((event) => (event.type === "response.output_text.delta" ? [event.delta] : [])).join("");
    expect(text).toBe("You said: Hello to you");
    const end = seen.at(-1);
    expect(end?.type === "response.completed" ? end.response.id : end).toBe(id);
    expect((await ended(id)).status).toBe("completed");
  });

  test("is followed from before its first event on", async () => {
    const begun = await client.responses.create({ model: `${model}@ttft=300`, input: "Hello", background: true });
    const types: string[] = [];
    for await (const event of await client.responses.retrieve(begun.id, { stream: true })) types.push(event.type);
    expect([types[0], types.at(-1)]).toEqual(["response.created", "response.completed"]);
  });

  test("is cancelled in the middle, and charged by what was used", async () => {
    const own = await stage.account(1_000_000_000);
    const ours = clientOf(own.key);
    const begun = await ours.responses.create({ model: `${model}@tokens=100,delay=20`, input: "Go", background: true });
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(await ours.responses.cancel(begun.id)).toMatchObject({ id: begun.id, status: "cancelled" });
    await own.atRest();
    expect((await ours.responses.retrieve(begun.id)).status).toBe("cancelled");
    const rows = await own.usage();
    expect(rows).toHaveLength(1);
    expect(rows[0]?.charged_micro_rub).toBeGreaterThan(0);
  });

  test("that fails is kept as failed, with the reason", async () => {
    const begun = await client.responses.create({ model: `${model}@status=400`, input: "Hello", background: true });
    const answer = await ended(begun.id);
    expect(answer).toMatchObject({ id: begun.id, status: "failed", error: { message: expect.any(String) } });
  });
});

describe.each(MODELS)("a conversation with %s", (model) => {
  test("goes on from an answer by its id, streamed or whole", async () => {
    const first = await client.responses.create({ model, input: "My name is Ada." });
    const second = await client.responses
      .stream({ model: `${model}@echo`, input: "And my town is Omsk.", previous_response_id: first.id })
      .finalResponse();
    expect(second.output_text).toContain("My name is Ada.");
    expect(second.output_text).toContain("You said: My name is Ada.");
    const third = await client.responses.create({ model: `${model}@echo`, input: "Who am I?", previous_response_id: second.id });
    for (const said of ["My name is Ada.", "You said: My name is Ada.", "And my town is Omsk.", "Who am I?"])
      expect(third.output_text).toContain(said);
    const items = [];
    for await (const item of client.responses.inputItems.list(third.id, { order: "asc", limit: 2 })) items.push(item);
    expect(items.map((item) => ("role" in item ? item.role : item.type))).toEqual(["user", "assistant", "user", "assistant", "user"]);
    expect(items.every((item) => "id" in item && typeof item.id === "string")).toBe(true);
  });

  test("carries calls and their results, and what was thought", async () => {
    const tools: OpenAI.Responses.FunctionTool[] = [
      { type: "function", name: "get_weather", parameters: { type: "object", properties: { city: { type: "string" } } }, strict: false },
    ];
    const asked = { model, tools, max_output_tokens: 4000, reasoning: { effort: "medium" as const } };
    const first = await client.responses.create({ ...asked, input: "Weather, please." });
    const call = first.output.find((item) => item.type === "function_call");
    expect(call?.name).toBe("get_weather");
    const output = [{ type: "function_call_output" as const, call_id: call?.call_id ?? "", output: "sunny" }];
    const second = await client.responses.create({ ...asked, input: output, previous_response_id: first.id });
    expect(second.output_text).toBe("The tools said: sunny");
  });

  test("is nobody else's, and not there once it is deleted or was never to be kept", async () => {
    const first = await client.responses.create({ model, input: "A secret." });
    expect((await client.responses.retrieve(first.id)).output_text ?? first.output_text).toBe("You said: A secret.");
    const next = { model, input: "Go on" };
    expect(await failureOf(stranger.responses.create({ ...next, previous_response_id: first.id }))).toEqual([404, "previous_response_id"]);
    for (const call of ["retrieve", "delete", "cancel"] as const)
      expect(await failureOf(stranger.responses[call](first.id))).toEqual([404, null]);
    expect(await failureOf(stranger.responses.inputItems.list(first.id).then((page) => page.data))).toEqual([404, null]);
    const [item] = first.output;
    const said = (content: string): OpenAI.Responses.EasyInputMessage => ({ role: "user", content });
    const reference = [said("Tell me"), { type: "item_reference" as const, id: item?.id ?? "" }, said("Go on")];
    expect(await failureOf(stranger.responses.create({ model, input: reference }))).toEqual([404, "input.1"]);
    expect((await client.responses.create({ model: `${model}@echo`, input: reference })).output_text).toContain("You said: A secret.");
    await client.responses.delete(first.id);
    expect(await failureOf(client.responses.create({ ...next, previous_response_id: first.id }))).toEqual([404, "previous_response_id"]);
    const unkept = await client.responses.create({ model, input: "Forget this", store: false });
    expect(await failureOf(client.responses.create({ ...next, previous_response_id: unkept.id }))).toEqual([404, "previous_response_id"]);
  });
});

test("a conversation that moves from provider to provider takes along what each can read", async () => {
  const asked = { max_output_tokens: 4000, reasoning: { effort: "medium" as const, summary: "auto" as const } };
  let previous: string | null = null;
  for (const [turn, model] of [...MODELS, "azure-openai/gpt-5-mini", ...MODELS.toReversed()].entries()) {
    const answer: OpenAI.Responses.Response = await client.responses.create({
      ...asked,
      model,
      input: `Turn ${turn}`,
      include: turn % 2 === 0 ? ["reasoning.encrypted_content"] : [],
      previous_response_id: previous,
    });
    expect(answer.output_text).toBe(`You said: Turn ${turn}`);
    previous = answer.id;
  }
});

describe("what cannot be", () => {
  test("is refused by name: a conversation at the provider, a background that keeps nothing, reasoning of nobody", async () => {
    const next = { model: NATIVE, input: "Hello" };
    expect(await failureOf(client.responses.create({ ...next, conversation: "conv_1" }))).toEqual([404, "conversation"]);
    expect(await failureOf(client.responses.create({ ...next, background: true, store: false }))).toEqual([400, "background"]);
    const bare = [
      { type: "reasoning" as const, id: "rs_0123", summary: [] },
      { role: "user" as const, content: "Hello" },
    ];
    expect(await failureOf(client.responses.create({ model: NATIVE, input: bare }))).toEqual([404, "input.0"]);
    // What is brought along whole goes on without an id that is nobody's.
    const said = [{ ...bare[0], summary: [{ type: "summary_text", text: "Hm." }] }, bare[1]] as OpenAI.Responses.ResponseInput;
    expect((await client.responses.create({ model: "anthropic/claude-haiku-4-5", input: said })).output_text).toBe("You said: Hello");
    const whole = await client.responses.create(next);
    expect(await failureOf(client.responses.cancel(whole.id))).toEqual([400, null]);
    expect(await failureOf(client.responses.retrieve(whole.id, { stream: true }))).toEqual([400, "stream"]);
    expect(await failureOf(client.responses.retrieve("resp_none"))).toEqual([404, null]);
  });

  test("an ensemble answers in the background and is gone on from like any model", async () => {
    const model = "self-moa/2@openai/gpt-5-mini";
    const begun = await client.responses.create({ model, input: "Hello", background: true });
    expect((await ended(begun.id)).status).toBe("completed");
    const next = await client.responses.create({ model: "anthropic/claude-haiku-4-5@echo", input: "More", previous_response_id: begun.id });
    expect(next.output_text).toContain("Hello");
  });

  test("an ensemble in the background is cancelled with every call of it", async () => {
    const own = await stage.account(1_000_000_000);
    const ours = clientOf(own.key);
    const begun = await ours.responses.create({
      model: "self-moa/2@openai/gpt-5-mini@tokens=200,delay=20",
      input: "Hello",
      background: true,
    });
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect((await ours.responses.cancel(begun.id)).status).toBe("cancelled");
    await own.atRest();
    expect((await own.usage()).map((row) => row.state)).toEqual(["cancelled"]);
    const open = z.object({ open: z.number() }).parse(await (await fetch(`${stage.system.offlineUrl}/_open`)).json());
    expect(open.open).toBe(0);
  });

  test("a call in the background that is made twice under one key is one call", async () => {
    const own = await stage.account(1_000_000_000);
    const ours = clientOf(own.key);
    const call = (): Promise<OpenAI.Responses.Response> =>
      ours.responses.create({ model: NATIVE, input: "Hello", background: true }, { headers: { "idempotency-key": "once" } });
    const first = await call();
    await own.atRest();
    expect((await call()).id).toBe(first.id);
    expect(await own.usage()).toHaveLength(1);
  });
});

/** Its default: everything is kept, and what was said before is named by ids alone. */
describe.each(MODELS)("the ai package's OpenAI provider as it is, on %s", (model) => {
  test("calls a tool and goes on with its result over references", async () => {
    const sent: string[] = [];
    const spied: typeof fetch = (url, init) => {
      sent.push(String(init?.body));
      return fetch(url, init);
    };
    const provider = createOpenAI({ apiKey: account.key, baseURL: `${stage.system.url}/v1`, fetch: spied });
    const answer = await generateText({
      model: provider.responses(model),
      maxRetries: 0,
      tools: {
        get_weather: tool({
          description: "Weather",
          inputSchema: z.object({ city: z.string() }),
          execute: async ({ city }) => `sunny in ${city}`,
        }),
      },
      stopWhen: stepCountIs(2),
      prompt: "Weather, please.",
    });
    expect(answer.text).toMatch(/^The tools said: .*sunny in Paris/);
    const next = await generateText({
      model: provider.responses(`${model}@echo`),
      maxRetries: 0,
      messages: [{ role: "user", content: "Weather, please." }, ...answer.response.messages, { role: "user", content: "Thanks" }],
    });
    expect(sent).toHaveLength(3);
    expect(sent[2]).toContain('"item_reference"');
    for (const said of ["sunny in Paris", "The tools said", "Thanks"]) expect(next.text).toContain(said);
  });
});
