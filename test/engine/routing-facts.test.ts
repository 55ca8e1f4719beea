/** What the router reads of a request, and what targets would lose of it. */
import { describe, expect, test } from "vitest";
import type { PlanAttempt } from "../../schema/plan.ts";
import { beginningOf, lossCounter, needsOf, promptFactsOf, spokenTurns } from "../../workers/engine/routing-facts.ts";
import type { CanonicalRequest } from "../../workers/protocol/canonical.ts";
import { PROTOCOLS } from "../../workers/protocol/index.ts";

function request(messages: object[], fields: object = {}): CanonicalRequest {
  const parsed = PROTOCOLS["openai-chat"].parseRequest(JSON.stringify({ model: "auto", messages, ...fields }));
  if (!parsed.ok) throw new Error(parsed.error.message);
  return parsed.value;
}

const system = { role: "system", content: "Be brief." };
const first = { role: "user", content: "Write a parser." };
const answer = { role: "assistant", content: "def parse(): ..." };
const picture = { type: "image_url", image_url: { url: `data:image/png;base64,${"A".repeat(4_000)}` } };

function attempt(protocol: PlanAttempt["protocol"]): PlanAttempt {
  return {
    provider: "acme",
    model: "m",
    protocol,
    url: "http://a.test/",
    auth: { kind: "bearer" },
    headers: {},
    passed_headers: [],
    abort_stops_billing: true,
    quirks: {},
  };
}

describe("the router's view of a request", () => {
  test("takes what a person asked last, and neither tools' results nor instructions", () => {
    const turns = [system, first, answer, { role: "user", content: "And in Go?" }, answer];
    const facts = promptFactsOf(request(turns, { reasoning_effort: "high", response_format: { type: "json_object" } }));
    expect(facts).toMatchObject({ text: "And in Go?", turns: 4, images: 0, structured: true, reasoning: true });
    expect(spokenTurns(request(turns)).map(({ content }) => content)).toEqual([
      first.content,
      answer.content,
      "And in Go?",
      answer.content,
    ]);
  });

  test("shows the classifier the two ends of a very long text", () => {
    const { text } = promptFactsOf(request([{ role: "user", content: `start ${"x".repeat(100_000)} end` }]));
    expect([text.length, text.startsWith("start"), text.endsWith("end")]).toEqual([16_001, true, true]);
  });

  test("knows a conversation by its beginning in every one of its turns", () => {
    const beginning = beginningOf(request([system, first]));
    expect(beginningOf(request([system, first, answer, { role: "user", content: "thanks" }]))).toBe(beginning);
    expect(beginningOf(request([{ ...system, content: "Be long." }, first]))).not.toBe(beginning);
    expect(beginningOf(request([system, { role: "user", content: "Write a poem." }]))).not.toBe(beginning);
  });

  test("says what the request needs", () => {
    const tools = [{ type: "function", function: { name: "f", parameters: { type: "object" } } }];
    const schema = { type: "json_schema", json_schema: { name: "s", schema: { type: "object" } } };
    const needs = needsOf(
      request([{ role: "user", content: [{ type: "text", text: "see" }, picture] }], { tools, response_format: schema, max_tokens: 70 }),
    );
    expect(needs).toMatchObject({ media: ["image"], tools: true, structured: true, outputTokens: 70 });
  });
});

describe("lossCounter()", () => {
  test("counts nothing for the caller's own format, and what another's renderer names as lost", () => {
    const lossesOf = lossCounter(request([first], { n: 2, seed: 7, logit_bias: { "1": 2 } }));
    expect(lossesOf(attempt("openai-chat"), 100)).toEqual({ content: 0, hint: 0, approximation: 0 });
    const lost = lossesOf(attempt("anthropic-messages"), 100);
    expect([lost.content > 0, lost.hint > 0]).toEqual([true, true]);
  });

  test("counts the same for a large picture as for a small one", () => {
    const count = (source: object): object =>
      lossCounter(request([{ role: "user", content: [{ type: "text", text: "see" }, source] }]))(attempt("cohere-chat"), 100);
    expect(count(picture)).toEqual(count({ type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } }));
  });
});
