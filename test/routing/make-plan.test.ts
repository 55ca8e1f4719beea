/** Which of a provider's formats a call is made in, and where it goes. */
import { describe, expect, test } from "vitest";
import type { ProtocolId } from "../../schema/protocol.ts";
import { bedrock } from "../../workers/provider/bedrock.ts";
import { makePlan } from "../../workers/routing/make-plan.ts";

function attempt(callerProtocol: ProtocolId, model: string, stream = false): unknown {
  const plan = makePlan({
    resolved: { provider: "bedrock", model, reason: "slug" },
    provider: bedrock,
    baseUrl: "https://bedrock-runtime.eu-west-1.amazonaws.com/",
    callerProtocol,
    stream,
    outputTokensMax: 100,
  });
  return plan.ok ? [plan.value.attempts[0]?.protocol, plan.value.attempts[0]?.url] : plan.error.code;
}

describe("makePlan()", () => {
  const base = "https://bedrock-runtime.eu-west-1.amazonaws.com/model";

  test("takes the caller's own format, the format of kin for models that speak it, and else the first", () => {
    expect(attempt("bedrock-converse", "anthropic.claude-x")).toEqual(["bedrock-converse", `${base}/anthropic.claude-x/converse`]);
    expect(attempt("anthropic-messages", "anthropic.claude-x")).toEqual(["bedrock-invoke", `${base}/anthropic.claude-x/invoke`]);
    expect(attempt("anthropic-messages", "amazon.nova-x")).toEqual(["bedrock-converse", `${base}/amazon.nova-x/converse`]);
    expect(attempt("openai-chat", "anthropic.claude-x")).toEqual(["bedrock-converse", `${base}/anthropic.claude-x/converse`]);
    expect(attempt("openai-embeddings", "amazon.titan-embed")).toBe("model_not_found");
  });

  test("puts the model's name into the path in percent signs, and takes the path of streams for a stream", () => {
    expect(attempt("openai-chat", "us.amazon.nova-x-v1:0", true)).toEqual([
      "bedrock-converse",
      `${base}/us.amazon.nova-x-v1%3A0/converse-stream`,
    ]);
    expect(attempt("openai-chat", "arn:aws:bedrock:x:1:inference-profile/y")).toEqual([
      "bedrock-converse",
      `${base}/arn%3Aaws%3Abedrock%3Ax%3A1%3Ainference-profile%2Fy/converse`,
    ]);
  });
});
