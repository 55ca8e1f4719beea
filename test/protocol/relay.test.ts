import { describe, expect, test } from "vitest";
import { gatewayError } from "../../schema/error.ts";
import { openaiChat } from "../../workers/protocol/openai-chat/index.ts";
import type { EncoderContext, Protocol } from "../../workers/protocol/protocol.ts";
import type { Relay } from "../../workers/protocol/relay-contract.ts";
import { createRelay, type RelayOptions, relayUnary } from "../../workers/protocol/relay.ts";
import { body, bodyNames, context, cut, decodeStream, singleBytes } from "./bodies.ts";
import { summarise } from "./summary.ts";

/** Chat under another name: makes the relay translate instead of passing bytes, without a second wire format. */
const otherChat: Protocol = { ...openaiChat, id: "anthropic-messages" };
const broken = gatewayError("provider_error", "The connection to the provider broke.");

function relay(changes: Partial<RelayOptions> = {}, shown: Partial<EncoderContext> = {}): Relay {
  return createRelay({ upstream: openaiChat, caller: openaiChat, quirks: {}, context: context(shown), requestId: "req_1", ...changes });
}

function run(relayed: Relay, chunks: readonly Uint8Array[], failure: Parameters<Relay["end"]>[0] = null): string {
  return Buffer.concat([...chunks.map((chunk) => Buffer.from(relayed.push(chunk))), relayed.end(failure)]).toString();
}

const textOf = (name: string): string => body("openai-chat", name).toString();
const whole = (name: string): Uint8Array[] => [body("openai-chat", name)];

describe("the same protocol in and out", () => {
  test("passes every body byte for byte however it is cut, unless it breaks off", () => {
    for (const name of bodyNames("openai-chat", ".sse").filter((each) => each !== "cut.sse")) {
      const bytes = body("openai-chat", name);
      expect(run(relay(), [bytes]), name).toBe(bytes.toString());
      expect(run(relay(), singleBytes(bytes)), name).toBe(bytes.toString());
      for (let place = 1; place < bytes.length; place += 11) expect(run(relay(), cut(bytes, [place])), name).toBe(bytes.toString());
    }
  });

  test("returns the very chunk when it holds whole frames, and nothing for half a frame", () => {
    const first = Buffer.from(textOf("text.sse")).subarray(0, textOf("text.sse").indexOf("\n\n") + 2);
    const relayed = relay();
    expect(relayed.push(first)).toBe(first);
    expect(relayed.push(Buffer.from("data: {"))).toHaveLength(0);
  });

  test("meters what settlement needs", () => {
    const relayed = relay();
    run(relayed, whole("text.sse"));
    expect(relayed.meter).toMatchObject({
      usage: { input_tokens: 5, cache_read_tokens: 16, output_tokens: 9, reasoning_tokens: 4 },
      usageFinal: true,
      contentSeen: true,
      outputCharacters: 'Привет, мир 😀\n"quoted"'.length,
      finish: { unified: "stop", raw: "stop" },
      ended: true,
      error: null,
      providerId: "chatcmpl-plyrum1",
    });
  });

  test("puts the cost into the last usage object and changes nothing else", () => {
    const shown = { costMicroRub: (usage: { output_tokens: number | null }) => (usage.output_tokens ?? 0) * 100 };
    expect(run(relay({}, shown), whole("text.sse"))).toBe(
      textOf("text.sse").replace('"reasoning_tokens":4}}', '"reasoning_tokens":4},"cost_micro_rub":900}'),
    );
    expect(run(relay({}, shown), whole("without-done.sse"))).toBe(
      textOf("without-done.sse").replace('"total_tokens":7}', '"total_tokens":7,"cost_micro_rub":300}'),
    );
    expect(run(relay({}, shown), whole("thinking-parts.sse"))).toBe(
      textOf("thinking-parts.sse").replace('"total_tokens":17}', '"total_tokens":17,"cost_micro_rub":800}'),
    );
  });

  test("leaves the usage chunk out for a caller that did not ask, and only that chunk", () => {
    const shown = { wantsStreamUsage: false, costMicroRub: () => 5 };
    const relayed = relay({}, shown);
    expect(run(relayed, whole("text.sse"))).toBe(textOf("text.sse").replace(/data: [^\n]*"choices":\[\],[^\n]*\n\n/, ""));
    expect(relayed.meter.usage.output_tokens).toBe(9);
    expect(run(relay({}, shown), whole("reasoning.sse"))).toBe(textOf("reasoning.sse"));
  });

  test("adds an error and no terminator when the stream breaks off, at any byte", () => {
    const bytes = body("openai-chat", "tools-streamed.sse");
    const finishAt = bytes.indexOf('"finish_reason":"tool_calls"');
    for (let length = 0; length < finishAt; length += 3) {
      for (const failure of [null, broken]) {
        const relayed = relay();
        const text = run(relayed, [bytes.subarray(0, length)], failure);
        expect(text).not.toContain("[DONE]");
        expect(relayed.meter.error?.code).toBe("provider_error");
        expect(relayed.meter.ended).toBe(false);
        const events = decodeStream(openaiChat, [Buffer.from(text)]);
        expect(events.at(-1)).toMatchObject({ type: "error" });
        expect(text.trimEnd().split("\n").at(-1)).toContain('"request_id":"req_1"');
      }
    }
  });

  test("begins its error on a line of its own wherever the bytes broke off, also inside a CRLF", () => {
    const text = textOf("cut.sse").split("\n\n")[0] ?? "";
    for (const end of ["", "\n", "\n\n", "\r", "\r\n", "\r\n\r", "\r\n\r\n"]) {
      const events = run(relay(), [Buffer.from(text + end)]).split(/\n\n|\r\n\r\n/);
      expect(
        events.filter((event) => event.trim() !== "").map((event) => event.trim().startsWith("data: {")),
        JSON.stringify(end),
      ).toEqual([true, true]);
    }
  });

  test("adds nothing when the provider finished and only its terminator is missing", () => {
    const relayed = relay();
    expect(run(relayed, whole("without-done.sse"))).toBe(textOf("without-done.sse"));
    expect(relayed.meter).toMatchObject({ ended: true, error: null });
  });

  test("loses nothing when the connection fails after finish and usage", () => {
    const relayed = relay();
    expect(run(relayed, whole("without-done.sse"), broken)).toBe(textOf("without-done.sse"));
    expect(relayed.meter).toMatchObject({ ended: true, error: null });
  });

  test("passes the upstream's own error as it is and remembers it", () => {
    const relayed = relay();
    expect(run(relayed, whole("error-event.sse"))).toBe(textOf("error-event.sse"));
    expect(relayed.meter).toMatchObject({
      ended: false,
      error: { code: "upstream_rejected", status: 400, message: "Tool call validation failed" },
    });
  });

  test("passes what the provider still sends after its terminator, unread and unbilled", () => {
    const relayed = relay();
    const late = 'data: {"id":"x","choices":[{"index":0,"delta":{"content":"late"}}]}\n\n';
    const plain = relay();
    run(plain, whole("text.sse"));
    expect(run(relayed, [...whole("text.sse"), Buffer.from(late)])).toBe(textOf("text.sse") + late);
    expect(relayed.meter.outputCharacters).toBe(plain.meter.outputCharacters);
  });

  test("passes a frame nobody can read, and a keep-alive that is no JSON", () => {
    const noisy = textOf("text.sse").replace("\n\n", '\n\ndata: [PING]\n\ndata: {"id":}]}\n\n');
    const relayed = relay();
    expect(run(relayed, [Buffer.from(noisy)])).toBe(noisy);
    expect(relayed.meter).toMatchObject({ ended: true, error: null });
  });

  test("records events only when asked, and hands each over once", () => {
    const recording = relay({ recordEvents: true });
    run(recording, whole("text.sse"));
    expect(summarise(recording.takeEvents()).choices[0]?.text).toBe('Привет, мир 😀\n"quoted"');
    expect(recording.takeEvents()).toEqual([]);
    const silent = relay();
    run(silent, whole("text.sse"));
    expect(silent.takeEvents()).toEqual([]);
  });
});

describe("different protocols", () => {
  const translate = (name: string, changes: Partial<RelayOptions> = {}): { text: string; relayed: Relay } => {
    const relayed = relay({ upstream: otherChat, ...changes });
    return { text: run(relayed, whole(name)), relayed };
  };

  test("translates every body that ends into a stream that says the same", () => {
    for (const name of bodyNames("openai-chat", ".sse")) {
      const first = summarise(decodeStream(openaiChat, whole(name)));
      const { text, relayed } = translate(name);
      const second = summarise(decodeStream(openaiChat, [Buffer.from(text)]));
      expect(relayed.meter.ended, name).toBe(first.ended);
      expect(second.choices[0]?.text, name).toBe(first.choices[0]?.text);
      expect(second.choices[0]?.calls, name).toEqual(first.choices[0]?.calls);
      expect(text.includes("[DONE]"), name).toBe(first.ended);
    }
  });

  test("adds the caller's terminator where the provider has none", () => {
    expect(translate("without-done.sse").text.endsWith("data: [DONE]\n\n")).toBe(true);
  });

  test("shows the upstream's error in the caller's shape and ends there", () => {
    const { text, relayed } = translate("error-chunk.sse");
    expect(text).toContain('"code":"provider_error"');
    expect(text).not.toContain("10.0.0.7");
    expect(text).not.toContain("[DONE]");
    expect(relayed.meter).toMatchObject({ ended: false, error: { code: "provider_error", status: 502 } });
  });

  test("shows an error in place of a frame nobody can read", () => {
    const relayed = relay({ upstream: otherChat });
    const text = run(relayed, [Buffer.from(textOf("text.sse").replace("\n\n", '\n\ndata: {"id":}]}\n\n'))]);
    expect(relayed.meter.error?.upstream_code).toBe("malformed");
    expect(text).toContain('"error"');
    expect(text).not.toContain("[DONE]");
  });

  test("turns an ill-formed sequence of events, or an exception in a decoder, into an error", () => {
    const wrong: Protocol = {
      ...otherChat,
      createDecoder: () => ({ decode: () => [{ type: "text-delta", block: 7, text: "x" }], end: () => [] }),
    };
    const throwing: Protocol = {
      ...otherChat,
      createDecoder: () => ({
        decode: () => {
          throw new TypeError("bug");
        },
        end: () => [],
      }),
    };
    for (const upstream of [wrong, throwing, { ...throwing, id: openaiChat.id }]) {
      const relayed = relay({ upstream });
      const text = run(relayed, whole("text.sse"));
      expect(relayed.meter.error?.code).toBe("provider_error");
      expect(text).toContain('"code":"provider_error"');
      expect(text).not.toContain("[DONE]");
      expect(text).not.toContain("bug");
    }
  });
});

describe("relayUnary", () => {
  const options = (name: string, changes: Partial<Parameters<typeof relayUnary>[0]> = {}): Parameters<typeof relayUnary>[0] => ({
    upstream: openaiChat,
    caller: openaiChat,
    quirks: {},
    context: context(),
    bodyText: textOf(name),
    ...changes,
  });

  test("gives the same protocol its own text, with the cost in the usage object when there is one", () => {
    expect(relayUnary(options("text.json")).body).toBe(textOf("text.json"));
    const { body: priced, meter } = relayUnary(options("text.json", { context: context({ costMicroRub: () => 77 }) }));
    expect(JSON.parse(priced)).toEqual({
      ...(JSON.parse(textOf("text.json")) as object),
      usage: { ...(JSON.parse(textOf("text.json")) as { usage: object }).usage, cost_micro_rub: 77 },
    });
    expect(priced).toContain('"n": 1.0');
    expect(meter).toMatchObject({ ended: true, usageFinal: true, finish: { unified: "stop" } });
  });

  test("translates by folding", () => {
    const { body: translated } = relayUnary(options("tools.json", { upstream: otherChat }));
    expect(summarise(openaiChat.parseResponse(translated, {})).choices[0]?.calls.map((call) => call.id)).toEqual(["c1", "c2", "c3"]);
  });

  test("gives an error and no body for an error sent with status 200", () => {
    expect(relayUnary(options("error-in-200.json"))).toMatchObject({
      body: "",
      meter: { error: { code: "upstream_rejected", status: 400 }, ended: false },
    });
  });
});
