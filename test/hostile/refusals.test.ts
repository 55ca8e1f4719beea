/** What hostile callers tried, one by one: bodies that two readers read differently, text that would become part of another body, names that every object has. */
import { describe, expect, test } from "vitest";
import { LIMITS } from "../../schema/limits.ts";
import type { ProtocolId } from "../../schema/protocol.ts";
import type { Quirks } from "../../schema/provider.ts";
import { PROTOCOLS } from "../../workers/protocol/index.ts";
import { lossFor, restLosses } from "../../workers/protocol/losses.ts";
import { VALID_REQUESTS } from "./bodies.ts";

const ADDRESS = { model: "m", stream: false };

function refusalOf(id: ProtocolId, text: string): { code: string; param: string | null; message: string } | null {
  const parsed = PROTOCOLS[id].parseRequest(text, ADDRESS);
  return parsed.ok ? null : { code: parsed.error.code, param: parsed.error.param, message: parsed.error.message };
}

describe("a member that is given twice", () => {
  test.each(VALID_REQUESTS)(
    "$protocol: is refused at the top of the body, since a provider might count the other one",
    ({ protocol, body }) => {
      const [first = ""] = Object.keys(body);
      const text = `{${JSON.stringify(first)}:null,${JSON.stringify(body).slice(1)}`;
      expect(refusalOf(protocol, text)).toMatchObject({
        code: "invalid_request",
        param: first,
        message: expect.stringContaining("given twice"),
      });
    },
  );

  test.each<[ProtocolId, string, string]>([
    [
      "gemini",
      '{"contents":[{"parts":[{"text":"x"}]}],"generationConfig":{"maxOutputTokens":9999,"maxOutputTokens":1}}',
      "generationConfig.maxOutputTokens",
    ],
    [
      "bedrock-converse",
      '{"messages":[{"role":"user","content":[{"text":"x"}]}],"inferenceConfig":{"maxTokens":9999,"maxTokens":1}}',
      "inferenceConfig.maxTokens",
    ],
    ["ollama-chat", '{"model":"m","messages":[],"options":{"num_predict":9999,"num_predict":1}}', "options.num_predict"],
    ["openai-chat", '{"model":"m","\\u006dodel":"n","messages":[{"role":"user","content":"x"}]}', "model"],
  ])("%s: is refused where caps and models stand, in any spelling", (id, text, param) => {
    expect(refusalOf(id, text)).toMatchObject({ code: "invalid_request", param });
  });

  test("deeper inside it is the caller's own affair, and so are colons in texts", () => {
    const schema = '{"type":"object","type":"object"}';
    const text = `{"model":"m:x","messages":[{"role":"user","content":"a:b,{\\"c\\":1}"}],"tools":[{"type":"function","function":{"name":"f","parameters":${schema}}}]}`;
    expect(refusalOf("openai-chat", text)).toBeNull();
  });

  test("a cap in both of the wire's spellings, or by both of its names, is one given twice", () => {
    const contents = '"contents":[{"parts":[{"text":"x"}]}]';
    expect(refusalOf("gemini", `{${contents},"generationConfig":{"maxOutputTokens":1,"max_output_tokens":9999}}`)?.param).toBe(
      "generationConfig.maxOutputTokens",
    );
    expect(refusalOf("gemini", `{${contents},"generation_config":{},"generationConfig":{}}`)?.param).toBe("generationConfig");
    const chat = '"model":"m","messages":[{"role":"user","content":"x"}]';
    expect(refusalOf("openai-chat", `{${chat},"max_tokens":9999,"max_completion_tokens":1}`)?.param).toBe("max_tokens");
    expect(refusalOf("openai-chat", `{${chat},"max_tokens":1,"max_completion_tokens":1}`)).toBeNull();
  });
});

describe("a cap by a name that the provider may not know", () => {
  const text = '{"model":"m","messages":[{"role":"user","content":"x"}],"max_completion_tokens":7}';

  function spliced(quirks: Quirks, body = text): Record<string, unknown> {
    const parsed = PROTOCOLS["openai-chat"].parseRequest(body);
    if (!parsed.ok) throw new Error(parsed.error.message);
    return JSON.parse(PROTOCOLS["openai-chat"].spliceRequest(body, parsed.value, { model: "m", quirks, maxOutputTokens: 100 })) as Record<
      string,
      unknown
    >;
  }

  test("goes by the name that is known, by both where nobody knows, and stays as it is where it is known", () => {
    expect(spliced({ maxTokensField: "max_tokens" })).toMatchObject({ max_tokens: 7 });
    expect(spliced({ maxTokensField: "max_tokens" })).not.toHaveProperty("max_completion_tokens");
    expect(spliced({})).toMatchObject({ max_tokens: 7, max_completion_tokens: 7 });
    expect(spliced({ maxTokensField: "max_completion_tokens" })).not.toHaveProperty("max_tokens");
    const older = text.replace("max_completion_tokens", "max_tokens");
    for (const quirks of [{}, { maxTokensField: "max_tokens" as const }, { maxTokensField: "max_completion_tokens" as const }])
      expect(spliced(quirks, older)).toMatchObject({ max_tokens: 7 });
  });
});

describe("text that becomes part of another body", () => {
  const schemas = ['{}},"model":"dear","x":{"y":{}', '{"a":1},"max_tokens":99999', "[]", "1", "null", "", "{", '{"a":}'];

  test.each(schemas)("a schema %j inside a text is refused where it is no object", (schema) => {
    const jsonSchema = { name: "n", schema };
    const body = {
      messages: [{ role: "user", content: [{ text: "x" }] }],
      outputConfig: { textFormat: { type: "json_schema", structure: { jsonSchema } } },
    };
    expect(refusalOf("bedrock-converse", JSON.stringify(body))).toMatchObject({
      code: "invalid_request",
      param: "outputConfig.textFormat.structure.jsonSchema.schema",
    });
  });
});

describe("names that every object has", () => {
  const NAMES = ["constructor", "toString", "valueOf", "hasOwnProperty", "__proto__"];

  test("are fields like any other that nobody knows: lost hints", () => {
    for (const name of NAMES) {
      expect(lossFor(name, "openai-chat")).toEqual({ class: "hint", path: name, note: null });
      const rest = Object.fromEntries([[name, 1]]);
      expect(restLosses({ rest }, "gemini")).toEqual([{ class: "hint", path: name, note: null }]);
    }
  });

  test("are reasons to finish like any other that nobody knows", () => {
    for (const name of NAMES) {
      const bodies: [ProtocolId, object][] = [
        ["openai-chat", { choices: [{ index: 0, message: { content: "x" }, finish_reason: name }] }],
        ["anthropic-messages", { type: "message", content: [{ type: "text", text: "x" }], stop_reason: name, usage: {} }],
        ["gemini", { candidates: [{ content: { parts: [{ text: "x" }] }, finishReason: name }] }],
        ["bedrock-converse", { output: { message: { role: "assistant", content: [{ text: "x" }] } }, stopReason: name, usage: {} }],
        ["ollama-chat", { message: { content: "x" }, done: true, done_reason: name }],
        ["cohere-chat", { message: { content: [{ type: "text", text: "x" }] }, finish_reason: name }],
      ];
      for (const [id, body] of bodies) {
        const finish = PROTOCOLS[id].parseResponse(JSON.stringify(body), {}).find((event) => event.type === "finish");
        expect(finish, `${id} ${name}`).toMatchObject({ unified: "stop" });
      }
    }
  });

  test("are efforts of reasoning that ask for a number of tokens all the same", () => {
    for (const effort of NAMES) {
      const body = JSON.stringify({ model: "m", max_tokens: 9000, messages: [{ role: "user", content: "x" }], reasoning_effort: effort });
      const parsed = PROTOCOLS["openai-chat"].parseRequest(body);
      if (!parsed.ok) throw new Error(parsed.error.message);
      for (const target of ["anthropic-messages", "gemini", "ollama-chat", "bedrock-converse"] as const) {
        const quirks: Quirks = { modelFamilies: [{ family: "nova", pattern: "." }] };
        const rendered = PROTOCOLS[target].renderRequest(parsed.value, { model: "gemini-2.5-flash", quirks, maxOutputTokens: 9000 });
        expect(rendered.body, target).not.toMatch(/native code|"(?:budget_tokens|thinkingBudget)":null/);
      }
    }
  });
});

test("more values or fields than a request may hold are refused by their number, and none of them overflows a call", () => {
  const refused = { code: "invalid_request", param: null };
  const start = '{"model":"m","messages":[{"role":"user","content":"x"}]';
  const fields = (count: number): string => Array.from({ length: count }, (_, index) => `"f${index}":${index}`).join(",");
  expect(refusalOf("openai-chat", `${start},"many":[${"0,".repeat(LIMITS.jsonValuesPerRequest)}0]}`)).toMatchObject(refused);
  expect(refusalOf("openai-chat", `${start},${fields(LIMITS.fieldsPerRequest)}}`)).toMatchObject(refused);
  expect(refusalOf("gemini", `{"contents":[],"generationConfig":{${fields(LIMITS.innerFieldsPerRequest + 1)}}}`)).toMatchObject(refused);
  const most = `{"contents":[{"parts":[{"text":"x"}]}],"generationConfig":{${fields(LIMITS.innerFieldsPerRequest)}}}`;
  const parsed = PROTOCOLS.gemini.parseRequest(most, ADDRESS);
  if (!parsed.ok) throw new Error(parsed.error.message);
  for (const target of ["gemini", "openai-chat", "openai-responses", "anthropic-messages"] as const)
    expect(PROTOCOLS[target].renderRequest(parsed.value, { model: "m", quirks: {}, maxOutputTokens: 1 }).body.length).toBeGreaterThan(0);
});
