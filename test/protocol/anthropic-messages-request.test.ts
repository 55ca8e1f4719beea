import { describe, expect, test } from "vitest";
import { parseJson } from "../../schema/json.ts";
import { anthropicMessages } from "../../workers/protocol/anthropic-messages/index.ts";
import type { CanonicalRequest } from "../../workers/protocol/canonical.ts";

function parse(body: unknown): CanonicalRequest {
  const parsed = anthropicMessages.parseRequest(typeof body === "string" ? body : JSON.stringify(body));
  if (!parsed.ok) throw new Error(parsed.error.message);
  return parsed.value;
}

const user = { role: "user", content: "hi" };
const target = { model: "claude-x", quirks: {}, maxOutputTokens: 8192 };
const base = { model: "m", max_tokens: 100, messages: [user] };

describe("parsing a caller's Messages request", () => {
  test("reads system, roles, media and cache marks", () => {
    const request = parse({
      ...base,
      system: [{ type: "text", text: "be brief", cache_control: { type: "ephemeral", ttl: "1h" } }],
      messages: [
        {
          role: "user",
          content: [
            { type: "text", text: "look", cache_control: { type: "ephemeral" } },
            { type: "image", source: { type: "base64", media_type: "image/png", data: "AAAA" } },
            { type: "image", source: { type: "url", url: "https://x.test/a.png" } },
            { type: "image", source: { type: "file", file_id: "file_1" } },
            { type: "document", title: "a.pdf", source: { type: "base64", media_type: "application/pdf", data: "BBBB" } },
          ],
        },
        { role: "system", content: "from now on, in French" },
        { role: "assistant", content: "Oui" },
      ],
    });
    expect(request.turns.map((turn) => turn.role)).toEqual(["system", "user", "system", "assistant"]);
    expect(request.turns[0]?.blocks).toEqual([{ type: "text", text: "be brief", cache: { ttl: "1h" } }]);
    expect(request.turns[1]?.blocks).toMatchObject([
      { type: "text", text: "look", cache: { ttl: null } },
      { type: "image", source: { kind: "base64", mediaType: "image/png", data: "AAAA" } },
      { type: "image", source: { kind: "url", url: "https://x.test/a.png" } },
      { type: "image", source: { kind: "file", id: "file_1" } },
      { type: "file", source: { kind: "base64", mediaType: "application/pdf" }, name: "a.pdf" },
    ]);
  });

  test("keeps tool inputs, schemas and unknown blocks as the caller's own text", () => {
    const request = parse(
      `{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"f","input": {"b": 1.0, "a": 9007199254740993} }, {"type":"server_tool_use", "id":"s1","input":{"n": 1.0}}]}],"tools":[{"name":"f","input_schema":{ "type":"object", "max": 1.0 }}]}`,
    );
    expect(request.turns[1]?.blocks).toEqual([
      { type: "tool-call", id: "t1", name: "f", argumentsText: '{"b": 1.0, "a": 9007199254740993}', cache: null },
      {
        type: "opaque",
        protocol: "anthropic-messages",
        kind: "server_tool_use",
        json: '{"type":"server_tool_use", "id":"s1","input":{"n": 1.0}}',
      },
    ]);
    expect(request.tools[0]?.schemaText).toBe('{ "type":"object", "max": 1.0 }');
  });

  test("keeps thinking with its signature to the byte, and takes an empty signature for none", () => {
    const signature = "EqQBCgIYAhIM+/=ключ";
    const request = parse({
      ...base,
      messages: [
        user,
        {
          role: "assistant",
          content: [
            { type: "thinking", thinking: "hm", signature },
            { type: "redacted_thinking", data: "b3BhcXVl" },
            { type: "thinking", thinking: "unsigned", signature: "" },
          ],
        },
      ],
    });
    expect(request.turns[1]?.blocks).toEqual([
      { type: "reasoning", kind: "raw", text: "hm", signature, data: null },
      { type: "reasoning", kind: "redacted", text: "", signature: null, data: "b3BhcXVl" },
      { type: "reasoning", kind: "raw", text: "unsigned", signature: null, data: null },
    ]);
  });

  test("reads results as text, as blocks and as errors", () => {
    const request = parse({
      ...base,
      messages: [
        {
          role: "user",
          content: [
            { type: "tool_result", tool_use_id: "t1", content: "sunny" },
            { type: "tool_result", tool_use_id: "t2", content: [{ type: "text", text: "no" }], is_error: true },
            { type: "tool_result", tool_use_id: "t3" },
          ],
        },
      ],
    });
    expect(request.turns[0]?.blocks).toMatchObject([
      { callId: "t1", content: [{ type: "text", text: "sunny" }], isError: null },
      { callId: "t2", content: [{ type: "text", text: "no" }], isError: true },
      { callId: "t3", content: [] },
    ]);
  });

  test("reads the controls, and leaves what it does not know in rest", () => {
    const request = parse({
      ...base,
      stream: true,
      temperature: 0.5,
      top_p: 0.9,
      top_k: 5,
      stop_sequences: ["END"],
      thinking: { type: "enabled", budget_tokens: 2000 },
      output_config: { effort: "high", format: { type: "json_schema", schema: { type: "object" } } },
      tool_choice: { type: "any", disable_parallel_tool_use: true },
      tools: [
        { name: "f", input_schema: { type: "object" } },
        { type: "mcp_toolset", mcp_server_name: "s" },
      ],
      metadata: { user_id: "u1" },
      container: "c1",
    });
    expect(request).toMatchObject({
      stream: true,
      wantsStreamUsage: true,
      maxOutputTokens: 100,
      temperature: 0.5,
      topP: 0.9,
      topK: 5,
      stop: ["END"],
      reasoning: { effort: "high", budgetTokens: 2000, mode: "enabled" },
      responseFormat: { kind: "json-schema", schemaText: '{"type":"object"}' },
      toolChoice: { mode: "required" },
      parallelToolCalls: false,
      user: "u1",
    });
    expect(request.rest).toEqual({ "tools.1": { type: "mcp_toolset", mcp_server_name: "s" }, container: "c1" });
  });

  test("keeps a document whose citations or context no other wire has as its own block", () => {
    const source = { type: "base64", media_type: "application/pdf", data: "AA" };
    const content = [
      { type: "document", source, citations: { enabled: true } },
      { type: "document", source, context: "c" },
      { type: "document", source, citations: { enabled: false } },
    ];
    expect(parse({ ...base, messages: [{ role: "user", content }] }).turns[0]?.blocks.map((block) => block.type)).toEqual([
      "opaque",
      "opaque",
      "file",
    ]);
  });

  const block = (content: unknown): unknown => ({ ...base, messages: [{ role: "user", content: [content] }] });
  test.each<[string, unknown, string | null]>([
    ["no model", { max_tokens: 1, messages: [user] }, "model"],
    ["no cap", { model: "m", messages: [user] }, "max_tokens"],
    ["a cap that is no number", { ...base, max_tokens: "9" }, "max_tokens"],
    ["no messages", { model: "m", max_tokens: 1 }, "messages"],
    ["empty messages", { ...base, messages: [] }, "messages"],
    ["an unknown role", { ...base, messages: [{ role: "wizard", content: "x" }] }, "messages.0.role"],
    ["content of a wrong type", { ...base, messages: [{ role: "user", content: 5 }] }, "messages.0.content"],
    ["system of a wrong type", { ...base, system: 5 }, "system"],
    ["a block without type", block({ text: "x" }), "messages.0.content.0.type"],
    ["a block that is no object", block("x"), "messages.0.content.0"],
    ["text of a wrong type", block({ type: "text", text: 5 }), "messages.0.content.0.text"],
    ["a text block without text", block({ type: "text" }), "messages.0.content.0.text"],
    ["an image without source", block({ type: "image" }), "messages.0.content.0.source"],
    [
      "base64 without data",
      block({ type: "image", source: { type: "base64", media_type: "image/png" } }),
      "messages.0.content.0.source.data",
    ],
    ["a call without name", block({ type: "tool_use", id: "t", input: {} }), "messages.0.content.0.name"],
    ["a call without input", block({ type: "tool_use", id: "t", name: "f" }), "messages.0.content.0.input"],
    ["a call whose input is text", block({ type: "tool_use", id: "t", name: "f", input: "{}" }), "messages.0.content.0.input"],
    ["a result without its call", block({ type: "tool_result", content: "x" }), "messages.0.content.0.tool_use_id"],
    ["a result of a wrong type", block({ type: "tool_result", tool_use_id: "t", content: 5 }), "messages.0.content.0.content"],
    [
      "a wrong block inside a result",
      block({ type: "tool_result", tool_use_id: "t", content: [{ type: "text", text: 5 }] }),
      "messages.0.content.0.content.0.text",
    ],
    ["an unknown tool choice", { ...base, tool_choice: { type: "maybe" } }, "tool_choice.type"],
    ["a tool choice without its tool", { ...base, tool_choice: { type: "tool" } }, "tool_choice.name"],
    ["a tool without name", { ...base, tools: [{ input_schema: {} }] }, "tools.0.name"],
    ["an unknown kind of thinking", { ...base, thinking: { type: "loud" } }, "thinking.type"],
    ["a stop that is no list", { ...base, stop_sequences: "END" }, "stop_sequences"],
    ["a body that is a list", [], null],
  ])("refuses %s and names the place", (_, body, param) => {
    const parsed = anthropicMessages.parseRequest(JSON.stringify(body));
    expect(parsed).toMatchObject({ ok: false, error: { code: "invalid_request", status: 400, param } });
  });

  test("refuses what is not JSON as such", () => {
    expect(anthropicMessages.parseRequest("{")).toMatchObject({ ok: false, error: { code: "invalid_json" } });
  });
});

describe("a caller's own body on its way to a provider of the same wire", () => {
  test("changes nothing but the model", () => {
    const body = '{ "messages" : [{"role":"user","content":"\\u0061 1.0"}],\n "max_tokens":7.0e1, "model" : "a/b", "x":9007199254740993 }';
    expect(anthropicMessages.spliceRequest(body, parse(base), target)).toBe(body.replace('"a/b"', '"claude-x"'));
  });

  test("leaves out a field the provider is declared to refuse", () => {
    const body = '{"model":"m","temperature":1,"max_tokens":5}';
    const quirks = { refusedFields: ["temperature"] };
    expect(anthropicMessages.spliceRequest(body, parse(base), { ...target, quirks })).toBe('{"model":"claude-x","max_tokens":5}');
  });

  test("comes out of the hub as it went in, with nothing lost", () => {
    const body = {
      model: "claude-x",
      max_tokens: 4000,
      messages: [
        { role: "user", content: [{ type: "text", text: "hi" }] },
        {
          role: "assistant",
          content: [
            { type: "thinking", thinking: "hm", signature: "c2ln" },
            { type: "redacted_thinking", data: "AA" },
            { type: "tool_use", id: "t1", name: "f", input: { n: 1 } },
          ],
        },
        { role: "user", content: [{ type: "tool_result", tool_use_id: "t1", content: [{ type: "text", text: "ok" }], is_error: false }] },
      ],
      system: [{ type: "text", text: "s", cache_control: { type: "ephemeral", ttl: "1h" } }],
      stop_sequences: ["END"],
      tools: [
        { name: "f", description: "d", input_schema: { type: "object" }, strict: true },
        { type: "web_search_20250305", name: "web_search" },
      ],
      tool_choice: { type: "auto", disable_parallel_tool_use: true },
      thinking: { type: "enabled", budget_tokens: 2000 },
      output_config: { effort: "high", format: { type: "json_schema", schema: { type: "object" } } },
      metadata: { user_id: "u" },
      container: "c",
    };
    const rendered = anthropicMessages.renderRequest(parse(body), target);
    expect(parseJson(rendered.body)).toEqual({ ok: true, value: body });
    expect(rendered.losses).toEqual([]);
  });
});
