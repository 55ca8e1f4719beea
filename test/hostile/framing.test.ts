/** Hostile texts of an upstream, in every place an answer or an error has one: no caller's framing breaks, and nothing in it becomes a frame of its own. */
import { describe, expect, test } from "vitest";
import { gatewayError } from "../../schema/error.ts";
import { LIMITS } from "../../schema/limits.ts";
import type { CanonicalEvent } from "../../workers/protocol/canonical.ts";
import { PROTOCOLS } from "../../workers/protocol/index.ts";
import type { EncoderContext, Frame, Protocol } from "../../workers/protocol/protocol.ts";
import { parseUpstreamError, upstreamErrorOf } from "../../workers/protocol/upstream-error.ts";
import { VALID_REQUESTS } from "./bodies.ts";

const INJECTED = "INJECTED";
const TEXTS: readonly string[] = [
  `x\n\ndata: {"${INJECTED}":1}\n\nevent: ${INJECTED}\n\n`,
  `x\r\n\r\nevent: ${INJECTED}\r\ndata: [DONE]\r\n\r\n`,
  `x\r\rdata: {"${INJECTED}":1}\r\r`,
  `x"}\n{"${INJECTED}":true,"done":true}\n`,
  "\u2028data: [DONE]\u2029\u0085",
  "\u0000\u0001\u001f\ufeff",
  "\ud800 lone \udc00",
  '\\"\\n\\u000a"]}',
  ":comment\n:more",
];

const CONTEXT: EncoderContext = { id: "answer1", model: "m", createdSeconds: 1, wantsStreamUsage: true, costMicroRub: () => 5 };

/** An answer with the text wherever a provider's words can be. */
function answerOf(text: string): CanonicalEvent[] {
  const json = `{\n"a":\r\n${JSON.stringify(text)}\n}`;
  return [
    { type: "start", id: text, model: text, createdSeconds: 1 },
    { type: "reasoning-start", block: 0, choice: 0, kind: "raw", data: null },
    { type: "reasoning-delta", block: 0, text },
    { type: "reasoning-signature", block: 0, signature: text },
    { type: "reasoning-end", block: 0 },
    { type: "text-start", block: 1, choice: 0, refusal: false },
    { type: "text-delta", block: 1, text },
    { type: "source", block: 1, choice: 0, json },
    { type: "text-end", block: 1 },
    { type: "tool-input-start", block: 2, choice: 0, id: text, name: text, signature: text },
    { type: "tool-input-delta", block: 2, text: json },
    { type: "tool-input-end", block: 2 },
    { type: "tool-input-start", block: 3, choice: 0, id: text, name: text },
    { type: "tool-input-delta", block: 3, text },
    { type: "tool-input-end", block: 3 },
    { type: "file", block: 4, choice: 0, source: { kind: "base64", mediaType: text, data: text } },
    ...VALID_REQUESTS.map(({ protocol }): CanonicalEvent => ({ type: "opaque", protocol, kind: text, json })),
    { type: "finish", choice: 0, unified: "stop-sequence", raw: text, stopSequence: text, detailsJson: json },
    { type: "usage", usage: { input_tokens: 1, output_tokens: 2 }, final: true, anomaly: text },
    { type: "end" },
  ];
}

function framesOf(protocol: Protocol, parts: readonly (string | Uint8Array)[]): Frame[] {
  const framer = protocol.createFramer();
  const encoder = new TextEncoder();
  return [...parts.flatMap((part) => framer.push(typeof part === "string" ? encoder.encode(part) : part)), ...framer.end()];
}

function expectWhole(frames: readonly Frame[], where: string): void {
  for (const { data, event } of frames) {
    expect(event ?? "", where).not.toContain(INJECTED);
    if (data === null || data === "[DONE]") continue;
    const value: unknown = JSON.parse(data);
    expect(value, where).not.toHaveProperty(INJECTED);
  }
}

const CALLERS = VALID_REQUESTS.map(({ protocol }) => protocol).filter((id) => id !== "openai-embeddings");

describe.each(CALLERS)("a caller of %s", (id) => {
  const protocol = PROTOCOLS[id];

  test("gets one frame for each event's own bytes, whatever the provider's words are", () => {
    for (const text of TEXTS) {
      const encoder = protocol.createEncoder(CONTEXT);
      const parts = answerOf(text).map((event) => encoder.encode(event));
      const frames = framesOf(protocol, parts);
      const plain = protocol.createEncoder(CONTEXT);
      const plainFrames = framesOf(
        protocol,
        answerOf("plain").map((event) => plain.encode(event)),
      );
      expectWhole(frames, JSON.stringify(text));
      expect(frames.length, JSON.stringify(text)).toBeLessThanOrEqual(plainFrames.length);
    }
  });

  test("gets a whole answer that is JSON", () => {
    for (const text of TEXTS) expect(JSON.parse(protocol.renderResponse(answerOf(text), CONTEXT))).not.toHaveProperty(INJECTED);
  });

  test("gets an error in one frame, or one JSON body, whatever the upstream said in it", () => {
    for (const text of TEXTS) {
      const said = { error: { message: text, type: text, code: text, param: text }, message: text };
      const errors = [
        parseUpstreamError(400, new Headers(), JSON.stringify(said)),
        upstreamErrorOf(said),
        gatewayError("invalid_request", text, {
          param: text,
          suggestion: text,
          available: [text],
          upstream_type: text,
          upstream_code: text,
        }),
      ];
      for (const error of errors) {
        const frames = framesOf(protocol, [protocol.renderStreamError(error, "req_1")]).filter(
          ({ data }) => data !== null && data !== "[DONE]",
        );
        expect(frames).toHaveLength(1);
        expectWhole(frames, JSON.stringify(text));
        expect(JSON.parse(protocol.renderError(error, "req_1"))).not.toHaveProperty(INJECTED);
        const headers = new Headers(protocol.errorHeaders?.(error));
        for (const value of headers.values()) expect(value).not.toContain(INJECTED);
      }
    }
  });
});

describe("an upstream's word on when to come back", () => {
  test.each([
    "9".repeat(40),
    "1e999",
    "-5",
    "NaN",
    "Infinity",
    "99999999999999",
    "999999999h",
    "0x10",
    "",
    "soon",
    "Sat, 01 Jan 99999 00:00:00 GMT",
  ])("%s is a time within a month, or none", (value) => {
    const error = parseUpstreamError(
      429,
      new Headers({ "retry-after": value, "retry-after-ms": value, date: "Sat, 21 Nov 2026 00:00:00 GMT" }),
      "{}",
    );
    const inBody = upstreamErrorOf({ error: { code: 429, message: `try again in ${value}s`, details: [{ retryDelay: `${value}s` }] } });
    for (const { retry_after_seconds: seconds } of [error, inBody]) {
      if (seconds === null) continue;
      expect(seconds).toBeGreaterThanOrEqual(0);
      expect(seconds).toBeLessThanOrEqual(LIMITS.retryAfterSecondsMax);
    }
  });
});
