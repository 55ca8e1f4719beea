/** Converse requests rendered from the hub, whatever format they came in, and rendered as other formats. */
import { describe, expect, test } from "vitest";
import { anthropicMessages } from "../../workers/protocol/anthropic-messages/index.ts";
import { bedrockConverse } from "../../workers/protocol/bedrock-converse/index.ts";
import { bedrockInvoke } from "../../workers/protocol/bedrock-invoke/index.ts";
import { withStateOf } from "../../workers/protocol/opaque-state.ts";
import { openaiChat } from "../../workers/protocol/openai-chat/index.ts";
import { chat, CLAUDE, messages, named, NOVA, OTHER, read, render, user } from "./bedrock-requests.ts";

describe("rendering other formats' requests as Converse", () => {
  const tools = [{ type: "function", function: { name: "get.weather", description: "", parameters: { type: "object" } } }];

  test("carries a chat with tools, results, images and a schema", () => {
    const { body, losses } = render(
      chat({
        messages: [
          { role: "system", content: "one" },
          { role: "developer", content: "two" },
          {
            role: "user",
            content: [
              { type: "text", text: "see" },
              { type: "image_url", image_url: { url: "data:image/jpg;base64,AAAA" } },
            ],
          },
          {
            role: "assistant",
            content: "",
            tool_calls: [
              { id: "functions.x:0", type: "function", function: { name: "get.weather", arguments: '{"n": 1.0}' } },
              { id: "call_2", type: "function", function: { name: "get.weather", arguments: "" } },
            ],
          },
          { role: "tool", tool_call_id: "functions.x:0", content: "a" },
          { role: "tool", tool_call_id: "call_2", content: "b" },
          { role: "user", content: "and?" },
        ],
        max_tokens: 50,
        temperature: 1.4,
        stop: ["X", " "],
        tools,
        tool_choice: "required",
        response_format: { type: "json_schema", json_schema: { name: "s", schema: { type: "object" } } },
        seed: 7,
        user: "u1",
      }),
    );
    expect(body["system"]).toEqual([{ text: "one" }, { text: "two" }]);
    expect(body["messages"]).toEqual([
      { role: "user", content: [{ text: "see" }, { image: { format: "jpeg", source: { bytes: "AAAA" } } }] },
      {
        role: "assistant",
        content: [
          { toolUse: { toolUseId: "functions_2e_x_3a_0", name: "get_2e_weather", input: { n: 1 } } },
          { toolUse: { toolUseId: "call_2", name: "get_2e_weather", input: {} } },
        ],
      },
      {
        role: "user",
        content: [
          { toolResult: { toolUseId: "functions_2e_x_3a_0", content: [{ text: "a" }] } },
          { toolResult: { toolUseId: "call_2", content: [{ text: "b" }] } },
          { text: "and?" },
        ],
      },
    ]);
    expect(body["toolConfig"]).toEqual({
      tools: [{ toolSpec: { name: "get_2e_weather", inputSchema: { json: { type: "object" } } } }],
      toolChoice: { any: {} },
    });
    expect(body["inferenceConfig"]).toEqual({ maxTokens: 50, stopSequences: ["X"], temperature: 1 });
    expect(body["outputConfig"]).toEqual({
      textFormat: { type: "json_schema", structure: { jsonSchema: { schema: '{"type":"object"}', name: "s" } } },
    });
    expect(losses).toEqual([
      "approximation tools.name(→get_2e_weather)",
      "content stop",
      "approximation temperature(1.4→1)",
      "hint user",
      "hint seed",
    ]);
  });

  test("keeps the raw text of arguments and schemas", () => {
    const request = chat({
      messages: [
        { role: "user", content: "x" },
        {
          role: "assistant",
          tool_calls: [{ id: "c", type: "function", function: { name: "f", arguments: '{"b":9007199254740993,"a":1.0}' } }],
        },
        { role: "tool", tool_call_id: "c", content: "y" },
      ],
    });
    expect(render(request).text).toContain('"input":{"b":9007199254740993,"a":1.0}');
    const tool = {
      name: "f",
      description: null,
      schemaText: '{"type":"object","maximum":1.0}',
      strict: true,
      cache: { ttl: "5m" as const },
    };
    expect(render({ ...request, tools: [tool] }).text).toContain(
      '{"toolSpec":{"name":"f","inputSchema":{"json":{"type":"object","maximum":1.0}},"strict":true}},{"cachePoint":{"type":"default","ttl":"5m"}}',
    );
  });

  test("puts a cache mark after its block, and documents under names of their own", () => {
    const file = (title: string): object => ({
      type: "document",
      title,
      source: { type: "base64", media_type: "application/pdf", data: "AAAA" },
    });
    const { body, losses } = render(
      messages({
        system: [{ type: "text", text: "s", cache_control: { type: "ephemeral", ttl: "1h" } }],
        messages: [
          {
            role: "user",
            content: [{ type: "text", text: "t", cache_control: { type: "ephemeral" } }, file("rep_ort.pdf"), file("rep-ort-pdf")],
          },
        ],
      }),
    );
    expect(body["system"]).toEqual([{ text: "s" }, { cachePoint: { type: "default", ttl: "1h" } }]);
    expect(body["messages"]).toMatchObject([
      {
        content: [
          { text: "t" },
          { cachePoint: { type: "default" } },
          { document: { format: "pdf", name: "rep-ort-pdf" } },
          { document: { format: "pdf", name: "rep-ort-pdf (2)" } },
        ],
      },
    ]);
    expect(losses).toEqual(["approximation messages.file.name(→rep-ort-pdf)"]);
  });

  test("reports as lost what has no place", () => {
    const { losses } = render(
      chat({
        n: 2,
        logprobs: true,
        response_format: { type: "json_object" },
        messages: [
          {
            role: "user",
            content: [
              { type: "image_url", image_url: { url: "https://x.test/a.png", detail: "high" } },
              { type: "file", file: { file_id: "file_1" } },
              { type: "input_audio", input_audio: { data: "AAAA", format: "wav" } },
            ],
          },
        ],
      }),
    );
    expect(losses).toEqual([
      "hint messages.image.detail",
      "content messages.image",
      "content messages.file",
      "content messages.audio",
      "approximation max_tokens(→8192)",
      "content response_format",
      "content n",
      "content logprobs",
    ]);
  });

  test("leaves forbidden tools out, unless calls in the history need them: then the model may call, and it is said", () => {
    expect(render(chat({ tools, tool_choice: "none", max_tokens: 5 })).body).not.toHaveProperty("toolConfig");
    const history = [
      { role: "user", content: "x" },
      { role: "assistant", tool_calls: [{ id: "c", type: "function", function: { name: "old", arguments: "{}" } }] },
      { role: "tool", tool_call_id: "c", content: "y" },
    ];
    const { body, losses } = render(chat({ messages: history, max_tokens: 5 }));
    expect(body["toolConfig"]).toEqual({ tools: [{ toolSpec: { name: "old", inputSchema: { json: { type: "object" } } } }] });
    expect(losses).toEqual(["approximation tool_choice(none→auto)"]);
  });

  test("speaks to each family of models in its own words", () => {
    const ask = { top_k: 5, reasoning_effort: "high", parallel_tool_calls: false, max_tokens: 9_000, tools, tool_choice: "auto" };
    const claude = render(chat(ask));
    expect(claude.body["additionalModelRequestFields"]).toEqual({
      thinking: { type: "enabled", budget_tokens: 4_500 },
      tool_choice: { type: "auto", disable_parallel_tool_use: true },
    });
    expect(claude.body["toolConfig"]).not.toHaveProperty("toolChoice");
    expect(claude.losses).toContain("hint top_k");
    const nova = render(chat(ask), NOVA);
    expect(nova.body["additionalModelRequestFields"]).toEqual({
      reasoningConfig: { type: "enabled", maxReasoningEffort: "medium" },
      inferenceConfig: { topK: 5 },
    });
    expect(nova.losses).toEqual(expect.arrayContaining(["hint parallel_tool_calls", "approximation reasoning_effort(high→medium)"]));
    const other = render(chat(ask), OTHER);
    expect(other.body).not.toHaveProperty("additionalModelRequestFields");
    expect(other.losses).toEqual(expect.arrayContaining(["hint top_k", "hint parallel_tool_calls", "hint reasoning_effort"]));
  });

  test("passes an effort on as it is where both sides know it", () => {
    const { body } = render(messages({ output_config: { effort: "high" } }));
    expect(body["outputConfig"]).toEqual({ effort: "high" });
    expect(body).not.toHaveProperty("additionalModelRequestFields");
  });

  test("sends no sampling beside thinking", () => {
    const { body } = render(messages({ thinking: { type: "enabled", budget_tokens: 2_000 }, temperature: 1, top_p: 0.9 }));
    expect(body["inferenceConfig"]).toEqual({ maxTokens: 5_000 });
  });
});

describe("Converse in and out", () => {
  const native = '{"messages":[{"role":"user","content":[{"text":"hi"}]}],"guardrailConfig":{"a": 1.0},"inferenceConfig":{"topP": 0.90}}';

  test("passes the caller's own bytes, with the cap put in where none was named", () => {
    expect(bedrockConverse.spliceRequest(native, read(native), CLAUDE)).toBe(
      native.replace('{"topP": 0.90}', '{"topP": 0.90,"maxTokens":8192}'),
    );
    const bare = '{"messages":[{"role":"user","content":[{"text":"hi"}]}]}';
    expect(bedrockConverse.spliceRequest(bare, read(bare), CLAUDE)).toBe(bare.replace(/\}$/, ',"inferenceConfig":{"maxTokens":8192}}'));
    const capped = '{"messages":[{"role":"user","content":[{"text":"hi"}]}],"inferenceConfig":{"maxTokens": 5}}';
    expect(bedrockConverse.spliceRequest(capped, read(capped), CLAUDE)).toBe(capped);
  });

  test("rendered anew, keeps what only this wire knows where it was", () => {
    const given = {
      messages: [{ role: "user", content: [{ guardContent: { text: { text: "q" } } }, { text: "hi" }] }],
      toolConfig: { tools: [{ systemTool: { name: "nova_grounding" } }] },
      guardrailConfig: { guardrailIdentifier: "g", guardrailVersion: "1" },
      additionalModelRequestFields: { thinking: { type: "enabled", budget_tokens: 2_000 }, min_p: 0.1 },
      inferenceConfig: { maxTokens: 4_000 },
    };
    const { body, losses } = render(read(given));
    expect(body).toEqual(given);
    expect(losses).toEqual([]);
  });
});

describe("Converse rendered as other formats", () => {
  test("goes to Chat and Messages with its system, calls and results", () => {
    const request = read({
      system: [{ text: "s" }],
      messages: [
        user,
        { role: "assistant", content: [{ text: "t" }, { toolUse: { toolUseId: "tooluse_1", name: "f", input: { a: 1 } } }] },
        { role: "user", content: [{ toolResult: { toolUseId: "tooluse_1", content: [{ json: { ok: true } }], status: "success" } }] },
      ],
      inferenceConfig: { maxTokens: 10 },
      toolConfig: { tools: [{ toolSpec: { name: "f", inputSchema: { json: { type: "object" } } } }], toolChoice: { tool: { name: "f" } } },
    });
    const target = { model: "m", quirks: {}, maxOutputTokens: 100 };
    expect(JSON.parse(openaiChat.renderRequest(request, target).body)).toMatchObject({
      messages: [
        { role: "system", content: "s" },
        { role: "user", content: "hi" },
        { role: "assistant", content: "t", tool_calls: [{ id: "tooluse_1", function: { name: "f", arguments: '{"a":1}' } }] },
        { role: "tool", tool_call_id: "tooluse_1", content: '{"ok":true}' },
      ],
      tool_choice: { type: "function", function: { name: "f" } },
    });
    expect(JSON.parse(anthropicMessages.renderRequest(request, target).body)).toMatchObject({
      system: [{ type: "text", text: "s" }],
      messages: [
        { role: "user" },
        { role: "assistant" },
        { content: [{ type: "tool_result", tool_use_id: "tooluse_1", is_error: false }] },
      ],
      tool_choice: { type: "tool", name: "f" },
    });
  });

  test("names a guardrail, a prompt's variables and the provider's own tools as losses of content", () => {
    const request = read({
      messages: [user],
      guardrailConfig: { guardrailIdentifier: "g", guardrailVersion: "1" },
      promptVariables: { a: { text: "b" } },
      toolConfig: { tools: [{ systemTool: { name: "nova_grounding" } }] },
      requestMetadata: { a: "b" },
      additionalModelRequestFields: { min_p: 0.1 },
    });
    const { losses } = openaiChat.renderRequest(request, { model: "m", quirks: {}, maxOutputTokens: 100 });
    expect(named(losses)).toEqual(
      expect.arrayContaining([
        "content guardrailConfig",
        "content promptVariables",
        "content tools.0",
        "hint requestMetadata",
        "hint additionalModelRequestFields.min_p",
      ]),
    );
  });
});

describe("reasoning state", () => {
  test("of this provider comes back to it byte for byte, with its text", () => {
    const content = [
      { reasoningContent: { reasoningText: { text: "why", signature: "c2ln+/==" } } },
      { reasoningContent: { redactedContent: "cmVk" } },
      { text: "so" },
    ];
    const { body } = render(withStateOf(read({ messages: [user, { role: "assistant", content }, user] }), "bedrock-converse"));
    expect(body["messages"]).toMatchObject([{}, { content }, {}]);
  });

  test("of another provider is left out, and named", () => {
    const blob = Buffer.from("ply1.anthropic-messages.some-data").toString("base64");
    const content = [{ reasoningContent: { redactedContent: blob } }, { text: "so" }];
    const request = read({ messages: [user, { role: "assistant", content }, user] });
    expect(request.turns[1]?.blocks[0]).toMatchObject({ data: "ply1.anthropic-messages.some-data" });
    expect(render(withStateOf(request, "bedrock-converse")).text).not.toContain("redactedContent");
    expect(withStateOf(request, "anthropic-messages").turns[1]?.blocks[0]).toMatchObject({ data: "some-data" });
  });
});

describe("InvokeModel", () => {
  test("is the Messages body with a version, and without what the address says", () => {
    const request = { ...messages({ system: "s", thinking: { type: "enabled", budget_tokens: 1_024 } }), stream: true };
    const { body, losses } = bedrockInvoke.renderRequest(request, CLAUDE);
    expect(JSON.parse(body)).toEqual({
      max_tokens: 5_000,
      messages: [{ role: "user", content: [{ type: "text", text: "hi" }] }],
      system: [{ type: "text", text: "s" }],
      thinking: { type: "enabled", budget_tokens: 1_024 },
      anthropic_version: "bedrock-2023-05-31",
    });
    expect(losses).toEqual([]);
    const text = '{"model":"m","stream": true,"max_tokens":5,"messages":[{"role":"user","content":"hi"}],"new_field":1.0}';
    expect(bedrockInvoke.spliceRequest(text, request, CLAUDE)).toBe(
      '{"max_tokens":5,"messages":[{"role":"user","content":"hi"}],"new_field":1.0,"anthropic_version":"bedrock-2023-05-31"}',
    );
  });
});
