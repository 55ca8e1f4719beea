import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { gatewayError } from "../../schema/error.ts";
import { isObject, parseJson } from "../../schema/json.ts";
import type { Usage } from "../../schema/usage.ts";
import { anthropicMessages } from "../../workers/protocol/anthropic-messages/index.ts";
import type { CanonicalEvent } from "../../workers/protocol/canonical.ts";
import { body, bodyNames, context, decodeStream } from "./bodies.ts";
import { summarise } from "./summary.ts";

const frames = (text: string): CanonicalEvent[] => decodeStream(anthropicMessages, [Buffer.from(text)]);

/** Frames of an encoded stream as [event name, parsed data]. */
function sent(events: readonly CanonicalEvent[], changes = {}): { name: string; data: Record<string, unknown> }[] {
  const encoder = anthropicMessages.createEncoder(context(changes));
  const text = events.map((event) => encoder.encode(event)).join("");
  return text
    .split("\n\n")
    .filter((frame) => frame !== "")
    .map((frame) => {
      const [first = "", second = ""] = frame.split("\n");
      const data = parseJson(second.slice("data: ".length));
      if (!data.ok || !isObject(data.value)) throw new Error(`not a frame: ${frame}`);
      return { name: first.slice("event: ".length), data: data.value };
    });
}

const start: CanonicalEvent = { type: "start", id: null, model: null, createdSeconds: null };
const end: CanonicalEvent = { type: "end" };
const finish = (unified: "stop" | "tool-calls" = "stop"): CanonicalEvent => ({
  type: "finish",
  choice: 0,
  unified,
  raw: "",
  stopSequence: null,
  detailsJson: null,
});
const text = (block: number, value: string, choice = 0): CanonicalEvent[] => [
  { type: "text-start", block, choice, refusal: false },
  { type: "text-delta", block, text: value },
  { type: "text-end", block },
];

describe("encoding a stream for an Anthropic caller", () => {
  test("gives an empty answer its whole envelope", () => {
    const names = sent([start, finish(), end]).map((frame) => frame.name);
    expect(names).toEqual(["message_start", "message_delta", "message_stop"]);
    expect(sent([end]).map((frame) => frame.name)).toEqual(names);
  });

  test("sends arguments that are no object inside one, since clients parse each piece", () => {
    const pieces = (...texts: string[]): string => {
      const events: CanonicalEvent[] = [
        start,
        { type: "tool-input-start", block: 0, choice: 0, id: "c", name: "f" },
        ...texts.map((each): CanonicalEvent => ({ type: "tool-input-delta", block: 0, text: each })),
        { type: "tool-input-end", block: 0 },
      ];
      const deltas = sent(events).map(({ data }) => data["delta"]);
      return deltas.map((delta) => (isObject(delta) ? String(delta["partial_json"]) : "")).join("");
    };
    expect(pieces("not ", '"json"\n')).toBe('{"_raw":"not \\"json\\"\\n"}');
    expect(pieces("[1,", "2]")).toBe('{"_raw":"[1,2]"}');
    expect(pieces(' {"a"', ":1}")).toBe(' {"a":1}');
    expect(pieces('{"cut": "o')).toBe('{"cut": "o');
    for (const none of [[], [""], ["null"]]) expect(pieces(...none)).toBe("{}");
  });

  test("holds stop reason and usage, with the cost, until the end", () => {
    const late: CanonicalEvent = { type: "usage", usage: { input_tokens: 5, output_tokens: 2 }, final: true, anomaly: null };
    const all = sent([start, ...text(0, "hi"), finish(), late, end], { costMicroRub: (usage: Usage) => (usage.output_tokens ?? 0) * 100 });
    expect(all[0]?.data).toMatchObject({ message: { id: "ours-1", model: "our-model", usage: { input_tokens: 0, output_tokens: 0 } } });
    expect(all.at(-2)).toMatchObject({
      name: "message_delta",
      data: {
        delta: { stop_reason: "end_turn", stop_sequence: null },
        usage: { input_tokens: 5, output_tokens: 2, cost_micro_rub: 200 },
      },
    });
  });

  test("shows usage that nobody reported as unknown", () => {
    expect(sent([start, finish(), end]).at(-2)?.data["usage"]).toMatchObject({ input_tokens: null, output_tokens: null });
  });

  test("says nothing after the end, nothing of an error, and nothing after it", () => {
    const encoder = anthropicMessages.createEncoder(context());
    encoder.encode(start);
    expect(encoder.encode({ type: "error", error: gatewayError("provider_error", "x") })).toBe("");
    expect([...text(0, "more"), finish(), end].map((event) => encoder.encode(event)).join("")).toBe("");
    expect(sent([start, finish(), end, end, ...text(1, "late")]).filter((frame) => frame.name === "message_stop")).toHaveLength(1);
  });

  test("sends a refusal as text and says so, and choices beyond the first not at all", () => {
    const all = sent([
      start,
      { type: "text-start", block: 0, choice: 0, refusal: true },
      { type: "text-delta", block: 0, text: "I will not." },
      { type: "text-end", block: 0 },
      ...text(1, "other", 1),
      finish(),
      end,
    ]);
    expect(JSON.stringify(all)).toContain("I will not.");
    expect(JSON.stringify(all)).not.toContain("other");
    expect(all.at(-2)?.data).toMatchObject({ delta: { stop_reason: "refusal" } });
  });

  test.each(["", "null"])("sends a call whose arguments are '%s' with {}", (argumentsText) => {
    const all = sent([
      start,
      { type: "tool-input-start", block: 0, choice: 0, id: "c", name: "f" },
      { type: "tool-input-delta", block: 0, text: argumentsText },
      { type: "tool-input-end", block: 0 },
      finish("tool-calls"),
      end,
    ]);
    const pieces = all.flatMap(({ data }) => (isObject(data["delta"]) ? [data["delta"]["partial_json"] ?? ""] : []));
    expect(pieces.join("")).toBe("{}");
  });

  /** Blocks that overlap as a Chat provider's calls do: each event belongs to a block, in any order between blocks. */
  const overlapping = fc
    .array(fc.tuple(fc.constantFrom("text", "tool", "reasoning"), fc.array(fc.string({ minLength: 1, maxLength: 6 }), { maxLength: 4 })), {
      maxLength: 5,
    })
    .chain((blocks) => fc.tuple(fc.constant(blocks), fc.array(fc.nat(), { minLength: 60, maxLength: 60 })))
    .map(([blocks, picks]) => {
      const queues = blocks.map(([kind, pieces], block): CanonicalEvent[] => {
        const id = { block, choice: 0 };
        if (kind === "text")
          return [
            { type: "text-start", ...id, refusal: false },
            ...pieces.map((piece) => ({ type: "text-delta" as const, block, text: piece })),
            { type: "text-end", block },
          ];
        if (kind === "reasoning")
          return [
            { type: "reasoning-start", ...id, kind: "raw", data: null },
            ...pieces.map((piece) => ({ type: "reasoning-delta" as const, block, text: piece })),
            { type: "reasoning-signature", block, signature: `s${block}` },
            { type: "reasoning-end", block },
          ];
        return [
          { type: "tool-input-start", ...id, id: `c${block}`, name: "f" },
          ...pieces.map((piece) => ({ type: "tool-input-delta" as const, block, text: JSON.stringify({ piece }) })),
          { type: "tool-input-end", block },
        ];
      });
      const mixed: CanonicalEvent[] = [];
      for (const pick of picks) {
        const left = queues.filter((queue) => queue.length > 0);
        const next = left[pick % Math.max(1, left.length)]?.shift();
        if (next !== undefined) mixed.push(next);
      }
      return [start, ...mixed, ...queues.flat(), finish(), end];
    });

  test("puts any overlap of blocks in order: contiguous indexes, one open at a time, nothing lost", () => {
    fc.assert(
      fc.property(overlapping, (events) => {
        let open: unknown = null;
        let next = 0;
        const content: Record<string, string> = {};
        for (const { name, data } of sent(events)) {
          if (name === "content_block_start") {
            expect(open).toBeNull();
            expect(data["index"]).toBe(next++);
            open = data["index"];
          } else if (name === "content_block_delta") {
            expect(data["index"]).toBe(open);
            const delta = isObject(data["delta"]) ? data["delta"] : {};
            const piece = delta["text"] ?? delta["thinking"] ?? delta["partial_json"] ?? delta["signature"];
            content[String(open)] = (content[String(open)] ?? "") + String(piece);
          } else if (name === "content_block_stop") {
            expect(data["index"]).toBe(open);
            open = null;
          }
        }
        expect(open).toBeNull();
        const wanted: Record<number, string> = {};
        for (const event of events) {
          if ("block" in event && event.block !== null && event.type.endsWith("-start")) wanted[event.block] = "";
          if (event.type.endsWith("-delta") && "text" in event && "block" in event) wanted[event.block] += event.text;
          if (event.type === "reasoning-signature") wanted[event.block] += event.signature;
          if (event.type === "tool-input-end" && wanted[event.block] === "") wanted[event.block] = "{}";
        }
        expect(Object.values(content).toSorted()).toEqual(
          Object.values(wanted)
            .filter((value) => value !== "")
            .toSorted(),
        );
      }),
      { numRuns: 200, seed: 11 },
    );
  });

  test("says in a stream what it says in a whole body", () => {
    for (const name of bodyNames("anthropic-messages", ".sse").filter((candidate) => !candidate.startsWith("ERR"))) {
      const events = decodeStream(anthropicMessages, [body("anthropic-messages", name)]);
      const encoder = anthropicMessages.createEncoder(context());
      const streamed = summarise(frames(events.map((event) => encoder.encode(event)).join("")));
      const whole = summarise(anthropicMessages.parseResponse(anthropicMessages.renderResponse(events, context()), {}));
      expect({ ...streamed, usageFinal: true }).toEqual(whole);
      const original = summarise(events);
      expect(streamed.choices[0]?.text).toBe(original.choices[0]?.text);
      expect(streamed.usage).toEqual(original.usage);
    }
  });
});

describe("a whole body for an Anthropic caller", () => {
  test("keeps the raw text of tool inputs and adds the cost", () => {
    const events = anthropicMessages.parseResponse(body("anthropic-messages", "tool-call.json").toString(), {});
    const rendered = anthropicMessages.renderResponse(events, context({ costMicroRub: () => 42 }));
    expect(rendered).toContain('"input":{"id":9007199254740993,"exact":1.0,"b":1,"a":2}');
    expect(rendered).toContain('"cost_micro_rub":42');
  });

  test("wraps arguments that are no object, so that no caller runs a call with none", () => {
    const rendered = anthropicMessages.renderResponse(
      [
        start,
        { type: "tool-input-start", block: 0, choice: 0, id: "c", name: "f" },
        { type: "tool-input-delta", block: 0, text: '{"path": "/et' },
        { type: "tool-input-end", block: 0 },
        finish("tool-calls"),
        end,
      ],
      context(),
    );
    expect(rendered).toContain(String.raw`"input":{"_raw":"{\"path\": \"/et"}`);
  });
});

describe("errors for an Anthropic caller", () => {
  test.each([
    ["invalid_request", "invalid_request_error"],
    ["invalid_api_key", "authentication_error"],
    ["insufficient_balance", "billing_error"],
    ["forbidden", "permission_error"],
    ["model_not_found", "not_found_error"],
    ["request_too_large", "request_too_large"],
    ["rate_limited", "rate_limit_error"],
    ["provider_error", "api_error"],
    ["overloaded", "overloaded_error"],
  ] as const)("names %s %s", (code, type) => {
    const error = gatewayError(code, "why", { param: "model", available: ["a"], suggestion: "b" });
    expect(parseJson(anthropicMessages.renderError(error, "req_1"))).toEqual({
      ok: true,
      value: {
        type: "error",
        error: { type, message: "why", code, param: "model", details: { available: ["a"], suggestion: "b" } },
        request_id: "req_1",
      },
    });
  });

  test("end a stream that has begun without a success terminator", () => {
    const rendered = anthropicMessages.renderStreamError(gatewayError("provider_error", "broke"), "req_1");
    expect(rendered).toMatch(/^event: error\ndata: \{.*"request_id":"req_1"\}\n\n$/);
    expect(summarise(frames(String(rendered)))).toMatchObject({ error: "provider_error", ended: false });
  });
});

describe("the cost in a provider's own bytes", () => {
  const delta =
    'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":9}   }\n\n';
  const splice = (source: string, options = {}): string | null => {
    const frame = anthropicMessages.createFramer().push(Buffer.from(source))[0];
    if (frame === undefined) throw new Error("no frame");
    const spliced = anthropicMessages.spliceUsageFrame(frame, { wantsStreamUsage: true, costMicroRub: 7, final: true, ...options });
    return spliced === null ? null : Buffer.from(spliced).toString();
  };

  test("stands in the last usage, and every other byte stays", () => {
    expect(splice(delta)).toBe(delta.replace('"output_tokens":9}', '"output_tokens":9,"cost_micro_rub":7}'));
  });

  test("leaves frames alone that are not final, or that carry the start's usage", () => {
    const opening = 'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":9}}}\n\n';
    expect(splice(opening)).toBe(opening);
    expect(splice(delta, { final: false })).toBe(delta);
    expect(splice(delta, { costMicroRub: null })).toBe(delta);
  });

  test("stands in a whole body's usage", () => {
    const source = body("anthropic-messages", "text.json").toString();
    const spliced = anthropicMessages.spliceUsageBody(source, 7);
    expect(spliced.replace(',"cost_micro_rub":7', "")).toBe(source);
    expect(anthropicMessages.spliceUsageBody('{"type":"error"}', 7)).toBe('{"type":"error"}');
  });
});

test("unknown usage has no number anywhere", () => {
  const rendered = parseJson(anthropicMessages.renderResponse([start, finish(), end], context()));
  expect(rendered).toMatchObject({ ok: true, value: { usage: { input_tokens: null, output_tokens: null } } });
});
