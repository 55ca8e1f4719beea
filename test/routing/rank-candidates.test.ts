/** The order of candidates: who cannot comes last, who would lose something after who would not, then health, then what was wished for. */
import { describe, expect, test } from "vitest";
import { type CandidateFacts, rankCandidates, type Ranking, type RequestNeeds } from "../../workers/routing/rank-candidates.ts";

const NEEDS: RequestNeeds = { media: [], tools: false, structured: false, inputTokens: 100, outputTokens: 100 };

function facts(model: string, more: Partial<CandidateFacts> = {}): CandidateFacts {
  return {
    model,
    input: ["text"],
    answersText: true,
    tools: true,
    structuredOutput: true,
    contextTokens: 10_000,
    expectedPicoUsd: 100n,
    outputPicoUsd: 100n,
    health: "ok",
    latencyMilliseconds: null,
    losses: { content: 0, hint: 0, approximation: 0 },
    ...more,
  };
}

function order(candidates: CandidateFacts[], ranking: Partial<Ranking> = {}): string[] {
  return rankCandidates(candidates, { needs: NEEDS, policy: { by: "none" }, ...ranking }).map(({ model }) => model);
}

describe("rankCandidates()", () => {
  test("puts a target that loses content behind one that loses hints, and both behind one that loses nothing, whatever they cost", () => {
    const lossy = facts("lossy", { losses: { content: 1, hint: 0, approximation: 0 }, expectedPicoUsd: 1n });
    const hints = facts("hints", { losses: { content: 0, hint: 3, approximation: 0 }, expectedPicoUsd: 2n });
    const whole = facts("whole", { losses: { content: 0, hint: 0, approximation: 2 }, expectedPicoUsd: 900n, health: "degraded" });
    expect(order([lossy, hints, whole], { policy: { by: "cheapest" } })).toEqual(["whole", "hints", "lossy"]);
    const [first] = rankCandidates([lossy], { needs: NEEDS, policy: { by: "none" } });
    expect(first).toMatchObject({ excluded: null, reasons: ["its format would lose content of the request (1)"] });
  });

  test("excludes who cannot do what the request needs, and says what that is", () => {
    const needs = { ...NEEDS, media: ["image" as const], tools: true, structured: true, inputTokens: 20_000 };
    const ranked = rankCandidates(
      [
        facts("blind"),
        facts("toolless", { input: ["text", "image"], tools: false, contextTokens: null }),
        facts("fit", { input: ["text", "image"], contextTokens: 50_000 }),
        facts("unknown", { input: null, tools: null, structuredOutput: null, contextTokens: null }),
      ],
      { needs, policy: { by: "difficulty", level: "easy" } },
    );
    expect(ranked.map(({ model, excluded }) => [model, excluded])).toEqual([
      ["fit", null],
      ["unknown", null],
      ["blind", "cannot take image input, hold a prompt of about 20000 tokens (its context is 10000)"],
      ["toolless", "cannot call tools"],
    ]);
    expect(ranked[1]?.reasons).toContain("it is not known whether it can call tools");
  });

  test("passes over who is down while anybody else is left, and not otherwise", () => {
    const down = facts("down", { health: "down" });
    expect(rankCandidates([down, facts("well")], { needs: NEEDS, policy: { by: "none" } })[1]).toMatchObject({
      model: "down",
      excluded: "is down",
    });
    expect(rankCandidates([down], { needs: NEEDS, policy: { by: "none" } })[0]).toMatchObject({ model: "down", excluded: null });
    expect(order([facts("shaky", { health: "degraded" }), facts("well")])).toEqual(["well", "shaky"]);
  });

  test.each([
    ["cheapest", ["c", "a", "b"]],
    ["fastest", ["b", "c", "a"]],
    ["none", ["a", "b", "c"]],
  ] as const)("orders equals by what was wished for: %s", (by, expected) => {
    const candidates = [
      facts("a", { expectedPicoUsd: 20n, latencyMilliseconds: null }),
      facts("b", { expectedPicoUsd: 30n, latencyMilliseconds: 100 }),
      facts("c", { expectedPicoUsd: 10n, latencyMilliseconds: 300 }),
    ];
    expect(order(candidates, { policy: { by } })).toEqual(expected);
  });

  test("gives a hard prompt a model of the upper price class and an easy one the cheapest, and takes what is free for no strength", () => {
    const candidates = [10n, 20n, 30n, 40n].map((price) => facts(`p${price}`, { outputPicoUsd: price, expectedPicoUsd: price }));
    const free = facts("free", { outputPicoUsd: 0n, expectedPicoUsd: 0n });
    expect(order([...candidates, free], { policy: { by: "difficulty", level: "hard" } })[0]).toBe("p40");
    expect(order([...candidates, free], { policy: { by: "difficulty", level: "medium" } })[0]).toBe("p30");
    expect(order([...candidates, free], { policy: { by: "difficulty", level: "easy" } })[0]).toBe("free");
  });

  test("never ranks a model without a price, or one the key may not use, among those that can", () => {
    const ranked = rankCandidates(
      [facts("unpriced", { expectedPicoUsd: null }), facts("hidden", { forbidden: "the key may not use it" })],
      {
        needs: NEEDS,
        policy: { by: "cheapest" },
      },
    );
    expect(ranked.map(({ excluded }) => excluded).toSorted()).toEqual(["has no price", "the key may not use it"]);
  });

  test("shares equals out over conversations, and gives each conversation the same again", () => {
    const equals = ["x", "y", "z"].map((model) => facts(model));
    const first = (conversation: string, candidates = equals): string =>
      order(candidates, { policy: { by: "cheapest" }, conversation })[0] ?? "";
    const chosen = Array.from({ length: 300 }, (_, index) => first(`conversation-${index}`));
    for (const model of ["x", "y", "z"]) expect(chosen.filter((each) => each === model).length).toBeGreaterThan(60);
    expect(Array.from({ length: 300 }, (_, index) => first(`conversation-${index}`, equals.toReversed()))).toEqual(chosen);
    // One that goes moves only the conversations it had.
    const without = Array.from({ length: 300 }, (_, index) => first(`conversation-${index}`, equals.slice(0, 2)));
    expect(without.filter((model, index) => chosen[index] !== "z" && model !== chosen[index])).toEqual([]);
  });
});
