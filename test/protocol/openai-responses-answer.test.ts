import { describe, expect, test } from "vitest";
import { openaiResponses } from "../../workers/protocol/openai-responses/index.ts";
import { relayUnary } from "../../workers/protocol/relay.ts";
import { body, context, decodeStream } from "./bodies.ts";
import { choice, decode, whole } from "./openai-responses-answers.ts";
import { summarise } from "./summary.ts";

describe("reading a provider's answer, trap by trap", () => {
  test("two-ids: a call is known by its call_id, never by its item's id", () => {
    expect(choice(decode("tools-parallel.sse")).calls.map((call) => call.id)).toEqual(["call_a", "call_b", "call_c"]);
  });

  test("item-id-rotates: pieces with ever new ids are one text, by their place in the output", () => {
    const { text: read, order } = choice(decode("item-id-rotates.sse"));
    expect([read, order]).toEqual(["Same place.", ["text"]]);
  });

  test("terminal-output-empty: an answer whose terminal event lists nothing has the items of its stream", () => {
    expect(choice(decode("output-empty.sse"))).toMatchObject({ finish: "tool-calls", calls: [{ id: "call_z", name: "ping", args: "{}" }] });
  });

  test("encrypted-content-revised: the state of a finished item counts, not that of its announcement", () => {
    expect(choice(decode("reasoning-summary.sse")).signatures).toEqual(["sealed-final"]);
    expect(decode("reasoning-sealed.sse")).toContainEqual({
      type: "reasoning-start",
      block: 0,
      choice: 0,
      kind: "redacted",
      data: "sealed-final",
    });
  });

  test("no-sequence-number: events without numbers and names read alike", () => {
    expect(choice(decode("no-sequence-number.sse")).text).toBe("No numbers.");
  });

  test("sse-comment: comments and a terminator of another wire say nothing", () => {
    expect(summarise(decode("comments-and-done.sse"))).toMatchObject({ ended: true, error: null });
  });

  test("response.incomplete: the reason is the finish", () => {
    expect(choice(decode("length.sse"))).toMatchObject({ finish: "length", raw: "max_output_tokens" });
    expect(choice(whole("filtered.json"))).toMatchObject({ finish: "content-filter", raw: "content_filter" });
  });

  test.each([
    ["response.failed", "ERR200-failed.sse", "provider_error"],
    ["error", "ERR200-flat.sse", "rate_limited"],
  ])("%s: a failure in a stream is an error, whatever stood before it", (_trap, name, code) => {
    const summary = summarise(decode(name));
    expect([summary.error, summary.ended]).toEqual([code, false]);
  });

  test("a failed body with status 200 is an error, and a queued one is an answer that is not finished", () => {
    expect(summarise(whole("ERR200-failed.json")).error).toBe("provider_error");
    expect(choice(whole("queued.json"))).toMatchObject({ finish: "pause", raw: "queued" });
    const queued = body("openai-responses", "queued.json").toString();
    const relayed = relayUnary({ upstream: openaiResponses, caller: openaiResponses, quirks: {}, context: context(), bodyText: queued });
    expect(relayed.body).toBe(queued);
  });

  test("a stream that breaks off is an error, at every byte before its terminal event", () => {
    const bytes = body("openai-responses", "tools-parallel.sse");
    const terminal = bytes.indexOf("event: response.completed");
    for (let length = 0; length < bytes.length; length += 37) {
      const summary = summarise(decodeStream(openaiResponses, [bytes.subarray(0, length)]));
      if (length < terminal) expect(summary).toMatchObject({ ended: false, error: "provider_error" });
      else expect(summary.ended === (summary.error === null)).toBe(true);
    }
  });

  test("parts of a summary are one reasoning, a blank line between them", () => {
    expect(choice(decode("reasoning-summary.sse")).reasoning).toBe("**Tides**\n\nLow water first.\n\n**Then**\n\nthe wind.");
    expect(choice(whole("reasoning.json"))).toMatchObject({ reasoning: "First.\n\nSecond.", signatures: ["sealed-1"] });
  });

  test("items that overlap, and parts numbered otherwise than they stand, are read once each", () => {
    expect(choice(decode("reasoning-raw-overlapping.sse"))).toMatchObject({ reasoning: "Two and two make four.", text: "Four." });
  });

  test("what comes only in finished items, or only in the terminal event, is read from there", () => {
    expect(choice(decode("items-whole.sse"))).toMatchObject({ text: "Whole.", calls: [{ id: "call_1", args: '{"n": 1}' }] });
    expect(choice(decode("only-terminal.sse")).text).toBe("All at once.");
  });

  test("a custom tool's free text is one member of a JSON object", () => {
    const [call] = choice(decode("custom-tool.sse")).calls;
    expect(JSON.parse(call?.args ?? "")).toEqual({ input: 'SELECT "tide" FROM ports\nWHERE id=7;' });
  });

  test("arguments keep numbers as they are written", () => {
    expect(choice(decode("tools-parallel.sse")).calls[1]?.args).toBe('{"id":9007199254740993,"knots":1.0}');
    expect(choice(whole("tools.json")).calls[0]?.args).toBe('{"port":"Riga","id":9007199254740993,"knots":1.0}');
  });

  test("a refusal is told from text", () => {
    for (const events of [decode("refusal.sse"), whole("refusal.json")])
      expect(choice(events)).toMatchObject({ text: "", finish: "refusal" });
  });

  test("a citation is a source of its text, and a server's own tool is opaque, in a stream as in a body", () => {
    for (const events of [decode("web-search.sse"), whole("citations.json")]) {
      expect(events.filter((event) => event.type === "source")).toMatchObject([{ block: 0, json: expect.stringContaining("almanac") }]);
      expect(events.filter((event) => event.type === "opaque")).toMatchObject([{ kind: "web_search_call" }]);
    }
  });

  test("a picture that was made is a file", () => {
    expect(whole("image.json")).toContainEqual(
      expect.objectContaining({ type: "file", source: expect.objectContaining({ mediaType: "image/png" }) }),
    );
  });

  test("usage leaves the caches out of the input, and writes are told from reads", () => {
    for (const events of [decode("cache.sse"), whole("cache.json")])
      expect(summarise(events)).toMatchObject({
        usageFinal: true,
        anomaly: null,
        usage: { input_tokens: 200, cache_read_tokens: 1800, cache_write_5m_tokens: 100, output_tokens: 3, reasoning_tokens: 0 },
      });
  });

  test("figures that cannot be are named, never trusted", () => {
    const absurd = JSON.stringify({ output: [], status: "completed", usage: { input_tokens: 5, output_tokens: -1 } });
    expect(summarise(openaiResponses.parseResponse(absurd, {})).anomaly).not.toBeNull();
  });
});
