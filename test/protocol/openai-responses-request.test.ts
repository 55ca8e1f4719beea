import { describe, expect, test } from "vitest";
import type { Block, Turn } from "../../workers/protocol/canonical.ts";
import { hasForeignState, markState, withStateOf } from "../../workers/protocol/opaque-state.ts";
import { openaiResponses } from "../../workers/protocol/openai-responses/index.ts";
import { parse, render, to } from "./openai-responses-requests.ts";

function turn(role: Turn["role"], ...blocks: Block[]): Turn {
  return { role, name: null, blocks };
}

function text(value: string): Block {
  return { type: "text", text: value, cache: null };
}

const weather =
  '{"type":"function","name":"weather","description":"d","parameters":{ "type":"object", "max": 1.0, "big": 9007199254740993 },"strict":true}';

describe("parsing a caller's request", () => {
  test("reads instructions and a plain text", () => {
    expect(parse({ model: "m", instructions: "be brief", input: "hi" }).turns).toEqual([
      turn("system", text("be brief")),
      turn("user", text("hi")),
    ]);
  });

  test("reads every kind of item, one turn for an assistant's items and one for the results", () => {
    const { turns } = parse({
      model: "m",
      input: [
        { type: "message", role: "developer", content: "please" },
        {
          role: "user",
          content: [
            { type: "input_text", text: "look" },
            { type: "input_image", image_url: "data:image/png;base64,AAAA", detail: "low" },
            { type: "input_image", image_url: "https://x.test/a.png" },
            { type: "input_image", file_id: "file-1" },
            { type: "input_file", file_data: "data:application/pdf;base64,CCCC", filename: "a.pdf" },
            { type: "input_file", file_url: "https://x.test/b.pdf" },
            { type: "input_audio", input_audio: { data: "BBBB", format: "mp3" } },
          ],
        },
        { type: "reasoning", id: "rs_1", summary: [{ type: "summary_text", text: "a" }, { text: "b" }], encrypted_content: "sealed" },
        { type: "message", role: "assistant", id: "msg_1", content: [{ type: "output_text", text: "I look.", annotations: [] }] },
        { type: "function_call", id: "fc_1", call_id: "call_1", name: "weather", arguments: '{"n":1.0}' },
        { type: "custom_tool_call", call_id: "call_2", name: "sql", input: 'select "x"' },
        { type: "function_call_output", call_id: "call_1", output: "sunny" },
        {
          type: "custom_tool_call_output",
          call_id: "call_2",
          output: [
            { type: "input_text", text: "row" },
            { type: "input_image", image_url: "data:image/png;base64,DDDD" },
          ],
        },
      ],
    });
    expect(turns.map((each) => each.role)).toEqual(["developer", "user", "assistant", "tool"]);
    expect(turns[1]?.blocks).toEqual([
      text("look"),
      { type: "image", source: { kind: "base64", mediaType: "image/png", data: "AAAA" }, detail: "low", cache: null },
      { type: "image", source: { kind: "url", url: "https://x.test/a.png" }, detail: null, cache: null },
      { type: "image", source: { kind: "file", id: "file-1" }, detail: null, cache: null },
      { type: "file", source: { kind: "base64", mediaType: "application/pdf", data: "CCCC" }, name: "a.pdf", cache: null },
      { type: "file", source: { kind: "url", url: "https://x.test/b.pdf" }, name: null, cache: null },
      { type: "audio", source: { kind: "base64", mediaType: "audio/mp3", data: "BBBB" }, format: "mp3" },
    ]);
    expect(turns[2]?.blocks).toEqual([
      { type: "reasoning", kind: "summary", text: "a\n\nb", signature: "sealed", data: null },
      text("I look."),
      { type: "tool-call", id: "call_1", name: "weather", argumentsText: '{"n":1.0}', cache: null },
      { type: "tool-call", id: "call_2", name: "sql", argumentsText: '{"input":"select \\"x\\""}', cache: null },
    ]);
    expect(turns[3]?.blocks).toMatchObject([
      { type: "tool-result", callId: "call_1", content: [text("sunny")] },
      { type: "tool-result", callId: "call_2", content: [text("row"), { type: "image" }] },
    ]);
  });

  test("keeps items of its own protocol as their exact text", () => {
    const item = '{ "type":"web_search_call", "id":"ws_1", "n":1.0 }';
    expect(parse(`{"model":"m","input":[${item}, {"id":"msg_9"}]}`).turns[0]?.blocks).toEqual([
      { type: "opaque", protocol: "openai-responses", kind: "web_search_call", json: item },
      { type: "opaque", protocol: "openai-responses", kind: "item_reference", json: '{"id":"msg_9"}' },
    ]);
  });

  test("reads reasoning by what it holds: text, state alone, a name alone", () => {
    const { turns } = parse({
      model: "m",
      input: [
        { type: "reasoning", summary: [], encrypted_content: "sealed" },
        { type: "reasoning", id: "rs_1", summary: [] },
        { type: "reasoning", summary: [], content: [{ type: "reasoning_text", text: "" }], encrypted_content: "signed" },
        { type: "reasoning", summary: [{ text: "short" }], content: [{ type: "reasoning_text", text: "long" }], encrypted_content: null },
      ],
    });
    expect(turns[0]?.blocks).toEqual([
      { type: "reasoning", kind: "redacted", text: "", signature: null, data: "sealed" },
      { type: "reasoning", kind: "redacted", text: "", signature: null, data: null },
      { type: "reasoning", kind: "raw", text: "", signature: "signed", data: null },
      { type: "reasoning", kind: "raw", text: "long", signature: null, data: null },
    ]);
  });

  test("keeps tool schemas as the caller's own text and reads the controls", () => {
    const request = parse(
      `{"model":"m","input":"x","tools":[${weather}],"tool_choice":{"type":"function","name":"weather"},"parallel_tool_calls":false,"max_output_tokens":50,"temperature":0.5,"top_p":0.9,"reasoning":{"effort":"high","summary":"auto"},"stream":true,"user":"u1","text":{"verbosity":"low","format":{"type":"json_schema","name":"r","strict":true,"schema":{ "type":"object"}}},"metadata":{"a":"b"}}`,
    );
    expect(request.tools[0]?.schemaText).toBe('{ "type":"object", "max": 1.0, "big": 9007199254740993 }');
    expect(request).toMatchObject({
      toolChoice: { mode: "tool", name: "weather" },
      parallelToolCalls: false,
      maxOutputTokens: 50,
      temperature: 0.5,
      topP: 0.9,
      reasoning: { effort: "high", budgetTokens: null, mode: null },
      stream: true,
      wantsStreamUsage: true,
      user: "u1",
      responseFormat: { kind: "json-schema", name: "r", schemaText: '{ "type":"object"}', strict: true },
      rest: { metadata: { a: "b" }, "reasoning.summary": "auto", "text.verbosity": "low" },
    });
  });

  test.each<[string, unknown, string | null]>([
    ["no model", { input: "x" }, "model"],
    ["no input", { model: "m" }, "input"],
    ["an empty input", { model: "m", input: [] }, "input"],
    ["an input of a wrong type", { model: "m", input: 5 }, "input"],
    ["an unknown role", { model: "m", input: [{ role: "wizard", content: "x" }] }, "input.0.role"],
    ["a message without content", { model: "m", input: [{ role: "user" }] }, "input.0.content"],
    ["a text part without text", { model: "m", input: [{ role: "user", content: [{ type: "input_text" }] }] }, "input.0.content.0.text"],
    [
      "an image without address",
      { model: "m", input: [{ role: "user", content: [{ type: "input_image" }] }] },
      "input.0.content.0.image_url",
    ],
    [
      "an image of broken data",
      { model: "m", input: [{ role: "user", content: [{ type: "input_image", image_url: "data:image/png,AA" }] }] },
      "input.0.content.0.image_url",
    ],
    ["a call without call_id", { model: "m", input: [{ type: "function_call", name: "f", arguments: "{}" }] }, "input.0.call_id"],
    ["a call without arguments", { model: "m", input: [{ type: "function_call", name: "f", call_id: "c" }] }, "input.0.arguments"],
    ["a result without output", { model: "m", input: [{ type: "function_call_output", call_id: "c" }] }, "input.0.output"],
    ["a function without a name", { model: "m", input: "x", tools: [{ type: "function" }] }, "tools.0.name"],
    ["a choice that is no word of the API", { model: "m", input: "x", tool_choice: "perhaps" }, "tool_choice"],
    ["a cap of nothing", { model: "m", input: "x", max_output_tokens: 0 }, "max_output_tokens"],
    ["a schema left out", { model: "m", input: "x", text: { format: { type: "json_schema", name: "n" } } }, "text.format.schema"],
  ])("refuses %s, naming the field", (_what, body, param) => {
    const parsed = openaiResponses.parseRequest(JSON.stringify(body));
    expect(parsed.ok ? null : [parsed.error.code, parsed.error.param]).toEqual(["invalid_request", param]);
  });

  test("refuses what is no JSON, and takes a call without input where the provider keeps it", () => {
    const broken = openaiResponses.parseRequest("{");
    expect(broken.ok ? null : broken.error.code).toBe("invalid_json");
    expect(parse({ model: "m", previous_response_id: "resp_1" }).turns).toEqual([]);
  });
});

describe("a caller of this format at other providers", () => {
  test.each(["openai-chat", "anthropic-messages"] as const)("is refused at %s what rests on an answer kept at the provider", (target) => {
    for (const [field, value] of Object.entries({
      previous_response_id: "resp_1",
      conversation: "conv_1",
      background: true,
      prompt: { id: "pmpt_1" },
    })) {
      expect(to(target, { model: "m", input: "x", [field]: value }).losses).toContain(`content ${field}`);
    }
    const harmless = { background: false, truncation: "disabled", include: ["reasoning.encrypted_content"], store: false };
    expect(to(target, { model: "m", input: "x", max_output_tokens: 9, ...harmless }).losses).toEqual([]);
  });

  test("names lost wishes as hints and lost contracts as content", () => {
    const { losses: lost } = to("anthropic-messages", {
      model: "m",
      input: [
        { id: "msg_9" },
        { role: "user", content: "x" },
        { role: "assistant", phase: "commentary", content: "hm" },
        { role: "user", content: "y" },
      ],
      max_output_tokens: 9,
      include: ["message.output_text.logprobs"],
      tools: [{ type: "web_search" }],
      max_tool_calls: 3,
      reasoning: { summary: "auto" },
      text: { verbosity: "low" },
    });
    expect(lost.toSorted()).toEqual(
      [
        "content include.message.output_text.logprobs",
        "content messages.item_reference",
        "content tools.0",
        "hint include",
        "hint input.phase",
        "hint max_tool_calls",
        "hint reasoning.summary",
        "hint text.verbosity",
      ].toSorted(),
    );
  });

  test("gives Chat one assistant message a turn, with all its calls and then their results", () => {
    const { json } = to("openai-chat", {
      model: "m",
      instructions: "be brief",
      input: [
        { role: "user", content: "both" },
        { type: "reasoning", summary: [], encrypted_content: "sealed" },
        { type: "function_call", call_id: "c1", name: "a", arguments: '{"n":1.0}' },
        { type: "reasoning", summary: [], encrypted_content: "sealed" },
        { type: "function_call", call_id: "c2", name: "b", arguments: "{}" },
        { type: "function_call_output", call_id: "c1", output: "one" },
        { type: "function_call_output", call_id: "c2", output: "two" },
      ],
    });
    expect(json["messages"]).toEqual([
      { role: "system", content: "be brief" },
      { role: "user", content: "both" },
      {
        role: "assistant",
        content: null,
        tool_calls: [
          { id: "c1", type: "function", function: { name: "a", arguments: '{"n":1.0}' } },
          { id: "c2", type: "function", function: { name: "b", arguments: "{}" } },
        ],
      },
      { role: "tool", tool_call_id: "c1", content: "one" },
      { role: "tool", tool_call_id: "c2", content: "two" },
    ]);
  });

  test("gives Anthropic its own thinking back from the reasoning it was shown as", () => {
    const request = parse({
      model: "m",
      input: [
        { role: "user", content: "x" },
        {
          type: "reasoning",
          id: "rs_ply_a_0",
          summary: [],
          content: [{ type: "reasoning_text", text: "hm" }],
          encrypted_content: markState("anthropic-messages", "sig=="),
        },
        { type: "function_call", call_id: "c1", name: "a", arguments: "{}" },
        { type: "function_call_output", call_id: "c1", output: [{ type: "input_image", image_url: "data:image/png;base64,AAAA" }] },
      ],
    });
    expect(hasForeignState(request)).toBe(true);
    const own = withStateOf(request, "anthropic-messages").turns[1]?.blocks[0];
    expect(own).toEqual({ type: "reasoning", kind: "raw", text: "hm", signature: "sig==", data: null });
    const { json } = render(withStateOf(request, "openai-responses"));
    expect(JSON.stringify(json)).not.toMatch(/sig==|rs_ply|hm/);
  });
});
