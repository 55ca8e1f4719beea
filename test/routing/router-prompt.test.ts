/** The question to a router model in its two formats, and answers as such models give them. */
import { describe, expect, test } from "vitest";
import { parseRouterAnswer, routerPrompt, shownTurns } from "../../workers/routing/router-prompt.ts";

const ROUTES = [
  { name: "code", description: "writing code, {tests} too" },
  { name: "law", description: "contracts" },
];
const TURNS = [
  { role: "user" as const, content: "hi" },
  { role: "assistant" as const, content: "hello" },
  { role: "user" as const, content: "write {routes} a function" },
];

describe("routerPrompt()", () => {
  test("writes routes one a line with spaced JSON, and the conversation indented by four, for an orchestrator", () => {
    const prompt = routerPrompt("plano/Plano-Orchestrator-4B", ROUTES, TURNS);
    expect(prompt).toContain(
      '<routes>\n{"name": "code", "description": "writing code, {tests} too"}\n{"name": "law", "description": "contracts"}\n</routes>',
    );
    expect(prompt).toContain(`<conversation>\n${JSON.stringify(TURNS, null, 4)}\n</conversation>`);
    expect(prompt).toContain('{{"route": ["route_name_1", "route_name_2", "..."]}}');
  });

  test("writes plain JSON for any other router model", () => {
    const prompt = routerPrompt("acme/Arch-Router-1.5B", ROUTES, TURNS);
    expect(prompt).toContain(`<routes>\n${JSON.stringify(ROUTES)}\n</routes>`);
    expect(prompt).toContain(`<conversation>\n${JSON.stringify(TURNS)}\n</conversation>`);
    expect(prompt).toContain('{"route": "other"}');
  });

  test("shows the latest turns that fit, and of one that does not its two ends", () => {
    const many = Array.from({ length: 40 }, (_, index) => ({ role: "user" as const, content: `turn ${index}` }));
    expect(shownTurns(many, 10_000).map(({ content }) => content)).toEqual(many.slice(-16).map(({ content }) => content));
    const [cut] = shownTurns([...many, { role: "user", content: `A${"x".repeat(500)}Z` }], 101);
    expect([cut?.content.length, cut?.content.at(0), cut?.content.at(-1), cut?.content.includes("…")]).toEqual([101, "A", "Z", true]);
  });
});

describe("parseRouterAnswer()", () => {
  test.each([
    ['{"route": "code"}', "code"],
    ['{"route": ["law", "code"]}', "law"],
    ['{{"route": ["code"]}}', "code"],
    ["{'route': 'law'}", "law"],
    ['Sure! ```json\n{"route": ["nothing", "code"]}\n```', "code"],
    ['{"route": "other"}', null],
    ['{"route": []}', null],
    ['{"route": 7}', null],
    ["code", null],
    ["}{", null],
    ["", null],
  ])("reads %s", (text, expected) => {
    expect(parseRouterAnswer(text, ["code", "law"])).toBe(expected);
  });
});
