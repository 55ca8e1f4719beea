/** Converse requests of callers, into the hub. */
import { describe, expect, test } from "vitest";
import { bedrockConverse } from "../../workers/protocol/bedrock-converse/index.ts";
import { ADDRESS, read, user } from "./bedrock-requests.ts";

describe("parsing a caller's Converse request", () => {
  test("takes the model and the streaming switch from the address", () => {
    const parsed = bedrockConverse.parseRequest(JSON.stringify({ messages: [user] }), { model: "a/b:0", stream: true });
    expect(parsed).toMatchObject({ ok: true, value: { model: "a/b:0", stream: true, wantsStreamUsage: true, maxOutputTokens: null } });
  });

  test("reads system, settings, media and cache points, each point on the block before it", () => {
    const request = read({
      system: [{ text: "be brief" }, { cachePoint: { type: "default", ttl: "1h" } }],
      messages: [
        {
          role: "user",
          content: [
            { text: "look" },
            { cachePoint: { type: "default" } },
            { image: { format: "png", source: { bytes: "AAAA" } } },
            { image: { format: "jpeg", source: { s3Location: { uri: "s3://b/a.jpeg" } } } },
            { document: { format: "pdf", name: "a", source: { bytes: "BBBB" } } },
            { document: { format: "md", name: "b", source: { text: "# ж" } } },
            { audio: { format: "mp3", source: { bytes: "CCCC" } } },
          ],
        },
      ],
      inferenceConfig: { maxTokens: 9, temperature: 0.5, topP: 0.9, stopSequences: ["END"] },
      additionalModelRequestFields: { top_k: 40 },
    });
    expect(request).toMatchObject({ maxOutputTokens: 9, temperature: 0.5, topP: 0.9, topK: 40, stop: ["END"], rest: {} });
    expect(request.turns[0]).toMatchObject({ role: "system", blocks: [{ type: "text", text: "be brief", cache: { ttl: "1h" } }] });
    expect(request.turns[1]?.blocks).toMatchObject([
      { type: "text", cache: { ttl: null } },
      { type: "image", source: { kind: "base64", mediaType: "image/png", data: "AAAA" } },
      { type: "image", source: { kind: "file", id: "s3://b/a.jpeg" } },
      { type: "file", source: { kind: "base64", mediaType: "application/pdf", data: "BBBB" }, name: "a" },
      { type: "file", source: { kind: "base64", mediaType: "text/markdown", data: Buffer.from("# ж").toString("base64") } },
      { type: "audio", format: "mp3", source: { mediaType: "audio/mp3", data: "CCCC" } },
    ]);
  });

  test("keeps tool inputs, JSON results, schemas and unknown blocks as the caller's own text", () => {
    const request = read(
      '{"messages":[{"role":"user","content":[{"text":"x"}]},{"role":"assistant","content":[{"toolUse":{"toolUseId":"t1","name":"f","input": {"b": 1.0, "a": 9007199254740993} }}]},' +
        '{"role":"user","content":[{"toolResult":{"toolUseId":"t1","status":"error","content":[{"json": {"n": 1.0} },{"text":"y"}]}},{"guardContent":{"text":{"text":"q"}} }]}],' +
        '"toolConfig":{"tools":[{"toolSpec":{"name":"f","inputSchema":{"json":{ "type":"object", "max": 1.0 }}}},{"cachePoint":{"type":"default"}},{"systemTool":{"name":"nova_grounding"}}],"toolChoice":{"any":{}}}}',
    );
    expect(request.turns[1]?.blocks).toEqual([
      { type: "tool-call", id: "t1", name: "f", argumentsText: '{"b": 1.0, "a": 9007199254740993}', cache: null },
    ]);
    expect(request.turns[2]?.blocks).toMatchObject([
      {
        type: "tool-result",
        callId: "t1",
        isError: true,
        content: [
          { type: "text", text: '{"n": 1.0}' },
          { type: "text", text: "y" },
        ],
      },
      { type: "opaque", protocol: "bedrock-converse", kind: "guardContent", json: '{"guardContent":{"text":{"text":"q"}} }' },
    ]);
    expect(request.tools).toMatchObject([{ name: "f", schemaText: '{ "type":"object", "max": 1.0 }', cache: { ttl: null } }]);
    expect(request.toolChoice).toEqual({ mode: "required" });
    expect(request.rest).toEqual({ "tools.2": { systemTool: { name: "nova_grounding" } } });
  });

  test("reads reasoning control in the words of either family, and a schema that is text", () => {
    const control = (fields: object): unknown => read({ messages: [user], additionalModelRequestFields: fields }).reasoning;
    expect(control({ thinking: { type: "enabled", budget_tokens: 2_000 } })).toEqual({
      effort: null,
      budgetTokens: 2_000,
      mode: "enabled",
    });
    expect(control({ reasoning_config: { type: "disabled" } })).toEqual({ effort: null, budgetTokens: null, mode: "disabled" });
    expect(control({ reasoningConfig: { type: "enabled", maxReasoningEffort: "low" } })).toMatchObject({ effort: "low", mode: "enabled" });
    const jsonSchema = { name: "n", schema: '{"type": "object", "max": 1.0}' };
    const request = read({
      messages: [user],
      outputConfig: { effort: "high", textFormat: { type: "json_schema", structure: { jsonSchema } } },
    });
    expect(request.reasoning).toEqual({ effort: "high", budgetTokens: null, mode: null });
    expect(request.responseFormat).toEqual({ kind: "json-schema", name: "n", schemaText: '{"type": "object", "max": 1.0}', strict: true });
  });

  test("leaves in rest, by name, what only this wire knows", () => {
    const { rest } = read({
      messages: [user],
      guardrailConfig: { guardrailIdentifier: "g", guardrailVersion: "1" },
      requestMetadata: { a: "b" },
      additionalModelRequestFields: { min_p: 0.1, inferenceConfig: { topK: 3 } },
      performanceConfig: null,
    });
    expect(Object.keys(rest)).toEqual(["guardrailConfig", "requestMetadata", "additionalModelRequestFields.min_p"]);
  });

  test.each([
    ["{", "invalid_json", null],
    ["[]", "invalid_request", null],
    ['{"messages":[]}', "invalid_request", "messages"],
    ['{"messages":[{"role":"robot","content":[]}]}', "invalid_request", "messages.0.role"],
    ['{"messages":[{"role":"user","content":"text"}]}', "invalid_request", "messages.0.content"],
    ['{"messages":[{"role":"user","content":[{"text":5}]}]}', "invalid_request", "messages.0.content.0.text"],
    [
      '{"messages":[{"role":"user","content":[{"image":{"source":{"bytes":"A"}}}]}]}',
      "invalid_request",
      "messages.0.content.0.image.format",
    ],
    [
      '{"messages":[{"role":"assistant","content":[{"toolUse":{"toolUseId":"a","name":"f","input":"x"}}]}]}',
      "invalid_request",
      "messages.0.content.0.toolUse.input",
    ],
    ['{"messages":[{"role":"user","content":[]}],"toolConfig":{"toolChoice":{"some":{}}}}', "invalid_request", "toolConfig.toolChoice"],
    ['{"messages":[{"role":"user","content":[]}],"inferenceConfig":{"maxTokens":0}}', "invalid_request", "inferenceConfig.maxTokens"],
  ])("refuses %s", (body, code, param) => {
    expect(bedrockConverse.parseRequest(body, ADDRESS)).toMatchObject({ ok: false, error: { code, param } });
  });

  test("refuses a call whose address names no model", () => {
    const parsed = bedrockConverse.parseRequest(JSON.stringify({ messages: [user] }));
    expect(parsed).toMatchObject({ ok: false, error: { code: "invalid_request", param: "modelId" } });
  });
});
