/** The official SDKs, unchanged but for the base URL, in all four directions: each client against each provider's wire format. */
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

const PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const WEATHER = { type: "object" as const, properties: { city: { type: "string" } }, required: ["city"] };
const TIME = { type: "object" as const, properties: { zone: { type: "string" } }, required: ["zone"] };
const MODELS = ["openai/gpt-5-mini", "anthropic/claude-haiku-4-5"];

describe.each(MODELS)("the openai package on %s", (model) => {
  const tools = [
    { type: "function" as const, function: { name: "get_weather", parameters: WEATHER } },
    { type: "function" as const, function: { name: "get_time", parameters: TIME } },
  ];

  test("gets a whole answer, with its cost", async () => {
    const { data, response } = await openai.chat.completions
      .create({
        model,
        messages: [
          { role: "system", content: "Be brief." },
          { role: "user", content: "Hello" },
        ],
      })
      .withResponse();
    expect(data.choices[0]?.message.content).toBe("You said: Hello");
    expect(data.choices[0]?.finish_reason).toBe("stop");
    expect(Number(response.headers.get("x-plyrum-cost-micro-rub"))).toBeGreaterThan(0);
    expect(data.usage).toMatchObject({ cost_micro_rub: Number(response.headers.get("x-plyrum-cost-micro-rub")) });
  });

  test("streams text and usage", async () => {
    const stream = await openai.chat.completions.create({
      model,
      stream: true,
      stream_options: { include_usage: true },
      messages: [{ role: "user", content: "Привет, 世界 🌍" }],
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

  test("gets no usage chunk in a stream it did not ask it for", async () => {
    const stream = await openai.chat.completions.create({ model, stream: true, messages: [{ role: "user", content: "Hello" }] });
    for await (const chunk of stream) {
      expect(chunk.usage ?? null).toBeNull();
      expect(chunk.choices.length).toBe(1);
    }
  });

  test("calls two tools in parallel, streamed, and sends their results back", async () => {
    const messages: OpenAI.ChatCompletionMessageParam[] = [{ role: "user", content: "Weather and time in parallel, please." }];
    const runner = openai.chat.completions.stream({ model, messages, tools });
    const [choice] = (await runner.finalChatCompletion()).choices;
    if (choice === undefined) expect.fail("the answer has no choice");
    const { message, finish_reason } = choice;
    expect(finish_reason).toBe("tool_calls");
    expect(
      message.tool_calls?.map((call) => (call.type === "function" ? [call.function.name, JSON.parse(call.function.arguments)] : [])),
    ).toEqual([
      ["get_weather", { city: "Paris" }],
      ["get_time", { zone: "Paris" }],
    ]);
    const results = (message.tool_calls ?? []).map((call, index): OpenAI.ChatCompletionMessageParam => ({
      role: "tool",
      tool_call_id: call.id,
      content: `result ${index}`,
    }));
    const next = await openai.chat.completions.create({
      model,
      tools,
      messages: [...messages, { role: "assistant", content: null, tool_calls: message.tool_calls ?? [] }, ...results],
    });
    expect(next.choices[0]?.message.content).toBe("The tools said: result 0 | result 1");
  });

  test("sends an image", async () => {
    const answer = await openai.chat.completions.create({
      model,
      messages: [
        {
          role: "user",
          content: [
            { type: "text", text: "See" },
            { type: "image_url", image_url: { url: `data:image/png;base64,${PIXEL}` } },
          ],
        },
      ],
    });
    expect(answer.choices[0]?.message.content).toContain("[image image/png, 70 bytes]");
  });

  test("asks for reasoning", async () => {
    const answer = await openai.chat.completions.create({
      model,
      reasoning_effort: "low",
      max_completion_tokens: 4000,
      messages: [{ role: "user", content: "Think" }],
    });
    expect(answer.choices[0]?.message.content).toBe("You said: Think");
    expect(answer.usage?.completion_tokens).toBeGreaterThan(10);
  });

  test("is told a length stop", async () => {
    const answer = await openai.chat.completions.create({
      model,
      max_tokens: 2,
      messages: [{ role: "user", content: "A longer text than that" }],
    });
    expect(answer.choices[0]?.finish_reason).toBe("length");
  });

  test("throws the provider's rate limit as its own error, with the time to wait", async () => {
    const failure = await openai.chat.completions
      .create({ model: `${model}@status=429,retry_after=7`, messages: [{ role: "user", content: "Hello" }] })
      .catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(OpenAI.RateLimitError);
    expect(failure instanceof OpenAI.APIError && failure.headers?.get("retry-after")).toBe("7");
  });

  test("throws an error in the middle of a stream instead of ending it well", async () => {
    const stream = await openai.chat.completions.create({
      model: `${model}@error_at=4`,
      stream: true,
      messages: [{ role: "user", content: "A text that is long enough for some chunks" }],
    });
    await expect(
      (async () => {
        for await (const chunk of stream) expect(chunk.choices[0]?.finish_reason ?? null).toBeNull();
      })(),
    ).rejects.toThrow(/error|overload/i);
  });
});

describe.each(MODELS)("the @anthropic-ai/sdk package on %s", (model) => {
  const tools: Anthropic.Tool[] = [
    { name: "get_weather", input_schema: WEATHER },
    { name: "get_time", input_schema: TIME },
  ];

  test("gets a whole answer, with its cost", async () => {
    const { data, response } = await anthropic.messages
      .create({ model, max_tokens: 100, system: "Be brief.", messages: [{ role: "user", content: "Hello" }] })
      .withResponse();
    expect(data.content).toMatchObject([{ type: "text", text: "You said: Hello" }]);
    expect(data.stop_reason).toBe("end_turn");
    expect(data.usage).toMatchObject({ cost_micro_rub: Number(response.headers.get("x-plyrum-cost-micro-rub")) });
  });

  test("streams text and usage", async () => {
    const message = await anthropic.messages
      .stream({ model, max_tokens: 100, messages: [{ role: "user", content: "Привет, 世界 🌍" }] })
      .finalMessage();
    expect(message.content).toMatchObject([{ type: "text", text: "You said: Привет, 世界 🌍" }]);
    expect(message.usage.output_tokens).toBeGreaterThan(0);
  });

  test("calls two tools in parallel, streamed, and sends their results back", async () => {
    const messages: Anthropic.MessageParam[] = [{ role: "user", content: "Weather and time in parallel, please." }];
    const message = await anthropic.messages.stream({ model, max_tokens: 500, tools, messages }).finalMessage();
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
      model,
      max_tokens: 100,
      tools,
      messages: [...messages, { role: "assistant", content: message.content }, { role: "user", content: results }],
    });
    expect(next.content).toMatchObject([{ type: "text", text: "The tools said: result 0 | result 1" }]);
  });

  test("sends an image", async () => {
    const answer = await anthropic.messages.create({
      model,
      max_tokens: 100,
      messages: [
        {
          role: "user",
          content: [
            { type: "text", text: "See" },
            { type: "image", source: { type: "base64", media_type: "image/png", data: PIXEL } },
          ],
        },
      ],
    });
    expect(answer.content[0]).toMatchObject({ type: "text", text: expect.stringContaining("[image image/png, 70 bytes]") });
  });

  test("asks for thinking", async () => {
    const answer = await anthropic.messages
      .stream({
        model,
        max_tokens: 4000,
        thinking: { type: "enabled", budget_tokens: 1500 },
        messages: [{ role: "user", content: "Think" }],
      })
      .finalMessage();
    expect(answer.content.at(-1)).toMatchObject({ type: "text", text: "You said: Think" });
    if (model.includes("claude")) expect(answer.content[0]).toMatchObject({ type: "thinking", signature: expect.stringMatching(/.+/) });
  });

  test("throws the provider's overload as its own error", async () => {
    const failure = await anthropic.messages
      .create({ model: `${model}@status=429`, max_tokens: 10, messages: [{ role: "user", content: "Hello" }] })
      .catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(Anthropic.RateLimitError);
  });

  test("throws an error in the middle of a stream instead of ending it well", async () => {
    const stream = anthropic.messages.stream({
      model: `${model}@error_at=5`,
      max_tokens: 100,
      messages: [{ role: "user", content: "A text that is long enough for some chunks" }],
    });
    await expect(stream.finalMessage()).rejects.toThrow(/error|overload/i);
  });
});

describe("errors before anything is sent upstream", () => {
  test("a wrong key is an authentication error for both packages", async () => {
    const wrongOpenai = new OpenAI({ apiKey: "ply_live_forged", baseURL: `${stage.system.url}/v1`, maxRetries: 0 });
    const wrongAnthropic = new Anthropic({ apiKey: "ply_live_forged", baseURL: stage.system.url, maxRetries: 0 });
    await expect(
      wrongOpenai.chat.completions.create({ model: "openai/gpt-5-mini", messages: [{ role: "user", content: "x" }] }),
    ).rejects.toBeInstanceOf(OpenAI.AuthenticationError);
    await expect(
      wrongAnthropic.messages.create({ model: "openai/gpt-5-mini", max_tokens: 1, messages: [{ role: "user", content: "x" }] }),
    ).rejects.toBeInstanceOf(Anthropic.AuthenticationError);
  });

  test("an unknown model is a 404 that lists the ones there are", async () => {
    const failure = await openai.chat.completions
      .create({ model: "nowhere/nothing", messages: [{ role: "user", content: "x" }] })
      .catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(OpenAI.NotFoundError);
    expect(failure instanceof OpenAI.APIError && failure.error).toMatchObject({
      code: "model_not_found",
      details: { available: expect.arrayContaining(["openai/gpt-5-mini"]) },
    });
  });

  test("a model list and one model are readable by both packages", async () => {
    expect((await openai.models.list()).data.map((listed) => listed.id)).toContain("openai/gpt-5-mini");
    expect((await anthropic.models.list()).data.map((listed) => listed.id)).toContain("anthropic/claude-haiku-4-5");
  });
});

test("everything above was billed once: no hold is left, ledger and D1 agree, and the bill is the invoice where the provider reported usage", async () => {
  await account.atRest();
  const rows = await account.usage();
  const { lines } = (await (await fetch(`${stage.system.offlineUrl}/_invoice`)).json()) as {
    lines: { request_id: string; reported: boolean; input: number; cache_read: number; output: number; status: number }[];
  };
  const byId = new Map(lines.map((line) => [line.request_id, line]));
  let compared = 0;
  for (const row of rows) {
    const line = byId.get(row.request_id);
    if (line === undefined || !line.reported || row.usage_source !== "provider") continue;
    compared += 1;
    expect([row.request_id, row.input_tokens, row.cache_read_tokens ?? 0, row.output_tokens]).toEqual([
      row.request_id,
      line.input,
      line.cache_read,
      line.output,
    ]);
  }
  expect(compared).toBeGreaterThan(20);
  expect(new Set(rows.map((row) => row.request_id)).size).toBe(rows.length);
});
