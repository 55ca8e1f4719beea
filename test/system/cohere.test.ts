/** Cohere behind callers of other wires: the official packages, unchanged but for the base URL, on a provider that speaks v2 Chat. */
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Account, type Stage, startStage } from "./shared-system.ts";

let stage: Stage;
let account: Account;
let openai: OpenAI;
let anthropic: Anthropic;

beforeAll(async () => {
  stage = await startStage();
  account = await stage.account(1_000_000_000);
  openai = new OpenAI({ apiKey: account.key, baseURL: `${stage.system.url}/v1`, maxRetries: 0 });
  anthropic = new Anthropic({ apiKey: account.key, baseURL: stage.system.url, maxRetries: 0 });
});
afterAll(() => stage.close());

const MODEL = "cohere/command-a-03-2025";
const PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const WEATHER = { type: "object" as const, properties: { city: { type: "string" } }, required: ["city"] };
const TIME = { type: "object" as const, properties: { zone: { type: "string" } }, required: ["zone"] };

describe("through chat completions", () => {
  const tools = [
    { type: "function" as const, function: { name: "get_weather", parameters: WEATHER } },
    { type: "function" as const, function: { name: "get_time", parameters: TIME } },
  ];
  const say = (content: string): OpenAI.ChatCompletionMessageParam[] => [{ role: "user", content }];

  test("a whole answer comes with its cost, and is billed by billed units", async () => {
    const { data, response } = await openai.chat.completions
      .create({ model: MODEL, messages: [{ role: "system", content: "Be brief." }, ...say("Hello")] })
      .withResponse();
    expect(data.choices[0]).toMatchObject({ message: { content: "You said: Hello" }, finish_reason: "stop" });
    expect(data.usage?.prompt_tokens).toBeLessThan(100);
    expect(data.usage).toMatchObject({ cost_micro_rub: Number(response.headers.get("x-plyrum-cost-micro-rub")) });
    // Header values are UTF-8; fetch shows their bytes one by one.
    expect(Buffer.from(response.headers.get("x-plyrum-approximated") ?? "", "latin1").toString()).toBe("max_tokens(→8000)");
  });

  test("a stream comes with text and usage", async () => {
    const stream = await openai.chat.completions.create({
      model: MODEL,
      stream: true,
      stream_options: { include_usage: true },
      messages: say("Привет, 世界 🌍"),
    });
    let text = "";
    let completionTokens = 0;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? "";
      completionTokens = chunk.usage?.completion_tokens ?? completionTokens;
    }
    expect(text).toBe("You said: Привет, 世界 🌍");
    expect(completionTokens).toBeGreaterThan(0);
  });

  test("two tools are called in parallel, streamed, and their results go back", async () => {
    const messages = say("Weather and time in parallel, please.");
    const [choice] = (await openai.chat.completions.stream({ model: MODEL, messages, tools }).finalChatCompletion()).choices;
    if (choice === undefined) expect.fail("the answer has no choice");
    expect(choice.finish_reason).toBe("tool_calls");
    expect(choice.message.content).toContain("I will use");
    const calls = choice.message.tool_calls ?? [];
    expect(calls.map((call) => (call.type === "function" ? [call.function.name, JSON.parse(call.function.arguments)] : []))).toEqual([
      ["get_weather", { city: "Paris" }],
      ["get_time", { zone: "Paris" }],
    ]);
    const results = calls.map((call, index): OpenAI.ChatCompletionMessageParam => ({
      role: "tool",
      tool_call_id: call.id,
      content: `result ${index}`,
    }));
    const next = await openai.chat.completions.create({
      model: MODEL,
      tools,
      messages: [...messages, { role: "assistant", content: choice.message.content, tool_calls: calls }, ...results],
    });
    expect(next.choices[0]?.message.content).toBe("The tools said: result 0 | result 1");
  });

  test("one named tool is offered alone", async () => {
    const answer = await openai.chat.completions.create({
      model: MODEL,
      tools,
      tool_choice: { type: "function", function: { name: "get_time" } },
      messages: say("Now"),
    });
    expect(answer.choices[0]?.message.tool_calls?.map((call) => call.type === "function" && call.function.name)).toEqual(["get_time"]);
  });

  test("an image, reasoning, a schema and a length stop get through", async () => {
    const image = await openai.chat.completions.create({
      model: MODEL,
      messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: `data:image/png;base64,${PIXEL}` } }] }],
    });
    expect(image.choices[0]?.message.content).toContain("[image image/png, 70 bytes]");
    const thought = await openai.chat.completions.create({ model: MODEL, reasoning_effort: "low", messages: say("Think") });
    expect(thought.choices[0]?.message).toMatchObject({ content: "You said: Think", reasoning_content: expect.stringMatching(/.+/) });
    const schema = await openai.chat.completions.create({
      model: MODEL,
      response_format: { type: "json_schema", json_schema: { name: "a", schema: WEATHER } },
      messages: say("As JSON"),
    });
    expect(JSON.parse(schema.choices[0]?.message.content ?? "")).toEqual({ answer: "You said: As JSON" });
    const cut = await openai.chat.completions.create({ model: MODEL, max_tokens: 2, messages: say("A longer text than that") });
    expect(cut.choices[0]?.finish_reason).toBe("length");
  });

  test("the provider's errors are thrown as their own kinds, and one in the middle of a stream does not end it well", async () => {
    const limited = await openai.chat.completions
      .create({ model: `${MODEL}@status=429`, messages: say("x") })
      .catch((error: unknown) => error);
    expect(limited).toBeInstanceOf(OpenAI.RateLimitError);
    const bad = await openai.chat.completions.create({ model: `${MODEL}@status=400`, messages: say("x") }).catch((error: unknown) => error);
    expect(bad).toBeInstanceOf(OpenAI.BadRequestError);
    for (const fault of ["error_at=4", "nodone", "cut=4"]) {
      const model = `${MODEL}@${fault}`;
      await expect(
        (async () => {
          const stream = await openai.chat.completions.create({ model, stream: true, messages: say("A text long enough for some chunks") });
          for await (const chunk of stream) expect(chunk.choices[0]?.finish_reason ?? null).toBeNull();
        })(),
      ).rejects.toThrow(/error|fail|complete|reached/i);
    }
  });

  test("a stream that is left is billed once, for what was produced", async () => {
    const stream = await openai.chat.completions.create({ model: `${MODEL}@delay=20,tokens=400`, stream: true, messages: say("Long") });
    let chunks = 0;
    for await (const _ of stream) if (++chunks === 5) break;
    await account.atRest();
    const [row] = (await account.usage()).filter((each) => each.state === "cancelled");
    expect(row?.output_tokens).toBeGreaterThan(0);
    expect(row?.output_tokens).toBeLessThan(400);
  });
});

describe("through messages", () => {
  const tools: Anthropic.Tool[] = [
    { name: "get_weather", input_schema: WEATHER },
    { name: "get_time", input_schema: TIME },
  ];

  test("a whole answer comes with its cost", async () => {
    const { data, response } = await anthropic.messages
      .create({ model: MODEL, max_tokens: 100, system: "Be brief.", messages: [{ role: "user", content: "Hello" }] })
      .withResponse();
    expect(data).toMatchObject({ content: [{ type: "text", text: "You said: Hello" }], stop_reason: "end_turn" });
    expect(data.usage).toMatchObject({ cost_micro_rub: Number(response.headers.get("x-plyrum-cost-micro-rub")) });
  });

  test("thinking and text are streamed as blocks of their own", async () => {
    const message = await anthropic.messages
      .stream({
        model: MODEL,
        max_tokens: 4000,
        thinking: { type: "enabled", budget_tokens: 1500 },
        messages: [{ role: "user", content: "Думай" }],
      })
      .finalMessage();
    expect(message.content).toMatchObject([{ type: "thinking" }, { type: "text", text: "You said: Думай" }]);
    expect(message.usage.output_tokens).toBeGreaterThan(0);
  });

  test("two tools are called in parallel, streamed, and their results go back", async () => {
    const messages: Anthropic.MessageParam[] = [{ role: "user", content: "Weather and time in parallel, please." }];
    const message = await anthropic.messages.stream({ model: MODEL, max_tokens: 500, tools, messages }).finalMessage();
    expect(message.stop_reason).toBe("tool_use");
    const calls = message.content.filter((block) => block.type === "tool_use");
    expect(calls.map((call) => [call.name, call.input])).toEqual([
      ["get_weather", { city: "Paris" }],
      ["get_time", { zone: "Paris" }],
    ]);
    const results = calls.map((call, index): Anthropic.ToolResultBlockParam => ({
      type: "tool_result",
      tool_use_id: call.id,
      content: `result ${index}`,
    }));
    const next = await anthropic.messages.create({
      model: MODEL,
      max_tokens: 100,
      tools,
      messages: [...messages, { role: "assistant", content: message.content }, { role: "user", content: results }],
    });
    expect(next.content).toMatchObject([{ type: "text", text: "The tools said: result 0 | result 1" }]);
  });

  test("an error in the middle of a stream does not end it well", async () => {
    const stream = anthropic.messages.stream({
      model: `${MODEL}@error_at=4`,
      max_tokens: 100,
      messages: [{ role: "user", content: "A text that is long enough for some chunks" }],
    });
    await expect(stream.finalMessage()).rejects.toThrow(/error|fail/i);
  });
});

test("everything above was billed once: no hold is left, and ledger and D1 agree", async () => {
  await account.atRest();
  const rows = await account.usage();
  expect(new Set(rows.map((row) => row.request_id)).size).toBe(rows.length);
  expect(rows.filter((row) => row.usage_source === "provider").length).toBeGreaterThan(8);
});
