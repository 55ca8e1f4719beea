import { describe, expect, test } from "vitest";
import { gatewayError } from "../../schema/error.ts";
import { openaiChat } from "../../workers/protocol/openai-chat/index.ts";
import { parseUpstreamError, upstreamErrorOf } from "../../workers/protocol/upstream-error.ts";

const parse = (status: number, body: unknown, headers: Record<string, string> = {}): ReturnType<typeof parseUpstreamError> =>
  parseUpstreamError(status, new Headers(headers), typeof body === "string" ? body : JSON.stringify(body));

describe("parseUpstreamError", () => {
  test.each<[string, unknown, string]>([
    [
      "OpenAI",
      { error: { message: "Too long", type: "invalid_request_error", param: "messages", code: "context_length_exceeded" } },
      "Too long",
    ],
    ["Anthropic", { type: "error", error: { type: "invalid_request_error", message: "Too long" }, request_id: "r" }, "Too long"],
    ["an object marked error", { object: "error", message: "Too long", type: "invalid_model", code: "1500" }, "Too long"],
    ["a text under error", { code: "Client specified an invalid argument", error: "Too long" }, "Too long"],
    ["a bare message", { message: "Too long" }, "Too long"],
    ["a detail", { detail: "Too long" }, "Too long"],
    ["a list of details", { detail: [{ msg: "Too", loc: ["a"] }, { msg: "long" }] }, "Too; long"],
    ["a list of errors", [{ error: { code: 400, message: "Too long", status: "INVALID_ARGUMENT" } }], "Too long"],
    ["a numeric code", { error: { code: 400, message: "Too long", type: "exceed_context_size_error" } }, "Too long"],
  ])("keeps the status and message of a 400 in the shape of %s", (_name, body, message) => {
    expect(parse(400, body)).toMatchObject({ code: "upstream_rejected", status: 400, message });
  });

  test("keeps type, code and param", () => {
    expect(parse(422, { error: { message: "m", type: "t", code: "c", param: "p" } })).toMatchObject({
      status: 422,
      upstream_type: "t",
      upstream_code: "c",
      param: "p",
    });
  });

  test.each([
    [401, { error: { message: "Incorrect API key provided: sk-abcdef123456" } }],
    [403, { error: { message: "Forbidden" } }],
    [402, { error: { message: "Insufficient credits of org-abcdef" } }],
    [400, { code: "Client specified an invalid argument", error: "Incorrect API key provided: xai-abcdef123" }],
    [400, { error: { code: 400, message: "API key not valid. Please pass a valid API key.", status: "INVALID_ARGUMENT" } }],
  ])("does not blame the caller's key when the gateway's own is refused (%i)", (status, body) => {
    const error = parse(status, body);
    expect(error).toMatchObject({ code: "provider_error", status: 502 });
    expect(error.message).not.toMatch(/sk-|xai-|org-|Incorrect/);
    expect(openaiChat.renderError(error, "r")).not.toMatch(/sk-|xai-|invalid_api_key|authentication/);
  });

  test.each<[number, string, number]>([
    [500, "provider_error", 502],
    [502, "provider_error", 502],
    [503, "overloaded", 503],
    [529, "overloaded", 503],
    [504, "provider_timeout", 504],
    [408, "provider_timeout", 504],
    [302, "provider_error", 502],
  ])("maps %i to %s", (status, code, ours) => {
    expect(parse(status, { error: { message: "trace at 10.1.2.3:8080" } })).toMatchObject({ code, status: ours });
    expect(parse(status, { error: { message: "trace at 10.1.2.3:8080" } }).message).not.toContain("10.1.2.3");
  });

  test("does not quote HTML, nothing, or shapes it does not know", () => {
    for (const body of ["<html><body>nginx/1.2 at host-7</body></html>", "", "null", '"', '{"weird":{"host":"host-7"}}']) {
      expect(parse(404, body)).toMatchObject({ code: "upstream_rejected", status: 404 });
      expect(parse(404, body).message).toBe("The provider refused the request with status 404.");
      expect(parse(500, body).message).toBe("The provider failed with status 500.");
    }
  });

  test("cuts what looks like a credential out of a message, and bounds its length", () => {
    expect(
      parse(400, { error: { message: `bad header Bearer abc.def and sk-proj-1234567 in organization org-XyZ12345 ${"x".repeat(9000)}` } })
        .message,
    ).toMatch(/^bad header \[redacted\] and \[redacted\] in organization \[redacted\] x+…$/);
  });

  test.each<[string, unknown, Record<string, string>, number | null]>([
    ["retry-after in seconds", {}, { "retry-after": "7" }, 7],
    ["retry-after-ms before it", {}, { "retry-after": "7", "retry-after-ms": "250" }, 0.25],
    [
      "a date, counted from the answer's own",
      {},
      { "retry-after": "Sat, 21 Nov 2026 05:00:30 GMT", date: "Sat, 21 Nov 2026 05:00:00 GMT" },
      30,
    ],
    [
      "the exhausted limit's reset",
      {},
      {
        "x-ratelimit-remaining-requests": "9",
        "x-ratelimit-reset-requests": "1s",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-tokens": "1m30s",
      },
      90,
    ],
    ["RetryInfo", { error: { message: "m", details: [{ "@type": "x", retryDelay: "37s" }] } }, {}, 37],
    ["words", { error: { message: "Please try again in 2.502s. Visit" } }, {}, 2.502],
    ["words with minutes", { error: { message: "Please try again in 9m38.016s. Need more" } }, {}, 578.016],
    ["words with milliseconds", { error: { message: "Please try again in 180ms." } }, {}, 0.18],
    ["nothing", { error: { message: "slow down" } }, {}, null],
  ])("finds when to come back after a 429: %s", (_name, body, headers, seconds) => {
    const error = parse(429, body, headers);
    expect(error).toMatchObject({ code: "rate_limited", status: 429 });
    if (seconds === null) expect(error.retry_after_seconds).toBeNull();
    else expect(error.retry_after_seconds).toBeCloseTo(seconds, 6);
  });
});

test.each<[unknown, string, number]>([
  [{ type: "error", error: { type: "overloaded_error", message: "Overloaded" } }, "overloaded", 503],
  [{ error: { code: 429, message: "m" } }, "rate_limited", 429],
  [{ error: { type: "rate_limit_error", message: "m" } }, "rate_limited", 429],
  [{ error: { type: "invalid_request_error", message: "m" } }, "upstream_rejected", 400],
  [{ error: { type: "authentication_error", message: "m" } }, "provider_error", 502],
  [{ error: { message: "m" } }, "provider_error", 502],
  ["died", "provider_error", 502],
  [null, "provider_error", 502],
])("upstreamErrorOf(%j) is %s", (body, code, status) => {
  expect(upstreamErrorOf(body)).toMatchObject({ code, status });
});

describe("rendering an error for a Chat caller", () => {
  test("has the contract's shape", () => {
    const error = gatewayError("model_not_found", "No model x.", { param: "model", available: ["a/b"], suggestion: "Use a/b." });
    expect(JSON.parse(openaiChat.renderError(error, "req_9"))).toEqual({
      error: {
        code: "model_not_found",
        message: "No model x.",
        type: "invalid_request_error",
        param: "model",
        details: { available: ["a/b"], suggestion: "Use a/b." },
      },
      request_id: "req_9",
    });
  });

  test("keeps an upstream's own code and type", () => {
    const error = parse(400, { error: { message: "Too long", type: "invalid_request_error", code: "context_length_exceeded" } });
    expect(JSON.parse(openaiChat.renderError(error, "r"))).toMatchObject({
      error: { code: "context_length_exceeded", type: "invalid_request_error", message: "Too long" },
    });
  });

  test("is one event of a stream, without a terminator", () => {
    const text = openaiChat.renderStreamError(gatewayError("provider_timeout", "Too slow."), "r");
    expect(text).toMatch(/^data: \{"error":\{.*\}\n\n$/);
    expect(text).not.toContain("[DONE]");
  });
});
