/** Amazon's own SDK, unchanged but for its endpoint and its token: as a client of the gateway, on its own wire format behind it and on others. */
import { Readable } from "node:stream";
import Anthropic from "@anthropic-ai/sdk";
import {
  AccessDeniedException,
  BedrockRuntimeClient,
  ConverseCommand,
  type ContentBlock,
  type ConverseStreamCommandOutput,
  ConverseStreamCommand,
  type Message,
  ResourceNotFoundException,
  ThrottlingException,
  type ToolConfiguration,
  ValidationException,
} from "@aws-sdk/client-bedrock-runtime";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { frameOf } from "../../scripts/offline/event-frames.ts";
import { type Account, type Stage, startStage } from "./shared-system.ts";

let stage: Stage;
let account: Account;
let client: BedrockRuntimeClient;

/**
 * The package speaks HTTP/2, which no server offers without TLS; here its requests go over HTTP/1.1, as with its own `NodeHttpHandler`, which
 * is no dependency of this repository.
 */
const overHttp1 = {
  async handle(request: PackageRequest, options: { abortSignal?: unknown } = {}) {
    const { protocol, hostname, port, path, method, headers, body } = request;
    const signal = options.abortSignal instanceof AbortSignal ? { signal: options.abortSignal } : {};
    const init = { method, headers, body: typeof body === "string" ? body : Buffer.from(body ?? []), ...signal };
    const response = await fetch(`${protocol}//${hostname}:${port}${path}`, init);
    const stream = response.body === null ? Readable.from([]) : Readable.fromWeb(response.body);
    return { response: { statusCode: response.status, headers: Object.fromEntries(response.headers), body: stream } };
  },
  updateHttpClientConfig() {},
  httpHandlerConfigs: () => ({}),
};

interface PackageRequest {
  protocol: string;
  hostname: string;
  port?: number;
  path: string;
  method: string;
  headers: Record<string, string>;
  body?: string | Uint8Array;
}

/** A client that shows its key as a bearer token, as with `AWS_BEARER_TOKEN_BEDROCK`. */
function withToken(token: string): BedrockRuntimeClient {
  return new BedrockRuntimeClient({
    endpoint: stage.system.url,
    region: "us-east-1",
    requestHandler: overHttp1,
    token: { token },
    authSchemePreference: ["httpBearerAuth"],
    maxAttempts: 1,
  });
}

beforeAll(async () => {
  stage = await startStage();
  account = await stage.account(1_000_000_000);
  client = withToken(account.key);
});
afterAll(() => stage.close());

const PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const CLAUDE = "bedrock/anthropic.claude-haiku-4-5-20251001-v1:0";
const NOVA = "bedrock/amazon.nova-lite-v1:0";
const MODELS = [CLAUDE, NOVA, "openai/gpt-5-mini", "anthropic/claude-haiku-4-5"];

const toolConfig: ToolConfiguration = {
  tools: [
    {
      toolSpec: {
        name: "get_weather",
        inputSchema: { json: { type: "object", properties: { city: { type: "string" } }, required: ["city"] } },
      },
    },
    {
      toolSpec: {
        name: "get_time",
        inputSchema: { json: { type: "object", properties: { zone: { type: "string" } }, required: ["zone"] } },
      },
    },
  ],
};

function user(text: string): Message[] {
  return [{ role: "user", content: [{ text }] }];
}

interface Heard {
  text: string;
  reasoning: string;
  signature: string;
  calls: { toolUseId: string; name: string; input: string }[];
  stopReason: string | undefined;
  outputTokens: number | undefined;
  events: string[];
}

/** Puts a stream together as an application does. */
async function heard(output: ConverseStreamCommandOutput): Promise<Heard> {
  const all: Heard = { text: "", reasoning: "", signature: "", calls: [], stopReason: undefined, outputTokens: undefined, events: [] };
  for await (const event of output.stream ?? []) {
    all.events.push(Object.keys(event)[0] ?? "");
    const use = event.contentBlockStart?.start?.toolUse;
    if (use !== undefined) all.calls.push({ toolUseId: use.toolUseId ?? "", name: use.name ?? "", input: "" });
    const delta = event.contentBlockDelta?.delta;
    all.text += delta?.text ?? "";
    all.reasoning += delta?.reasoningContent?.text ?? "";
    all.signature += delta?.reasoningContent?.signature ?? "";
    const call = all.calls.at(-1);
    if (call !== undefined) call.input += delta?.toolUse?.input ?? "";
    all.stopReason = event.messageStop?.stopReason ?? all.stopReason;
    all.outputTokens = event.metadata?.usage?.outputTokens ?? all.outputTokens;
  }
  return all;
}

describe.each(MODELS)("the @aws-sdk/client-bedrock-runtime package on %s", (modelId) => {
  test("gets a whole answer", async () => {
    const answer = await client.send(
      new ConverseCommand({ modelId, system: [{ text: "Be brief." }], messages: user("Hello"), inferenceConfig: { maxTokens: 100 } }),
    );
    expect(answer.output?.message).toEqual({ role: "assistant", content: [{ text: "You said: Hello" }] });
    expect(answer.stopReason).toBe("end_turn");
    expect(answer.usage?.inputTokens).toBeGreaterThan(0);
    expect(answer.usage?.outputTokens).toBeGreaterThan(0);
  });

  test("streams text and usage", async () => {
    const all = await heard(await client.send(new ConverseStreamCommand({ modelId, messages: user("Привет, 世界 🌍") })));
    expect(all.text).toBe("You said: Привет, 世界 🌍");
    expect(all.outputTokens).toBeGreaterThan(0);
    expect([all.events[0], ...all.events.slice(-2)]).toEqual(["messageStart", "messageStop", "metadata"]);
  });

  test("calls two tools in parallel, streamed, and sends their results back", async () => {
    const messages = user("Weather and time in parallel, please.");
    const all = await heard(await client.send(new ConverseStreamCommand({ modelId, messages, toolConfig })));
    expect(all.stopReason).toBe("tool_use");
    expect(all.calls.map(({ name, input }) => [name, JSON.parse(input)])).toEqual([
      ["get_weather", { city: "Paris" }],
      ["get_time", { zone: "Paris" }],
    ]);
    const uses = all.calls.map(({ toolUseId, name, input }): ContentBlock => ({ toolUse: { toolUseId, name, input: JSON.parse(input) } }));
    const results = all.calls.map(({ toolUseId }, index): ContentBlock => ({
      toolResult: { toolUseId, content: [{ text: `result ${index}` }], status: "success" },
    }));
    const next = await client.send(
      new ConverseCommand({
        modelId,
        toolConfig,
        messages: [...messages, { role: "assistant", content: uses }, { role: "user", content: results }],
      }),
    );
    expect(next.output?.message?.content).toEqual([{ text: "The tools said: result 0 | result 1" }]);
  });

  test("gets a call as an object in a whole answer", async () => {
    const answer = await client.send(
      new ConverseCommand({ modelId, messages: user("Now"), toolConfig: { ...toolConfig, toolChoice: { tool: { name: "get_time" } } } }),
    );
    expect(answer.output?.message?.content?.map((block) => [block.toolUse?.name, block.toolUse?.input])).toEqual([
      ["get_time", { zone: "Paris" }],
    ]);
    expect(answer.stopReason).toBe("tool_use");
  });

  test("sends an image as bytes", async () => {
    const image = { format: "png" as const, source: { bytes: new Uint8Array(Buffer.from(PIXEL, "base64")) } };
    const answer = await client.send(new ConverseCommand({ modelId, messages: [{ role: "user", content: [{ text: "See" }, { image }] }] }));
    expect(answer.output?.message?.content?.[0]?.text).toContain("[image image/png, 70 bytes]");
  });

  test("asks for an answer by a schema", async () => {
    const schema = JSON.stringify({
      type: "object",
      properties: { answer: { type: "string" } },
      required: ["answer"],
      additionalProperties: false,
    });
    const answer = await client.send(
      new ConverseCommand({
        modelId,
        messages: user("Hello"),
        outputConfig: { textFormat: { type: "json_schema", structure: { jsonSchema: { name: "said", schema } } } },
      }),
    );
    expect(JSON.parse(answer.output?.message?.content?.[0]?.text ?? "")).toEqual({ answer: "You said: Hello" });
  });

  test("asks for thinking, and sends it back in the next turn", async () => {
    const additionalModelRequestFields = { thinking: { type: "enabled", budget_tokens: 1_500 } };
    const ask = { modelId, inferenceConfig: { maxTokens: 4_000 }, additionalModelRequestFields };
    const all = await heard(await client.send(new ConverseStreamCommand({ ...ask, messages: user("Think") })));
    expect(all.text).toBe("You said: Think");
    if (modelId.includes("claude")) expect([all.reasoning.length > 0, all.signature.length > 0]).toEqual([true, true]);
    const reasoning: ContentBlock[] =
      all.signature === "" ? [] : [{ reasoningContent: { reasoningText: { text: all.reasoning, signature: all.signature } } }];
    const next = await client.send(
      new ConverseCommand({
        ...ask,
        messages: [...user("Think"), { role: "assistant", content: [...reasoning, { text: all.text }] }, ...user("Again")],
      }),
    );
    expect(next.output?.message?.content?.at(-1)?.text).toBe("You said: Again");
  });

  test("is told a length stop and a stop sequence", async () => {
    const short = await client.send(
      new ConverseCommand({ modelId, messages: user("A longer text than that"), inferenceConfig: { maxTokens: 2 } }),
    );
    expect(short.stopReason).toBe("max_tokens");
    const stopped = await client.send(
      new ConverseCommand({ modelId, messages: user("one STOP two"), inferenceConfig: { stopSequences: ["STOP"] } }),
    );
    expect(stopped.output?.message?.content?.[0]?.text).toBe("You said: one ");
  });

  test("throws the provider's errors as the classes of their kind", async () => {
    const limited = client.send(new ConverseCommand({ modelId: `${modelId}@status=429`, messages: user("Hello") }));
    await expect(limited).rejects.toBeInstanceOf(ThrottlingException);
    const invalid = client.send(new ConverseStreamCommand({ modelId: `${modelId}@status=400`, messages: user("Hello") }));
    await expect(invalid).rejects.toBeInstanceOf(ValidationException);
    const lost = client.send(new ConverseCommand({ modelId: `${modelId}@status=404`, messages: user("Hello") }));
    await expect(lost).rejects.toBeInstanceOf(ResourceNotFoundException);
  });

  test("throws an error in the middle of a stream instead of ending it well", async () => {
    const output = await client.send(
      new ConverseStreamCommand({ modelId: `${modelId}@error_at=6,delay=5`, messages: user("A text that is long enough for some chunks") }),
    );
    await expect(heard(output)).rejects.toMatchObject({
      name: expect.stringMatching(/ServiceUnavailable|ModelStreamError|InternalServer/),
    });
  });

  test("throws at an upstream that breaks off", async () => {
    const output = await client.send(
      new ConverseStreamCommand({ modelId: `${modelId}@cut=6,delay=5`, messages: user("A text that is long enough for some chunks") }),
    );
    await expect(heard(output)).rejects.toMatchObject({ name: "ModelStreamErrorException" });
  });

  test("survives frames in pieces of three bytes", async () => {
    const all = await heard(await client.send(new ConverseStreamCommand({ modelId: `${modelId}@split=3`, messages: user("Hello") })));
    expect(all.text).toBe("You said: Hello");
  });

  test("is billed once after it left in the middle", async () => {
    const controller = new AbortController();
    const output = await client.send(new ConverseStreamCommand({ modelId: `${modelId}@tokens=200,delay=5`, messages: user("Go on") }), {
      abortSignal: controller.signal,
    });
    let events = 0;
    const reading = (async () => {
      for await (const _ of output.stream ?? []) if (++events === 5) controller.abort();
    })();
    await reading.catch(() => undefined);
    expect(events).toBeLessThan(100);
    await account.atRest();
  });
});

describe("who may call", () => {
  test("a wrong token is a denied access", async () => {
    const denied = withToken("ply_live_forged").send(new ConverseCommand({ modelId: NOVA, messages: user("x") }));
    await expect(denied).rejects.toBeInstanceOf(AccessDeniedException);
    await expect(denied).rejects.toMatchObject({ $metadata: { httpStatusCode: 401 } });
  });

  test("a client that signs is known by the access key id, which is the key", async () => {
    const signing = new BedrockRuntimeClient({
      endpoint: stage.system.url,
      region: "eu-west-1",
      requestHandler: overHttp1,
      credentials: { accessKeyId: account.key, secretAccessKey: "anything" },
      maxAttempts: 1,
    });
    const answer = await signing.send(new ConverseCommand({ modelId: NOVA, messages: user("Hello") }));
    expect(answer.output?.message?.content).toEqual([{ text: "You said: Hello" }]);
  });

  test("an unknown model is one that is not found, with those there are", async () => {
    const response = await fetch(`${stage.system.url}/model/${encodeURIComponent("nowhere/nothing:0")}/converse`, {
      method: "POST",
      headers: { authorization: `Bearer ${account.key}`, "content-type": "application/json" },
      body: JSON.stringify({ messages: user("x") }),
    });
    expect([response.status, response.headers.get("x-amzn-errortype")]).toEqual([404, "ResourceNotFoundException"]);
    expect(await response.json()).toMatchObject({
      message: expect.stringContaining("nowhere/nothing:0"),
      code: "model_not_found",
      details: { available: expect.arrayContaining([NOVA]) },
      request_id: expect.stringMatching(/^req_/),
    });
  });

  test("a model may stand in the path with its slashes as they are", async () => {
    const response = await fetch(`${stage.system.url}/model/${NOVA}/converse`, {
      method: "POST",
      headers: { authorization: `Bearer ${account.key}`, "content-type": "application/json" },
      body: JSON.stringify({ messages: user("Hello") }),
    });
    expect(response.status).toBe(200);
    expect(Number(response.headers.get("x-plyrum-cost-micro-rub"))).toBeGreaterThan(0);
    expect(await response.json()).toMatchObject({
      usage: { cost_micro_rub: Number(response.headers.get("x-plyrum-cost-micro-rub")) },
    });
  });

  test("the last usage of a stream carries the cost, in a frame whose checksums are right", async () => {
    const response = await fetch(`${stage.system.url}/model/${encodeURIComponent(NOVA)}/converse-stream`, {
      method: "POST",
      headers: { authorization: `Bearer ${account.key}`, "content-type": "application/json" },
      body: JSON.stringify({ messages: user("Hello") }),
    });
    expect(response.headers.get("content-type")).toBe("application/vnd.amazon.eventstream");
    const bytes = Buffer.from(await response.arrayBuffer());
    const start = bytes.lastIndexOf('{"metrics"');
    const payload = bytes.toString("utf8", start, bytes.length - 4);
    expect(JSON.parse(payload)).toMatchObject({ usage: { cost_micro_rub: expect.any(Number) } });
    expect(bytes.subarray(-frameOf("metadata", payload).length).equals(frameOf("metadata", payload))).toBe(true);
  });
});

describe("clients of other formats on this provider", () => {
  test("the openai package", async () => {
    const openai = new OpenAI({ apiKey: account.key, baseURL: `${stage.system.url}/v1`, maxRetries: 0 });
    const stream = await openai.chat.completions.create({ model: CLAUDE, stream: true, messages: [{ role: "user", content: "Hello 🌍" }] });
    let text = "";
    for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? "";
    expect(text).toBe("You said: Hello 🌍");
  });

  test("the @anthropic-ai/sdk package, whose bodies go to InvokeModel, with thinking and a tool over two turns", async () => {
    const anthropic = new Anthropic({ apiKey: account.key, baseURL: stage.system.url, maxRetries: 0 });
    const ask = {
      model: CLAUDE,
      max_tokens: 4_000,
      thinking: { type: "enabled" as const, budget_tokens: 1_500 },
      tools: [{ name: "get_weather", input_schema: { type: "object" as const, properties: { city: { type: "string" } } } }],
    };
    const message = await anthropic.messages.stream({ ...ask, messages: [{ role: "user", content: "Weather" }] }).finalMessage();
    expect(message.content.map((block) => block.type)).toEqual(["thinking", "tool_use"]);
    const call = message.content.at(-1);
    if (call?.type !== "tool_use") expect.fail("no call");
    const next = await anthropic.messages.create({
      ...ask,
      messages: [
        { role: "user", content: "Weather" },
        { role: "assistant", content: message.content },
        { role: "user", content: [{ type: "tool_result", tool_use_id: call.id, content: "Sunny" }] },
      ],
    });
    expect(next.content.at(-1)).toMatchObject({ type: "text", text: "The tools said: Sunny" });
    await account.atRest();
    const { lines } = (await (await fetch(`${stage.system.offlineUrl}/_invoice`)).json()) as { lines: { path: string }[] };
    expect(lines.filter((line) => /\/invoke(-with-response-stream)?$/.test(line.path)).length).toBe(2);
  });
});

test("everything above was billed once, by what the provider reported", async () => {
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
    expect([row.request_id, row.input_tokens, row.output_tokens]).toEqual([row.request_id, line.input, line.output]);
  }
  expect(compared).toBeGreaterThan(30);
  expect(new Set(rows.map((row) => row.request_id)).size).toBe(rows.length);
});
