/** Vercel's AI SDK, unchanged but for the base URL, with three of its providers: each through the gateway onto each upstream format. */
import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogleGenerativeAI } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import { APICallError, embed, generateText, type LanguageModel, Output, stepCountIs, streamText, tool } from "ai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { type Account, type Stage, startStage } from "./shared-system.ts";

let stage: Stage;
let account: Account;

beforeAll(async () => {
  stage = await startStage();
  account = await stage.account(1_000_000_000);
});
afterAll(() => stage.close());

const PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/** The SDK's ways to call, by name: which of its providers, and which of their interfaces. */
const CLIENTS: Readonly<Record<string, (model: string) => LanguageModel>> = {
  "openai responses": (model) => createOpenAI({ apiKey: account.key, baseURL: `${stage.system.url}/v1` }).responses(model),
  "openai chat": (model) => createOpenAI({ apiKey: account.key, baseURL: `${stage.system.url}/v1` }).chat(model),
  anthropic: (model) => createAnthropic({ apiKey: account.key, baseURL: `${stage.system.url}/v1` })(model),
  google: (model) => createGoogleGenerativeAI({ apiKey: account.key, baseURL: `${stage.system.url}/v1beta` })(model),
};
const MODELS = ["openai/gpt-5-mini", "anthropic/claude-haiku-4-5", "gemini/gemini-2.5-flash", "bedrock/amazon.nova-lite-v1:0"];
const PAIRS = Object.keys(CLIENTS).flatMap((client) => MODELS.map((model) => ({ client, model })));

function modelOf(client: string, model: string): LanguageModel {
  const make = CLIENTS[client];
  if (make === undefined) throw new Error(`no client ${client}`);
  return make(model);
}

const tools = {
  get_weather: tool({
    description: "The weather of a city",
    inputSchema: z.object({ city: z.string() }),
    execute: async ({ city }) => `sunny in ${city}`,
  }),
  get_time: tool({
    description: "The time of a zone",
    inputSchema: z.object({ zone: z.string() }),
    execute: async ({ zone }) => `noon in ${zone}`,
  }),
};

describe.each(PAIRS)("the ai package as $client on $model", ({ client, model }) => {
  test("gets a whole answer with usage", async () => {
    const answer = await generateText({ model: modelOf(client, model), maxRetries: 0, instructions: "Be brief.", prompt: "Hello" });
    expect(answer.text).toBe("You said: Hello");
    expect(answer.finishReason).toBe("stop");
    expect(answer.usage.inputTokens).toBeGreaterThan(0);
    expect(answer.usage.outputTokens).toBeGreaterThan(0);
  });

  test("streams text", async () => {
    const answer = streamText({ model: modelOf(client, model), maxRetries: 0, prompt: "Привет, 世界 🌍" });
    let text = "";
    for await (const delta of answer.textStream) text += delta;
    expect(text).toBe("You said: Привет, 世界 🌍");
    expect((await answer.usage).outputTokens).toBeGreaterThan(0);
  });

  test("runs two tools in parallel and goes on with their results", async () => {
    const answer = streamText({
      model: modelOf(client, model),
      maxRetries: 0,
      tools,
      stopWhen: stepCountIs(2),
      prompt: "Weather and time in parallel, please.",
    });
    await answer.consumeStream();
    const [first] = await answer.steps;
    expect(first?.toolCalls.map((call) => [call.toolName, call.input])).toEqual([
      ["get_weather", { city: "Paris" }],
      ["get_time", { zone: "Paris" }],
    ]);
    expect(await answer.text).toMatch(/^The tools said: .*sunny in Paris.* \| .*noon in Paris/);
  });

  test("sends an image", async () => {
    const answer = await generateText({
      model: modelOf(client, model),
      maxRetries: 0,
      messages: [
        {
          role: "user",
          content: [
            { type: "text", text: "See" },
            { type: "file", data: Buffer.from(PIXEL, "base64"), mediaType: "image/png" },
          ],
        },
      ],
    });
    expect(answer.text).toContain("image/png");
  });

  test("gets an upstream's refusal as an error with its status", async () => {
    const failing = generateText({ model: modelOf(client, `${model}@status=429,retry_after=1`), maxRetries: 0, prompt: "Hello" });
    const error = await failing.then(
      () => null,
      (reason: unknown) => reason,
    );
    expect(APICallError.isInstance(error) ? error.statusCode : error).toBe(429);
  });
});

describe.each(["openai responses", "openai chat", "anthropic", "google"])("the ai package as %s", (client) => {
  test.each(["openai/gpt-5-mini", "gemini/gemini-2.5-flash"])("gets an object of a schema from %s", async (model) => {
    const answer = await generateText({
      model: modelOf(client, model),
      maxRetries: 0,
      output: Output.object({ schema: z.object({ answer: z.string() }) }),
      prompt: "Hello",
    });
    // Some clients ask for it as a format, others as a tool that must be called; what it says is the upstream's.
    expect(answer.output.answer).not.toBe("");
  });

  test("stops a stream, which is then settled as cancelled", async () => {
    const own = await stage.account(1_000_000_000);
    const before = account;
    account = own;
    const controller = new AbortController();
    const answer = streamText({
      model: modelOf(client, "openai/gpt-5-mini@chunks=100,delay=20"),
      maxRetries: 0,
      abortSignal: controller.signal,
      prompt: "Tell me a long story",
    });
    account = before;
    let seen = 0;
    for await (const part of answer.stream) {
      if (part.type === "text-delta") seen += 1;
      if (seen === 3) controller.abort();
    }
    await own.atRest();
    expect((await own.usage()).map((row) => row.state)).toEqual(["cancelled"]);
  });
});

test("the ai package embeds", async () => {
  const provider = createOpenAI({ apiKey: account.key, baseURL: `${stage.system.url}/v1` });
  const { embedding, usage } = await embed({ model: provider.textEmbeddingModel("openai/text-embedding-3-small"), value: "Hello" });
  expect(embedding.length).toBeGreaterThan(0);
  expect(usage.tokens).toBeGreaterThan(0);
});
