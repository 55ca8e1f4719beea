/** The `@google/genai` package, unchanged but for the base URL, against each provider's wire format; and Gemini and Vertex behind other callers. */
import Anthropic from "@anthropic-ai/sdk";
import { ApiError, type Content, FunctionCallingConfigMode, GoogleGenAI, type GenerateContentResponse, ThinkingLevel } from "@google/genai";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Account, type Stage, startStage } from "./shared-system.ts";

let stage: Stage;
let account: Account;
let ai: GoogleGenAI;
let openai: OpenAI;
let anthropic: Anthropic;

beforeAll(async () => {
  stage = await startStage();
  account = await stage.account(1_000_000_000);
  ai = new GoogleGenAI({ apiKey: account.key, httpOptions: { baseUrl: stage.system.url } });
  openai = new OpenAI({ apiKey: account.key, baseURL: `${stage.system.url}/v1`, maxRetries: 0 });
  anthropic = new Anthropic({ apiKey: account.key, baseURL: stage.system.url, maxRetries: 0 });
});
afterAll(() => stage.close());

const PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const MODELS = ["openai/gpt-5-mini", "anthropic/claude-haiku-4-5", "gemini/gemini-2.5-flash", "vertex/gemini-3-pro-preview"];
const WEATHER = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const TIME = { type: "object", properties: { zone: { type: "string" } }, required: ["zone"] };
const tools = [
  {
    functionDeclarations: [
      { name: "get_weather", description: "Weather of a city", parametersJsonSchema: WEATHER },
      { name: "get_time", parametersJsonSchema: TIME },
    ],
  },
];

async function collect(stream: AsyncIterable<GenerateContentResponse>): Promise<GenerateContentResponse[]> {
  const chunks: GenerateContentResponse[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

function raw(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${stage.system.url}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-goog-api-key": account.key, ...headers },
    body: JSON.stringify(body),
  });
}

const hello = { contents: [{ role: "user", parts: [{ text: "Hello" }] }] };

describe.each(MODELS)("the @google/genai package on %s", (model) => {
  test("gets a whole answer, with its cost", async () => {
    const answer = await ai.models.generateContent({
      model,
      contents: "Hello",
      config: { systemInstruction: "Be brief.", temperature: 0.5 },
    });
    expect(answer.text).toBe("You said: Hello");
    expect(answer.candidates?.[0]?.finishReason).toBe("STOP");
    expect(answer.usageMetadata?.totalTokenCount).toBeGreaterThan(0);
    const response = await raw(`/v1beta/models/${model}:generateContent`, hello);
    const cost = Number(response.headers.get("x-plyrum-cost-micro-rub"));
    expect(cost).toBeGreaterThan(0);
    expect(await response.json()).toMatchObject({ usageMetadata: { cost_micro_rub: cost } });
  });

  test("streams text and usage", async () => {
    const chunks = await collect(await ai.models.generateContentStream({ model, contents: "Привет, 世界 🌍" }));
    expect(chunks.map((chunk) => chunk.text ?? "").join("")).toBe("You said: Привет, 世界 🌍");
    expect(chunks.length).toBeGreaterThan(1);
    expect(chunks.at(-1)?.candidates?.[0]?.finishReason).toBe("STOP");
    expect(chunks.at(-1)?.usageMetadata?.candidatesTokenCount).toBeGreaterThan(0);
  });

  test("calls two tools in parallel, streamed, and sends their results back", async () => {
    const contents: Content[] = [{ role: "user", parts: [{ text: "Weather and time in parallel, please." }] }];
    const chunks = await collect(await ai.models.generateContentStream({ model, contents, config: { tools } }));
    const parts = chunks.flatMap((chunk) => chunk.candidates?.[0]?.content?.parts ?? []);
    const calls = parts.flatMap((part) => part.functionCall ?? []);
    expect(calls.map((call) => [call.name, call.args])).toEqual([
      ["get_weather", { city: "Paris" }],
      ["get_time", { zone: "Paris" }],
    ]);
    const results = calls.map((call, index) => ({
      functionResponse: {
        ...(call.id === undefined ? {} : { id: call.id }),
        name: call.name ?? "",
        response: { output: `result ${index}` },
      },
    }));
    const next = await ai.models.generateContent({
      model,
      contents: [...contents, { role: "model", parts }, { role: "user", parts: results }],
      config: { tools },
    });
    const said = next.text ?? "";
    // A provider of this very wire gets the results as they are; the others get what is in them.
    expect(said.replaceAll(/\{"output":"([^"]*)"\}/g, "$1")).toBe("The tools said: result 0 | result 1");
  });

  test("is made to call the one tool it is given", async () => {
    const answer = await ai.models.generateContent({
      model,
      contents: "Anything",
      config: {
        tools,
        toolConfig: { functionCallingConfig: { mode: FunctionCallingConfigMode.ANY, allowedFunctionNames: ["get_time"] } },
      },
    });
    expect(answer.functionCalls?.map((call) => call.name)).toEqual(["get_time"]);
  });

  test("keeps a chat with tools going through the package's own history", async () => {
    const chat = ai.chats.create({ model, config: { tools, thinkingConfig: { includeThoughts: true } } });
    const first = await collect(await chat.sendMessageStream({ message: "Weather and time in parallel, please." }));
    const calls = first.flatMap((chunk) => chunk.functionCalls ?? []);
    expect(calls.length).toBe(2);
    const message = calls.map(({ id, name }, index) => ({
      functionResponse: { ...(id === undefined ? {} : { id }), name: name ?? "", response: { result: `result ${index}` } },
    }));
    expect((await chat.sendMessage({ message })).text).toBe("The tools said: result 0 | result 1");
  });

  test("sends an image", async () => {
    const contents = [{ role: "user", parts: [{ text: "See" }, { inlineData: { mimeType: "image/png", data: PIXEL } }] }];
    expect((await ai.models.generateContent({ model, contents })).text).toContain("[image image/png, 70 bytes]");
  });

  test("asks for thinking and is shown it apart from the text", async () => {
    const thinkingConfig = model.includes("gemini-3")
      ? { includeThoughts: true, thinkingLevel: ThinkingLevel.LOW }
      : { includeThoughts: true, thinkingBudget: 1500 };
    const answer = await ai.models.generateContent({ model, contents: "Think", config: { maxOutputTokens: 4000, thinkingConfig } });
    expect(answer.text).toBe("You said: Think");
    const parts = answer.candidates?.[0]?.content?.parts ?? [];
    expect(parts[0]).toMatchObject({ thought: true, text: expect.stringMatching(/.+/) });
    if (!model.startsWith("openai/")) expect(parts.some((part) => (part.thoughtSignature ?? "") !== "")).toBe(true);
  });

  test("asks for JSON of a schema", async () => {
    const answer = await ai.models.generateContent({
      model,
      contents: "Hello",
      config: { responseMimeType: "application/json", responseJsonSchema: { type: "object", properties: { answer: { type: "string" } } } },
    });
    expect(JSON.parse(answer.text ?? "")).toEqual({ answer: "You said: Hello" });
  });

  test("is told a length stop", async () => {
    const answer = await ai.models.generateContent({ model, contents: "A longer text than that", config: { maxOutputTokens: 2 } });
    expect(answer.candidates?.[0]?.finishReason).toBe("MAX_TOKENS");
  });

  test("throws the provider's rate limit as its own error", async () => {
    const failure = await ai.models
      .generateContent({
        model: `${model}@status=429,retry_after=7`,
        contents: "Hello",
        config: { httpOptions: { retryOptions: { attempts: 1 } } },
      })
      .catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ApiError);
    expect(failure instanceof ApiError && failure.status).toBe(429);
    expect(String(failure)).toContain('"retryDelay":"7s"');
  });

  test.each(["error_at=4", "end=4"])("throws when a stream fails on its way instead of taking it for whole: %s", async (fault) => {
    const contents = "A text that is long enough for some chunks";
    const reading = (async () => collect(await ai.models.generateContentStream({ model: `${model}@${fault}`, contents })))();
    // Of a bare error between events, which is how this wire's own provider says it, the package sees only that it is no event.
    await expect(reading).rejects.toThrow(/error|overload|UNAVAILABLE|ended before it was complete|Incomplete JSON/i);
  });

  test("stops when the caller leaves", async () => {
    const aborting = new AbortController();
    const stream = await ai.models.generateContentStream({
      model: `${model}@delay=50,tokens=200`,
      contents: "Hello",
      config: { abortSignal: aborting.signal },
    });
    const reading = (async () => {
      for await (const chunk of stream) if (chunk.text !== undefined) aborting.abort();
    })();
    await expect(reading).rejects.toThrow(/abort/i);
  });

  test("counts tokens for nothing", async () => {
    const { totalTokens } = await ai.models.countTokens({ model, contents: "How many tokens may this be?" });
    expect(totalTokens).toBeGreaterThan(3);
  });
});

describe.each(["gemini/gemini-2.5-flash", "vertex/gemini-3-pro-preview"])("callers of other wires on %s", (model) => {
  test("the openai package streams tools and sends their results back in any order", async () => {
    const functions = [
      { type: "function" as const, function: { name: "get_weather", parameters: WEATHER } },
      { type: "function" as const, function: { name: "get_time", parameters: TIME } },
    ];
    const messages: OpenAI.ChatCompletionMessageParam[] = [{ role: "user", content: "Weather and time in parallel, please." }];
    const [choice] = (await openai.chat.completions.stream({ model, messages, tools: functions }).finalChatCompletion()).choices;
    expect(choice?.finish_reason).toBe("tool_calls");
    const calls = choice?.message.tool_calls ?? [];
    expect(new Set(calls.map((call) => call.id)).size).toBe(2);
    const results = calls
      .map((call, index): OpenAI.ChatCompletionMessageParam => ({ role: "tool", tool_call_id: call.id, content: `result ${index}` }))
      .toReversed();
    const next = await openai.chat.completions.create({
      model,
      tools: functions,
      messages: [...messages, { role: "assistant", content: null, tool_calls: calls }, ...results],
    });
    expect(next.choices[0]?.message.content).toBe("The tools said: result 0 | result 1");
    expect(next.usage?.completion_tokens).toBeGreaterThan(0);
  });

  test("the @anthropic-ai/sdk package gets thinking with a signature and sends it back with the calls", async () => {
    const functions: Anthropic.Tool[] = [{ name: "get_weather", input_schema: { ...WEATHER, type: "object" } }];
    const messages: Anthropic.MessageParam[] = [{ role: "user", content: "Weather, please." }];
    const thinking = { type: "enabled" as const, budget_tokens: 1500 };
    const message = await anthropic.messages.stream({ model, max_tokens: 4000, thinking, tools: functions, messages }).finalMessage();
    expect(message.stop_reason).toBe("tool_use");
    expect(message.content[0]).toMatchObject({ type: "thinking", signature: expect.stringMatching(/^ply1\.gemini\./) });
    const call = message.content.find((block) => block.type === "tool_use");
    const next = await anthropic.messages.create({
      model,
      max_tokens: 4000,
      thinking,
      tools: functions,
      messages: [
        ...messages,
        { role: "assistant", content: message.content },
        { role: "user", content: [{ type: "tool_result", tool_use_id: call?.id ?? "", content: "sunny" }] },
      ],
    });
    expect(next.content.at(-1)).toMatchObject({ type: "text", text: "The tools said: sunny" });
  });
});

describe("the addresses of this wire", () => {
  test("a stream not asked for as events is a JSON list of answers", async () => {
    const response = await raw("/v1beta/models/openai/gpt-5-mini:streamGenerateContent", hello);
    expect(response.headers.get("content-type")).toMatch(/application\/json/);
    expect(await response.json()).toMatchObject([
      { candidates: [{ content: { parts: [{ text: "You said: Hello" }] }, finishReason: "STOP" }] },
    ]);
  });

  test("a caller may spell its fields with underscores and send the key in the address", async () => {
    const body = {
      system_instruction: { parts: { text: "Be brief." } },
      contents: { parts: { text: "Hello" } },
      generation_config: { max_output_tokens: 2, response_mime_type: "text/plain" },
    };
    for (const model of ["anthropic%2Fclaude-haiku-4-5", "gemini/gemini-2.5-flash"]) {
      const response = await fetch(`${stage.system.url}/v1beta/models/${model}:generateContent?key=${account.key}`, {
        method: "POST",
        body: JSON.stringify(body),
      });
      expect(await response.json()).toMatchObject({ candidates: [{ finishReason: "MAX_TOKENS" }] });
    }
  });

  test("errors come in this wire's own shape, with the contract's code, param and what there is", async () => {
    const unknown = await raw("/v1beta/models/nowhere/nothing:generateContent", hello);
    expect(unknown.status).toBe(404);
    expect(await unknown.json()).toMatchObject({
      error: {
        code: 404,
        status: "NOT_FOUND",
        details: [{ reason: "model_not_found", available: expect.arrayContaining(["openai/gpt-5-mini"]) }],
      },
      request_id: expect.stringMatching(/.+/),
    });
    const wrong = await raw("/v1beta/models/openai/gpt-5-mini:generateContent", { contents: [{ role: "wizard", parts: [] }] });
    expect(await wrong.json()).toMatchObject({ error: { code: 400, status: "INVALID_ARGUMENT", param: "contents.0.role" } });
    const action = await raw("/v1beta/models/openai/gpt-5-mini:divine", hello);
    expect(await action.json()).toMatchObject({ error: { code: 404, details: [{ reason: "not_found" }] } });
    const nobody = await raw("/v1beta/models/openai/gpt-5-mini:generateContent", hello, { "x-goog-api-key": "ply_live_forged" });
    expect([nobody.status, await nobody.json()]).toMatchObject([401, { error: { status: "UNAUTHENTICATED" } }]);
  });

  test("what would be lost is refused by its name, or given up when the caller says so", async () => {
    const body = { ...hello, tools: [{ googleSearch: {} }] };
    const refused = await raw("/v1beta/models/openai/gpt-5-mini:generateContent", body);
    expect(await refused.json()).toMatchObject({ error: { code: 400, param: "tools.0", details: [{ reason: "unsupported_parameter" }] } });
    const lossy = await raw("/v1beta/models/openai/gpt-5-mini:generateContent", body, { "x-plyrum-compat": "lossy" });
    expect([lossy.status, lossy.headers.get("x-plyrum-dropped")]).toEqual([200, "tools.0"]);
  });
});

test("everything above was billed once, and the bill is the invoice where the provider reported usage", async () => {
  await account.atRest();
  const rows = await account.usage();
  const { lines } = (await (await fetch(`${stage.system.offlineUrl}/_invoice`)).json()) as {
    lines: { request_id: string; reported: boolean; input: number; cache_read: number; output: number }[];
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
