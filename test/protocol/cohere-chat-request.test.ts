import { describe, expect, test } from "vitest";
import type { CanonicalRequest, Loss } from "../../workers/protocol/canonical.ts";
import { anthropicMessages } from "../../workers/protocol/anthropic-messages/index.ts";
import { cohereChat } from "../../workers/protocol/cohere-chat/index.ts";
import { openaiChat } from "../../workers/protocol/openai-chat/index.ts";
import type { Protocol, Quirks } from "../../workers/protocol/protocol.ts";

function parse(protocol: Protocol, body: unknown): CanonicalRequest {
  const parsed = protocol.parseRequest(typeof body === "string" ? body : JSON.stringify(body));
  if (!parsed.ok) throw new Error(parsed.error.message);
  return parsed.value;
}

function render(caller: Protocol, body: unknown, quirks: Quirks = {}): { body: Record<string, unknown>; text: string; losses: Loss[] } {
  const rendered = cohereChat.renderRequest(parse(caller, body), { model: "command-a", quirks, maxOutputTokens: 4000 });
  return { body: JSON.parse(rendered.body) as Record<string, unknown>, text: rendered.body, losses: rendered.losses };
}

const user = { role: "user", content: "hi" };
const chat = (more: object, messages: unknown[] = [user]): object => ({ model: "m", max_tokens: 50, messages, ...more });
const names = (losses: readonly Loss[]): string[] => losses.map((loss) => `${loss.class} ${loss.path}`);

describe("a Chat caller's request", () => {
  test("keeps every system text where it stands, and sampling under this wire's names", () => {
    const { body, losses } = render(
      openaiChat,
      chat({ temperature: 0.5, top_p: 0.9, stop: ["A", "B"], seed: 7, stream: true }, [
        { role: "system", content: "one" },
        { role: "developer", content: "two" },
        user,
        { role: "system", content: "three" },
      ]),
    );
    expect(body).toEqual({
      model: "command-a",
      messages: [
        { role: "system", content: "one" },
        { role: "system", content: "two" },
        { role: "user", content: "hi" },
        { role: "system", content: "three" },
      ],
      stream: true,
      max_tokens: 50,
      temperature: 0.5,
      p: 0.9,
      stop_sequences: ["A", "B"],
      seed: 7,
    });
    expect(losses).toEqual([]);
  });

  test("brings what is out of bounds here inside them, and says so", () => {
    const { body, losses } = render(
      openaiChat,
      chat({ top_p: 1, top_k: 900, presence_penalty: -1, frequency_penalty: 1.5, stop: ["1", "2", "3", "4", "5", "6"] }),
    );
    expect(body).toMatchObject({ p: 0.99, k: 500, presence_penalty: 0, frequency_penalty: 1, stop_sequences: ["1", "2", "3", "4", "5"] });
    expect(losses.map((loss) => `${loss.class} ${loss.path} ${loss.note}`)).toEqual([
      "approximation top_p 1→0.99",
      "approximation top_k 900→500",
      "content stop 6→5",
      "approximation frequency_penalty 1.5→1",
      "approximation presence_penalty -1→0",
    ]);
  });

  test("names the cap that is put in for a caller who named none", () => {
    const { body, losses } = render(openaiChat, { model: "m", messages: [user] });
    expect(body["max_tokens"]).toBe(4000);
    expect(losses).toEqual([{ class: "approximation", path: "max_tokens", note: "→4000" }]);
  });

  test("keeps tool schemas and arguments as the caller's own text", () => {
    const tool =
      '{"type":"function","function":{"name":"tide","parameters":{ "type":"object", "max": 1.0, "big": 9007199254740993 },"strict":true}}';
    const args = '{"id":9007199254740993,"at":1.0}';
    const { text, body } = render(
      openaiChat,
      `{"model":"m","max_tokens":5,"tools":[${tool}],"messages":[{"role":"user","content":"x"},{"role":"assistant","content":"I look.","tool_calls":[{"id":"c.1","type":"function","function":{"name":"tide","arguments":${JSON.stringify(args)}}},{"id":"c2","type":"function","function":{"name":"moon","arguments":""}}]},{"role":"tool","tool_call_id":"c.1","content":"high"},{"role":"tool","tool_call_id":"c2","content":"new"}]}`,
    );
    expect(text).toContain('"parameters":{ "type":"object", "max": 1.0, "big": 9007199254740993 }');
    expect(body).toMatchObject({ strict_tools: true });
    expect(body["messages"]).toEqual([
      { role: "user", content: "x" },
      {
        role: "assistant",
        tool_plan: "I look.",
        tool_calls: [
          { id: "c.1", type: "function", function: { name: "tide", arguments: args } },
          { id: "c2", type: "function", function: { name: "moon", arguments: "{}" } },
        ],
      },
      { role: "tool", tool_call_id: "c.1", content: "high" },
      { role: "tool", tool_call_id: "c2", content: "new" },
    ]);
  });

  const tools = ["tide", "moon"].map((name) => ({ type: "function", function: { name, parameters: { type: "object" } } }));
  test.each([
    ["auto", undefined, 2, []],
    ["none", "NONE", 2, []],
    ["required", "REQUIRED", 2, []],
    [{ type: "function", function: { name: "moon" } }, "REQUIRED", 1, ["approximation tool_choice"]],
  ])("a tool choice of %j becomes %s among %i tools", (choice, word, count, lost) => {
    const { body, losses } = render(openaiChat, chat({ tools, tool_choice: choice }));
    expect(body["tool_choice"]).toBe(word);
    expect(body["tools"]).toHaveLength(count);
    expect(names(losses)).toEqual(lost);
  });

  test("sends images as they are and refuses to lose files, audio and further choices in silence", () => {
    const { body, losses } = render(
      openaiChat,
      chat({ n: 2, logprobs: true, parallel_tool_calls: false, user: "u", tools, logit_bias: { 1: 2 } }, [
        {
          role: "user",
          name: "ann",
          content: [
            { type: "text", text: "look" },
            { type: "image_url", image_url: { url: "data:image/png;base64,AAAA", detail: "low" } },
            { type: "image_url", image_url: { url: "https://x.test/a.png" } },
            { type: "file", file: { file_data: "data:application/pdf;base64,CCCC" } },
            { type: "input_audio", input_audio: { data: "BBBB", format: "mp3" } },
          ],
        },
      ]),
    );
    expect(body["messages"]).toEqual([
      {
        role: "user",
        content: [
          { type: "text", text: "look" },
          { type: "image_url", image_url: { url: "data:image/png;base64,AAAA", detail: "low" } },
          { type: "image_url", image_url: { url: "https://x.test/a.png" } },
        ],
      },
    ]);
    expect(names(losses).toSorted()).toEqual([
      "content logprobs",
      "content messages.audio",
      "content messages.file",
      "content n",
      "hint logit_bias",
      "hint messages.name",
      "hint parallel_tool_calls",
      "hint user",
    ]);
  });

  test.each([
    [{ type: "text" }, { type: "text" }],
    [{ type: "json_object" }, { type: "json_object" }],
    [
      { type: "json_schema", json_schema: { name: "a", schema: { type: "object" } } },
      { type: "json_object", json_schema: { type: "object" } },
    ],
  ])("asks for the format %j", (format, expected) => {
    expect(render(openaiChat, chat({ response_format: format })).body["response_format"]).toEqual(expected);
  });

  test.each([
    ["none", { type: "disabled" }, []],
    ["high", { type: "enabled" }, ["approximation reasoning_effort"]],
  ])("an effort of %s is thinking on or off", (effort, thinking, lost) => {
    const { body, losses } = render(openaiChat, chat({ reasoning_effort: effort }));
    expect(body["thinking"]).toEqual(thinking);
    expect(names(losses)).toEqual(lost);
  });

  test("leaves out what a provider is declared to refuse", () => {
    const { body, losses } = render(openaiChat, chat({ seed: 3 }), { refusedFields: ["seed"] });
    expect(body).not.toHaveProperty("seed");
    expect(names(losses)).toEqual(["hint seed"]);
  });
});

describe("a Messages caller's request", () => {
  const messages = (content: unknown[]): object => chat({}, content);

  test("puts all results of a turn in tool messages before the text beside them, and moves media behind", () => {
    const { body, losses } = render(
      anthropicMessages,
      messages([
        user,
        {
          role: "assistant",
          content: [
            { type: "thinking", thinking: "hm", signature: "s" },
            { type: "text", text: "I look." },
            { type: "tool_use", id: "t1", name: "tide", input: { port: "Oslo" } },
            { type: "text", text: "Wait." },
          ],
        },
        {
          role: "user",
          content: [
            { type: "text", text: "go on" },
            {
              type: "tool_result",
              tool_use_id: "t1",
              is_error: true,
              content: [
                { type: "text", text: "no port" },
                { type: "image", source: { type: "base64", media_type: "image/png", data: "AAAA" } },
              ],
            },
          ],
        },
      ]),
    );
    expect(body["messages"]).toEqual([
      { role: "user", content: "hi" },
      {
        role: "assistant",
        tool_plan: "I look.Wait.",
        tool_calls: [{ id: "t1", type: "function", function: { name: "tide", arguments: '{"port":"Oslo"}' } }],
      },
      {
        role: "tool",
        tool_call_id: "t1",
        content: [
          { type: "text", text: "Error:" },
          { type: "text", text: "no port" },
        ],
      },
      {
        role: "user",
        content: [
          { type: "text", text: "Output of tool call t1:" },
          { type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } },
          { type: "text", text: "go on" },
        ],
      },
    ]);
    expect(names(losses).toSorted()).toEqual([
      "approximation messages.content",
      "approximation tool_result.image",
      "approximation tool_result.is_error",
      "hint thinking",
    ]);
  });

  test("carries a thinking budget, and names lost cache marks once", () => {
    const { body, losses } = render(anthropicMessages, {
      model: "m",
      max_tokens: 4000,
      thinking: { type: "enabled", budget_tokens: 2000 },
      system: [{ type: "text", text: "be brief", cache_control: { type: "ephemeral" } }],
      messages: [{ role: "user", content: [{ type: "text", text: "x", cache_control: { type: "ephemeral" } }] }],
    });
    expect(body).toMatchObject({
      thinking: { type: "enabled", token_budget: 2000 },
      messages: [{ role: "system", content: "be brief" }, { content: "x" }],
    });
    expect(names(losses)).toEqual(["hint cache_control"]);
  });
});

describe("a request in this wire's own words", () => {
  const own = {
    model: "command-a",
    messages: [
      { role: "system", content: [{ type: "text", text: "s" }] },
      {
        role: "user",
        content: [
          { type: "text", text: "see" },
          { type: "image_url", image_url: { url: "https://x.test/a" } },
        ],
      },
      {
        role: "assistant",
        tool_plan: "plan",
        content: [{ type: "thinking", thinking: "hm" }],
        tool_calls: [{ id: "a", type: "function", function: { name: "f", arguments: "{}" } }],
      },
      { role: "tool", tool_call_id: "a", content: [{ type: "document", document: { data: "d" } }] },
    ],
    tools: [{ type: "function", function: { name: "f", parameters: { type: "object" } } }],
    tool_choice: "REQUIRED",
    strict_tools: true,
    max_tokens: 9,
    p: 0.5,
    k: 3,
    stop_sequences: ["E"],
    thinking: { type: "enabled", token_budget: 5 },
    response_format: { type: "json_object", json_schema: { type: "object" } },
    safety_mode: "STRICT",
    documents: ["d"],
  };

  test("is read and rendered again with nothing lost", () => {
    const { body, losses } = render(cohereChat, own);
    expect(body).toMatchObject({ ...own, messages: [{ content: "s" }, {}, own.messages[2] ?? {}, own.messages[3] ?? {}] });
    expect(losses).toEqual([]);
  });

  test("translates to Chat, where its own fields and documents are losses that are named", () => {
    const rendered = openaiChat.renderRequest(parse(cohereChat, own), { model: "m", quirks: {}, maxOutputTokens: 10 });
    expect(JSON.parse(rendered.body)).toMatchObject({ tool_choice: "required", top_p: 0.5, stop: ["E"], max_tokens: 9 });
    expect(names(rendered.losses)).toEqual(expect.arrayContaining(["content messages.document", "hint safety_mode", "hint documents"]));
  });

  test("is passed on with nothing but its model changed", () => {
    const text = '{"model": "x/y",\n "messages":[{"role":"user","content":"é"}], "max_tokens": 5, "new_field": 1.0}';
    const target = { model: "command-a", quirks: {}, maxOutputTokens: 10 };
    expect(cohereChat.spliceRequest(text, parse(cohereChat, text), target)).toBe(text.replace("x/y", "command-a"));
    expect(
      cohereChat.spliceRequest('{"model":"a","messages":[]}', { ...parse(cohereChat, text), maxOutputTokens: null }, target),
    ).toContain('"max_tokens":10');
  });

  test.each([
    [{ ...own, messages: [] }, "messages"],
    [{ ...own, messages: [{ role: "robot" }] }, "messages.0.role"],
    [{ ...own, messages: [{ role: "tool", content: "x" }] }, "messages.0.tool_call_id"],
    [
      { ...own, messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: "data:x" } }] }] },
      "messages.0.content.0.image_url.url",
    ],
    [{ ...own, tool_choice: "auto" }, "tool_choice"],
    [{ ...own, max_tokens: 0 }, "max_tokens"],
  ])("is refused with the name of its first wrong field, %#", (body, param) => {
    const parsed = cohereChat.parseRequest(JSON.stringify(body));
    expect(parsed).toMatchObject({ ok: false, error: { code: "invalid_request", param } });
  });

  test("is refused when it is no JSON", () => {
    expect(cohereChat.parseRequest("{")).toMatchObject({ ok: false, error: { code: "invalid_json" } });
  });
});
