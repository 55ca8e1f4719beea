/** Requests of other wires for Gemini's providers, and of its callers for other providers. */
import { describe, expect, test } from "vitest";
import { isObject } from "../../schema/json.ts";
import { markState } from "../../workers/protocol/opaque-state.ts";
import { chat, messages, parse, paths, render, translate } from "./gemini-requests.ts";

describe("a Chat request for this wire's provider", () => {
  const call = (id: string, args: string): object => ({ id, type: "function", function: { name: "f", arguments: args } });

  test("puts system text apart, marks what comes later as the system's, and names roles its own way", () => {
    const { body, losses } = chat({
      messages: [
        { role: "system", content: "one" },
        { role: "developer", content: "two" },
        { role: "user", content: "hi" },
        { role: "assistant", content: "yes" },
        { role: "system", content: "three" },
        { role: "user", content: "and?" },
      ],
    });
    expect(body["systemInstruction"]).toEqual({ parts: [{ text: "one" }, { text: "two" }] });
    expect(body["contents"]).toEqual([
      { role: "user", parts: [{ text: "hi" }] },
      { role: "model", parts: [{ text: "yes" }] },
      { role: "user", parts: [{ text: "<system>\nthree\n</system>" }, { text: "and?" }] },
    ]);
    expect(paths(losses, "approximation")).toEqual(["messages.system-position"]);
  });

  test("sends calls with raw arguments and results by name, apart from other text", () => {
    const { text, body } = translate(
      "openai-chat",
      `{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"x"},{"role":"assistant","content":"so","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\\"b\\": 1.0, \\"a\\": 9007199254740993}"}}]},{"role":"tool","tool_call_id":"c1","content":"{\\"n\\": 1.0}"},{"role":"user","content":"go on"}]}`,
    );
    expect(text).toContain('"args":{"b": 1.0, "a": 9007199254740993}');
    expect(text).toContain('"response":{"n": 1.0}');
    expect(body["contents"]).toMatchObject([
      { role: "user" },
      { role: "model", parts: [{ text: "so" }, { functionCall: { name: "f" } }] },
      { role: "user", parts: [{ functionResponse: { name: "f" } }] },
      { role: "user", parts: [{ text: "go on" }] },
    ]);
  });

  test("wraps results that are no object and arguments that are none", () => {
    const { body, losses } = chat({
      messages: [
        { role: "user", content: "x" },
        { role: "assistant", content: null, tool_calls: [call("c1", ""), call("c2", '{"cut": "of')] },
        { role: "tool", tool_call_id: "c1", content: "[1]" },
        { role: "tool", tool_call_id: "c2", content: "" },
      ],
    });
    expect(body["contents"]).toMatchObject([
      {},
      { parts: [{ functionCall: { args: {} } }, { functionCall: { args: { _raw: '{"cut": "of' } } }] },
      { parts: [{ functionResponse: { response: { result: "[1]" } } }, { functionResponse: { response: { result: "" } } }] },
    ]);
    expect(paths(losses, "approximation")).toEqual(["messages.tool_calls.arguments"]);
  });

  test("sends settings, tools and formats in this wire's words", () => {
    const schema = { type: "object", properties: {} };
    const { body, losses } = chat({
      temperature: 2.5,
      top_p: 0.5,
      seed: 3,
      presence_penalty: 0.5,
      n: 2,
      stop: ["a", "b"],
      tools: [
        { type: "function", function: { name: "f", parameters: schema } },
        { type: "function", function: { name: "7 days!", strict: true } },
      ],
      tool_choice: { type: "function", function: { name: "f" } },
      parallel_tool_calls: false,
      response_format: { type: "json_schema", json_schema: { name: "r", schema } },
      user: "u",
      logit_bias: { 5: 1 },
    });
    expect(body["generationConfig"]).toEqual({
      maxOutputTokens: 4000,
      temperature: 2,
      topP: 0.5,
      seed: 3,
      presencePenalty: 0.5,
      candidateCount: 2,
      stopSequences: ["a", "b"],
      responseMimeType: "application/json",
      responseJsonSchema: schema,
    });
    expect(body["toolConfig"]).toEqual({ functionCallingConfig: { mode: "ANY", allowedFunctionNames: ["f"] } });
    expect(body["tools"]).toMatchObject([
      { functionDeclarations: [{ name: "f", parametersJsonSchema: schema }, { name: "_7_20_days_21_" }] },
    ]);
    expect(paths(losses, "approximation")).toEqual(["tools.name", "temperature"]);
    expect(paths(losses, "hint")).toEqual(["tools.strict", "parallel_tool_calls", "user", "logit_bias"]);
    expect(paths(losses, "content")).toEqual([]);
  });

  test("sends media inline or by its public address, and refuses what it cannot", () => {
    const { body, losses } = chat({
      messages: [
        {
          role: "user",
          content: [
            { type: "image_url", image_url: { url: "data:image/png;base64,AA", detail: "high" } },
            { type: "image_url", image_url: { url: "https://x.test/a.webp?b" } },
            { type: "input_audio", input_audio: { data: "BB", format: "mp3" } },
            { type: "file", file: { file_data: "data:application/pdf;base64,CC" } },
            { type: "file", file: { file_id: "file-1" } },
          ],
        },
      ],
    });
    expect(body["contents"]).toMatchObject([
      {
        parts: [
          { inlineData: { mimeType: "image/png", data: "AA" } },
          { fileData: { mimeType: "image/webp", fileUri: "https://x.test/a.webp?b" } },
          { inlineData: { mimeType: "audio/mp3", data: "BB" } },
          { inlineData: { mimeType: "application/pdf", data: "CC" } },
        ],
      },
    ]);
    expect(losses).toMatchObject([
      { class: "hint", path: "messages.image.detail" },
      { class: "content", path: "messages.file" },
    ]);
  });

  test("makes an effort a budget or a level, by the model, and says what it made of it", () => {
    const thinking = (effort: string, model: string): unknown[] => {
      const { body, losses } = chat({ reasoning_effort: effort }, model);
      const settings = body["generationConfig"];
      return [isObject(settings) ? (settings["thinkingConfig"] ?? null) : null, losses.map(({ note }) => note).join()];
    };
    expect(thinking("low", "gemini-2.5-flash")).toEqual([{ includeThoughts: true, thinkingBudget: 1024 }, "low→1024 tokens"]);
    expect(thinking("high", "gemini-2.5-pro")).toEqual([{ includeThoughts: true, thinkingBudget: 24_576 }, "high→24576 tokens"]);
    expect(thinking("none", "gemini-2.5-flash")).toEqual([{ thinkingBudget: 0 }, ""]);
    expect(thinking("none", "gemini-2.5-pro")).toEqual([{ thinkingBudget: 128 }, "none→128 tokens"]);
    expect(thinking("low", "gemini-3-pro-preview")).toEqual([{ includeThoughts: true, thinkingLevel: "low" }, ""]);
    expect(thinking("medium", "gemini-3-pro-preview")).toEqual([{ includeThoughts: true, thinkingLevel: "high" }, "medium→high"]);
    expect(thinking("minimal", "gemini-3-flash-preview")).toEqual([{ includeThoughts: true, thinkingLevel: "minimal" }, ""]);
    expect(thinking("high", "gemini-2.0-flash")).toEqual([null, ""]);
    expect(paths(chat({ reasoning_effort: "high" }, "gemini-2.0-flash").losses, "hint")).toEqual(["reasoning_effort"]);
  });

  test("names a cap put in for a caller who gave none", () => {
    const { body, losses } = translate("openai-chat", { model: "m", messages: [{ role: "user", content: "hi" }] });
    expect(body["generationConfig"]).toEqual({ maxOutputTokens: 8192 });
    expect(losses).toEqual([{ class: "approximation", path: "max_tokens", note: "→8192" }]);
  });
});

describe("an Anthropic request for this wire's provider", () => {
  test("sends its own thinking back with the signature on the part after it, and nobody else's", () => {
    const own = markState("gemini", "U0lH");
    const content = [
      { type: "thinking", thinking: "hm", signature: own },
      { type: "text", text: "so" },
      { type: "thinking", thinking: "", signature: markState("gemini", "VFdP") },
      { type: "tool_use", id: "t1", name: "f", input: {} },
      { type: "thinking", thinking: "foreign", signature: "of Claude" },
    ];
    const { body, losses } = messages({
      messages: [
        { role: "user", content: "x" },
        { role: "assistant", content },
        { role: "user", content: [{ type: "tool_result", tool_use_id: "t1", content: "no", is_error: true }] },
      ],
    });
    expect(body["contents"]).toEqual([
      { role: "user", parts: [{ text: "x" }] },
      {
        role: "model",
        parts: [
          { text: "hm", thought: true },
          { text: "so", thoughtSignature: "U0lH" },
          { functionCall: { name: "f", args: {} }, thoughtSignature: "VFdP" },
        ],
      },
      { role: "user", parts: [{ functionResponse: { name: "f", response: { error: "no" } } }] },
    ]);
    expect(losses).toMatchObject([{ class: "hint", path: "messages.reasoning" }]);
  });

  test("sends budgets, top_k and forced tools; names cache marks and server tools", () => {
    const { body, losses } = messages({
      system: [{ type: "text", text: "s", cache_control: { type: "ephemeral" } }],
      thinking: { type: "enabled", budget_tokens: 2000 },
      top_k: 5,
      tools: [
        { name: "f", input_schema: { type: "object" } },
        { type: "web_search_20250305", name: "web_search" },
      ],
      tool_choice: { type: "any" },
    });
    expect(body["generationConfig"]).toEqual({
      maxOutputTokens: 4000,
      topK: 5,
      thinkingConfig: { includeThoughts: true, thinkingBudget: 2000 },
    });
    expect(body["toolConfig"]).toEqual({ functionCallingConfig: { mode: "ANY" } });
    expect(losses).toMatchObject([
      { class: "hint", path: "cache_control" },
      { class: "content", path: "tools.1" },
    ]);
  });
});

describe("this wire's request for other providers", () => {
  const request = parse({
    systemInstruction: { parts: [{ text: "be brief" }] },
    contents: [
      { role: "user", parts: [{ text: "look" }, { inlineData: { mimeType: "image/png", data: "AA" } }] },
      {
        role: "model",
        parts: [{ functionCall: { name: "f", args: { n: 1 } }, thoughtSignature: "c2ln" }, { functionCall: { name: "f" } }],
      },
      {
        role: "user",
        parts: [
          { functionResponse: { name: "f", response: { output: "one" } } },
          { functionResponse: { name: "f", response: { output: "two" } } },
        ],
      },
    ],
    tools: [{ functionDeclarations: [{ name: "f", parameters: { type: "OBJECT", properties: { n: { type: "INTEGER" } } } }] }],
    generationConfig: { maxOutputTokens: 50, seed: 1, thinkingConfig: { includeThoughts: true } },
    safetySettings: [{ category: "X", threshold: "BLOCK_NONE" }],
  });

  test("is a Chat conversation with ids of its own", () => {
    const { body, losses } = render(request, "openai-chat", "gpt-x");
    expect(body["messages"]).toMatchObject([
      { role: "system", content: "be brief" },
      { role: "user", content: [{ text: "look" }, { image_url: { url: "data:image/png;base64,AA" } }] },
      {
        role: "assistant",
        tool_calls: [
          { id: "call_at_0", function: { name: "f", arguments: '{"n":1}' } },
          { id: "call_at_1", function: { arguments: "{}" } },
        ],
      },
      { role: "tool", tool_call_id: "call_at_0", content: "one" },
      { role: "tool", tool_call_id: "call_at_1", content: "two" },
    ]);
    expect(body["tools"]).toMatchObject([{ function: { parameters: { type: "object", properties: { n: { type: "integer" } } } } }]);
    expect(losses).toEqual([
      { class: "hint", path: "safetySettings", note: null },
      { class: "hint", path: "generationConfig.seed", note: null },
    ]);
  });

  test("is an Anthropic conversation with the results together", () => {
    const { body, text } = render(request, "anthropic-messages", "claude-x");
    expect(body["messages"]).toMatchObject([
      { role: "user", content: [{ type: "text" }, { type: "image", source: { media_type: "image/png" } }] },
      {
        role: "assistant",
        content: [
          { type: "tool_use", id: "call_at_0", input: { n: 1 } },
          { type: "tool_use", id: "call_at_1" },
        ],
      },
      {
        role: "user",
        content: [
          { type: "tool_result", tool_use_id: "call_at_0" },
          { type: "tool_result", tool_use_id: "call_at_1" },
        ],
      },
    ]);
    expect(text).not.toContain("c2ln");
  });

  test("is refused by name where content would be lost", () => {
    const lossy = parse({
      contents: [{ role: "user", parts: [{ fileData: { fileUri: "gs://b/a", mimeType: "image/png" } }] }],
      tools: [{ googleSearch: {} }],
      cachedContent: "cachedContents/abc",
      generationConfig: { responseLogprobs: true, responseModalities: ["IMAGE"] },
    });
    expect(paths(render(lossy, "openai-chat", "m").losses, "content")).toEqual([
      "messages.fileData",
      "cachedContent",
      "generationConfig.responseLogprobs",
      "generationConfig.responseModalities",
      "tools.0",
    ]);
  });
});
