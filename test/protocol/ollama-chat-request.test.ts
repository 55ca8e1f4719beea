import { describe, expect, test } from "vitest";
import type { ProtocolId } from "../../schema/protocol.ts";
import type { CanonicalRequest, Loss } from "../../workers/protocol/canonical.ts";
import { PROTOCOLS } from "../../workers/protocol/index.ts";
import type { RenderTarget } from "../../workers/protocol/protocol.ts";

const TARGET: RenderTarget = { model: "upstream-model", quirks: {}, maxOutputTokens: 2048 };
const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAAB";
const SCHEMA = '{"type":"object","properties":{"n":{"const":9007199254740993},"z":{"default":1.0}}}';

function parsed(protocol: ProtocolId, body: unknown): CanonicalRequest {
  const outcome = PROTOCOLS[protocol].parseRequest(typeof body === "string" ? body : JSON.stringify(body));
  if (!outcome.ok) throw new Error(outcome.error.message);
  return outcome.value;
}

function translated(
  from: ProtocolId,
  to: ProtocolId,
  body: unknown,
  target = TARGET,
): { text: string; body: Record<string, unknown>; losses: Loss[] } {
  const rendered = PROTOCOLS[to].renderRequest(parsed(from, body), target);
  return { text: rendered.body, body: JSON.parse(rendered.body), losses: rendered.losses };
}

const fromOllama = (to: ProtocolId, body: object) => translated("ollama-chat", to, { model: "m", ...body });
const user = (content: string) => [{ role: "user", content }];
const paths = (losses: Loss[]) => losses.map((loss) => `${loss.class} ${loss.path}`);

describe("a caller's /api/chat body", () => {
  test("is a stream unless it says otherwise, and its callers always see usage", () => {
    const wish = (stream?: boolean | null) => parsed("ollama-chat", { model: "m", messages: user("x"), stream }).stream;
    expect([wish(), wish(null), wish(true), wish(false)]).toEqual([true, true, true, false]);
    expect(parsed("ollama-chat", { model: "m", messages: user("x") }).wantsStreamUsage).toBe(true);
  });

  test("gives its options to the hub, and keeps the ones it does not know by their names", () => {
    const options = { num_predict: 9, temperature: 0.5, top_p: 0.9, top_k: 20, stop: ["END"], num_ctx: 8192, seed: 7 };
    const request = parsed("ollama-chat", { model: "m", messages: user("x"), options, keep_alive: "5m", truncate: null });
    expect(request).toMatchObject({ maxOutputTokens: 9, temperature: 0.5, topP: 0.9, topK: 20, stop: ["END"] });
    expect(request.rest).toEqual({ "options.num_ctx": 8192, "options.seed": 7, keep_alive: "5m" });
  });

  test("names no cap with a number below one", () => {
    for (const num_predict of [-2, -1, 0])
      expect(parsed("ollama-chat", { model: "m", messages: user("x"), options: { num_predict } }).maxOutputTokens).toBeNull();
  });

  test("reads think as a switch or a level, and format as JSON or a schema in its own text", () => {
    const request = (extra: string) => parsed("ollama-chat", `{"model":"m","messages":[{"role":"user","content":"x"}],${extra}}`);
    expect(request('"think":true').reasoning).toEqual({ effort: null, budgetTokens: null, mode: "enabled" });
    expect(request('"think":false').reasoning).toEqual({ effort: null, budgetTokens: null, mode: "disabled" });
    expect(request('"think":"high"').reasoning).toEqual({ effort: "high", budgetTokens: null, mode: null });
    expect(request('"format":"json"').responseFormat).toEqual({ kind: "json-object" });
    expect(request('"format":""').responseFormat).toBeNull();
    expect(request(`"format":${SCHEMA}`).responseFormat).toMatchObject({ kind: "json-schema", schemaText: SCHEMA });
  });

  test("has pictures before text, and knows what they are by their first bytes", () => {
    const images = [PNG, "/9j/4AAQ", "R0lGODlh", "UklGRiQAAABXRUJQVlA4", "AAAA"];
    const [turn] = parsed("ollama-chat", { model: "m", messages: [{ role: "user", content: "See", images }] }).turns;
    const types = turn?.blocks.map((block) =>
      block.type === "image" && block.source.kind === "base64" ? block.source.mediaType : block.type,
    );
    expect(types).toEqual(["image/png", "image/jpeg", "image/gif", "image/webp", "application/octet-stream", "text"]);
  });

  test("reads roles in any letter case, and keeps a role nobody else has as its own", () => {
    const messages = [
      { role: "System", content: "s" },
      { role: "USER", content: "u" },
      { role: "control", content: "thinking" },
    ];
    const { turns } = parsed("ollama-chat", { model: "m", messages });
    expect(turns.map((turn) => turn.role)).toEqual(["system", "user", "user"]);
    expect(turns[2]?.blocks).toEqual([
      { type: "opaque", protocol: "ollama-chat", kind: "control", json: '{"role":"control","content":"thinking"}' },
    ]);
    expect(paths(fromOllama("openai-chat", { messages }).losses)).toContain("content messages.control");
  });
});

describe("calls and results of a caller", () => {
  const call = (name: string, args: string, id?: string) =>
    `{${id === undefined ? "" : `"id":"${id}",`}"function":{"name":"${name}","arguments":${args}}}`;
  const conversation = (calls: string[], results: object[]) =>
    parsed(
      "ollama-chat",
      `{"model":"m","messages":[{"role":"user","content":"x"},{"role":"assistant","content":"","tool_calls":[${calls.join(",")}]},${results.map((result) => JSON.stringify({ role: "tool", content: "r", ...result })).join(",")}]}`,
    );
  const idsOf = (request: CanonicalRequest) =>
    request.turns.flatMap((turn) =>
      turn.blocks.flatMap((block) => (block.type === "tool-call" ? [block.id] : block.type === "tool-result" ? [block.callId] : [])),
    );

  test("keep the ids that were given", () => {
    expect(
      idsOf(conversation([call("a", "{}", "call_1"), call("a", "{}", "call_2")], [{ tool_call_id: "call_2" }, { tool_call_id: "call_1" }])),
    ).toEqual(["call_1", "call_2", "call_2", "call_1"]);
  });

  test("are matched by name where there are no ids, and by order among calls of one name", () => {
    const request = conversation(
      [call("a", "{}"), call("b", "{}"), call("a", "{}")],
      [{ tool_name: "b" }, { tool_name: "a" }, { tool_name: "a" }],
    );
    expect(idsOf(request)).toEqual(["call_1_0", "call_1_1", "call_1_2", "call_1_1", "call_1_0", "call_1_2"]);
  });

  test("are matched by order where there are no names either, and a result without a call has an id of its own", () => {
    expect(idsOf(conversation([call("a", "{}")], [{}, {}]))).toEqual(["call_1_0", "call_1_0", "call_unknown_3"]);
  });

  test("get the same ids in a later, longer request, so that a provider's cache still holds", () => {
    const first = conversation([call("a", "{}")], [{}]);
    const later = conversation([call("a", "{}")], [{}, { content: "and" }]);
    expect(idsOf(later).slice(0, 2)).toEqual(idsOf(first));
  });

  test("carry arguments as their own text: big numbers, floats, order of keys", () => {
    const text = '{"z":9007199254740993,"a":1.0, "n":"\\u0041"}';
    const request = conversation([call("f", text, "c1")], [{ tool_call_id: "c1" }]);
    const chat = JSON.parse(PROTOCOLS["openai-chat"].renderRequest(request, TARGET).body);
    expect(chat.messages[1].tool_calls[0].function.arguments).toBe(text);
    expect(PROTOCOLS["anthropic-messages"].renderRequest(request, TARGET).body).toContain(`"input":${text}`);
  });
});

describe("a caller's body to other formats", () => {
  test("carries system, tools, results, thinking, images and a schema", () => {
    const tools = [{ type: "function", function: { name: "f", description: "does f", parameters: { type: "object" } } }];
    const messages = [
      { role: "system", content: "Brief." },
      { role: "user", content: "See", images: [PNG] },
      { role: "assistant", content: "", thinking: "hm", tool_calls: [{ function: { name: "f", arguments: { a: 1 } } }] },
      { role: "tool", content: "done", tool_name: "f" },
    ];
    const { body, losses } = fromOllama("anthropic-messages", { messages, tools, format: JSON.parse(SCHEMA), options: { num_predict: 5 } });
    expect(body).toMatchObject({
      system: [{ type: "text", text: "Brief." }],
      max_tokens: 5,
      stream: true,
      tools: [{ name: "f", description: "does f" }],
      output_config: { format: { type: "json_schema" } },
      messages: [
        {
          role: "user",
          content: [
            { type: "image", source: { type: "base64", media_type: "image/png", data: PNG } },
            { type: "text", text: "See" },
          ],
        },
        { role: "assistant", content: [{ type: "tool_use", id: "call_2_0", name: "f", input: { a: 1 } }] },
        { role: "user", content: [{ type: "tool_result", tool_use_id: "call_2_0", content: [{ type: "text", text: "done" }] }] },
      ],
    });
    // Thinking without its provider's proof is refused upstream.
    expect(paths(losses)).toEqual(["hint messages.reasoning"]);
  });

  test("names every option that has no place as a hint, and what asks for something else as content", () => {
    const { losses } = fromOllama("openai-chat", {
      messages: user("x"),
      keep_alive: "5m",
      logprobs: true,
      options: { num_ctx: 1, min_p: 0.1 },
    });
    expect(paths(losses).toSorted()).toEqual(["content logprobs", "hint keep_alive", "hint options.min_p", "hint options.num_ctx"]);
  });

  test("without messages loads a model, which only Ollama does", () => {
    expect(paths(fromOllama("openai-chat", { messages: [] }).losses)).toContain("content messages");
    expect(paths(fromOllama("anthropic-messages", {}).losses)).toContain("content messages");
  });
});

describe("the same format on both sides", () => {
  test("changes the model's name and the missing cap, and nothing else", () => {
    const body = '{ "model" : "m:latest", "messages":[{"role":"user","content":"x"}],\n "novel": 1.0 }';
    const outcome = PROTOCOLS["ollama-chat"].spliceRequest(body, parsed("ollama-chat", body), TARGET);
    expect(outcome).toBe(
      '{ "model" : "upstream-model", "messages":[{"role":"user","content":"x"}],\n "novel": 1.0,"options":{"num_predict":2048} }',
    );
  });

  test("keeps the caller's cap, and replaces a number that means none", () => {
    const spliced = (options: string) => {
      const body = `{"model":"m","options":${options}}`;
      return PROTOCOLS["ollama-chat"].spliceRequest(body, parsed("ollama-chat", body), TARGET);
    };
    expect(spliced('{"num_predict":7}')).toBe('{"model":"upstream-model","options":{"num_predict":7}}');
    expect(spliced('{"num_predict":-1,"seed":1}')).toBe('{"model":"upstream-model","options":{"num_predict":2048,"seed":1}}');
    expect(spliced("null")).toBe('{"model":"upstream-model","options":{"num_predict":2048}}');
  });
});

describe("wrong input", () => {
  test.each([
    ["not JSON", "{", "invalid_json", null],
    ["no object", "[]", "invalid_request", null],
    ["no model", '{"messages":[]}', "invalid_request", "model"],
    ["content in parts", '{"model":"m","messages":[{"role":"user","content":[]}]}', "invalid_request", "messages.0.content"],
    ["a message without a role", '{"model":"m","messages":[{"content":"x"}]}', "invalid_request", "messages.0.role"],
    [
      "a picture by address",
      '{"model":"m","messages":[{"role":"user","images":["https://a.example/b.png"]}]}',
      "invalid_request",
      "messages.0.images.0",
    ],
    [
      "a picture with a data: prefix",
      `{"model":"m","messages":[{"role":"user","images":["${PNG}","data:image/png;base64,AAAA"]}]}`,
      "invalid_request",
      "messages.0.images.1",
    ],
    [
      "a call without a name",
      '{"model":"m","messages":[{"role":"assistant","tool_calls":[{"function":{}}]}]}',
      "invalid_request",
      "messages.0.tool_calls.0.function.name",
    ],
    ["a tool without a function", '{"model":"m","tools":[{"type":"function"}]}', "invalid_request", "tools.0.function"],
    ["a format nobody knows", '{"model":"m","format":"yaml"}', "invalid_request", "format"],
    ["a cap that is no number", '{"model":"m","options":{"num_predict":"9"}}', "invalid_request", "options.num_predict"],
    ["a stream that is a word", '{"model":"m","stream":"yes"}', "invalid_request", "stream"],
    ["a level that is a number", '{"model":"m","think":3}', "invalid_request", "think"],
  ])("%s is refused, and the field is named", (_name, body, code, param) => {
    expect(PROTOCOLS["ollama-chat"].parseRequest(body)).toMatchObject({ ok: false, error: { code, param } });
  });
});
