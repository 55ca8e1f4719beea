/** The decision: whom a preference, a default, a conversation's past and the difficulty of a prompt lead to. */
import { describe, expect, test } from "vitest";
import { type PromptClass, routingDecisionSchema } from "../../schema/routing.ts";
import { decideRoute, type RouteInput } from "../../workers/routing/decide-route.ts";
import type { CandidateFacts } from "../../workers/routing/rank-candidates.ts";

function facts(model: string, more: Partial<CandidateFacts> = {}): CandidateFacts {
  const losses = { content: 0, hint: 0, approximation: 0 };
  return {
    model,
    input: ["text"],
    answersText: true,
    tools: null,
    structuredOutput: null,
    contextTokens: null,
    expectedPicoUsd: 10n,
    outputPicoUsd: 10n,
    health: "ok",
    latencyMilliseconds: null,
    losses,
    ...more,
  };
}

function prompt(level: "easy" | "medium" | "hard"): PromptClass {
  return {
    model_version: "1",
    workload: { label: "knowledge", confidence: 0.9, layer: "model" },
    domains: [],
    risk: { level: "none", score: 0, reasons: [] },
    difficulty: { level, score: 0.5, reasons: [] },
    everyday_intent: null,
  };
}

const CODE = { preference: { name: "code", description: "writing code", models: ["p/one", "p/two"] }, score: 0.9, by: "model" as const };
const PREFERRED = [facts("p/one"), facts("p/two")];

function decide(more: Partial<RouteInput> = {}): ReturnType<typeof decideRoute> {
  return decideRoute({
    prompt: prompt("medium"),
    match: null,
    preferred: [],
    others: [facts("o/cheap", { expectedPicoUsd: 1n, outputPicoUsd: 1n }), facts("o/dear", { expectedPicoUsd: 90n, outputPicoUsd: 90n })],
    defaultModel: null,
    needs: { media: [], tools: false, structured: false, inputTokens: 10, outputTokens: 10 },
    pin: null,
    pinned: null,
    conversation: "c",
    isNamed: false,
    ...more,
  });
}

function chosen(more: Partial<RouteInput>): Record<string, unknown> {
  const { decision } = decide(more);
  return decision === null ? {} : { ...routingDecisionSchema.parse(decision) };
}

const pin = (model: string, more: object = {}): Pick<RouteInput, "pin" | "pinned"> => ({
  pin: { model, route: null, level: "medium", age_ms: 1_000, ...more },
  pinned: facts(model),
});

describe("decideRoute()", () => {
  test("follows a preference in its order, and asks none but its models", () => {
    const { decision } = decide({ match: CODE, preferred: PREFERRED, defaultModel: "o/dear" });
    expect(decision).toMatchObject({ basis: "preference", route: "code", route_by: "model", route_score: 0.9, model: "p/one" });
    expect(decision?.candidates.map(({ model }) => model)).toEqual(["p/one", "p/two"]);
  });

  test("turns to the others where none of the preference's models can serve, and says so", () => {
    const refused = PREFERRED.map((each) => ({ ...each, answersText: false }));
    const { decision } = decide({ match: CODE, preferred: refused });
    expect(decision).toMatchObject({ basis: "catalogue", route: "code" });
    expect(decision?.reasons).toContain("none of the preference's models can serve this request");
    expect(decision?.candidates.slice(-2).map(({ model }) => model)).toEqual(["p/one", "p/two"]);
  });

  test("takes the default where nothing matches, and price and difficulty where there is no default", () => {
    expect(chosen({ defaultModel: "o/dear", prompt: prompt("easy") })).toMatchObject({ basis: "default", model: "o/dear" });
    expect(chosen({ prompt: prompt("easy") })).toMatchObject({ basis: "catalogue", model: "o/cheap" });
    expect(chosen({ prompt: prompt("hard") })).toMatchObject({ basis: "catalogue", model: "o/dear" });
  });

  test("stays with the conversation's model while the work is the same and no harder", () => {
    expect(chosen({ ...pin("o/dear"), prompt: prompt("easy") })).toMatchObject({
      basis: "pinned",
      model: "o/dear",
      pinned: true,
      switched: false,
    });
    expect(chosen({ ...pin("o/cheap"), prompt: prompt("hard") })).toMatchObject({ model: "o/dear", pinned: false, switched: true });
    const other = { match: CODE, preferred: PREFERRED };
    expect(chosen({ ...pin("o/cheap"), ...other })).toMatchObject({ model: "p/one", switched: true });
    expect(chosen({ ...pin("p/two", { route: "code" }), ...other })).toMatchObject({ model: "p/two", pinned: true, route: "code" });
    expect(chosen({ ...pin("p/two", { route: "code" }) })).toMatchObject({ model: "p/two", pinned: true, route: "code" });
  });

  test("stays with the model of a conversation that its caller named, whatever it is about", () => {
    expect(chosen({ ...pin("o/cheap"), match: CODE, preferred: PREFERRED, isNamed: true })).toMatchObject({
      model: "o/cheap",
      pinned: true,
    });
  });

  test("leaves the conversation's model when it is down, would lose something of the request, or is served no more", () => {
    const { pin: before } = pin("o/dear");
    for (const pinned of [facts("o/dear", { health: "down" }), facts("o/dear", { losses: { content: 1, hint: 0, approximation: 0 } })]) {
      expect(chosen({ pin: before, pinned, others: [facts("o/cheap"), pinned] })).toMatchObject({ model: "o/cheap", switched: true });
    }
    expect(chosen({ pin: before, pinned: null, others: [facts("o/cheap")] })).toMatchObject({ model: "o/cheap", switched: true });
  });

  test("decides nothing where nobody can serve", () => {
    const outcome = decide({ others: [facts("o/mute", { answersText: false })] });
    expect(outcome).toMatchObject({ decision: null, refused: [{ model: "o/mute", excluded: "cannot answer in text" }] });
  });

  test("stores only so many of a long list", () => {
    const { decision } = decide({ others: Array.from({ length: 40 }, (_, index) => facts(`o/${index}`)) });
    expect([decision?.candidates.length, decision?.candidates_left_out]).toEqual([12, 28]);
  });
});
