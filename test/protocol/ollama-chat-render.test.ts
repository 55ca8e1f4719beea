import { describe, expect, test } from "vitest";
import type { ProtocolId } from "../../schema/protocol.ts";
import type { Loss } from "../../workers/protocol/canonical.ts";
import { PROTOCOLS } from "../../workers/protocol/index.ts";
import type { RenderTarget } from "../../workers/protocol/protocol.ts";

const TARGET: RenderTarget = { model: "upstream-model", quirks: {}, maxOutputTokens: 2048 };
const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAAB";
const SCHEMA = '{"type":"object","properties":{"n":{"const":9007199254740993},"z":{"default":1.0}}}';

interface Translated {
  text: string;
  body: Record<string, unknown>;
  losses: Loss[];
}

function translated(from: ProtocolId, to: ProtocolId, body: unknown, target = TARGET): Translated {
  const outcome = PROTOCOLS[from].parseRequest(typeof body === "string" ? body : JSON.stringify(body));
  if (!outcome.ok) throw new Error(outcome.error.message);
  const rendered = PROTOCOLS[to].renderRequest(outcome.value, target);
  return { text: rendered.body, body: JSON.parse(rendered.body), losses: rendered.losses };
}

const fromChat = (body: object) => translated("openai-chat", "ollama-chat", { model: "m", max_tokens: 10, ...body });
const user = (content: string) => [{ role: "user", content }];
const paths = (losses: Loss[]) => losses.map((loss) => `${loss.class} ${loss.path}`);

describe("another format's body to /api/chat", () => {
  test("says whether it streams, and puts sampling and the cap into options", () => {
    const { body, losses } = fromChat({
      messages: user("x"),
      temperature: 1.5,
      top_p: 0.9,
      stop: ["a", "b"],
      seed: 3,
      presence_penalty: 0.5,
    });
    expect(body).toEqual({
      model: "upstream-model",
      messages: user("x"),
      stream: false,
      options: { num_predict: 10, temperature: 1.5, top_p: 0.9, stop: ["a", "b"], seed: 3, presence_penalty: 0.5 },
    });
    expect(losses).toEqual([]);
  });

  test("gets the model's cap when the caller named none, and is told so", () => {
    const { body, losses } = translated("openai-chat", "ollama-chat", { model: "m", messages: user("x") });
    expect(body["options"]).toEqual({ num_predict: 2048 });
    expect(losses).toEqual([{ class: "approximation", path: "max_tokens", note: "→2048" }]);
  });

  test("carries calls as objects with their ids, and results with id and name", () => {
    const text = '{"b":9007199254740993,"a":1.0}';
    const tool_calls = [
      { id: "c1", type: "function", function: { name: "f", arguments: text } },
      { id: "c2", type: "function", function: { name: "g", arguments: "" } },
    ];
    const results = [
      { role: "tool", tool_call_id: "c2", content: "two" },
      { role: "tool", tool_call_id: "c1", content: "one" },
    ];
    const {
      text: sent,
      body,
      losses,
    } = fromChat({ messages: [...user("x"), { role: "assistant", content: null, tool_calls }, ...results] });
    expect(sent).toContain(`{"id":"c1","function":{"index":0,"name":"f","arguments":${text}}}`);
    expect(body["messages"]).toMatchObject([
      {},
      { role: "assistant", content: "", tool_calls: [{}, { id: "c2", function: { index: 1, name: "g", arguments: {} } }] },
      { role: "tool", content: "two", tool_name: "g", tool_call_id: "c2" },
      { role: "tool", content: "one", tool_name: "f", tool_call_id: "c1" },
    ]);
    expect(losses).toEqual([]);
  });

  test("keeps arguments that are no object, wrapped, and says so", () => {
    const tool_calls = [{ id: "c1", type: "function", function: { name: "f", arguments: '{"a":' } }];
    const { body, losses } = fromChat({
      messages: [...user("x"), { role: "assistant", tool_calls }, { role: "tool", tool_call_id: "c1", content: "r" }],
    });
    expect(body["messages"]).toMatchObject([{}, { tool_calls: [{ function: { arguments: { _raw: '{"a":' } } }] }, {}]);
    expect(paths(losses)).toEqual(["approximation messages.tool_calls.arguments"]);
  });

  test("carries inline pictures as bare base64, and loses an address and a file's id as content", () => {
    const image = (url: string) => [
      {
        role: "user",
        content: [
          { type: "image_url", image_url: { url } },
          { type: "text", text: "See" },
        ],
      },
    ];
    expect(fromChat({ messages: image(`data:image/png;base64,${PNG}`) })).toMatchObject({
      body: { messages: [{ content: "See", images: [PNG] }] },
      losses: [],
    });
    expect(paths(fromChat({ messages: image("https://pictures.example/a.png") }).losses)).toEqual(["content messages.image"]);
    const after = [
      {
        role: "user",
        content: [
          { type: "text", text: "See" },
          { type: "image_url", image_url: { url: `data:image/png;base64,${PNG}` } },
        ],
      },
    ];
    expect(fromChat({ messages: after }).losses).toEqual([
      { class: "approximation", path: "messages.content", note: "images moved before the text" },
    ]);
  });

  test("keeps pictures inside a tool's result, and marks a result that is an error", () => {
    const source = { type: "base64", media_type: "image/png", data: PNG };
    const content = [
      {
        type: "tool_result",
        tool_use_id: "t1",
        is_error: true,
        content: [
          { type: "image", source },
          { type: "text", text: "No." },
        ],
      },
    ];
    const messages = [
      { role: "user", content: "x" },
      { role: "assistant", content: [{ type: "tool_use", id: "t1", name: "f", input: {} }] },
      { role: "user", content },
    ];
    const { body, losses } = translated("anthropic-messages", "ollama-chat", { model: "m", max_tokens: 9, messages });
    expect(body["messages"]).toMatchObject([{}, {}, { role: "tool", content: "Error: No.", images: [PNG], tool_name: "f" }]);
    expect(paths(losses)).toEqual(["approximation tool_result.is_error"]);
  });

  test("has no choice of tools: none leaves them out, a forced call is content, one at a time a hint", () => {
    const tools = [{ type: "function", function: { name: "f", parameters: {} } }];
    const ask = (extra: object) => fromChat({ messages: user("x"), tools, ...extra });
    expect(ask({ tool_choice: "auto" })).toMatchObject({
      body: { tools: [{ type: "function", function: { name: "f", parameters: {} } }] },
      losses: [],
    });
    expect(ask({ tool_choice: "none" }).body).not.toHaveProperty("tools");
    expect(paths(ask({ tool_choice: "none" }).losses)).toEqual(["approximation tool_choice"]);
    expect(paths(ask({ tool_choice: "required" }).losses)).toEqual(["content tool_choice"]);
    expect(paths(ask({ tool_choice: { type: "function", function: { name: "f" } } }).losses)).toEqual(["content tool_choice"]);
    expect(paths(ask({ parallel_tool_calls: false }).losses)).toEqual(["hint parallel_tool_calls"]);
  });

  test("maps effort and budgets of thinking to a switch or a level", () => {
    const chat = (reasoning_effort: string) => fromChat({ messages: user("x"), reasoning_effort });
    expect(["none", "minimal", "low", "high", "xhigh"].map((effort) => chat(effort).body["think"])).toEqual([
      false,
      "low",
      "low",
      "high",
      "high",
    ]);
    expect(chat("xhigh").losses).toEqual([{ class: "approximation", path: "reasoning_effort", note: "xhigh→high" }]);
    const thinking = (wish: object) =>
      translated("anthropic-messages", "ollama-chat", { model: "m", max_tokens: 5000, messages: user("x"), thinking: wish });
    expect(thinking({ type: "enabled", budget_tokens: 2000 })).toMatchObject({
      body: { think: true },
      losses: [{ class: "approximation", note: "2000→on" }],
    });
    expect(thinking({ type: "disabled" })).toMatchObject({ body: { think: false }, losses: [] });
  });

  test("carries a schema in its own text, and JSON as a word", () => {
    const body = `{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"x"}],"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":${SCHEMA}}}}`;
    expect(translated("openai-chat", "ollama-chat", body).text).toContain(`"format":${SCHEMA}`);
    expect(fromChat({ messages: user("x"), response_format: { type: "json_object" } }).body["format"]).toBe("json");
  });

  test("sends thinking of the history as text, without its signature", () => {
    const content = [
      { type: "thinking", thinking: "hm", signature: "s" },
      { type: "text", text: "Yes." },
    ];
    const { body, losses } = translated("anthropic-messages", "ollama-chat", {
      model: "m",
      max_tokens: 9,
      messages: [...user("x"), { role: "assistant", content }],
    });
    expect(body["messages"]).toMatchObject([{}, { role: "assistant", content: "Yes.", thinking: "hm" }]);
    expect(paths(losses)).toEqual(["hint thinking.signature"]);
  });

  test("names what it cannot carry: several choices, a user's name, cache marks, audio, files but plain text", () => {
    const { losses } = fromChat({
      n: 2,
      user: "u",
      logit_bias: { 1: 2 },
      messages: [
        { role: "user", name: "ann", content: [{ type: "text", text: "x", cache_control: { type: "ephemeral" } }] },
        {
          role: "user",
          content: [
            { type: "input_audio", input_audio: { data: "AAAA", format: "wav" } },
            { type: "file", file: { file_data: "AAAA" } },
          ],
        },
      ],
    });
    expect(paths(losses).toSorted()).toEqual([
      "content messages.audio",
      "content messages.file",
      "content n",
      "hint cache_control",
      "hint logit_bias",
      "hint messages.name",
      "hint user",
    ]);
    const text = [{ type: "file", file: { file_data: `data:text/plain;base64,${btoa("plain words")}` } }];
    const sent = fromChat({ messages: [{ role: "user", content: text }] });
    expect([sent.body["messages"], paths(sent.losses)]).toEqual([
      [{ role: "user", content: "plain words" }],
      ["approximation messages.file"],
    ]);
  });

  test("leaves out what the provider is declared to refuse", () => {
    const target = { ...TARGET, quirks: { refusedFields: ["think"] } };
    const { body, losses } = translated(
      "openai-chat",
      "ollama-chat",
      { model: "m", max_tokens: 1, messages: user("x"), reasoning_effort: "low" },
      target,
    );
    expect(body).not.toHaveProperty("think");
    expect(paths(losses)).toEqual(["hint think"]);
  });
});
