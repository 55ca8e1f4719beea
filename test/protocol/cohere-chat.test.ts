import { describe, expect, test } from "vitest";
import { gatewayError } from "../../schema/error.ts";
import { cohereChat } from "../../workers/protocol/cohere-chat/index.ts";
import { anthropicMessages } from "../../workers/protocol/anthropic-messages/index.ts";
import { openaiChat } from "../../workers/protocol/openai-chat/index.ts";
import type { Protocol } from "../../workers/protocol/protocol.ts";
import { createRelay, relayUnary } from "../../workers/protocol/relay.ts";
import { body, context, decodeStream, singleBytes } from "./bodies.ts";
import { parseAll, payloads } from "./readings/reading.ts";
import { type AnswerSummary, summarise } from "./summary.ts";

function answerOf(name: string): AnswerSummary {
  return summarise(decodeStream(cohereChat, [body("cohere-chat", name)]));
}

function translated(caller: Protocol, bytes: Uint8Array, costMicroRub: () => number | null = () => null): string {
  const relay = createRelay({ upstream: cohereChat, caller, quirks: {}, context: context({ costMicroRub }), requestId: "req_9" });
  return Buffer.concat([Buffer.from(relay.push(bytes)), Buffer.from(relay.end(null))]).toString();
}

describe("usage", () => {
  test("is the billed units: the hidden preamble and the cache of `tokens` are nobody's bill", () => {
    const { usage, usageFinal, anomaly } = answerOf("text.sse");
    expect(usage).toMatchObject({ input_tokens: 9, output_tokens: 11, cache_read_tokens: null });
    expect([usageFinal, anomaly]).toEqual([true, null]);
  });

  test("counts thinking within the billed output, and never more than all of it", () => {
    expect(answerOf("thinking-then-text.sse").usage).toMatchObject({ output_tokens: 12, reasoning_tokens: 6 });
    const text = body("cohere-chat", "thinking.json").toString().replace('"reasoning_tokens":5', '"reasoning_tokens":50');
    expect(summarise(cohereChat.parseResponse(text, {})).usage).toMatchObject({ output_tokens: 9, reasoning_tokens: 9 });
  });

  test("is the tokens where no billed units are stated", () => {
    const events = cohereChat.parseResponse(body("cohere-chat", "tokens-only.json").toString(), {});
    expect(summarise(events).usage).toMatchObject({ input_tokens: 70, output_tokens: 3 });
  });

  test("that is impossible is named and not believed", () => {
    const text = body("cohere-chat", "length.json").toString().replace('"output_tokens":2', '"output_tokens":-2');
    const summary = summarise(cohereChat.parseResponse(text, {}));
    expect(summary.anomaly).toBe("output_tokens is -2");
    expect(summary.usage.output_tokens).toBe(3);
  });

  test("gets the cost in the last event of a stream that passes, and nothing else of it changes", () => {
    const bytes = body("cohere-chat", "text.sse");
    const relay = createRelay({
      upstream: cohereChat,
      caller: cohereChat,
      quirks: {},
      context: context({ costMicroRub: () => 77 }),
      requestId: "r",
    });
    const output = Buffer.concat([Buffer.from(relay.push(bytes)), Buffer.from(relay.end(null))]).toString();
    expect(output).toBe(bytes.toString().replace('"cached_tokens":448}', '"cached_tokens":448,"cost_micro_rub":77}'));
  });

  test("gets the cost in a whole body too", () => {
    const bodyText = body("cohere-chat", "length.json").toString();
    const passed = relayUnary({
      upstream: cohereChat,
      caller: cohereChat,
      quirks: {},
      context: context({ costMicroRub: () => 5 }),
      bodyText,
    });
    expect(passed.body).toContain('"cost_micro_rub":5}');
    expect(passed.body.replace(',"cost_micro_rub":5', "")).toBe(bodyText);
  });
});

describe("traps of this wire", () => {
  test("empty tool arguments are an empty object for the caller, with no delta and as null", () => {
    const chat = parseAll(translated(openaiChat, body("cohere-chat", "tools-parallel.sse"))).flatMap(
      (chunk) => chunk.choices?.[0]?.delta?.tool_calls ?? [],
    );
    expect(
      chat
        .filter((call) => call.index === 1)
        .map((call) => call.function.arguments)
        .join(""),
    ).toBe("{}");
    const messages = parseAll(translated(anthropicMessages, body("cohere-chat", "tools-parallel.sse")));
    expect(messages.filter((event) => event.index === 2 && event.delta).map((event) => event.delta.partial_json)).toEqual(["{}"]);
  });

  test("arguments keep numbers above 2^53 and 1.0 as they were written", () => {
    const [call] = answerOf("tools-parallel.sse").choices[0]?.calls ?? [];
    expect(call?.args).toBe('{"port": "Murmansk", "id": 9007199254740993, "at": 1.0}');
  });

  test("arguments that were cut off stay cut off, and the finish says length", () => {
    const choice = answerOf("length-in-arguments.sse").choices[0];
    expect([choice?.calls[0]?.args, choice?.finish]).toEqual(['{"port": "Mur', "length"]);
  });

  test("the plan before tool calls is text that the user sees, ahead of the calls", () => {
    const choice = answerOf("tools-parallel.sse").choices[0];
    expect([choice?.text, choice?.order, choice?.finish]).toEqual(["I will look both up.", ["text", "call", "call"], "tool-calls"]);
  });

  test("an answer without content is still a whole envelope for every caller", () => {
    expect(payloads(translated(openaiChat, body("cohere-chat", "no-content.sse"))).at(-1)?.data).toBe("[DONE]");
    expect(payloads(translated(anthropicMessages, body("cohere-chat", "no-content.sse"))).map(({ event }) => event)).toEqual([
      "message_start",
      "message_delta",
      "message_stop",
    ]);
  });

  test("citations are sources of their block", () => {
    const events = decodeStream(cohereChat, [body("cohere-chat", "cited.sse")]);
    expect(events.filter((event) => event.type === "source")).toMatchObject([{ block: 0, json: expect.stringContaining("High water") }]);
  });

  test("events of kinds nobody knows yet are kept for this wire and hurt no translation", () => {
    const text = body("cohere-chat", "text.sse")
      .toString()
      .replace("event: content-end", 'data: {"type":"debug","prompt":"x"}\n\nevent: content-end');
    expect(translated(openaiChat, Buffer.from(text))).toContain("[DONE]");
  });
});

describe("failures", () => {
  test.each(["ERR200-message-end.sse", "ERR200-body.sse"])(
    "%s, an error with status 200, ends in the caller's error and no terminator",
    (name) => {
      for (const caller of [openaiChat, anthropicMessages]) {
        const output = translated(caller, body("cohere-chat", name));
        expect(output).toContain("Half an");
        expect(output).toContain('"request_id":"req_9"');
        expect(output).not.toMatch(/\[DONE\]|message_stop|"finish_reason":"/);
      }
    },
  );

  test("usage beside an error is still owed", () => {
    expect(answerOf("ERR200-message-end.sse")).toMatchObject({
      usage: { input_tokens: 10, output_tokens: 2 },
      usageFinal: true,
      error: "provider_error",
    });
  });

  test("a time-out of the provider's own is one for the caller", () => {
    const text = body("cohere-chat", "ERR200-message-end.sse").toString().replace('"ERROR"', '"TIMEOUT"');
    expect(summarise(decodeStream(cohereChat, [Buffer.from(text)])).error).toBe("provider_timeout");
  });

  test("a stream cut at any byte before its end is an error, never a success", () => {
    const bytes = body("cohere-chat", "tools-parallel.sse");
    const end = bytes.indexOf("event: message-end");
    for (const [length] of singleBytes(bytes.subarray(0, end)).entries()) {
      expect(translated(openaiChat, bytes.subarray(0, length))).not.toContain("[DONE]");
    }
    expect(translated(openaiChat, bytes.subarray(0, end))).toContain("ended before it was complete");
  });

  test("a terminator before the message's own end is no end", () => {
    const text = `${body("cohere-chat", "cut.sse").toString()}data: [DONE]\n\n`;
    expect(summarise(decodeStream(cohereChat, [Buffer.from(text)]))).toMatchObject({ error: "provider_error", ended: false });
  });

  test("a body that is no message is the upstream's error", () => {
    expect(summarise(cohereChat.parseResponse(body("cohere-chat", "ERR200.json").toString(), {})).error).toBe("provider_error");
    expect(summarise(cohereChat.parseResponse("<html>", {})).error).toBe("provider_error");
  });

  test("the provider's word for a 4xx is kept, and a bad key of ours is never the caller's", () => {
    const tooMany = '{"error_type":"TOO_MANY_TOKENS","id":"x","message":"too many tokens"}';
    expect(cohereChat.parseError(400, new Headers(), tooMany)).toMatchObject({
      status: 400,
      message: "too many tokens",
      upstream_type: "TOO_MANY_TOKENS",
    });
    expect(cohereChat.parseError(401, new Headers(), '{"message":"invalid api token"}').status).toBe(502);
  });

  test("errors of ours have this wire's shape, with code, details and the request's id", () => {
    const error = gatewayError("model_not_found", "There is no such model.", { available: ["a/b"], suggestion: "Use one." });
    expect(JSON.parse(cohereChat.renderError(error, "req_1"))).toEqual({
      id: "req_1",
      message: "There is no such model.",
      code: "model_not_found",
      param: null,
      details: { available: ["a/b"], suggestion: "Use one." },
      request_id: "req_1",
    });
    const rendered = cohereChat.renderStreamError(error, "req_1");
    expect(summarise(decodeStream(cohereChat, [Buffer.from(rendered)])).error).toBe("provider_error");
  });
});
