/** Converse answers, streamed and whole, both ways: the traps of the wire, its errors, and what its encoder makes of other formats' answers. */
import { describe, expect, test } from "vitest";
import { gatewayError } from "../../schema/error.ts";
import { anthropicMessages } from "../../workers/protocol/anthropic-messages/index.ts";
import { bedrockConverse } from "../../workers/protocol/bedrock-converse/index.ts";
import { bedrockInvoke } from "../../workers/protocol/bedrock-invoke/index.ts";
import type { CanonicalEvent } from "../../workers/protocol/canonical.ts";
import { openaiChat } from "../../workers/protocol/openai-chat/index.ts";
import type { Protocol } from "../../workers/protocol/protocol.ts";
import { createRelay, type RelayOptions } from "../../workers/protocol/relay.ts";
import { body, context, decodeStream } from "./bodies.ts";
import { framed, plainFrames } from "./frames.ts";
import { type AnswerSummary, summarise } from "./summary.ts";

const frames = (name: string, protocol: Protocol = bedrockConverse): Buffer => framed(body(protocol.id, `${name}.frames.jsonl`).toString());
const events = (name: string, protocol: Protocol = bedrockConverse): CanonicalEvent[] => decodeStream(protocol, [frames(name, protocol)]);
const said = (name: string): AnswerSummary => summarise(events(name));

function relayed(bytes: Uint8Array, changes: Partial<RelayOptions> = {}): { out: Buffer; meter: ReturnType<typeof createRelay>["meter"] } {
  const sides = { upstream: bedrockConverse, caller: bedrockConverse };
  const relay = createRelay({ ...sides, quirks: {}, context: context(), requestId: "req_1", ...changes });
  return { out: Buffer.concat([relay.push(bytes), relay.end(null)]), meter: relay.meter };
}

function encode(list: readonly CanonicalEvent[], changes = {}): { type: string; payload: unknown }[] {
  const encoder = bedrockConverse.createEncoder(context(changes));
  const bytes = Buffer.concat(list.map((event) => Buffer.from(encoder.encode(event))));
  return plainFrames(bytes).map(({ type, payload }) => ({ type, payload: JSON.parse(payload) }));
}

describe("the traps of the wire", () => {
  test("block-without-start: text and reasoning begin with their first delta", () => {
    expect(events("text").map((event) => event.type)).toEqual([
      "start",
      "text-start",
      "text-delta",
      "text-delta",
      "text-end",
      "finish",
      "usage",
      "end",
    ]);
  });

  test("citation-delta: a citation is a source of the text it stands in", () => {
    const source = events("citation").find((event) => event.type === "source");
    expect(source).toMatchObject({ block: 0, json: expect.stringContaining('"title":"rules"') });
    expect(said("citation").choices[0]?.text).toBe("The harbour closes at six.");
  });

  test("exception-frame: the first frame decides the status, and a caller's mistake keeps its message", () => {
    const errorOf = (list: CanonicalEvent[]): unknown => list.find((event) => event.type === "error")?.error;
    expect(errorOf(events("exception-first"))).toMatchObject({ code: "rate_limited", status: 429, upstream_type: "throttlingException" });
    expect(errorOf(events("exception-validation"))).toMatchObject({
      code: "upstream_rejected",
      status: 400,
      message: "The maximum tokens you requested exceeds the model limit.",
    });
    expect(errorOf(events("exception-middle"))).toMatchObject({ code: "provider_error", status: 502 });
    expect(JSON.stringify(errorOf(events("exception-middle")))).not.toContain("internal details");
    expect(errorOf(events("exception-first", bedrockInvoke))).toMatchObject({ code: "overloaded", status: 503 });
    expect(errorOf(events("exception-middle", bedrockInvoke))).toMatchObject({ code: "provider_error", status: 502 });
  });

  test("guardrail-trace: an answer that a guardrail replaced says so, and its description passes untouched", () => {
    expect(said("guardrail").choices[0]).toMatchObject({ finish: "content-filter", raw: "guardrail_intervened" });
    expect(relayed(frames("guardrail")).out.equals(frames("guardrail"))).toBe(true);
  });

  test("reasoning-text and reasoning-signature: both belong to one block, the signature byte for byte", () => {
    const { choices } = said("reasoning");
    expect(choices[0]).toMatchObject({
      reasoning: "The tide turns twice a day.",
      signatures: ["c2lnbmF0dXJlLW9mLW91ci1vd24+Lys="],
      text: "Twice.",
    });
    expect(said("signature-only").choices[0]).toMatchObject({ reasoning: "", signatures: ["b25seS1zaWduZWQ="], text: "Done." });
  });

  test("reasoning-redactedContent: every piece is a block of its own", () => {
    const starts = events("reasoning-redacted").filter((event) => event.type === "reasoning-start");
    expect(starts).toMatchObject([
      { kind: "redacted", data: "cmVkYWN0ZWQtb25l" },
      { kind: "redacted", data: "cmVkYWN0ZWQtdHdv" },
    ]);
  });

  test("total-includes-cache: input is what was neither read from a cache nor written to one, by lifetime", () => {
    const usage = { input_tokens: 7, cache_read_tokens: 2_048, cache_write_5m_tokens: 300, cache_write_1h_tokens: 600, output_tokens: 3 };
    expect(said("cache").usage).toMatchObject(usage);
    const whole = bedrockConverse.parseResponse(body("bedrock-converse", "cache.json").toString(), {});
    expect(summarise(whole).usage).toMatchObject({ input_tokens: 5, cache_read_tokens: 4_000, cache_write_5m_tokens: 100 });
    const [metadata] = encode(events("cache")).slice(-1);
    expect(metadata?.payload).toMatchObject({
      usage: {
        inputTokens: 7,
        outputTokens: 3,
        totalTokens: 2_958,
        cacheReadInputTokens: 2_048,
        cacheWriteInputTokens: 900,
        cacheDetails: [
          { ttl: "1h", inputTokens: 600 },
          { ttl: "5m", inputTokens: 300 },
        ],
      },
    });
  });

  test("a tool called without arguments was called with an empty object, and big numbers keep their digits", () => {
    expect(said("tools-parallel").choices[0]?.calls).toEqual([
      { id: "tooluse_a1-B", name: "tide_table", args: '{"port": "Riga", "at": 9007199254740993}' },
      { id: "tooluse_a2_C", name: "moon_phase", args: "{}" },
    ]);
  });

  test("a cut call is forwarded as far as it came", () => {
    expect(said("truncated-call").choices[0]).toMatchObject({ finish: "length", calls: [{ args: '{"entry": "wind from the no' }] });
  });

  test("a provider's own tools are no calls for the client", () => {
    const { choices } = said("server-tool");
    expect(choices[0]).toMatchObject({ calls: [], text: "High tide is at noon." });
  });

  test("an image of the answer is a file, its pieces put together", () => {
    expect(events("image").find((event) => event.type === "file")).toMatchObject({
      source: { kind: "base64", mediaType: "image/png", data: "iVBORw0KGgo=" },
    });
  });

  test("a description before the stop, and a stream without a start, are read all the same", () => {
    expect(said("metadata-first")).toMatchObject({ ended: true, usageFinal: true, error: null });
    expect(said("without-metadata")).toMatchObject({ ended: true, usageFinal: false, error: null });
  });

  test("a stop sequence is told where the provider tells it", () => {
    expect(events("stop-sequence").find((event) => event.type === "finish")).toMatchObject({
      unified: "stop-sequence",
      stopSequence: "three",
    });
  });

  test("impossible counts are not believed", () => {
    const text =
      '{"output":{"message":{"role":"assistant","content":[]}},"stopReason":"end_turn","usage":{"inputTokens":-3,"outputTokens":1.5}}';
    const { usage, anomaly } = summarise(bedrockConverse.parseResponse(text, {}));
    expect([usage.input_tokens, usage.output_tokens, anomaly]).toEqual([null, null, "inputTokens is -3; outputTokens is 1.5"]);
  });
});

describe("a stream that is not whole", () => {
  test.each(["text", "tools-parallel", "reasoning"])(
    "%s: cut at any byte before its stop, it ends in an exception and never in a success",
    (name) => {
      const bytes = frames(name);
      const stop = bytes.indexOf("messageStop") - 30;
      for (let length = 0; length < stop; length++) {
        for (const caller of [bedrockConverse, openaiChat]) {
          const { out, meter } = relayed(bytes.subarray(0, length), { caller });
          if (meter.error?.code !== "provider_error" || meter.ended) expect.fail(`${caller.id} at ${length}`);
          if (caller === openaiChat) expect(out.toString()).not.toContain("[DONE]");
          else expect(plainFrames(out).at(-1)).toMatchObject({ type: "modelStreamErrorException", isException: true });
        }
      }
    },
  );

  test("damaged in the middle, it passes what was whole and ends in an exception", () => {
    const bytes = frames("text");
    const place = bytes.lastIndexOf("painted");
    bytes[place] = (bytes[place] ?? 0) ^ 1;
    const { out, meter } = relayed(bytes);
    expect(meter.error).toMatchObject({ code: "provider_error", upstream_code: "malformed" });
    expect(plainFrames(out).map((frame) => frame.type)).toEqual(["messageStart", "contentBlockDelta", "modelStreamErrorException"]);
  });

  test("a frame that is no JSON passes as it is, and is an error where it would be translated", () => {
    const bytes = framed(
      '{"messageStart":{"role":"assistant"}}\n{"contentBlockDelta":{"broken}\n{"messageStop":{"stopReason":"end_turn"}}\n',
    );
    expect(relayed(bytes).out.equals(bytes)).toBe(true);
    expect(relayed(bytes, { caller: openaiChat }).meter.error?.upstream_code).toBe("malformed");
  });

  test("the upstream's own exception passes as it is", () => {
    const { out, meter } = relayed(frames("exception-middle"));
    expect(out.equals(frames("exception-middle"))).toBe(true);
    expect(meter.error).toMatchObject({ code: "provider_error", upstream_type: "modelStreamErrorException" });
  });
});

describe("the caller's side", () => {
  test("blocks that overlap in another format come one after the other, with indexes of their own", () => {
    const list: CanonicalEvent[] = [
      { type: "start", id: "x", model: "m", createdSeconds: 1 },
      { type: "tool-input-start", block: 4, choice: 0, id: "a", name: "f" },
      { type: "text-start", block: 5, choice: 0, refusal: false },
      { type: "text-delta", block: 5, text: "later" },
      { type: "tool-input-delta", block: 4, text: "null" },
      { type: "text-end", block: 5 },
      { type: "text-start", block: 6, choice: 0, refusal: false },
      { type: "text-end", block: 6 },
      { type: "text-start", block: 7, choice: 1, refusal: false },
      { type: "text-delta", block: 7, text: "another choice" },
      { type: "text-end", block: 7 },
      { type: "tool-input-end", block: 4 },
      { type: "finish", choice: 0, unified: "tool-calls", raw: "tool_calls", stopSequence: null, detailsJson: null },
      { type: "usage", usage: { input_tokens: 3, output_tokens: 2 }, final: true, anomaly: null },
      { type: "end" },
    ];
    expect(encode(list, { costMicroRub: () => 77 })).toEqual([
      { type: "messageStart", payload: { role: "assistant" } },
      { type: "contentBlockStart", payload: { contentBlockIndex: 0, start: { toolUse: { toolUseId: "a", name: "f" } } } },
      { type: "contentBlockDelta", payload: { contentBlockIndex: 0, delta: { toolUse: { input: "{}" } } } },
      { type: "contentBlockStop", payload: { contentBlockIndex: 0 } },
      { type: "contentBlockDelta", payload: { contentBlockIndex: 1, delta: { text: "later" } } },
      { type: "contentBlockStop", payload: { contentBlockIndex: 1 } },
      { type: "messageStop", payload: { stopReason: "tool_use" } },
      { type: "metadata", payload: { metrics: {}, usage: { inputTokens: 3, outputTokens: 2, totalTokens: 5, cost_micro_rub: 77 } } },
    ]);
  });

  test("a picture whose bytes are no base64 is left out, since clients would fail on it", () => {
    const picture = (data: string): CanonicalEvent[] => [
      { type: "file", block: 0, choice: 0, source: { kind: "base64", mediaType: "image/png", data } },
      { type: "end" },
    ];
    for (const [data, shown] of [
      ["iVBORw==", true],
      ["iVBORw…", false],
      ["iVBORw=", false],
    ] as const) {
      expect(
        encode(picture(data)).some(({ type }) => type === "contentBlockStart"),
        data,
      ).toBe(shown);
      expect(bedrockConverse.renderResponse(picture(data), context()).includes("image"), data).toBe(shown);
    }
  });

  test("an answer without content is a whole answer", () => {
    expect(encode([{ type: "end" }]).map((frame) => frame.type)).toEqual(["messageStart", "messageStop", "metadata"]);
    expect(JSON.parse(bedrockConverse.renderResponse([{ type: "end" }], context()))).toMatchObject({
      output: { message: { role: "assistant", content: [] } },
      usage: { inputTokens: null, outputTokens: null, totalTokens: null },
    });
  });

  test("nothing follows an error", () => {
    const encoder = bedrockConverse.createEncoder(context());
    encoder.encode({ type: "error", error: gatewayError("overloaded", "x") });
    expect(encoder.encode({ type: "end" }).length).toBe(0);
  });

  test.each(["text", "reasoning", "reasoning-redacted", "tools-parallel", "stop-sequence", "image", "unicode"])(
    "%s: the whole answer is the fold of its stream",
    (name) => {
      const whole = bedrockConverse.renderResponse(events(name), context());
      const fold = summarise(bedrockConverse.parseResponse(whole, {}));
      const streamed = said(name);
      expect(fold).toEqual({ ...streamed, choices: { 0: { ...streamed.choices[0], order: fold.choices[0]?.order } } });
    },
  );

  test("redacted thinking of another provider is a blob that the caller's SDK can decode, and comes back as what it was", () => {
    const list: CanonicalEvent[] = [
      { type: "reasoning-start", block: 0, choice: 0, kind: "redacted", data: "ply1.anthropic-messages.EmwKAh+/gB" },
      { type: "reasoning-end", block: 0 },
    ];
    const [, delta] = encode(list);
    const blob = /"redactedContent":"([^"]+)"/.exec(JSON.stringify(delta?.payload))?.[1] ?? "";
    expect(Buffer.from(blob, "base64").toString()).toBe("ply1.anthropic-messages.EmwKAh+/gB");
  });

  test("the cost is put beside the usage of the last frame, and every other byte stays", () => {
    const bytes = frames("text");
    const { out } = relayed(bytes, { context: context({ costMicroRub: () => 4_200 }) });
    const before = plainFrames(bytes);
    const after = plainFrames(out);
    expect(after.slice(0, -1)).toEqual(before.slice(0, -1));
    expect(after.at(-1)?.payload).toBe(before.at(-1)?.payload.replace('"totalTokens":30}', '"totalTokens":30,"cost_micro_rub":4200}'));
    const start = out.length - (after.at(-1)?.payload.length ?? 0);
    expect(decodeStream(bedrockConverse, [out]).at(-1)?.type, `frame at ${start}`).toBe("end");
    expect(bedrockConverse.spliceUsageBody('{"usage":{"inputTokens": 1},"x":1.0}', 5)).toBe(
      '{"usage":{"inputTokens": 1,"cost_micro_rub":5},"x":1.0}',
    );
  });

  test.each([
    ["invalid_request", 400, "ValidationException", "validationException"],
    ["invalid_api_key", 401, "AccessDeniedException", "validationException"],
    ["insufficient_balance", 402, "ServiceQuotaExceededException", "validationException"],
    ["model_not_found", 404, "ResourceNotFoundException", "validationException"],
    ["rate_limited", 429, "ThrottlingException", "throttlingException"],
    ["internal_error", 500, "InternalServerException", "internalServerException"],
    ["provider_error", 502, "ModelErrorException", "modelStreamErrorException"],
    ["overloaded", 503, "ServiceUnavailableException", "serviceUnavailableException"],
    ["provider_timeout", 504, "ModelTimeoutException", "modelStreamErrorException"],
  ] as const)("%s is a %i %s, in a stream a %s", (code, status, kind, streamKind) => {
    const error = gatewayError(code, "what is wrong", { param: "p", suggestion: "what to do", available: ["a"] });
    expect(error.status).toBe(status);
    expect(bedrockConverse.errorHeaders?.(error)).toEqual({ "x-amzn-errortype": kind });
    const details = { available: ["a"], suggestion: "what to do" };
    const expected = { message: "what is wrong", code, param: "p", details, request_id: "req_1" };
    expect(JSON.parse(bedrockConverse.renderError(error, "req_1"))).toEqual(expected);
    const [frame] = plainFrames(Buffer.from(bedrockConverse.renderStreamError(error, "req_1")));
    expect([frame?.type, frame?.isException, JSON.parse(frame?.payload ?? "")]).toEqual([streamKind, true, expected]);
  });
});

describe("a provider's error bodies", () => {
  const of = (status: number, kind: string | null, message: string): unknown =>
    bedrockConverse.parseError(status, new Headers(kind === null ? {} : { "x-amzn-errortype": kind }), JSON.stringify({ message }));

  test("mean what their header says where the status would mislead", () => {
    expect(of(424, "ModelErrorException:http://internal/", "inner")).toMatchObject({ code: "provider_error", status: 502 });
    expect(of(408, "ModelTimeoutException", "slow")).toMatchObject({ code: "provider_timeout", status: 504 });
    expect(of(400, "ServiceQuotaExceededException", "quota")).toMatchObject({ code: "rate_limited", status: 429 });
    expect(of(429, "ModelNotReadyException", "warming up")).toMatchObject({ code: "overloaded", status: 503 });
    expect(of(400, "com.amazon#ValidationException", "wrong")).toMatchObject({ code: "upstream_rejected", status: 400, message: "wrong" });
    expect(of(429, null, "slow down")).toMatchObject({ code: "rate_limited", message: "slow down" });
  });

  test("are shown without the gateway's own account and key ids", () => {
    const message = "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/x of ASIAIOSFODNN7EXAMPLE is unknown";
    expect(of(404, "ResourceNotFoundException", message)).toMatchObject({
      message: "arn:aws:bedrock:eu-west-1:[redacted]:inference-profile/x of [redacted] is unknown",
    });
  });

  test("never look as if the caller's key were bad", () => {
    for (const kind of ["UnrecognizedClientException", "InvalidSignatureException", "ExpiredTokenException", "AccessDeniedException"])
      expect(of(403, kind, "AKIDEXAMPLE is not authorized")).toMatchObject({ code: "provider_error", status: 502 });
  });
});

describe("InvokeModel's stream", () => {
  test("says what its events say, without their frames", () => {
    const summary = summarise(events("thinking-and-tool", bedrockInvoke));
    expect(summary.choices[0]).toMatchObject({
      reasoning: "A table is needed.",
      signatures: ["b3duLXNpZw=="],
      calls: [{ id: "toolu_bdrk_own", name: "tide_table", args: '{"port": "Riga"}' }],
      finish: "tool-calls",
    });
    expect(summary.usage).toMatchObject({ input_tokens: 31, output_tokens: 22 });
  });

  test("reaches a Messages caller as Messages, with its signature marked", () => {
    const { out, meter } = relayed(frames("thinking-and-tool", bedrockInvoke), { upstream: bedrockInvoke, caller: anthropicMessages });
    expect(meter).toMatchObject({ ended: true, error: null, providerId: "msg_bdrk_own1" });
    expect(out.toString()).toContain('"signature":"ply1.bedrock-invoke.b3duLXNpZw=="');
    expect(out.toString().match(/message_stop"/g)?.length).toBe(1);
  });

  test("carries the cost inside its frame", () => {
    const bytes = frames("text", bedrockInvoke);
    const sides = { upstream: bedrockInvoke, caller: bedrockInvoke, context: context({ costMicroRub: () => 9 }) };
    const { out } = relayed(bytes, sides);
    const delta = plainFrames(out).map(({ payload }) => Buffer.from(JSON.parse(payload).bytes, "base64").toString());
    expect(delta.find((event) => event.includes("message_delta"))).toContain('"output_tokens":9,"cost_micro_rub":9}');
    expect(bedrockInvoke.streamContentType).toBe("application/vnd.amazon.eventstream");
  });

  test("cut off, it ends in an error", () => {
    expect(summarise(events("cut", bedrockInvoke)).error).toBe("provider_error");
  });
});
