import { describe, expect, test } from "vitest";
import type { ProtocolId } from "../../schema/protocol.ts";
import type { Loss } from "../../workers/protocol/canonical.ts";
import { PROTOCOLS } from "../../workers/protocol/index.ts";

const TARGET = { model: "upstream-model", quirks: {}, maxOutputTokens: 2048 };
const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAAB";

function translated(from: ProtocolId, to: ProtocolId, body: object): { body: Record<string, unknown>; losses: string[] } {
  const outcome = PROTOCOLS[from].parseRequest(JSON.stringify({ model: "m", ...body }));
  if (!outcome.ok) throw new Error(outcome.error.message);
  const rendered = PROTOCOLS[to].renderRequest(outcome.value, TARGET);
  return { body: JSON.parse(rendered.body), losses: rendered.losses.map((loss: Loss) => `${loss.class} ${loss.path}`) };
}

describe("a caller's /api/generate body", () => {
  test("is a system text and one turn of the user, pictures first", () => {
    const { body, losses } = translated("ollama-generate", "openai-chat", {
      prompt: "See",
      system: "Brief.",
      images: [PNG],
      think: "low",
      options: { num_predict: 7 },
    });
    expect(body).toMatchObject({
      messages: [
        { role: "system", content: "Brief." },
        {
          role: "user",
          content: [
            { type: "image_url", image_url: { url: `data:image/png;base64,${PNG}` } },
            { type: "text", text: "See" },
          ],
        },
      ],
      stream: true,
      max_tokens: 7,
      reasoning_effort: "low",
    });
    expect(losses).toEqual([]);
  });

  test("loses as content what only a raw model takes, but not what older clients send empty", () => {
    const asked = { prompt: "x", raw: true, template: "{{ .Prompt }}", context: [1, 2], suffix: "y", options: { num_predict: 1 } };
    expect(translated("ollama-generate", "openai-chat", asked).losses.toSorted()).toEqual([
      "content context",
      "content raw",
      "content suffix",
      "content template",
    ]);
    const empty = {
      prompt: "x",
      system: "",
      template: "",
      context: [],
      raw: false,
      images: [],
      format: "",
      options: { num_predict: 1 },
      keep_alive: null,
    };
    expect(translated("ollama-generate", "openai-chat", empty).losses).toEqual([]);
  });

  test("without a prompt loads a model, which only Ollama does", () => {
    expect(translated("ollama-generate", "anthropic-messages", {}).losses).toContain("content prompt");
  });

  test("passes to a server of its own format with nothing but the model's name and the missing cap changed", () => {
    const body = '{"model":"m","prompt":"x","raw":true,"context":[1,2.0]}';
    const outcome = PROTOCOLS["ollama-generate"].parseRequest(body);
    if (!outcome.ok) expect.fail(outcome.error.message);
    expect(PROTOCOLS["ollama-generate"].spliceRequest(body, outcome.value, TARGET)).toBe(
      '{"model":"upstream-model","prompt":"x","raw":true,"context":[1,2.0],"options":{"num_predict":2048}}',
    );
  });

  test("goes to /api/chat with its options and the time to keep the model", () => {
    const { body, losses } = translated("ollama-generate", "ollama-chat", {
      prompt: "x",
      think: "max",
      keep_alive: "5m",
      options: { num_predict: 1, num_ctx: 8192, seed: 3 },
    });
    expect(body).toEqual({
      model: "upstream-model",
      messages: [{ role: "user", content: "x" }],
      stream: true,
      think: "max",
      options: { num_predict: 1, num_ctx: 8192, seed: 3 },
      keep_alive: "5m",
    });
    expect(losses).toEqual([]);
  });

  test("is refused where a field is wrong, and the field is named", () => {
    const refused = (body: object) => PROTOCOLS["ollama-generate"].parseRequest(JSON.stringify({ model: "m", ...body }));
    expect(refused({ prompt: 1 })).toMatchObject({ ok: false, error: { code: "invalid_request", param: "prompt" } });
    expect(refused({ prompt: "x", images: ["https://a.example/b.png"] })).toMatchObject({ ok: false, error: { param: "images.0" } });
  });
});

describe("another format's body to /api/generate", () => {
  test("is one prompt where there is one turn", () => {
    const messages = [
      { role: "system", content: "Brief." },
      { role: "user", content: "Hello" },
    ];
    expect(translated("openai-chat", "ollama-generate", { messages, max_tokens: 3 })).toEqual({
      body: { model: "upstream-model", prompt: "Hello", system: "Brief.", stream: false, options: { num_predict: 3 } },
      losses: [],
    });
  });

  test("loses a conversation and tools as content, and writes the conversation down for who accepts that", () => {
    const messages = [
      { role: "user", content: "Hello" },
      { role: "assistant", content: "Hi." },
      { role: "user", content: "Bye" },
    ];
    const tools = [{ type: "function", function: { name: "f", parameters: {} } }];
    const { body, losses } = translated("openai-chat", "ollama-generate", { messages, tools, max_tokens: 3 });
    expect(body["prompt"]).toBe("User: Hello\n\nAssistant: Hi.\n\nUser: Bye");
    expect(losses).toEqual(["content messages", "content tools"]);
  });
});
