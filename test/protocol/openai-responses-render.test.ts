import { describe, expect, test } from "vitest";
import { markState, withStateOf } from "../../workers/protocol/opaque-state.ts";
import { openaiResponses } from "../../workers/protocol/openai-responses/index.ts";
import { from, losses, parse, render } from "./openai-responses-requests.ts";

describe("rendering another format's request for a provider of this one", () => {
  test("spells a Chat conversation as items", () => {
    const rendered = render(
      from(
        "openai-chat",
        `{"model":"m","max_tokens":70,"seed":7,"store":true,"verbosity":"low","stop":["END"],"n":2,"messages":[{"role":"system","content":"be brief"},{"role":"developer","content":"please"},{"role":"user","content":[{"type":"text","text":"see"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}},{"type":"file","file":{"file_data":"data:application/pdf;base64,CC","filename":"a.pdf"}}]},{"role":"assistant","content":"ok","tool_calls":[{"id":"c1","type":"function","function":{"name":"weather","arguments":"{ \\"n\\": 1.0 }"}}]},{"role":"tool","tool_call_id":"c1","content":"sunny"}],"tools":[{"type":"function","function":{"name":"weather","parameters":{"big": 9007199254740993}}}],"tool_choice":"required","reasoning_effort":"max","response_format":{"type":"json_schema","json_schema":{"name":"r","schema":{"type":"object"},"strict":true}},"user":"u"}`,
      ),
    );
    const { json } = rendered;
    expect(json).toMatchObject({
      model: "upstream-model",
      instructions: "be brief",
      max_output_tokens: 70,
      store: true,
      tool_choice: "required",
      reasoning: { effort: "xhigh" },
      include: ["reasoning.encrypted_content"],
      text: { verbosity: "low", format: { type: "json_schema", name: "r", schema: { type: "object" }, strict: true } },
      user: "u",
    });
    expect(json["input"]).toEqual([
      { type: "message", role: "developer", content: "please" },
      {
        type: "message",
        role: "user",
        content: [
          { type: "input_text", text: "see" },
          { type: "input_image", image_url: "data:image/png;base64,AAAA", detail: "auto" },
          { type: "input_file", filename: "a.pdf", file_data: "data:application/pdf;base64,CC" },
        ],
      },
      { type: "message", role: "assistant", content: "ok" },
      { type: "function_call", call_id: "c1", name: "weather", arguments: '{ "n": 1.0 }' },
      { type: "function_call_output", call_id: "c1", output: "sunny" },
    ]);
    expect(losses(rendered).toSorted()).toEqual(["approximation reasoning_effort", "content n", "content stop", "hint seed"]);
  });

  test("says that a function is not strict where the other format left it out, since it would be strict here", () => {
    const request = from(
      "openai-chat",
      '{"model":"m","messages":[{"role":"user","content":"x"}],"tools":[{"type":"function","function":{"name":"f","parameters":{"big": 9007199254740993}}}]}',
    );
    expect(render(request).body).toContain('"parameters":{"big": 9007199254740993},"strict":false');
    expect(render(parse({ model: "m", input: "x", tools: [{ type: "function", name: "f" }] })).body).not.toContain("strict");
  });

  test("spells an Anthropic conversation as items, results first, thinking with its state only to its own", () => {
    const request = from("anthropic-messages", {
      model: "m",
      max_tokens: 3000,
      thinking: { type: "enabled", budget_tokens: 2000 },
      system: [
        { type: "text", text: "one", cache_control: { type: "ephemeral" } },
        { type: "text", text: "two" },
      ],
      messages: [
        { role: "user", content: "go" },
        {
          role: "assistant",
          content: [
            { type: "thinking", thinking: "hm", signature: markState("openai-responses", "sealed") },
            { type: "text", text: "calling" },
            { type: "tool_use", id: "t1", name: "f", input: { a: 1 } },
          ],
        },
        {
          role: "user",
          content: [
            { type: "tool_result", tool_use_id: "t1", is_error: true, content: [{ type: "text", text: "no" }] },
            { type: "text", text: "again" },
          ],
        },
        {
          role: "assistant",
          content: [
            { type: "thinking", thinking: "mine", signature: "anthropics-own" },
            { type: "text", text: "." },
          ],
        },
      ],
    });
    const rendered = render(withStateOf(request, "openai-responses"));
    expect(rendered.json["input"]).toEqual([
      {
        type: "message",
        role: "system",
        content: [
          { type: "input_text", text: "one" },
          { type: "input_text", text: "two" },
        ],
      },
      { type: "message", role: "user", content: "go" },
      { type: "reasoning", summary: [], encrypted_content: "sealed" },
      { type: "message", role: "assistant", content: "calling" },
      { type: "function_call", call_id: "t1", name: "f", arguments: '{"a":1}' },
      {
        type: "function_call_output",
        call_id: "t1",
        output: [
          { type: "input_text", text: "Error:" },
          { type: "input_text", text: "no" },
        ],
      },
      { type: "message", role: "user", content: "again" },
      { type: "message", role: "assistant", content: "." },
    ]);
    expect(rendered.json).toMatchObject({ reasoning: { effort: "low", summary: "auto" }, store: false });
    expect(losses(rendered).toSorted()).toEqual([
      "approximation thinking.budget_tokens",
      "approximation tool_result.is_error",
      "hint cache_control",
      "hint messages.reasoning",
    ]);
  });

  test("leaves out sampling for models that take none, and fields the provider refuses", () => {
    const request = from("openai-chat", {
      model: "m",
      temperature: 0.2,
      top_p: 1,
      metadata: { a: "b" },
      messages: [{ role: "user", content: "x" }],
    });
    const rendered = render(request, { reasoningModelPattern: "^upstream", refusedFields: ["metadata"], developerRole: false });
    expect(rendered.json).not.toHaveProperty("temperature");
    expect(rendered.json).not.toHaveProperty("metadata");
    expect(losses(rendered)).toEqual(["hint temperature", "hint metadata"]);
  });

  test("respells ids and names that the API would refuse, the same for a call and its result", () => {
    const id = "x".repeat(80);
    const request = from("anthropic-messages", {
      model: "m",
      max_tokens: 10,
      tools: [{ name: "n".repeat(100), input_schema: { type: "object" } }],
      messages: [
        { role: "user", content: "x" },
        { role: "assistant", content: [{ type: "tool_use", id, name: "n".repeat(100), input: {} }] },
        { role: "user", content: [{ type: "tool_result", tool_use_id: id, content: "r" }] },
      ],
    });
    const rendered = render(request);
    const [, call, result] = rendered.json["input"] as { call_id: string; name: string }[];
    expect(call?.call_id).toHaveLength(64);
    expect(result?.call_id).toBe(call?.call_id);
    expect(rendered.json["tools"]).toMatchObject([{ name: call?.name }]);
    expect(losses(rendered)).toContain("approximation tools.name");
  });
});

describe("the caller's own bytes", () => {
  const target = { model: "upstream-model", quirks: {}, maxOutputTokens: 900 };

  test("pass but for the model and a cap nobody named", () => {
    const body = '{ "model":"openai/gpt-5", "previous_response_id":"resp_1", "background":true, "n": 1.0, "input":"x" }';
    expect(openaiResponses.spliceRequest(body, parse(body), target)).toBe(
      '{ "model":"upstream-model", "previous_response_id":"resp_1", "background":true, "n": 1.0, "input":"x","max_output_tokens":900 }',
    );
    const capped = '{"max_output_tokens":5,"store":true,"model":"m","input":"x"}';
    expect(openaiResponses.spliceRequest(capped, parse(capped), target)).toBe(capped.replace('"m"', '"upstream-model"'));
  });

  test("pass without the ids that the gateway made up for another provider's answer", () => {
    const body =
      '{"model":"m","max_output_tokens":5,"input":[{"role":"user","content":"x"},{"type":"reasoning","id":"rs_ply_a_0","summary":[]},{"type":"function_call", "id":"fc_ply_a_1","call_id":"c","name":"f","arguments":"{ }"},{"type":"reasoning","id":"rs_real","summary":[]}]}';
    expect(openaiResponses.spliceRequest(body, parse(body), target)).toBe(
      '{"model":"upstream-model","max_output_tokens":5,"input":[{"role":"user","content":"x"},{"type":"function_call", "call_id":"c","name":"f","arguments":"{ }"},{"type":"reasoning","id":"rs_real","summary":[]}]}',
    );
  });

  test("are written anew where they hold another provider's state, with all that only this format has", () => {
    const rendered = render(
      withStateOf(
        parse({
          model: "m",
          previous_response_id: "resp_1",
          reasoning: { effort: "max", summary: "auto" },
          text: { verbosity: "low" },
          tools: [{ type: "web_search" }],
          input: [
            { type: "reasoning", summary: [], encrypted_content: markState("gemini", "g") },
            { type: "web_search_call", id: "ws_1" },
            { role: "user", content: [{ type: "input_image", file_id: "file-1" }] },
          ],
        }),
        "openai-responses",
      ),
    );
    expect(rendered.json).toEqual({
      model: "upstream-model",
      max_output_tokens: 900,
      previous_response_id: "resp_1",
      reasoning: { effort: "max", summary: "auto" },
      text: { verbosity: "low" },
      tools: [{ type: "web_search" }],
      input: [
        { type: "web_search_call", id: "ws_1" },
        { type: "message", role: "user", content: [{ type: "input_image", file_id: "file-1", detail: "auto" }] },
      ],
    });
    expect(rendered.losses).toEqual([]);
  });
});
