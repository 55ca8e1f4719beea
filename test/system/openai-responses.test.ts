/**
 * The official `openai` package on `/v1/responses`, unchanged but for the base URL: against a provider that speaks the format itself,
 * one that speaks Messages, and one that speaks Chat Completions only.
 */
import OpenAI from "openai";
import { zodTextFormat } from "openai/helpers/zod";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { type Account, type Stage, startStage } from "./shared-system.ts";

let stage: Stage;
let account: Account;
let client: OpenAI;

beforeAll(async () => {
  stage = await startStage();
  account = await stage.account(1_000_000_000);
  client = new OpenAI({ apiKey: account.key, baseURL: `${stage.system.url}/v1`, maxRetries: 0 });
});
afterAll(() => stage.close());

type Input = OpenAI.Responses.ResponseInput;

const PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const NATIVE = "openai/gpt-5-mini";
const MODELS = [NATIVE, "anthropic/claude-haiku-4-5", "groq/openai/gpt-oss-20b"];

function tool(name: string, field: string): OpenAI.Responses.FunctionTool {
  const parameters = { type: "object", properties: { [field]: { type: "string" } }, required: [field], additionalProperties: false };
  return { type: "function", name, parameters, strict: true };
}

const tools = [tool("get_weather", "city"), tool("get_time", "zone")];

describe.each(MODELS)("the openai package's responses on %s", (model) => {
  test("gets a whole answer, with its cost", async () => {
    const { data, response } = await client.responses.create({ model, instructions: "Be brief.", input: "Hello" }).withResponse();
    expect(data.output_text).toBe("You said: Hello");
    expect(data.status).toBe("completed");
    const cost = Number(response.headers.get("x-plyrum-cost-micro-rub"));
    expect(cost).toBeGreaterThan(0);
    expect(data.usage).toMatchObject({ cost_micro_rub: cost });
  });

  test("streams text event by event, the whole answer and its cost last", async () => {
    const runner = client.responses.stream({ model, input: "Привет, 世界 🌍" });
    let text = "";
    const numbers: number[] = [];
    for await (const event of runner) {
      numbers.push(event.sequence_number);
      if (event.type === "response.output_text.delta") text += event.delta;
    }
    const final = await runner.finalResponse();
    expect(text).toBe("You said: Привет, 世界 🌍");
    expect(final.output_text).toBe(text);
    expect(final.usage?.output_tokens).toBeGreaterThan(0);
    expect(final.usage).toMatchObject({ cost_micro_rub: expect.any(Number) });
    expect(numbers).toEqual(numbers.map((_, index) => index));
  });

  test("calls two tools in parallel, streamed, and sends their results back beside the items it was given", async () => {
    const input: Input = [{ role: "user", content: "Weather and time in parallel, please." }];
    const first = await client.responses.stream({ model, input, tools }).finalResponse();
    const calls = first.output.filter((item) => item.type === "function_call");
    expect(calls.map((call) => [call.name, JSON.parse(call.arguments)])).toEqual([
      ["get_weather", { city: "Paris" }],
      ["get_time", { zone: "Paris" }],
    ]);
    const results = calls.map((call, index) => ({
      type: "function_call_output" as const,
      call_id: call.call_id,
      output: `result ${index}`,
    }));
    const echoed = first.output.map((item) => item as OpenAI.Responses.ResponseInputItem);
    const next = await client.responses.create({ model, tools, input: [...input, ...echoed, ...results] });
    expect(next.output_text).toBe("The tools said: result 0 | result 1");
  });

  test("sends an image", async () => {
    const content: OpenAI.Responses.ResponseInputMessageContentList = [
      { type: "input_text", text: "See" },
      { type: "input_image", image_url: `data:image/png;base64,${PIXEL}`, detail: "auto" },
    ];
    const answer = await client.responses.create({ model, input: [{ role: "user", content }] });
    expect(answer.output_text).toContain("[image image/png, 70 bytes]");
  });

  test("asks for reasoning, and sends it back with its state", async () => {
    const asked = {
      model,
      max_output_tokens: 4000,
      reasoning: { effort: "medium" as const, summary: "auto" as const },
      include: ["reasoning.encrypted_content" as const],
      store: false,
    };
    const input: Input = [{ role: "user", content: "Think" }];
    const first = await client.responses.stream({ ...asked, input }).finalResponse();
    expect(first.output_text).toBe("You said: Think");
    expect(first.output[0]?.type).toBe("reasoning");
    const echoed = first.output.map((item) => item as OpenAI.Responses.ResponseInputItem);
    const next = await client.responses.create({ ...asked, input: [...input, ...echoed, { role: "user", content: "Go on" }] });
    expect(next.output_text).toBe("You said: Go on");
  });

  test("is told a length stop", async () => {
    const answer = await client.responses.create({ model, max_output_tokens: 2, input: "A longer text than that" });
    expect(answer).toMatchObject({ status: "incomplete", incomplete_details: { reason: "max_output_tokens" } });
  });

  test("throws the provider's rate limit as its own error, with the time to wait", async () => {
    const failure = await client.responses
      .create({ model: `${model}@status=429,retry_after=7`, input: "Hello" })
      .catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(OpenAI.RateLimitError);
    expect(failure instanceof OpenAI.APIError && failure.headers?.get("retry-after")).toBe("7");
  });

  test("throws an error in the middle of a stream instead of ending it well", async () => {
    const runner = client.responses.stream({ model: `${model}@error_at=5`, input: "A text that is long enough for some chunks" });
    await expect(runner.finalResponse()).rejects.toThrow(/error|overload|fail/i);
  });

  test("leaves a stream it has had enough of, and is billed for it once", async () => {
    const stream = await client.responses.create({ model: `${model}@tokens=400,delay=20`, stream: true, input: "Go" });
    let last = "";
    for await (const event of stream) {
      last = event.type;
      if (last === "response.output_text.delta") break;
    }
    expect(last).toBe("response.output_text.delta");
    // Comes to rest only when the hold is settled or released.
    await account.atRest();
  });
});

describe("structured output", () => {
  test.each(MODELS)("is parsed on %s", async (model) => {
    const format = zodTextFormat(z.object({ answer: z.string() }), "said");
    const answer = await client.responses.parse({ model, input: "Hello", text: { format } });
    expect(answer.output_parsed).toEqual({ answer: "You said: Hello" });
  });
});

describe("a conversation that moves between providers", () => {
  test("takes each provider's own reasoning back to it, and nobody else's", async () => {
    const asked = { max_output_tokens: 4000, reasoning: { effort: "medium" as const }, include: ["reasoning.encrypted_content" as const] };
    let input: Input = [{ role: "user", content: "Think" }];
    for (const model of [...MODELS, ...MODELS.toReversed()]) {
      const answer = await client.responses.create({ ...asked, model, input });
      expect(answer.output_text).toMatch(/^You said/);
      input = [
        ...input,
        ...answer.output.map((item) => item as OpenAI.Responses.ResponseInputItem),
        { role: "user", content: `and then ${model}` },
      ];
    }
  });
});

describe("what only a provider of this format can do", () => {
  test("passes to one, and is a 400 that names it at any other", async () => {
    const field = { prompt: { id: "pmpt_1" } };
    const native = await client.responses.create({ model: NATIVE, input: "Hello", ...field });
    expect(native.output_text).toBe("You said: Hello");
    const failure = await client.responses
      .create({ model: "anthropic/claude-haiku-4-5", input: "Hello", ...field })
      .catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(OpenAI.BadRequestError);
    expect(failure instanceof OpenAI.APIError && [failure.code, failure.param]).toEqual(["unsupported_parameter", "prompt"]);
  });

  test("a wrong input is an error that names its place", async () => {
    const input = [{ role: "wizard", content: "x" }] as unknown as Input;
    const failure = await client.responses.create({ model: NATIVE, input }).catch((error: unknown) => error);
    expect(failure instanceof OpenAI.APIError && [failure.status, failure.code, failure.param]).toEqual([
      400,
      "invalid_request",
      "input.0.role",
    ]);
  });
});

test("everything above was billed once: no hold is left, and the bill is the invoice where the provider reported usage", async () => {
  await account.atRest();
  const rows = await account.usage();
  const schema = z.object({
    lines: z.array(z.looseObject({ request_id: z.string().nullable(), reported: z.boolean(), input: z.number(), output: z.number() })),
  });
  const { lines } = schema.parse(await (await fetch(`${stage.system.offlineUrl}/_invoice`)).json());
  const byId = new Map(lines.map((line) => [line.request_id, line]));
  let compared = 0;
  for (const row of rows) {
    const line = byId.get(row.request_id);
    if (line?.reported !== true || row.usage_source !== "provider") continue;
    compared += 1;
    expect([row.request_id, row.input_tokens, row.output_tokens]).toEqual([row.request_id, line.input, line.output]);
  }
  expect(compared).toBeGreaterThan(20);
  expect(new Set(rows.map((row) => row.request_id)).size).toBe(rows.length);
});
