/** The official `ollama` package, unchanged but for host and headers, against three wire formats: two others and its own. */
import Anthropic from "@anthropic-ai/sdk";
import { type ChatResponse, type Message, Ollama, type Tool } from "ollama";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { type Account, type Stage, startStage } from "./shared-system.ts";

let stage: Stage;
let account: Account;
let ollama: Ollama;

beforeAll(async () => {
  stage = await startStage();
  account = await stage.account(1_000_000_000);
  ollama = clientOf(account.key);
});
afterAll(() => stage.close());

function clientOf(key: string): Ollama {
  return new Ollama({ host: stage.system.url, headers: { Authorization: `Bearer ${key}` } });
}

const PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const TOOLS: Tool[] = [
  { type: "function", function: { name: "get_weather", parameters: { type: "object", properties: { city: { type: "string" } } } } },
  { type: "function", function: { name: "get_time", parameters: { type: "object", properties: { zone: { type: "string" } } } } },
];
const MODELS = ["openai/gpt-5-mini", "anthropic/claude-haiku-4-5", "ollama/tern:8b"];
const costSchema = z.looseObject({ cost_micro_rub: z.number() });

function says(content: string): Message[] {
  return [{ role: "user", content }];
}

/** The parts of a stream, joined. */
async function collect(
  stream: AsyncIterable<ChatResponse>,
): Promise<{ text: string; thinking: string; calls: Message["tool_calls"]; last: ChatResponse }> {
  let text = "";
  let thinking = "";
  let last: ChatResponse | null = null;
  const calls: NonNullable<Message["tool_calls"]> = [];
  for await (const part of stream) {
    text += part.message.content;
    thinking += part.message.thinking ?? "";
    calls.push(...(part.message.tool_calls ?? []));
    last = part;
  }
  if (last === null) throw new Error("the stream has no line");
  return { text, thinking, calls, last };
}

describe.each(MODELS)("the ollama package on %s", (model) => {
  const isFree = model.startsWith("ollama");

  test("gets a whole answer, with its counts and its cost", async () => {
    const answer = await ollama.chat({ model, messages: [{ role: "system", content: "Be brief." }, ...says("Hello")] });
    expect(answer).toMatchObject({ message: { role: "assistant", content: "You said: Hello" }, done: true, done_reason: "stop" });
    expect(answer.prompt_eval_count).toBeGreaterThan(0);
    expect(answer.eval_count).toBeGreaterThan(0);
    const { cost_micro_rub: cost } = costSchema.parse(answer);
    expect(isFree ? cost === 0 : cost > 0).toBe(true);
  });

  test("streams text, and the last line has the counts and the cost", async () => {
    const { text, last } = await collect(await ollama.chat({ model, stream: true, messages: says("Привет, 世界 🌍") }));
    expect(text).toBe("You said: Привет, 世界 🌍");
    expect(last).toMatchObject({ done: true, done_reason: "stop" });
    expect(last.eval_count).toBeGreaterThan(0);
    expect(costSchema.safeParse(last).success).toBe(true);
  });

  test("completes a prompt, whole and streamed", async () => {
    const whole = await ollama.generate({ model, prompt: "Hello", system: "Be brief." });
    expect(whole).toMatchObject({ response: "You said: Hello", done: true, done_reason: "stop" });
    let text = "";
    for await (const part of await ollama.generate({ model, prompt: "A verse", stream: true })) text += part.response;
    expect(text).toBe("You said: A verse");
  });

  test("calls two tools in parallel, streamed, and sends their results back by name", async () => {
    const messages = says("Weather and time in parallel, please.");
    const { calls, last } = await collect(await ollama.chat({ model, stream: true, messages, tools: TOOLS }));
    expect(last.done_reason).toBe("stop");
    expect(calls?.map((call) => [call.function.name, call.function.arguments])).toEqual([
      ["get_weather", { city: "Paris" }],
      ["get_time", { zone: "Paris" }],
    ]);
    const results = (calls ?? []).map((call, index) => ({ role: "tool", content: `result ${index}`, tool_name: call.function.name }));
    const history = [...messages, { role: "assistant", content: "", tool_calls: calls ?? [] }, ...results];
    const next = await ollama.chat({ model, tools: TOOLS, messages: history });
    expect(next.message.content).toBe("The tools said: result 0 | result 1");
  });

  test("sends results of calls that have no ids, as older versions of the package do", async () => {
    const tool_calls = TOOLS.map((tool) => ({ function: { name: tool.function.name ?? "", arguments: {} } }));
    const results = ["sunny", "noon"].map((content) => ({ role: "tool", content }));
    const answer = await ollama.chat({
      model,
      tools: TOOLS,
      messages: [...says("Both"), { role: "assistant", content: "", tool_calls }, ...results],
    });
    expect(answer.message.content).toBe("The tools said: sunny | noon");
  });

  test("sends an image", async () => {
    const chat = await ollama.chat({ model, messages: [{ role: "user", content: "See", images: [PIXEL] }] });
    expect(chat.message.content).toContain("[image image/png, 70 bytes]");
    const generated = await ollama.generate({ model, prompt: "See", images: [Buffer.from(PIXEL, "base64")] });
    expect(generated.response).toContain("[image image/png, 70 bytes]");
  });

  test("is shown the thinking it asked for", async () => {
    const { text, thinking } = await collect(
      await ollama.chat({ model, stream: true, think: "low", messages: says("Think"), options: { num_predict: 4000 } }),
    );
    expect(text).toBe("You said: Think");
    expect(thinking).not.toBe("");
    const whole = await ollama.chat({ model, think: "low", messages: says("Think"), options: { num_predict: 4000 } });
    expect(whole.message.thinking).toBe(thinking);
  });

  test("gets output of a schema", async () => {
    const format = { type: "object", properties: { answer: { type: "string" } }, required: ["answer"], additionalProperties: false };
    const answer = await ollama.chat({ model, format, messages: says("Hello") });
    expect(JSON.parse(answer.message.content)).toEqual({ answer: "You said: Hello" });
  });

  test("is told a length stop and obeys a stop sequence", async () => {
    const cut = await ollama.chat({ model, messages: says("A longer text than that"), options: { num_predict: 2 } });
    expect(cut.done_reason).toBe("length");
    const stopped = await ollama.chat({ model, messages: says("one STOP two"), options: { stop: ["STOP"] } });
    expect(stopped).toMatchObject({ message: { content: "You said: one " }, done_reason: "stop" });
  });

  test("throws the provider's rate limit with its status and words", async () => {
    await expect(ollama.chat({ model: `${model}@status=429`, messages: says("Hello") })).rejects.toMatchObject({
      name: "ResponseError",
      status_code: 429,
      message: expect.stringMatching(/rate limit/i),
    });
  });

  test("throws an error in the middle of a stream instead of ending it well", async () => {
    const stream = await ollama.chat({
      model: `${model}@error_at=4`,
      stream: true,
      messages: says("A text that is long enough for some chunks"),
    });
    await expect(collect(stream)).rejects.toThrow(/error|overload|failed/i);
  });

  test("throws when a stream ends too early, and is shown no last line", async () => {
    const stream = await ollama.chat({
      model: `${model}@end=4`,
      stream: true,
      messages: says("A text that is long enough for some chunks"),
    });
    const lines: ChatResponse[] = [];
    const reading = (async () => {
      for await (const part of stream) lines.push(part);
    })();
    await expect(reading).rejects.toThrow("The provider's answer ended before it was complete.");
    expect(lines.length).toBeGreaterThan(0);
    expect(lines.every((line) => !line.done)).toBe(true);
  });

  test("leaves a stream in the middle, and no hold stays open", async () => {
    const stream = await ollama.chat({ model: `${model}@tokens=400,delay=20`, stream: true, messages: says("Go on") });
    await expect(
      (async () => {
        for await (const part of stream) if (part.message.content !== "") stream.abort();
      })(),
    ).rejects.toThrow(/abort/i);
    await account.atRest();
  });
});

describe("the other packages on a server of this format", () => {
  const model = "ollama/tern:8b";

  test("the openai package streams text with usage, and two tools whose results go back", async () => {
    const openai = new OpenAI({ apiKey: account.key, baseURL: `${stage.system.url}/v1`, maxRetries: 0 });
    const messages: OpenAI.ChatCompletionMessageParam[] = [{ role: "user", content: "Both in parallel" }];
    const tools = TOOLS.map((tool) => ({
      type: "function" as const,
      function: { name: tool.function.name ?? "", parameters: { ...tool.function.parameters } },
    }));
    const runner = openai.chat.completions.stream({ model, messages, tools, stream_options: { include_usage: true } });
    const completion = await runner.finalChatCompletion();
    expect(completion.usage).toMatchObject({ cost_micro_rub: 0 });
    const calls = completion.choices[0]?.message.tool_calls ?? [];
    expect(calls.map((call) => call.type === "function" && call.function.arguments)).toEqual(['{"city":"Paris"}', '{"zone":"Paris"}']);
    const results = calls.map((call, index): OpenAI.ChatCompletionMessageParam => ({
      role: "tool",
      tool_call_id: call.id,
      content: `result ${index}`,
    }));
    const next = await openai.chat.completions.create({
      model,
      tools,
      messages: [...messages, { role: "assistant", tool_calls: calls }, ...results],
    });
    expect(next.choices[0]?.message.content).toBe("The tools said: result 0 | result 1");
  });

  test("the @anthropic-ai/sdk package streams thinking and text", async () => {
    const anthropic = new Anthropic({ apiKey: account.key, baseURL: stage.system.url, maxRetries: 0 });
    const thinking = { type: "enabled" as const, budget_tokens: 1500 };
    const message = await anthropic.messages
      .stream({ model, max_tokens: 4000, thinking, messages: [{ role: "user", content: "Think" }] })
      .finalMessage();
    expect(message.content).toMatchObject([{ type: "thinking" }, { type: "text", text: "You said: Think" }]);
    expect(message.usage.output_tokens).toBeGreaterThan(10);
  });
});

describe("names of models", () => {
  test("a bare name and its default tag mean the listed model", async () => {
    const names = (await ollama.list()).models.map((listed) => listed.name);
    const bareOf = (name: string): string => name.slice(name.indexOf("/") + 1);
    const only = names.map(bareOf).find((bare) => names.filter((name) => bareOf(name) === bare).length === 1 && !bare.includes("embed"));
    if (only === undefined) expect.fail("every model is listed twice");
    for (const model of [only, `${only}:latest`]) {
      expect((await ollama.chat({ model, messages: says("Hello") })).model).toBe(only);
    }
    expect((await ollama.chat({ model: "openai/gpt-5-mini:latest", messages: says("Hello") })).model).toBe("gpt-5-mini");
  });

  test("a bare name that nobody lists goes to the server that speaks the caller's own format, tag and all", async () => {
    const answer = await ollama.chat({ model: "tern:latest", messages: says("Hello") });
    expect([answer.model, costSchema.parse(answer).cost_micro_rub]).toEqual(["tern:latest", 0]);
  });

  test("an unknown provider's model is a 404 that says so", async () => {
    await expect(ollama.chat({ model: "nowhere/nothing", messages: says("x") })).rejects.toMatchObject({
      status_code: 404,
      message: expect.stringContaining("nowhere/nothing"),
    });
  });

  test("models are listed and shown, and the version is told without a key", async () => {
    const { models } = await ollama.list();
    expect(models.map((listed) => listed.name)).toContain("openai/gpt-5-mini");
    expect(models.every((listed) => listed.digest.length >= 12)).toBe(true);
    const shown = await ollama.show({ model: "openai/gpt-5-mini:latest" });
    expect(shown.capabilities).toContain("completion");
    expect(shown.model_info).toMatchObject({ "openai.context_length": 400_000 });
    expect((await clientOf("").version()).version).toMatch(/^\d+\.\d+\.\d+$/);
  });
});

describe("what is refused before anything is sent upstream", () => {
  test("a wrong key, for inference and for the list", async () => {
    const stranger = clientOf("ply_live_forged");
    const refusal = { name: "ResponseError", status_code: 401, message: "The API key is not valid." };
    await expect(stranger.chat({ model: "openai/gpt-5-mini", messages: says("x") })).rejects.toMatchObject(refusal);
    await expect(stranger.list()).rejects.toMatchObject(refusal);
  });

  test("what another format cannot carry, unless the caller accepts the loss", async () => {
    const request = { model: "anthropic/claude-haiku-4-5", prompt: "Hello", raw: true };
    await expect(ollama.generate(request)).rejects.toMatchObject({ status_code: 400, message: expect.stringContaining('"raw"') });
    const lossy = new Ollama({ host: stage.system.url, headers: { Authorization: `Bearer ${account.key}`, "x-plyrum-compat": "lossy" } });
    expect((await lossy.generate(request)).response).toBe("You said: Hello");
  });

  test("a call that only loads a model goes to Ollama alone", async () => {
    await expect(ollama.chat({ model: "openai/gpt-5-mini", messages: [] })).rejects.toMatchObject({ status_code: 400 });
    expect(await ollama.chat({ model: "ollama/tern:8b", messages: [] })).toMatchObject({ done: true });
  });

  test("options without a place are named in a header", async () => {
    const response = await fetch(`${stage.system.url}/api/chat`, {
      method: "POST",
      headers: { authorization: `Bearer ${account.key}` },
      body: JSON.stringify({
        model: "anthropic/claude-haiku-4-5",
        messages: says("Hello"),
        options: { num_ctx: 8192, seed: 7 },
        keep_alive: "5m",
      }),
    });
    expect(response.headers.get("content-type")).toBe("application/x-ndjson");
    expect(response.headers.get("x-plyrum-dropped")?.split(",").toSorted()).toEqual(["keep_alive", "options.num_ctx", "options.seed"]);
    expect((await response.text()).trim().split("\n").at(-1)).toContain('"done":true');
  });
});

test("every call above was settled, once", async () => {
  await account.atRest();
  const rows = await account.usage();
  expect(new Set(rows.map((row) => row.request_id)).size).toBe(rows.length);
  expect(rows.filter((row) => row.state === "settled" && row.usage_source === "provider").length).toBeGreaterThan(30);
});
