/** What is sent upstream when caller and provider speak one format: the caller's bytes, with every field that was taken out named. */
import { describe, expect, test } from "vitest";
import { LIMITS } from "../../schema/limits.ts";
import type { Plan } from "../../schema/plan.ts";
import type { Quirks } from "../../schema/provider.ts";
import { renderAttempt } from "../../workers/engine/render-attempt.ts";
import { PROTOCOLS } from "../../workers/protocol/index.ts";
import { makePlan } from "../../workers/routing/make-plan.ts";
import { groq } from "../../workers/provider/groq.ts";

function planFor(quirks: Quirks): Plan {
  const plan = makePlan({
    resolved: { provider: "groq", model: "m", reason: "slug" },
    provider: { ...groq, quirks },
    baseUrl: "http://a.test",
    callerProtocol: "openai-chat",
    stream: false,
    outputTokensMax: 100,
  });
  if (!plan.ok) throw new Error(plan.error.message);
  return plan.value;
}

function rendered(fields: object, refusedFields: string[], lossy = false): ReturnType<typeof renderAttempt> {
  const bodyText = JSON.stringify({ model: "groq/m", max_tokens: 5, messages: [{ role: "user", content: "hi" }], ...fields });
  const request = PROTOCOLS["openai-chat"].parseRequest(bodyText);
  if (!request.ok) throw new Error(request.error.message);
  return renderAttempt({ bodyText, request: request.value, plan: planFor({ refusedFields }), lossy });
}

function sent(outcome: ReturnType<typeof renderAttempt>): { headers: Record<string, string>; body: Record<string, unknown> } {
  if (!outcome.ok) throw new Error(outcome.error.message);
  return { headers: outcome.value.headers, body: JSON.parse(new TextDecoder().decode(outcome.value.bodies[0])) as Record<string, unknown> };
}

describe("fields that a provider of the caller's own format refuses", () => {
  test("a hint is taken out and named in the header", () => {
    const { headers, body } = sent(rendered({ logit_bias: { "5": 1 }, user: "u", seed: 1 }, ["logit_bias", "user"]));
    expect(headers).toEqual({ "x-plyrum-dropped": "logit_bias,user" });
    expect(body).toEqual({ model: "m", max_tokens: 5, messages: [{ role: "user", content: "hi" }], seed: 1 });
  });

  test("content is refused by name, unless the caller accepts the loss", () => {
    expect(rendered({ logprobs: true }, ["logprobs"])).toMatchObject({
      ok: false,
      error: { code: "unsupported_parameter", param: "logprobs" },
    });
    const { headers, body } = sent(rendered({ logprobs: true }, ["logprobs"], true));
    expect(headers).toEqual({ "x-plyrum-dropped": "logprobs" });
    expect(body).not.toHaveProperty("logprobs");
  });

  test("a value that asks for nothing is taken out without a word", () => {
    expect(sent(rendered({ logprobs: false, n: 1, user: null }, ["logprobs", "n", "user"])).headers).toEqual({});
  });
});

describe("a body that is too large for the way to its owner", () => {
  test("is refused as such, with what to do", () => {
    const content = "x".repeat(LIMITS.renderedBodyBytes);
    const outcome = rendered({ messages: [{ role: "user", content }] }, []);
    expect(outcome).toMatchObject({ ok: false, error: { code: "request_too_large", status: 413 } });
  });
});
