/** Every way a request's life can be told inside its stream, read by the packages people use, unchanged: none throws, each has the same text. */
import { EventType, HttpAgent, type BaseEvent, type RunAgentInput } from "@ag-ui/client";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import Anthropic from "@anthropic-ai/sdk";
import { GoogleGenAI } from "@google/genai";
import { DefaultChatTransport, readUIMessageStream, streamText, type LanguageModel, type UIMessage } from "ai";
import { Ollama } from "ollama";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { priceList, settledMixture } from "./mixture-stage.ts";
import { post } from "./post.ts";
import { type Account, type Stage, startStage } from "./shared-system.ts";

const PROPOSERS = ["openai/gpt-5-mini", "anthropic/claude-haiku-4-5", "gemini/gemini-2.5-flash"];
const ENSEMBLES = {
  plain: { proposers: PROPOSERS, aggregator: "openai/gpt-4.1-mini", quorum: 3 },
  // Slow enough that frames leave before the answer.
  slow: { proposers: PROPOSERS.map((slug) => `${slug}@ttft=700`), aggregator: "openai/gpt-4.1-mini", quorum: 3 },
  overtaken: { proposers: ["openai/gpt-5-mini", "anthropic/claude-haiku-4-5@hang"], aggregator: "openai/gpt-4.1-mini", quorum: 1 },
  broken: { proposers: ["openai/gpt-5-mini"], aggregator: "openai/gpt-4.1-mini@error_at=6,chunks=10,delay=10" },
};
const QUESTION = "Tell me of the sea.";
const ANSWER = `You said: ${QUESTION}`;
const messages = [{ role: "user" as const, content: QUESTION }];

let stage: Stage;
let account: Account;
beforeAll(async () => {
  stage = await startStage();
  await stage.admin("/config", { method: "PUT", body: { ensembles: ENSEMBLES } });
  account = await stage.account(1_000_000_000);
});
afterAll(() => stage.close());

const frameSchema = z.looseObject({ seq: z.number(), run_id: z.string(), ts: z.number(), type: z.string() });

describe.each([
  { model: "moa/plain", lifecycle: "comments" },
  { model: "moa/plain", lifecycle: "chunks" },
  { model: "openai/gpt-5-mini", lifecycle: "chunks" },
  { model: "anthropic/claude-haiku-4-5", lifecycle: "comments" },
])("$lifecycle of $model", ({ model, lifecycle }) => {
  const headers = { "x-plyrum-lifecycle": lifecycle };

  test("do not disturb the openai package, nor its stream helpers", async () => {
    const client = new OpenAI({ apiKey: account.key, baseURL: `${stage.system.url}/v1`, maxRetries: 0, defaultHeaders: headers });
    let text = "";
    const stream = await client.chat.completions.create({ model, messages, stream: true, stream_options: { include_usage: true } });
    for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? "";
    expect(text).toBe(ANSWER);
    const completion = await client.chat.completions.stream({ model, messages }).finalChatCompletion();
    expect(completion.choices[0]?.message.content).toBe(ANSWER);
    const response = await client.responses.stream({ model, input: QUESTION }).finalResponse();
    expect(response.output_text).toBe(ANSWER);
  });

  test("do not disturb the packages of Anthropic, Google and Ollama", async () => {
    const anthropic = new Anthropic({ apiKey: account.key, baseURL: stage.system.url, maxRetries: 0, defaultHeaders: headers });
    expect(await anthropic.messages.stream({ model, max_tokens: 100, messages }).finalText()).toBe(ANSWER);
    const genai = new GoogleGenAI({ apiKey: account.key, httpOptions: { baseUrl: stage.system.url, headers } });
    let text = "";
    for await (const chunk of await genai.models.generateContentStream({ model, contents: QUESTION })) text += chunk.text ?? "";
    expect(text).toBe(ANSWER);
    const ollama = new Ollama({ host: stage.system.url, headers: { Authorization: `Bearer ${account.key}`, ...headers } });
    let said = "";
    for await (const part of await ollama.chat({ model, messages, stream: true })) said += part.message.content;
    expect(said).toBe(ANSWER);
    let generated = "";
    for await (const part of await ollama.generate({ model, prompt: QUESTION, stream: true })) generated += part.response;
    expect(generated).toBe(ANSWER);
  });

  test("do not disturb the AI SDK in any of its three protocols", async () => {
    const openai = createOpenAI({ apiKey: account.key, baseURL: `${stage.system.url}/v1`, headers });
    const anthropic = createAnthropic({ apiKey: account.key, baseURL: `${stage.system.url}/v1`, headers });
    const models: LanguageModel[] = [openai.chat(model), openai.responses(model), anthropic(model)];
    for (const each of models) {
      const errors: unknown[] = [];
      const result = streamText({ model: each, prompt: QUESTION, maxRetries: 0, onError: ({ error }) => void errors.push(error) });
      expect(await result.text).toBe(ANSWER);
      expect(errors).toEqual([]);
    }
  });

  test("are numbered frames of one run, in order, and none after the answer's own end", async () => {
    const asked = model.startsWith("moa") ? "moa/slow" : model;
    const sent = await post(stage, account, { model: asked, messages, stream: true }, { headers });
    const marked = lifecycle === "comments" ? /^: plyrum (\{.*)$/gm : /^data: .*"plyrum":(\{.*\})\}$/gm;
    const frames = [...sent.text.matchAll(marked)].map((match) => frameSchema.parse(JSON.parse(match[1] ?? "")));
    expect(frames.map((frame) => frame.seq)).toEqual(frames.map((_, index) => index + 1));
    expect(new Set(frames.map((frame) => frame.run_id))).toEqual(new Set([sent.id]));
    const types = frames.map((frame) => frame.type);
    expect(types.slice(0, 3)).toEqual(["received", "held", "dispatched"]);
    if (model.startsWith("moa")) {
      expect(types.filter((type) => type === "node_started")).toHaveLength(4);
      expect(types.filter((type) => type === "node_finished")).toHaveLength(3);
      expect(frames.find((frame) => frame.type === "decided")).toMatchObject({ by: "aggregator", proposals: 3, proposers: 3 });
    }
    expect(sent.text.trimEnd().endsWith("data: [DONE]")).toBe(true);
    // What proposers said is nobody's business but the aggregator's.
    expect(sent.text.split("You said").length).toBeLessThanOrEqual(2);
  });
});

test.each(["off", null])("a caller that asked for %s of a single call gets the provider's bytes and nothing else", async (lifecycle) => {
  const headers: Record<string, string> = lifecycle === null ? {} : { "x-plyrum-lifecycle": lifecycle };
  const sent = await post(stage, account, { model: "openai/gpt-5-mini", messages, stream: true }, { headers });
  expect(sent.text).not.toContain("plyrum");
});

test("a way nobody knows is refused", async () => {
  const sent = await post(stage, account, { model: "moa/plain", messages, stream: true }, { headers: { "x-plyrum-lifecycle": "smoke" } });
  expect([sent.status, sent.text]).toEqual([400, expect.stringContaining("x-plyrum-lifecycle")]);
});

/** AG-UI's own client, which sends its input as a completion. */
class GatewayAgent extends HttpAgent {
  readonly #body: object;
  constructor(url: string, body: object) {
    super({ url, initialMessages: [{ id: "1", role: "user", content: QUESTION }] });
    this.#body = body;
  }
  protected override requestInit(input: RunAgentInput): RequestInit {
    const init = super.requestInit(input);
    const headers = { authorization: `Bearer ${account.key}`, "content-type": "application/json", "x-plyrum-lifecycle": "ag-ui" };
    return { ...init, headers, body: JSON.stringify({ messages, stream: true, ...this.#body }) };
  }
}

async function runAgent(
  body: object,
  path = "/v1/chat/completions",
): Promise<{ text: string; events: BaseEvent[]; failed: string | null }> {
  const agent = new GatewayAgent(`${stage.system.url}${path}`, body);
  const events: BaseEvent[] = [];
  let failed: string | null = null;
  await agent
    .runAgent({}, { onEvent: ({ event }) => void events.push(event), onRunFailed: ({ error }) => void (failed = error.message) })
    .catch((error: unknown) => (failed ??= String(error)));
  const text = agent.messages.flatMap((message) => (message.role === "assistant" ? [message.content ?? ""] : [])).join("");
  return { text, events, failed };
}

function typesOf(events: readonly BaseEvent[]): string[] {
  return events.map((event) => event.type);
}

const TOOLS = [
  { type: "function", function: { name: "get_weather", parameters: { type: "object", properties: { city: { type: "string" } } } } },
];

describe("AG-UI", () => {
  test("its client runs a mixture: steps, plan, decision, text, usage by call", async () => {
    const { text, events, failed } = await runAgent({ model: "moa/slow" });
    expect(failed).toBeNull();
    expect(text).toBe(ANSWER);
    const types = typesOf(events);
    expect(types[0]).toBe(EventType.RUN_STARTED);
    expect(types.filter((type) => type === "STEP_STARTED")).toHaveLength(4);
    expect(types.filter((type) => type === "STEP_FINISHED")).toHaveLength(4);
    expect(types).toContain("ACTIVITY_SNAPSHOT");
    expect(events.filter((event) => event.type === EventType.CUSTOM).map((event) => event["name"])).toContain("route.decision");
    expect(types.filter((type) => type === "RUN_FINISHED" || type === "RUN_ERROR")).toEqual(["RUN_FINISHED"]);
    const { usage } = z
      .looseObject({ usage: z.array(z.looseObject({ provider: z.string(), outputTokens: z.number() })) })
      .parse(events.at(-1));
    expect(usage.map((each) => each.provider)).toEqual(["openai", "anthropic", "gemini", "openai"]);
  });

  test.each(["openai/gpt-5-mini", "anthropic/claude-haiku-4-5"])(
    "its client runs a single call of %s, tools and reasoning included",
    async (model) => {
      const plain = await runAgent({ model });
      expect([plain.failed, plain.text]).toEqual([null, ANSWER]);
      const called = await runAgent({ model, tools: TOOLS });
      expect(called.failed).toBeNull();
      expect(typesOf(called.events)).toEqual(expect.arrayContaining(["TOOL_CALL_START", "TOOL_CALL_ARGS", "TOOL_CALL_END"]));
      const thought = await runAgent({ model, reasoning_effort: "high", max_tokens: 4000 });
      expect([thought.failed, thought.text.endsWith(ANSWER)]).toEqual([null, true]);
    },
  );

  test("a call that was let go of is a finished step, and an aggregator that breaks off a failed run", async () => {
    const overtaken = await runAgent({ model: "moa/overtaken" });
    expect([overtaken.failed, overtaken.text]).toEqual([null, ANSWER]);
    const broken = await runAgent({ model: "moa/broken" });
    expect(typesOf(broken.events).filter((type) => type === "RUN_FINISHED" || type === "RUN_ERROR")).toEqual(["RUN_ERROR"]);
  });
});

/** What the AI SDK's own transport and reader make of it. */
async function chat(body: object): Promise<{ message: UIMessage | null; types: string[]; errors: string[] }> {
  const transport = new DefaultChatTransport<UIMessage>({
    api: `${stage.system.url}/v1/chat/completions`,
    headers: { authorization: `Bearer ${account.key}`, "x-plyrum-lifecycle": "ai-ui" },
    prepareSendMessagesRequest: () => ({ body: { messages, stream: true, ...body } }),
  });
  const stream = await transport.sendMessages({
    trigger: "submit-message",
    chatId: "chat",
    messageId: undefined,
    messages: [{ id: "1", role: "user", parts: [{ type: "text", text: QUESTION }] }],
    abortSignal: undefined,
  });
  const types: string[] = [];
  const errors: string[] = [];
  const watched = stream.pipeThrough(
    new TransformStream({
      transform(chunk, controller) {
        types.push(chunk.type);
        if (chunk.type === "error") errors.push(chunk.errorText);
        controller.enqueue(chunk);
      },
    }),
  );
  let message: UIMessage | null = null;
  for await (const state of readUIMessageStream({ stream: watched, onError: (error) => void errors.push(String(error)) })) message = state;
  return { message, types, errors };
}

function textOf(message: UIMessage | null): string {
  return (message?.parts ?? []).flatMap((part) => (part.type === "text" ? [part.text] : [])).join("");
}

describe("the AI SDK's UI message stream", () => {
  test("its transport reads a mixture: one part a call, replaced as it goes, and the text", async () => {
    const { message, types, errors } = await chat({ model: "moa/slow" });
    expect(errors).toEqual([]);
    expect(textOf(message)).toBe(ANSWER);
    expect([types[0], types.at(-1)]).toEqual(["start", "finish"]);
    const nodes = (message?.parts ?? []).flatMap((part) => (part.type === "data-node" && "data" in part ? [part.data] : []));
    expect(nodes).toMatchObject([
      { node: "proposer-1", status: "answered", provider: "openai" },
      { node: "proposer-2", status: "answered", provider: "anthropic" },
      { node: "proposer-3", status: "answered", provider: "gemini" },
      { node: "aggregator", status: "running" },
    ]);
    expect(message?.metadata).toMatchObject({ cost_micro_rub: expect.any(Number), calls: { length: 4 } });
  });

  test.each(["openai/gpt-5-mini", "anthropic/claude-haiku-4-5"])(
    "its transport reads a single call of %s, tools and reasoning included",
    async (model) => {
      const plain = await chat({ model });
      expect([plain.errors, textOf(plain.message)]).toEqual([[], ANSWER]);
      const called = await chat({ model, tools: TOOLS });
      expect(called.errors).toEqual([]);
      expect(called.message?.parts).toEqual(
        expect.arrayContaining([expect.objectContaining({ type: "tool-get_weather", state: "input-available", input: { city: "Paris" } })]),
      );
      const thought = await chat({ model, reasoning_effort: "high", max_tokens: 4000 });
      expect([thought.errors, textOf(thought.message)]).toEqual([[], ANSWER]);
    },
  );

  test("an aggregator that breaks off is one error, and no finish", async () => {
    const { types, errors } = await chat({ model: "moa/broken" });
    expect(errors).not.toEqual([]);
    expect(types.filter((type) => type === "error" || type === "finish")).toEqual(["error"]);
  });
});

describe("the events of a request", () => {
  async function events(id: string, lifecycle: string | null): Promise<{ text: string; type: string | null }> {
    const headers: Record<string, string> = { authorization: `Bearer ${account.key}` };
    if (lifecycle !== null) headers["x-plyrum-lifecycle"] = lifecycle;
    const response = await fetch(`${stage.system.url}/v1/requests/${id}/events`, { headers });
    return { text: await response.text(), type: response.headers.get("content-type") };
  }

  test("are the frames of its stream and how it ended, in each form, while it runs and after", async () => {
    const response = await fetch(`${stage.system.url}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${account.key}`, "content-type": "application/json" },
      body: JSON.stringify({ model: "moa/slow", stream: true, messages }),
    });
    const id = response.headers.get("x-plyrum-request-id") ?? "";
    const [watched, agUi] = await Promise.all([events(id, null), events(id, "ag-ui"), response.text()]);
    const { view } = await settledMixture(account, id, await priceList(stage));
    const shown = [...watched.text.matchAll(/^event: (\w+)$/gm)].map((match) => match[1]);
    expect(shown).toEqual(view.lifecycle.map((frame) => frame.event).filter((event) => event !== "recorded"));
    expect(shown.filter((event) => event === "node_finished")).toHaveLength(4);
    expect(agUi.type).toBe("text/event-stream");
    expect((await events(id, "ag-ui")).text).toBe(agUi.text);
    const types = [...agUi.text.matchAll(/^data: \{"type":"(\w+)"/gm)].map((match) => match[1]);
    expect([types[0], types.at(-1)]).toEqual(["RUN_STARTED", "RUN_FINISHED"]);
    expect(types.filter((type) => type === "STEP_FINISHED")).toHaveLength(4);
    const aiUi = (await events(id, "ai-ui")).text;
    expect(aiUi).toMatch(/^data: \{"type":"start",[^\n]*\n\n[^]*data: \{"type":"finish"\}\n\ndata: \[DONE\]\n\n$/);
  });

  test("of a run that failed end in an error, once", async () => {
    const sent = await post(stage, account, { model: "moa/broken", stream: true, messages });
    const { text } = await events(sent.id, "ag-ui");
    expect([...text.matchAll(/"type":"RUN_(\w+)"/g)].map((match) => match[1])).toEqual(["STARTED", "ERROR"]);
  });
});
