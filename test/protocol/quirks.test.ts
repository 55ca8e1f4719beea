/** Every declared difference between providers of one wire format, each alone: what it changes in the request, and what it reports. */
import { describe, expect, test } from "vitest";
import { quirksSchema } from "../../schema/provider.ts";
import type { CanonicalRequest, ReasoningControl } from "../../workers/protocol/canonical.ts";
import { openaiChat } from "../../workers/protocol/openai-chat/index.ts";
import type { Quirks } from "../../workers/protocol/protocol.ts";
import { PROVIDERS } from "../../workers/provider/index.ts";

function requestOf(body: object): CanonicalRequest {
  const parsed = openaiChat.parseRequest(JSON.stringify({ model: "m", messages: [{ role: "user", content: "hi" }], ...body }));
  if (!parsed.ok) throw new Error(parsed.error.message);
  return parsed.value;
}

function render(body: object, quirks: Quirks): { body: Record<string, unknown>; losses: string[] } {
  const rendered = openaiChat.renderRequest(requestOf(body), { model: "upstream-model", quirks, maxOutputTokens: 0 });
  return { body: JSON.parse(rendered.body) as Record<string, unknown>, losses: named(rendered.losses) };
}

function named(losses: readonly { class: string; path: string; note: string | null }[]): string[] {
  return losses.map((loss) => `${loss.class} ${loss.path}${loss.note === null ? "" : ` ${loss.note}`}`);
}

/** The fields that control thinking, and the losses, for a wish in the words of an Anthropic caller. */
function thinking(reasoning: ReasoningControl, reasoningControl: Quirks["reasoningControl"], native = false): unknown[] {
  const request: CanonicalRequest = { ...requestOf({}), protocol: native ? "openai-chat" : "anthropic-messages", reasoning };
  const rendered = openaiChat.renderRequest(request, { model: "m", quirks: { reasoningControl }, maxOutputTokens: 0 });
  const { model: _model, messages: _messages, ...fields } = JSON.parse(rendered.body) as Record<string, unknown>;
  return [fields, ...named(rendered.losses)];
}

const effort = (word: string): ReasoningControl => ({ effort: word, budgetTokens: null, mode: null });
const budget = (tokens: number): ReasoningControl => ({ effort: null, budgetTokens: tokens, mode: "enabled" });
const OFF: ReasoningControl = { effort: null, budgetTokens: null, mode: "disabled" };

const tools = [{ type: "function", function: { name: "f", parameters: {} } }];

describe("what a provider refuses", () => {
  test("refusedFields leaves a hint out by name, and a content field as a loss of content", () => {
    const quirks: Quirks = { refusedFields: ["user", "logit_bias", "logprobs", "n"] };
    expect(render({ user: "u", logit_bias: { "5": 1 } }, quirks)).toMatchObject({ losses: ["hint user", "hint logit_bias"] });
    expect(render({ logprobs: true, n: 2 }, quirks).losses).toEqual(["content logprobs", "content n"]);
    expect(render({ logprobs: true, n: 2 }, quirks).body).not.toHaveProperty("n");
  });

  test("refusedFields reports nothing for a value that asks for nothing", () => {
    expect(render({ logprobs: false, logit_bias: {}, n: 1 }, { refusedFields: ["logprobs", "logit_bias", "n"] }).losses).toEqual([]);
  });

  test("tools: false makes offering functions a loss of content", () => {
    const { body, losses } = render({ tools, tool_choice: "auto" }, { tools: false });
    expect(losses).toEqual(["content tools"]);
    expect(body).not.toHaveProperty("tools");
    expect(body).not.toHaveProperty("tool_choice");
    expect(render({}, { tools: false }).losses).toEqual([]);
  });

  test.each([
    ["auto", [], "auto"],
    ["none", [], "none"],
    ["required", ["content tool_choice"], undefined],
    [{ type: "function", function: { name: "f" } }, ["content tool_choice"], undefined],
  ])("forcedToolChoice: false takes the choice %j with the losses %j", (choice, losses, sent) => {
    const rendered = render({ tools, tool_choice: choice }, { forcedToolChoice: false });
    expect(rendered.losses).toEqual(losses);
    expect(rendered.body["tool_choice"]).toEqual(sent);
    expect(rendered.body["tools"]).toHaveLength(1);
  });

  test("temperatureMax lowers a higher temperature, and says so", () => {
    expect(render({ temperature: 1.4 }, { temperatureMax: 1 })).toMatchObject({
      body: { temperature: 1 },
      losses: ["approximation temperature 1.4→1"],
    });
    expect(render({ temperature: 1 }, { temperatureMax: 1 })).toMatchObject({ body: { temperature: 1 }, losses: [] });
    expect(render({ temperature: 1.4 }, {})).toMatchObject({ body: { temperature: 1.4 }, losses: [] });
  });

  test("reasoningModelPattern drops temperature and top_p for the models it names", () => {
    const quirks: Quirks = { reasoningModelPattern: "^upstream-" };
    expect(render({ temperature: 0.5, top_p: 0.5 }, quirks).losses).toEqual(["hint temperature", "hint top_p"]);
    expect(render({ temperature: 1, top_p: 1 }, quirks)).toMatchObject({ losses: [], body: { model: "upstream-model" } });
  });
});

describe("how thinking is controlled", () => {
  test("reasoning_effort is the default", () => {
    expect(thinking(effort("low"), undefined)).toEqual([{ reasoning_effort: "low" }]);
    expect(thinking(budget(5_000), undefined)).toEqual([
      { reasoning_effort: "medium" },
      "approximation thinking.budget_tokens 5000→medium",
    ]);
    expect(thinking(effort("max"), undefined)).toEqual([{ reasoning_effort: "xhigh" }, "approximation effort max→xhigh"]);
    expect(thinking(OFF, undefined)).toEqual([{}]);
  });

  test("an object carries an effort or a budget without loss", () => {
    expect(thinking(effort("low"), "reasoning")).toEqual([{ reasoning: { effort: "low" } }]);
    expect(thinking(budget(5_000), "reasoning")).toEqual([{ reasoning: { max_tokens: 5_000 } }]);
    expect(thinking(OFF, "reasoning")).toEqual([{ reasoning: { effort: "none" } }]);
    expect(thinking({ effort: null, budgetTokens: null, mode: "adaptive" }, "reasoning")).toEqual([{ reasoning: { enabled: true } }]);
    expect(thinking(effort("max"), "reasoning")).toEqual([{ reasoning: { effort: "xhigh" } }, "approximation effort max→xhigh"]);
  });

  test("a switch goes beside an effort, and off means off", () => {
    expect(thinking(effort("high"), "thinking")).toEqual([{ thinking: { type: "enabled" }, reasoning_effort: "high" }]);
    expect(thinking(effort("none"), "thinking")).toEqual([{ thinking: { type: "disabled" } }]);
    expect(thinking(OFF, "thinking")).toEqual([{ thinking: { type: "disabled" } }]);
    expect(thinking(budget(1_024), "thinking")).toEqual([
      { thinking: { type: "enabled" }, reasoning_effort: "low" },
      "approximation thinking.budget_tokens 1024→low",
    ]);
  });

  test("a boolean carries a budget exactly, and an effort as no more than on", () => {
    expect(thinking(budget(5_000), "enable_thinking")).toEqual([{ enable_thinking: true, thinking_budget: 5_000 }]);
    expect(thinking(effort("high"), "enable_thinking")).toEqual([{ enable_thinking: true }, "approximation effort high→enabled"]);
    expect(thinking(effort("high"), "enable_thinking", true)).toEqual([
      { enable_thinking: true },
      "approximation reasoning_effort high→enabled",
    ]);
    expect(thinking(OFF, "enable_thinking")).toEqual([{ enable_thinking: false }]);
  });

  test("without any control the wish is named, unless it was to think not at all", () => {
    expect(thinking(effort("high"), "none")).toEqual([{}, "approximation effort high→left out"]);
    expect(thinking(OFF, "none")).toEqual([{}]);
  });
});

describe("names and places", () => {
  test("maxTokensField, streamOptions and developerRole move what they name", () => {
    expect(render({ max_tokens: 9 }, { maxTokensField: "max_completion_tokens" }).body).toMatchObject({ max_completion_tokens: 9 });
    expect(render({ stream: true }, { streamOptions: false }).body).not.toHaveProperty("stream_options");
    expect(render({ messages: [{ role: "developer", content: "d" }] }, { developerRole: false }).body["messages"]).toEqual([
      { role: "system", content: "d" },
    ]);
  });
});

test("every quirk that is declared is set by some provider, so none is kept for nobody", () => {
  const used = new Set(Object.values(PROVIDERS).flatMap((provider) => Object.keys(provider.quirks)));
  expect(Object.keys(quirksSchema.shape).filter((quirk) => !used.has(quirk))).toEqual([]);
});
