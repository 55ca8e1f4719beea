/** Requests of Gemini's wire as its callers send them. */
import { describe, expect, test } from "vitest";
import { isObject, parseJson } from "../../schema/json.ts";
import type { CanonicalRequest } from "../../workers/protocol/canonical.ts";
import { gemini } from "../../workers/protocol/gemini/index.ts";
import { hasForeignState, markState, withStateOf } from "../../workers/protocol/opaque-state.ts";
import { address, base, chat, hi, parse, paths, render } from "./gemini-requests.ts";

describe("parsing a caller's request", () => {
  test("takes model and streaming from the address", () => {
    expect(parse(base, { model: "models/gemini-2.5-flash", stream: true })).toMatchObject({ model: "gemini-2.5-flash", stream: true });
    expect(parse(base, { model: "openai/gpt-5-mini", stream: false })).toMatchObject({ model: "openai/gpt-5-mini", stream: false });
  });

  test("reads both spellings, single elements for lists, and leaves the caller's own names alone", () => {
    const request = parse({
      system_instruction: { parts: { text: "be brief" } },
      contents: { parts: { text: "hi" } },
      tools: {
        function_declarations: { name: "f", parameters_json_schema: { type: "object", properties: { my_field: { type: "string" } } } },
      },
      tool_config: { function_calling_config: { mode: "ANY", allowed_function_names: ["f"] } },
      generation_config: {
        max_output_tokens: 7,
        top_p: 0.5,
        stop_sequences: ["END"],
        candidate_count: 2,
        thinking_config: { thinking_budget: 9 },
      },
    });
    expect(request.turns).toEqual([
      { role: "system", name: null, blocks: [{ type: "text", text: "be brief", cache: null }] },
      { role: "user", name: null, blocks: [{ type: "text", text: "hi", cache: null }] },
    ]);
    expect(request).toMatchObject({
      maxOutputTokens: 7,
      topP: 0.5,
      stop: ["END"],
      choices: 2,
      toolChoice: { mode: "tool", name: "f" },
      reasoning: { effort: null, budgetTokens: 9, mode: "enabled" },
      tools: [{ name: "f", schemaText: '{"type":"object","properties":{"my_field":{"type":"string"}}}' }],
      rest: {},
    });
  });

  test("keeps arguments, schemas and parts it does not know as the caller's own text", () => {
    const request = parse(
      `{"contents":[{"role":"model","parts":[{"functionCall":{"name":"f","args": {"b": 1.0, "a": 9007199254740993} }},{"executableCode": {"code":"1.0", "language":"PYTHON"}}]}],"tools":[{"functionDeclarations":[{"name":"f","parametersJsonSchema":{ "type":"object", "maximum": 1.0 }}]}]}`,
    );
    expect(request.turns[0]?.blocks).toEqual([
      { type: "tool-call", id: "call_at_0", name: "f", argumentsText: '{"b": 1.0, "a": 9007199254740993}', cache: null },
      { type: "opaque", protocol: "gemini", kind: "executableCode", json: '{"executableCode": {"code":"1.0", "language":"PYTHON"}}' },
    ]);
    expect(request.tools[0]?.schemaText).toBe('{ "type":"object", "maximum": 1.0 }');
  });

  test("reads a schema of the older dialect as JSON Schema, and only its own words", () => {
    const schema = '{"type":"OBJECT","properties":{"type":{"type":"STRING","description":"\\"type\\": \\"STRING\\"","maxLength":"5"}}}';
    const request = parse(
      `{"contents":[{"parts":[{"text":"x"}]}],"tools":[{"functionDeclarations":[{"name":"f","parameters":${schema}}]}]}`,
    );
    expect(request.tools[0]?.schemaText).toBe(
      '{"type":"object","properties":{"type":{"type":"string","description":"\\"type\\": \\"STRING\\"","maxLength":5}}}',
    );
  });

  test("ties results to calls by id, else by name and order, whatever comes between", () => {
    const call = (name: string, id?: string): object => ({ functionCall: { name, ...(id === undefined ? {} : { id }) } });
    const result = (name: string, said: string, id?: string): object => ({
      functionResponse: { name, response: { output: said }, ...(id === undefined ? {} : { id }) },
    });
    const request = parse({
      contents: [
        hi,
        { role: "model", parts: [call("f"), call("g"), call("f"), call("f", "mine")] },
        { role: "user", parts: [result("f", "last", "mine"), result("g", "two"), result("f", "one"), result("f", "three")] },
      ],
    });
    expect(request.turns[1]?.blocks.map((block) => (block.type === "tool-call" ? block.id : ""))).toEqual([
      "call_at_0",
      "call_at_1",
      "call_at_2",
      "mine",
    ]);
    expect(request.turns[2]?.blocks.map((block) => (block.type === "tool-result" ? block.callId : ""))).toEqual([
      "mine",
      "call_at_1",
      "call_at_0",
      "call_at_2",
    ]);
  });

  test("reads what a result says: a plain one, an error, an object of its own, media beside it", () => {
    const result = (response: unknown, parts?: unknown): object => ({
      functionResponse: { name: "f", response, ...(parts === undefined ? {} : { parts }) },
    });
    const request = parse({
      contents: [
        {
          role: "user",
          parts: [
            result({ output: "plain" }),
            result({ result: { n: 1 } }),
            result({ error: "broken" }),
            result({ a: 1, b: 2 }),
            result({ output: "see" }, [{ inline_data: { mime_type: "image/png", data: "AA" } }]),
          ],
        },
      ],
    });
    expect(request.turns[0]?.blocks).toMatchObject([
      { content: [{ text: "plain" }], isError: null },
      { content: [{ text: '{"n":1}' }] },
      { content: [{ text: "broken" }], isError: true },
      { content: [{ text: '{"a":1,"b":2}' }] },
      { content: [{ text: "see" }, { type: "image", source: { mediaType: "image/png", data: "AA" } }] },
    ]);
  });

  test("reads media by its type and its address", () => {
    const inline = (mimeType: string): object => ({ inlineData: { mimeType, data: "AA" } });
    const file = (fileUri: string, mimeType?: string): object => ({
      fileData: { fileUri, ...(mimeType === undefined ? {} : { mimeType }) },
    });
    const request = parse({
      contents: [
        {
          role: "user",
          parts: [
            inline("image/png"),
            inline("audio/mpeg"),
            inline("application/pdf"),
            file("https://x.test/a.png"),
            file("https://x.test/a", "application/pdf"),
            file("gs://bucket/a.png", "image/png"),
            file("https://generativelanguage.googleapis.com/v1beta/files/abc"),
          ],
        },
      ],
    });
    expect(request.turns[0]?.blocks).toMatchObject([
      { type: "image", source: { kind: "base64" } },
      { type: "audio", format: "mp3" },
      { type: "file", source: { kind: "base64", mediaType: "application/pdf" } },
      { type: "image", source: { kind: "url", url: "https://x.test/a.png" } },
      { type: "file", source: { kind: "url" } },
      { type: "opaque", kind: "fileData" },
      { type: "opaque", kind: "fileData" },
    ]);
  });

  test("reads tool modes, and keeps what the hub has no word for", () => {
    const tools = [{ functionDeclarations: [{ name: "f" }, { name: "g" }, { name: "h" }] }, { googleSearch: {} }];
    const choose = (functionCallingConfig: object): CanonicalRequest => parse({ ...base, tools, toolConfig: { functionCallingConfig } });
    expect(choose({ mode: "AUTO" })).toMatchObject({ toolChoice: { mode: "auto" }, rest: { "tools.1": { googleSearch: {} } } });
    expect(choose({ mode: "NONE" }).toolChoice).toEqual({ mode: "none" });
    expect(choose({ mode: "ANY" }).toolChoice).toEqual({ mode: "required" });
    const subset = choose({ mode: "ANY", allowedFunctionNames: ["f", "h"] });
    expect([subset.toolChoice, subset.tools.map((tool) => tool.name)]).toEqual([{ mode: "required" }, ["f", "h"]]);
    expect(paths(render(subset, "openai-chat", "m").losses, "approximation")).toContain("toolConfig");
    expect(choose({ mode: "VALIDATED" })).toMatchObject({ toolChoice: { mode: "auto" }, rest: { toolConfig: {} } });
  });

  test("reads thinking and formats", () => {
    const settings = (generationConfig: object): CanonicalRequest => parse({ ...base, generationConfig });
    const thinking = (thinkingConfig: object): unknown => settings({ thinkingConfig }).reasoning;
    expect(thinking({ thinkingBudget: 0 })).toEqual({ effort: null, budgetTokens: null, mode: "disabled" });
    expect(thinking({ thinkingBudget: -1 })).toEqual({ effort: null, budgetTokens: null, mode: "adaptive" });
    expect(thinking({ thinkingLevel: "LOW" })).toEqual({ effort: "low", budgetTokens: null, mode: null });
    expect(thinking({ includeThoughts: true })).toBeNull();
    expect(settings({ responseMimeType: "application/json" }).responseFormat).toEqual({ kind: "json-object" });
    expect(settings({ responseMimeType: "application/json", responseSchema: { type: "OBJECT" } }).responseFormat).toMatchObject({
      schemaText: '{"type":"object"}',
    });
    expect(settings({ responseMimeType: "text/x.enum", responseSchema: { type: "STRING", enum: ["a"] } }).rest).toMatchObject({
      "generationConfig.responseMimeType": "text/x.enum",
    });
  });

  const part = (content: unknown): unknown => ({ contents: [{ role: "user", parts: [content] }] });
  test.each<[string, unknown, string | null]>([
    ["no contents", {}, "contents"],
    ["empty contents", { contents: [] }, "contents"],
    ["contents of a wrong type", { contents: "hi" }, "contents"],
    ["an unknown role", { contents: [{ role: "wizard", parts: [] }] }, "contents.0.role"],
    ["text of a wrong type", part({ text: 5 }), "contents.0.parts.0.text"],
    ["a part that is no object", part("x"), "contents.0.parts.0"],
    ["media without type", part({ inlineData: { data: "AA" } }), "contents.0.parts.0.inlineData.mimeType"],
    ["a call without name", part({ functionCall: { args: {} } }), "contents.0.parts.0.functionCall.name"],
    ["a call whose arguments are text", part({ function_call: { name: "f", args: "{}" } }), "contents.0.parts.0.functionCall.args"],
    ["a result that is text", part({ functionResponse: { name: "f", response: "ok" } }), "contents.0.parts.0.functionResponse.response"],
    ["system text as a string", { ...base, systemInstruction: "be brief" }, "systemInstruction"],
    ["a tool without name", { ...base, tools: [{ functionDeclarations: [{}] }] }, "tools.0.functionDeclarations.0.name"],
    [
      "an unknown tool mode",
      { ...base, toolConfig: { functionCallingConfig: { mode: "MAYBE" } } },
      "toolConfig.functionCallingConfig.mode",
    ],
    ["a cap that is no number", { ...base, generationConfig: { maxOutputTokens: "many" } }, "generationConfig.maxOutputTokens"],
    ["a stop that is no list", { ...base, generation_config: { stop_sequences: "END" } }, "generationConfig.stopSequences"],
    ["a body that is a list", [], null],
  ])("refuses %s and names the place", (_, body, param) => {
    expect(gemini.parseRequest(JSON.stringify(body), address)).toMatchObject({
      ok: false,
      error: { code: "invalid_request", status: 400, param },
    });
  });

  test("refuses what is not JSON as such, and an address without a model", () => {
    expect(gemini.parseRequest("{", address)).toMatchObject({ ok: false, error: { code: "invalid_json" } });
    expect(gemini.parseRequest(JSON.stringify(base), { model: "", stream: false })).toMatchObject({ ok: false, error: { param: "model" } });
    expect(gemini.parseRequest(JSON.stringify(base))).toMatchObject({ ok: false, error: { param: "model" } });
  });
});

describe("a caller's own body on its way to a provider of the same wire", () => {
  const target = { model: "gemini-2.5-flash", quirks: {}, maxOutputTokens: 500 };
  const splice = (body: string): string => gemini.spliceRequest(body, parse(body), target);

  test("changes nothing but the output cap where there is none, in the caller's own spelling", () => {
    const contents = '"contents" : [{"parts":[{"text":"\\u0061 1.0"}]}], "x":9007199254740993';
    expect(splice(`{ ${contents} }`)).toBe(`{ ${contents},"generationConfig":{"maxOutputTokens":500} }`);
    expect(splice(`{${contents},"generation_config":{"top_k":1.0}}`)).toBe(
      `{${contents},"generation_config":{"top_k":1.0,"max_output_tokens":500}}`,
    );
    const capped = `{${contents},"generationConfig":{"maxOutputTokens":7.0e1}}`;
    expect(splice(capped)).toBe(capped);
  });

  test("comes out of the hub as it went in, with nothing lost", () => {
    const body = {
      contents: [
        {
          role: "user",
          parts: [
            { text: "hi" },
            { inlineData: { mimeType: "image/png", data: "AA" } },
            { fileData: { fileUri: "gs://b/a", mimeType: "image/png" } },
          ],
        },
        {
          role: "model",
          parts: [
            { text: "hm", thought: true },
            { functionCall: { id: "call_90210", name: "f", args: { n: 1 } }, thoughtSignature: "c2ln" },
            { functionCall: { name: "g.h:i", args: {} } },
          ],
        },
        {
          role: "user",
          parts: [
            { functionResponse: { id: "call_90210", name: "f", response: { a: 1, b: 2 } } },
            { functionResponse: { name: "g.h:i", response: { result: "ok" } } },
          ],
        },
        {
          role: "model",
          parts: [
            { text: "done", thoughtSignature: "c2lnMg==" },
            { text: "", thoughtSignature: "c2lnMw==" },
          ],
        },
        { role: "user", parts: [{ text: "more" }] },
      ],
      systemInstruction: { parts: [{ text: "s" }] },
      tools: [{ functionDeclarations: [{ name: "f", description: "d", parametersJsonSchema: { type: "object" } }] }, { codeExecution: {} }],
      toolConfig: { functionCallingConfig: { mode: "VALIDATED" } },
      generationConfig: {
        maxOutputTokens: 100,
        temperature: 1.5,
        topK: 5,
        stopSequences: ["END"],
        responseMimeType: "application/json",
        responseJsonSchema: { type: "object" },
        thinkingConfig: { includeThoughts: true, thinkingBudget: 1024 },
        seed: 7,
        responseModalities: ["TEXT"],
      },
      safetySettings: [{ category: "HARM_CATEGORY_HARASSMENT", threshold: "BLOCK_NONE" }],
      cachedContent: "cachedContents/abc",
    };
    const rendered = render(parse(body), "gemini", "gemini-2.5-flash");
    expect(rendered.body).toEqual(body);
    expect(rendered.losses).toEqual([]);
  });
});

describe("state that other providers gave", () => {
  test("travels in a signature as base64, and comes back as it was", () => {
    const state = markState("anthropic-messages", "EqQBCgIYAhIM+/=ключ");
    const events = gemini.renderResponse(
      [
        { type: "reasoning-start", block: 0, choice: 0, kind: "raw", data: null },
        { type: "reasoning-delta", block: 0, text: "hm" },
        { type: "reasoning-signature", block: 0, signature: state },
        { type: "reasoning-end", block: 0 },
        { type: "reasoning-start", block: 1, choice: 0, kind: "redacted", data: markState("anthropic-messages", "AAA=") },
        { type: "reasoning-end", block: 1 },
      ],
      { id: "i", model: "m", createdSeconds: 0, wantsStreamUsage: true, costMicroRub: () => null },
    );
    expect(events).not.toContain("ply1.");
    const said = parseJson(events);
    const [candidate] = said.ok && isObject(said.value) && Array.isArray(said.value["candidates"]) ? said.value["candidates"] : [];
    for (const signature of events.matchAll(/"thoughtSignature":"([^"]*)"/g)) expect(signature[1]).toMatch(/^[A-Za-z0-9+/]+=*$/);
    const request = parse({ contents: [hi, { ...candidate.content }] });
    expect(hasForeignState(request)).toBe(true);
    expect(withStateOf(request, "anthropic-messages").turns[1]?.blocks).toMatchObject([
      { type: "reasoning", text: "hm" },
      { type: "reasoning", signature: "EqQBCgIYAhIM+/=ключ" },
      { type: "reasoning", kind: "redacted", data: "AAA=" },
    ]);
    expect(render(request, "gemini", "gemini-2.5-flash").text).not.toMatch(/thoughtSignature|EqQB/);
  });

  test("a first call without a signature gets the wire's own word for that, where the model demands one", () => {
    const history = {
      messages: [
        { role: "user", content: "hi" },
        {
          role: "assistant",
          content: null,
          tool_calls: [1, 2].map((n) => ({ id: `c${n}`, type: "function", function: { name: "f", arguments: "{}" } })),
        },
        { role: "tool", tool_call_id: "c2", content: "two" },
        { role: "tool", tool_call_id: "c1", content: "one" },
      ],
    };
    const later = JSON.stringify(chat(history, "gemini-3-pro-preview").body["contents"]);
    expect(later.match(/skip_thought_signature_validator/g)).toHaveLength(1);
    expect(JSON.stringify(chat(history, "gemini-2.5-pro").body)).not.toContain("thoughtSignature");
    // Results stand in the order of their calls.
    expect(later.indexOf('"one"')).toBeLessThan(later.indexOf('"two"'));
  });
});
