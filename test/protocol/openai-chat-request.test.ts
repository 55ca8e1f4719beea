import { describe, expect, test } from "vitest";
import type { Block, CanonicalRequest, Turn } from "../../workers/protocol/canonical.ts";
import { measurePrompt } from "../../workers/protocol/measure.ts";
import { openaiChat } from "../../workers/protocol/openai-chat/index.ts";
import type { Quirks } from "../../workers/protocol/protocol.ts";

function parse(body: unknown): CanonicalRequest {
  const parsed = openaiChat.parseRequest(typeof body === "string" ? body : JSON.stringify(body));
  if (!parsed.ok) throw new Error(parsed.error.message);
  return parsed.value;
}

const user = { role: "user", content: "hi" };
const weather =
  '{"type":"function","function":{"name":"weather","description":"d","parameters":{ "type":"object", "max": 1.0, "big": 9007199254740993 },"strict":true}}';

describe("parsing a caller's request", () => {
  test("reads every role and part", () => {
    const request = parse({
      model: "openai/gpt-5",
      messages: [
        { role: "system", content: "be brief" },
        { role: "developer", content: [{ type: "text", text: "please", cache_control: { type: "ephemeral", ttl: "1h" } }] },
        {
          role: "user",
          name: "ann",
          content: [
            { type: "text", text: "look" },
            { type: "image_url", image_url: { url: "data:image/png;base64,AAAA", detail: "low" } },
            { type: "image_url", image_url: { url: "https://x.test/a.png" } },
            { type: "input_audio", input_audio: { data: "BBBB", format: "mp3" } },
            { type: "file", file: { file_data: "data:application/pdf;base64,CCCC", filename: "a.pdf" } },
            { type: "video_url", video_url: { url: "https://x.test/v" } },
          ],
        },
        {
          role: "assistant",
          content: null,
          reasoning_content: "hm",
          tool_calls: [{ id: "c1", type: "function", function: { name: "weather", arguments: '{"n":1.0}' } }],
        },
        { role: "tool", tool_call_id: "c1", content: "sunny" },
      ],
    });
    expect(request.turns.map((turn) => turn.role)).toEqual(["system", "developer", "user", "assistant", "tool"]);
    expect(request.turns[1]?.blocks).toEqual([{ type: "text", text: "please", cache: { ttl: "1h" } }]);
    expect(request.turns[2]).toMatchObject({
      name: "ann",
      blocks: [
        { type: "text" },
        { type: "image", source: { kind: "base64", mediaType: "image/png", data: "AAAA" }, detail: "low" },
        { type: "image", source: { kind: "url", url: "https://x.test/a.png" } },
        { type: "audio", source: { kind: "base64", mediaType: "audio/mp3", data: "BBBB" }, format: "mp3" },
        { type: "file", source: { kind: "base64", mediaType: "application/pdf", data: "CCCC" }, name: "a.pdf" },
        { type: "opaque", kind: "video_url", json: '{"type":"video_url","video_url":{"url":"https://x.test/v"}}' },
      ],
    });
    expect(request.turns[3]?.blocks).toEqual([
      { type: "reasoning", kind: "raw", text: "hm", signature: null, data: null },
      { type: "tool-call", id: "c1", name: "weather", argumentsText: '{"n":1.0}', cache: null },
    ]);
    expect(request.turns[4]?.blocks).toMatchObject([
      { type: "tool-result", callId: "c1", content: [{ type: "text", text: "sunny" }], isError: null },
    ]);
  });

  test("keeps tool schemas as the caller's own text and reads the controls", () => {
    const request = parse(
      `{"model":"m","messages":[{"role":"user","content":"x"}],"tools":[${weather}],"tool_choice":{"type":"function","function":{"name":"weather"}},"parallel_tool_calls":false,"max_completion_tokens":50,"temperature":0.5,"top_p":0.9,"stop":"END","n":2,"reasoning_effort":"high","stream":true,"stream_options":{"include_usage":true},"user":"u1","seed":7,"response_format":{"type":"json_schema","json_schema":{"name":"r","strict":true,"schema":{ "type":"object"}}}}`,
    );
    expect(request.tools[0]?.schemaText).toBe('{ "type":"object", "max": 1.0, "big": 9007199254740993 }');
    expect(request).toMatchObject({
      toolChoice: { mode: "tool", name: "weather" },
      parallelToolCalls: false,
      maxOutputTokens: 50,
      temperature: 0.5,
      topP: 0.9,
      stop: ["END"],
      choices: 2,
      reasoning: { effort: "high", budgetTokens: null },
      stream: true,
      wantsStreamUsage: true,
      user: "u1",
      responseFormat: { kind: "json-schema", name: "r", schemaText: '{ "type":"object"}', strict: true },
      rest: { seed: 7 },
    });
  });

  test("leaves what only this protocol knows in rest, by its own name", () => {
    const request = parse({
      model: "m",
      messages: [user],
      tool_choice: { type: "allowed_tools", mode: "auto" },
      tools: [{ type: "custom", custom: { name: "x" } }],
      logprobs: true,
      vendor_field: { a: 1 },
      seed: null,
    });
    expect(request.rest).toEqual({
      tool_choice: { type: "allowed_tools", mode: "auto" },
      "tools.0": { type: "custom", custom: { name: "x" } },
      logprobs: true,
      vendor_field: { a: 1 },
    });
  });

  test.each<[string, unknown, string | null]>([
    ["no model", { messages: [user] }, "model"],
    ["an empty model", { model: "", messages: [user] }, "model"],
    ["no messages", { model: "m" }, "messages"],
    ["empty messages", { model: "m", messages: [] }, "messages"],
    ["messages that are no list", { model: "m", messages: "hi" }, "messages"],
    ["an unknown role", { model: "m", messages: [{ role: "wizard", content: "x" }] }, "messages.0.role"],
    ["a content of a wrong type", { model: "m", messages: [{ role: "user", content: 5 }] }, "messages.0.content"],
    ["a user without content", { model: "m", messages: [{ role: "user", content: null }] }, "messages.0.content"],
    ["a text part without text", { model: "m", messages: [{ role: "user", content: [{ type: "text" }] }] }, "messages.0.content.0.text"],
    [
      "an image without address",
      { model: "m", messages: [{ role: "user", content: [{ type: "image_url" }] }] },
      "messages.0.content.0.image_url",
    ],
    [
      "a data address that is none",
      { model: "m", messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: "data:image/png,xx" } }] }] },
      "messages.0.content.0.image_url.url",
    ],
    ["a tool message without call id", { model: "m", messages: [{ role: "tool", content: "x" }] }, "messages.0.tool_call_id"],
    [
      "a call without id",
      { model: "m", messages: [{ role: "assistant", tool_calls: [{ type: "function", function: { name: "a", arguments: "" } }] }] },
      "messages.0.tool_calls.0.id",
    ],
    [
      "a call without function",
      { model: "m", messages: [{ role: "assistant", tool_calls: [{ id: "1", type: "function" }] }] },
      "messages.0.tool_calls.0.function",
    ],
    [
      "arguments that are no text",
      { model: "m", messages: [{ role: "assistant", tool_calls: [{ id: "1", function: { name: "a", arguments: {} } }] }] },
      "messages.0.tool_calls.0.function.arguments",
    ],
    ["a cap of zero", { model: "m", messages: [user], max_tokens: 0 }, "max_tokens"],
    ["a negative cap", { model: "m", messages: [user], max_completion_tokens: -1 }, "max_completion_tokens"],
    ["a fractional cap", { model: "m", messages: [user], max_tokens: 1.5 }, "max_tokens"],
    ["n above the limit", { model: "m", messages: [user], n: 129 }, "n"],
    ["a stream flag that is text", { model: "m", messages: [user], stream: "yes" }, "stream"],
    ["a stop of numbers", { model: "m", messages: [user], stop: [1] }, "stop"],
    ["an unknown tool choice", { model: "m", messages: [user], tool_choice: "maybe" }, "tool_choice"],
    ["a function tool without function", { model: "m", messages: [user], tools: [{ type: "function" }] }, "tools.0.function"],
    ["no object at all", [1], null],
  ])("refuses %s and names the field", (_name, body, param) => {
    expect(openaiChat.parseRequest(JSON.stringify(body))).toMatchObject({
      ok: false,
      error: { code: "invalid_request", status: 400, param },
    });
  });

  test("refuses text that is no JSON, or nests without end", () => {
    for (const text of ["", "{", "{'a':1}", `{"a":${"[".repeat(5000)}`]) {
      expect(openaiChat.parseRequest(text)).toMatchObject({ ok: false, error: { code: "invalid_json", status: 400 } });
    }
  });

  test("measures what the model will read", () => {
    const request = parse(
      `{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"héllo"},{"type":"image_url","image_url":{"url":"https://x.test/a"}},{"type":"file","file":{"file_data":"AAAA"}},{"type":"file","file":{"file_id":"f"}}]}],"tools":[${weather}],"metadata":{"a":"long long"}}`,
    );
    expect(measurePrompt(request)).toEqual({ text_bytes: 7 + 7 + 1 + 56, blocks: 1 + 4 + 1, images: 1, file_bytes: 3, files_unsized: 1 });
  });
});

describe("rendering for a provider", () => {
  const base: CanonicalRequest = { ...parse({ model: "m", messages: [user] }), protocol: "anthropic-messages" };
  const turn = (role: Turn["role"], ...blocks: Block[]): Turn => ({ role, name: null, blocks });
  const text = (value: string): Block => ({ type: "text", text: value, cache: null });
  const render = (
    changes: Partial<CanonicalRequest>,
    quirks: Quirks = {},
    maxOutputTokens = 0,
  ): { body: Record<string, unknown>; text: string; losses: string[] } => {
    const rendered = openaiChat.renderRequest({ ...base, ...changes }, { model: "upstream-model", quirks, maxOutputTokens });
    const losses = rendered.losses.map((loss) => `${loss.class} ${loss.path}${loss.note === null ? "" : ` ${loss.note}`}`);
    return { body: JSON.parse(rendered.body) as Record<string, unknown>, text: rendered.body, losses };
  };

  test("gives each tool result its own message ahead of the turn's text, and moves its image to a user message", () => {
    const image: Block = { type: "image", source: { kind: "base64", mediaType: "image/png", data: "AA" }, detail: null, cache: null };
    const { body, losses } = render({
      turns: [
        turn(
          "assistant",
          text("calling"),
          { type: "tool-call", id: "a", name: "f", argumentsText: '{"n":1.0}', cache: null },
          { type: "tool-call", id: "b", name: "g", argumentsText: "", cache: null },
        ),
        turn(
          "user",
          { type: "tool-result", callId: "a", name: null, content: [text("one"), image], isError: false, cache: null },
          { type: "tool-result", callId: "b", name: null, content: [text("bad")], isError: true, cache: null },
          text("go on"),
        ),
      ],
    });
    expect(body["messages"]).toEqual([
      {
        role: "assistant",
        content: "calling",
        tool_calls: [
          { id: "a", type: "function", function: { name: "f", arguments: '{"n":1.0}' } },
          { id: "b", type: "function", function: { name: "g", arguments: "{}" } },
        ],
      },
      { role: "tool", tool_call_id: "a", content: "one" },
      {
        role: "tool",
        tool_call_id: "b",
        content: [
          { type: "text", text: "Error:" },
          { type: "text", text: "bad" },
        ],
      },
      {
        role: "user",
        content: [
          { type: "text", text: "Output of tool call a:" },
          { type: "image_url", image_url: { url: "data:image/png;base64,AA" } },
          { type: "text", text: "go on" },
        ],
      },
    ]);
    expect(losses).toEqual([
      "approximation tool_result.image moved to a user message",
      "approximation tool_result.is_error prefixed with Error:",
    ]);
  });

  test("sends reasoning back only in a provider's declared field, and names the lost signature", () => {
    const turns = [turn("assistant", { type: "reasoning", kind: "raw", text: "hm", signature: "sig", data: null }, text("yes"))];
    expect(render({ turns })).toMatchObject({
      body: { messages: [{ role: "assistant", content: "yes" }] },
      losses: ["hint thinking.signature", "hint thinking"],
    });
    expect(render({ turns }, { reasoningField: "reasoning" }).body["messages"]).toEqual([
      { role: "assistant", content: "yes", reasoning: "hm" },
    ]);
    expect(render({ turns }, { reasoningField: "content-chunks" }).body["messages"]).toEqual([
      {
        role: "assistant",
        content: [
          { type: "thinking", thinking: [{ type: "text", text: "hm" }] },
          { type: "text", text: "yes" },
        ],
      },
    ]);
  });

  test("classifies what Chat cannot carry", () => {
    const { losses } = render({
      turns: [
        turn(
          "user",
          { type: "opaque", protocol: "anthropic-messages", kind: "search_result", json: "{}" },
          { type: "text", text: "x", cache: { ttl: null } },
          { type: "image", source: { kind: "file", id: "f" }, detail: null, cache: null },
        ),
        turn("assistant", { type: "tool-call", id: "a", name: "f", argumentsText: "{}", cache: null }, text("after")),
      ],
      topK: 5,
      stop: ["1", "2", "3", "4", "5"],
      reasoning: { effort: null, budgetTokens: 4096, mode: "enabled" },
      rest: { container: "c", service_tier: "auto", metadata: { a: 1 }, unheard_of: 1 },
    });
    expect(losses).toEqual([
      "content messages.search_result",
      "hint cache_control",
      "content messages.image",
      "approximation messages.content text after a tool call moved before it",
      "hint top_k",
      "content stop_sequences 5→4",
      "approximation thinking.budget_tokens 4096→medium",
      "content container",
      "hint metadata",
      "hint unheard_of",
    ]);
  });

  test.each([
    [1024, "low"],
    [2048, "low"],
    [2049, "medium"],
    [8192, "medium"],
    [8193, "high"],
  ])("turns a thinking budget of %i tokens into effort %s", (budgetTokens, effort) => {
    expect(render({ reasoning: { effort: null, budgetTokens, mode: "enabled" } }).body["reasoning_effort"]).toBe(effort);
  });

  test("keeps every declared quirk", () => {
    expect(render({ maxOutputTokens: 9 }).body).toMatchObject({ max_tokens: 9 });
    expect(render({ maxOutputTokens: 9 }, { maxTokensField: "max_completion_tokens" }).body).toMatchObject({ max_completion_tokens: 9 });
    expect(render({}, {}, 500).body).toMatchObject({ max_tokens: 500 });
    expect(render({ stream: true }).body).toMatchObject({ stream: true, stream_options: { include_usage: true } });
    expect(render({ stream: true }, { streamOptions: false }).body).not.toHaveProperty("stream_options");
    expect(render({ turns: [turn("developer", text("d"))] }, { developerRole: false }).body["messages"]).toEqual([
      { role: "system", content: "d" },
    ]);
    expect(render({ turns: [turn("developer", text("d"))] }).body["messages"]).toEqual([{ role: "developer", content: "d" }]);
    expect(render({ user: "u" }, { refusedFields: ["user"] })).toMatchObject({ losses: ["hint user"] });
    expect(render({ user: "u" }, { refusedFields: ["user"] }).body).not.toHaveProperty("user");
    expect(render({ temperature: 0.5 }, { reasoningModelPattern: "^upstream-" })).toMatchObject({ losses: ["hint temperature"] });
    expect(render({ temperature: 0.5 }, { reasoningModelPattern: "^o\\d" }).body).toMatchObject({ temperature: 0.5 });
  });

  test("hashes tool ids for a provider that takes nine alphanumerics, call and result alike, without collisions of one prefix", () => {
    const ids = Array.from({ length: 500 }, (_, index) => `toolu_01AbCdEf${index}`);
    const turns = ids.flatMap((id) => [
      turn("assistant", { type: "tool-call", id, name: "f", argumentsText: "{}", cache: null }),
      turn("tool", { type: "tool-result", callId: id, name: null, content: [text("r")], isError: null, cache: null }),
    ]);
    const messages = render({ turns }, { toolIdPattern: "nine-alphanumeric" }).body["messages"] as {
      tool_calls?: { id: string }[];
      tool_call_id?: string;
    }[];
    const called = messages.flatMap((message) => message.tool_calls ?? []).map((call) => call.id);
    expect(called.every((id) => /^[a-z0-9]{9}$/.test(id))).toBe(true);
    expect(new Set(called).size).toBe(500);
    expect(messages.flatMap((message) => message.tool_call_id ?? [])).toEqual(called);
  });

  test("prints schemas as their own text", () => {
    const schemaText = '{ "max": 1.0, "big": 9007199254740993 }';
    const rendered = render({
      tools: [{ name: "t", description: null, schemaText, strict: null, cache: null }],
      responseFormat: { kind: "json-schema", name: null, schemaText, strict: true },
    });
    expect(rendered.text.split(schemaText)).toHaveLength(3);
  });

  test("carries a Chat caller's request through the hub without loss", () => {
    const source = {
      model: "m",
      messages: [
        {
          role: "user",
          content: [
            { type: "video_url", video_url: { url: "v" } },
            { type: "text", text: "t", cache_control: { type: "ephemeral" } },
          ],
        },
      ],
      tools: [{ type: "web_search" }],
      seed: 1,
      vendor: { a: [1] },
    };
    const rendered = openaiChat.renderRequest(parse(source), { model: "m", quirks: {}, maxOutputTokens: 0 });
    expect(rendered.losses).toEqual([]);
    expect(JSON.parse(rendered.body)).toEqual(source);
  });
});

describe("splicing the caller's own body", () => {
  const splice = (text: string, quirks: Quirks = {}, maxOutputTokens = 0): string =>
    openaiChat.spliceRequest(text, parse(text), { model: "real", quirks, maxOutputTokens });
  const body = (extra: string): string => `{ "model" : "alias",\n "messages":[{"role":"user","content":"x"}]${extra} , "n_vendor": 1.0 }`;

  test("changes the model and nothing else", () => {
    expect(splice(body(""))).toBe(body("").replace('"alias"', '"real"'));
  });

  test("asks for usage in streams, whatever the caller's options were", () => {
    const streamed = body(',"stream":true');
    expect(splice(streamed)).toBe(streamed.replace('"alias"', '"real"').replace("1.0 }", '1.0,"stream_options":{"include_usage":true} }'));
    const asked = body(',"stream":true,"stream_options":{"include_obfuscation":false}');
    expect(splice(asked)).toContain('"stream_options":{"include_obfuscation":false,"include_usage":true}');
    expect(splice(body(',"stream":true,"stream_options":null'))).toContain('"stream_options":{"include_usage":true}');
    expect(splice(body(',"stream":true,"stream_options":{ "include_usage": false }'))).toContain(
      '"stream_options":{ "include_usage": true }',
    );
    const already = body(',"stream":true,"stream_options":{"include_usage":true}');
    expect(splice(already)).toBe(already.replace('"alias"', '"real"'));
    expect(splice(streamed, { streamOptions: false })).not.toContain("stream_options");
  });

  test("adds the model's cap only where the caller gave none", () => {
    expect(splice(body(""), { maxTokensField: "max_completion_tokens" }, 4096)).toContain('"max_completion_tokens":4096');
    expect(splice(body(',"max_tokens":7'), {}, 4096)).toBe(body(',"max_tokens":7').replace('"alias"', '"real"'));
  });

  test("takes out fields the provider is declared to refuse", () => {
    expect(splice(body(',"logit_bias":{"5":1}'), { refusedFields: ["logit_bias"] })).toBe(
      body("").replace('"alias"', '"real"').replace(" , ", ","),
    );
  });
});
