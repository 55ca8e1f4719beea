/** Requests and answers from one wire to the other, as a caller of either sees them. */
import { describe, expect, test } from "vitest";
import { isObject, parseJson } from "../../schema/json.ts";
import type { ProtocolId } from "../../schema/protocol.ts";
import type { Loss } from "../../workers/protocol/canonical.ts";
import { PROTOCOLS } from "../../workers/protocol/index.ts";
import type { Quirks } from "../../workers/protocol/protocol.ts";
import { body, bodyNames, context, decodeStream } from "./bodies.ts";
import { summarise } from "./summary.ts";

interface Translated {
  body: Record<string, unknown>;
  text: string;
  losses: Loss[];
}

function translate(from: ProtocolId, to: ProtocolId, request: unknown, quirks: Quirks = {}): Translated {
  const parsed = PROTOCOLS[from].parseRequest(typeof request === "string" ? request : JSON.stringify(request));
  if (!parsed.ok) throw new Error(parsed.error.message);
  const rendered = PROTOCOLS[to].renderRequest(parsed.value, { model: "target", quirks, maxOutputTokens: 8192 });
  const read = parseJson(rendered.body);
  if (!read.ok || !isObject(read.value)) throw new Error("the rendered body is no JSON object");
  return { body: read.value, text: rendered.body, losses: rendered.losses };
}

const user = { role: "user", content: "hi" };
const chat = (changes: object, quirks: Quirks = {}): Translated =>
  translate("openai-chat", "anthropic-messages", { model: "m", max_tokens: 4000, messages: [user], ...changes }, quirks);
const messages = (changes: object, quirks: Quirks = {}): Translated =>
  translate("anthropic-messages", "openai-chat", { model: "m", max_tokens: 100, messages: [user], ...changes }, quirks);
const tool = { type: "function", function: { name: "f", parameters: { type: "object", properties: {} } } };
const call = (id: string, args: string | null, name = "f"): object => ({ id, type: "function", function: { name, arguments: args } });
const answered = (args: string): object => ({
  messages: [
    user,
    { role: "assistant", content: null, tool_calls: [call("c1", args)] },
    { role: "tool", tool_call_id: "c1", content: "ok" },
  ],
  tools: [tool],
});

describe("a Chat request for an Anthropic provider", () => {
  test("joins what the system says first, and marks what it says later as the system's", () => {
    const { body: sent, losses } = chat({
      messages: [
        { role: "system", content: "one" },
        { role: "developer", content: "two" },
        user,
        { role: "system", content: "three" },
        user,
      ],
    });
    expect(sent["system"]).toEqual([
      { type: "text", text: "one" },
      { type: "text", text: "two" },
    ]);
    expect(sent["messages"]).toEqual([
      {
        role: "user",
        content: [
          { type: "text", text: "hi" },
          { type: "text", text: "<system>\nthree\n</system>" },
          { type: "text", text: "hi" },
        ],
      },
    ]);
    expect(losses).toEqual([{ class: "approximation", path: "messages.system-position", note: null }]);
  });

  test("sends a request of nothing but system text as the user's", () => {
    const { body: sent, losses } = chat({ messages: [{ role: "system", content: "one" }] });
    expect(sent).not.toHaveProperty("system");
    expect(sent["messages"]).toEqual([{ role: "user", content: [{ type: "text", text: "one" }] }]);
    expect(losses).toHaveLength(1);
  });

  test("brings all results of a turn into the message after the calls, results before text", () => {
    const { text, losses } = chat({
      messages: [
        user,
        { role: "assistant", content: "", tool_calls: [call("functions.f:0", '{"n": 1.0, "id": 9007199254740993}'), call("c2", "")] },
        { role: "tool", tool_call_id: "functions.f:0", content: "one" },
        { role: "tool", tool_call_id: "c2", content: "two" },
        { role: "user", content: "go on" },
      ],
      tools: [tool],
    });
    expect(text).toContain(
      '{"role":"assistant","content":[{"type":"tool_use","id":"functions_2e_f_3a_0","name":"f","input":{"n": 1.0, "id": 9007199254740993}},{"type":"tool_use","id":"c2","name":"f","input":{}}]}',
    );
    expect(text).toContain(
      '{"role":"user","content":[{"type":"tool_result","tool_use_id":"functions_2e_f_3a_0","content":[{"type":"text","text":"one"}]},{"type":"tool_result","tool_use_id":"c2","content":[{"type":"text","text":"two"}]},{"type":"text","text":"go on"}]}',
    );
    expect(losses).toEqual([]);
  });

  test("puts a result before whatever was said between the call and it", () => {
    const { body: sent } = chat({
      messages: [
        user,
        { role: "assistant", content: null, tool_calls: [call("c1", "{}")] },
        { role: "developer", content: "note" },
        { role: "tool", tool_call_id: "c1", content: "ok" },
      ],
      tools: [tool],
    });
    expect(sent["messages"]).toMatchObject([
      { role: "user" },
      { role: "assistant" },
      { role: "user", content: [{ type: "tool_result", tool_use_id: "c1" }, { type: "text" }] },
    ]);
  });

  test("spells ids that the wire refuses without making two of them one", () => {
    const ids = ["a.b", "a_2e_b", "a:b", "имя", "_2e_"];
    const { text } = chat({ messages: [user, { role: "assistant", tool_calls: ids.map((id) => call(id, "{}")) }] });
    const spelled = [...text.matchAll(/"type":"tool_use","id":"([^"]*)"/g)].map((match) => match[1] ?? "");
    expect(new Set(spelled).size).toBe(ids.length);
    for (const id of spelled) expect(id).toMatch(/^[a-zA-Z0-9_-]+$/);
  });

  test("spells tool names alike where they are offered, chosen and called, and says so", () => {
    const named = { type: "function", function: { name: "my.tool", parameters: { type: "object" } } };
    const { body: sent, losses } = chat({
      messages: [user, { role: "assistant", tool_calls: [call("c", "{}", "my.tool")] }, { role: "tool", tool_call_id: "c", content: "x" }],
      tools: [named],
      tool_choice: { type: "function", function: { name: "my.tool" } },
    });
    expect(sent["tools"]).toMatchObject([{ name: "my_2e_tool" }]);
    expect(sent["tool_choice"]).toEqual({ type: "tool", name: "my_2e_tool" });
    expect(JSON.stringify(sent["messages"])).toContain('"name":"my_2e_tool"');
    expect(losses).toEqual([{ class: "approximation", path: "tools.name", note: "→my_2e_tool" }]);
  });

  test.each([
    ["", "{}"],
    ["null", "{}"],
    ['{"a": 1.0}', '{"a": 1.0}'],
    ['{"a": ', String.raw`{"_raw":"{\"a\": "}`],
    ["[1]", '{"_raw":"[1]"}'],
  ])("sends the arguments '%s' as %s", (given, expected) => {
    const { text, losses } = chat(answered(given));
    expect(text).toContain(`"input":${expected}}`);
    expect(losses.map((loss) => loss.path)).toEqual(expected.startsWith('{"_raw') ? ["messages.tool_calls.arguments"] : []);
  });

  test("gives a schema the root type it lacks, and defines tools that only the history knows", () => {
    const bare = { type: "function", function: { name: "f", parameters: {}, strict: false } };
    const offered = chat({ tools: [bare] });
    expect(offered.body["tools"]).toEqual([{ name: "f", input_schema: { type: "object" } }]);
    expect(offered.losses).toEqual([]);
    const { tools: _none, ...history } = answered("{}") as { tools: unknown };
    expect(chat(history).body).toMatchObject({
      tools: [{ name: "f", input_schema: { type: "object" } }],
      tool_choice: { type: "none" },
    });
  });

  test.each<[unknown, unknown, object | undefined]>([
    ["auto", undefined, { type: "auto" }],
    ["none", undefined, { type: "none" }],
    ["required", undefined, { type: "any" }],
    [{ type: "function", function: { name: "f" } }, false, { type: "tool", name: "f", disable_parallel_tool_use: true }],
    [undefined, false, { type: "auto", disable_parallel_tool_use: true }],
    [undefined, true, undefined],
  ])("asks for tools as %j with parallel %j", (choice, parallel, expected) => {
    expect(chat({ tools: [tool], tool_choice: choice, parallel_tool_calls: parallel }).body["tool_choice"]).toEqual(expected);
  });

  test("caps what has no cap, and clamps a temperature, and names both", () => {
    const { body: sent, losses } = chat({ max_tokens: null, temperature: 1.4, stop: "END", user: "u1", top_p: 0.5 });
    expect(sent).toMatchObject({
      max_tokens: 8192,
      temperature: 1,
      top_p: 0.5,
      stop_sequences: ["END"],
      metadata: { user_id: "u1" },
    });
    expect(losses).toEqual([
      { class: "approximation", path: "max_tokens", note: "→8192" },
      { class: "approximation", path: "temperature", note: "1.4→1" },
    ]);
  });

  test.each<[string, object, object | undefined, string[]]>([
    ["low", {}, { type: "enabled", budget_tokens: 1024 }, ["approximation reasoning_effort"]],
    ["high", { max_tokens: 64_000 }, { type: "enabled", budget_tokens: 16_384 }, ["approximation reasoning_effort"]],
    ["high", { max_tokens: 4000 }, { type: "enabled", budget_tokens: 2000 }, ["approximation reasoning_effort"]],
    ["high", { max_tokens: 1500 }, undefined, ["hint reasoning_effort"]],
    ["none", {}, undefined, []],
    ["minimal", {}, undefined, []],
    ["galactic", {}, undefined, ["hint reasoning_effort"]],
    [
      "low",
      { temperature: 0.2, top_p: 0.5 },
      { type: "enabled", budget_tokens: 1024 },
      ["approximation reasoning_effort", "hint temperature", "hint top_p"],
    ],
    ["low", { tools: [tool], tool_choice: "required" }, undefined, ["hint reasoning_effort"]],
    ["low", answered("{}"), undefined, ["hint reasoning_effort"]],
  ])("lets a model think at effort %s of %j as far as the wire takes it", (effort, changes, thinking, losses) => {
    const sent = chat({ reasoning_effort: effort, ...changes });
    expect(sent.body["thinking"]).toEqual(thinking);
    expect(sent.losses.map((loss) => `${loss.class} ${loss.path}`).toSorted()).toEqual(losses);
    if (thinking !== undefined) expect(sent.body).not.toHaveProperty("temperature");
  });

  test("asks for a schema in the wire's own way, and sends back no reasoning it cannot prove", () => {
    const format = { type: "json_schema", json_schema: { name: "r", strict: true, schema: { type: "object", max: 1 } } };
    const { body: sent, losses } = chat({
      response_format: format,
      messages: [user, { role: "assistant", content: "a ", reasoning_content: "hm" }],
    });
    expect(sent["output_config"]).toEqual({ format: { type: "json_schema", schema: { type: "object", max: 1 } } });
    expect(JSON.stringify(sent)).not.toContain("hm");
    expect((sent["messages"] as unknown[])[1]).toEqual({ role: "assistant", content: [{ type: "text", text: "a" }] });
    expect(losses).toEqual([
      { class: "hint", path: "messages.reasoning", note: null },
      { class: "approximation", path: "messages.content", note: "space at the end removed" },
    ]);
  });

  const part = (content: object): object => ({ messages: [{ role: "user", content: [{ type: "text", text: "x" }, content] }] });
  test.each<[string, object, string]>([
    ["several answers", { n: 2 }, "n"],
    ["log probabilities", { logprobs: true }, "logprobs"],
    ["any JSON", { response_format: { type: "json_object" } }, "response_format"],
    ["a stop of white space", { stop: ["\n"] }, "stop"],
    ["sound", part({ type: "input_audio", input_audio: { data: "AA", format: "wav" } }), "messages.audio"],
    ["a file of another store", part({ type: "file", file: { file_id: "file-1" } }), "messages.file"],
    [
      "a file of an unknown kind",
      part({ type: "file", file: { file_data: "data:application/zip;base64,AA==", filename: "a.zip" } }),
      "messages.file",
    ],
    ["a free-text tool", { tools: [{ type: "custom", custom: { name: "x" } }] }, "tools.0"],
  ])("refuses to lose %s", (_, changes, path) => {
    expect(chat(changes).losses).toContainEqual({ class: "content", path, note: null });
  });

  test("sends images, PDF and plain text as their blocks", () => {
    const file = (data: string): object => part({ type: "file", file: { file_data: data, filename: "a" } });
    const second = (sent: Translated): unknown => ((sent.body["messages"] as { content: unknown[] }[])[0]?.content ?? [])[1];
    expect(second(chat(part({ type: "image_url", image_url: { url: "data:image/png;base64,AA==" } })))).toEqual({
      type: "image",
      source: { type: "base64", media_type: "image/png", data: "AA==" },
    });
    expect(second(chat(file("data:application/pdf;base64,AA==")))).toMatchObject({
      type: "document",
      title: "a",
      source: { type: "base64", media_type: "application/pdf" },
    });
    const plain = Buffer.from("Привет").toString("base64");
    expect(second(chat(file(`data:text/plain;base64,${plain}`)))).toMatchObject({
      source: { type: "text", media_type: "text/plain", data: "Привет" },
    });
  });

  test("names every wish it drops", () => {
    const { losses } = chat({ seed: 1, logit_bias: { 5: 1 }, presence_penalty: 0.5, verbosity: "low", vendor_thing: 1 });
    expect(losses.map((loss) => `${loss.class} ${loss.path}`).toSorted()).toEqual(
      ["logit_bias", "presence_penalty", "seed", "vendor_thing", "verbosity"].map((field) => `hint ${field}`),
    );
  });

  test("keeps to what the provider is declared to refuse", () => {
    const refused = chat({ user: "u1", temperature: 0.5 }, { refusedFields: ["metadata"], reasoningModelPattern: "^target$" });
    expect(refused.body).not.toHaveProperty("metadata");
    expect(refused.body).not.toHaveProperty("temperature");
    expect(refused.losses.map((loss) => loss.path).toSorted()).toEqual(["metadata", "temperature"]);
  });
});

describe("an Anthropic request for a Chat provider", () => {
  test("keeps system, calls, results and numbers", () => {
    const { body: sent, text } = translate(
      "anthropic-messages",
      "openai-chat",
      '{"model":"m","max_tokens":50,"system":"be brief","stream":true,"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":[{"type":"text","text":"Looking."},{"type":"tool_use","id":"t1","name":"f","input":{"n": 1.0, "id": 9007199254740993}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"ok"},{"type":"text","text":"go on"}]}],"tools":[{"name":"f","input_schema":{"type":"object","max": 1.0}}],"tool_choice":{"type":"any","disable_parallel_tool_use":true}}',
    );
    expect(sent).toMatchObject({
      stream: true,
      stream_options: { include_usage: true },
      max_tokens: 50,
      tool_choice: "required",
      parallel_tool_calls: false,
    });
    expect(sent["messages"]).toMatchObject([
      { role: "system", content: "be brief" },
      { role: "user", content: "hi" },
      { role: "assistant", content: "Looking.", tool_calls: [{ id: "t1", function: { name: "f" } }] },
      { role: "tool", tool_call_id: "t1", content: "ok" },
      { role: "user", content: "go on" },
    ]);
    expect(text).toContain(String.raw`"arguments":"{\"n\": 1.0, \"id\": 9007199254740993}"`);
    expect(text).toContain('"parameters":{"type":"object","max": 1.0}');
  });

  test("names what Chat has no place for", () => {
    const { losses } = messages({
      top_k: 5,
      thinking: { type: "enabled", budget_tokens: 2000 },
      container: "c",
      tools: [{ type: "web_search_20250305", name: "web_search" }],
      system: [{ type: "text", text: "s", cache_control: { type: "ephemeral" } }],
      messages: [user, { role: "assistant", content: [{ type: "thinking", thinking: "hm", signature: "s" }] }, user],
    });
    expect(losses.map((loss) => `${loss.class} ${loss.path}`).toSorted()).toEqual([
      "approximation thinking.budget_tokens",
      "content container",
      "content tools.0",
      "hint cache_control",
      "hint thinking",
      "hint thinking.signature",
      "hint top_k",
    ]);
  });
});

const OTHER = { "openai-chat": "anthropic-messages", "anthropic-messages": "openai-chat" } as const;

describe.each(["openai-chat", "anthropic-messages"] as const)("an answer of %s for a caller of the other wire", (from) => {
  const to = OTHER[from];
  const whole = bodyNames(from, ".sse").filter((name) => {
    const { ended, choices } = summarise(decodeStream(PROTOCOLS[from], [body(from, name)]));
    return ended && Object.keys(choices).length === 1;
  });

  test.each(whole)("says in a stream, and whole, what the provider said: %s", (name) => {
    const events = decodeStream(PROTOCOLS[from], [body(from, name)]);
    const said = summarise(events);
    const encoder = PROTOCOLS[to].createEncoder(context());
    const text = events.map((event) => encoder.encode(event)).join("");
    const streamed = summarise(decodeStream(PROTOCOLS[to], [Buffer.from(text)]));
    const unary = summarise(PROTOCOLS[to].parseResponse(PROTOCOLS[to].renderResponse(events, context()), {}));
    const complete = said.choices[0]?.finish !== "length";
    for (const heard of complete ? [streamed, unary] : [streamed]) {
      expect(heard.error).toBeNull();
      expect(heard.ended).toBe(true);
      const { text: heardText = "", refusal: heardRefusal = "", calls, reasoning } = heard.choices[0] ?? {};
      expect(heardText + heardRefusal).toBe((said.choices[0]?.text ?? "") + (said.choices[0]?.refusal ?? ""));
      expect(reasoning).toBe(said.choices[0]?.reasoning);
      expect(calls).toEqual(said.choices[0]?.calls);
      // The first event of an Anthropic stream must hold a number: there alone an unknown input is shown as zero.
      const isPlaceholder = heard === streamed && to === "anthropic-messages";
      expect(heard.usage.input_tokens).toBe(said.usage.input_tokens ?? (isPlaceholder ? 0 : null));
      expect(heard.usage.output_tokens).toBe(said.usage.output_tokens);
    }
  });

  test("shows an error after the first byte as the caller's own, without an end", () => {
    const broken = from === "openai-chat" ? "error-chunk.sse" : "ERR200-overloaded.sse";
    const events = decodeStream(PROTOCOLS[from], [body(from, broken)]);
    const encoder = PROTOCOLS[to].createEncoder(context());
    const error = events.find((event) => event.type === "error");
    if (error === undefined) throw new Error("no error in the body");
    const text = events.map((event) => encoder.encode(event)).join("") + PROTOCOLS[to].renderStreamError(error.error, "req_1");
    expect(summarise(decodeStream(PROTOCOLS[to], [Buffer.from(text)]))).toMatchObject({ ended: false, error: error.error.code });
  });
});
