/** `infer(plan)` in plain Node, against upstreams that fail in every way, on a virtual clock. */
import { describe, expect, test } from "vitest";
import { LIMITS } from "../../schema/limits.ts";
import { infer } from "../../workers/runtime/infer.ts";
import { attempt, chunk, rest, run, saying, stage, textOf } from "./scripted-upstream.ts";

const ONE = attempt("one", "openai-chat");
const TWO = attempt("two", "openai-chat");
const errorBody = (message: string): string => JSON.stringify({ error: { message, type: "server_error", code: null } });
const failing = (status: number, headers: Record<string, string> = {}) => ({
  status,
  type: "application/json",
  headers,
  pieces: [errorBody("no")],
});

describe("a plan whose first candidate answers", () => {
  test("gives its events in order, with one end", async () => {
    const on = stage({ one: [{ pieces: saying("hello") }] });
    const events = await run(on, [ONE, TWO], { credentials: ["key-1", "key-2"] });
    expect(events.map((event) => event.type)).toEqual(["start", "text-start", "text-delta", "text-end", "finish", "usage", "end"]);
    expect(textOf(events)).toBe("hello");
    expect(on.calls.map((call) => call.headers["authorization"])).toEqual(["Bearer key-1"]);
    expect(on.endings).toEqual([["one", "well"]]);
    expect(on.attempts).toMatchObject([{ provider: "one", status: 200, error_code: null }]);
  });

  test("gives the same from a whole answer", async () => {
    const body = { id: "c1", model: "m", choices: [{ index: 0, message: { role: "assistant", content: "hello" }, finish_reason: "stop" }] };
    const on = stage({ one: [{ type: "application/json", pieces: [JSON.stringify(body)] }] });
    const events = await run(on, [ONE], { stream: false });
    expect([textOf(events), events.at(-1)?.type]).toEqual(["hello", "end"]);
  });
});

describe("before an answer has begun", () => {
  test("a moment's failure is tried again after a pause", async () => {
    const on = stage({ one: [failing(503), failing(503), { pieces: saying("third") }] });
    expect(textOf(await run(on, [ONE, TWO]))).toBe("third");
    const [first = 0, second = 0, third = 0] = on.calls.map((call) => call.at);
    expect(second - first).toBe(LIMITS.retryBaseMilliseconds / 2);
    expect(third - second).toBe(LIMITS.retryBaseMilliseconds);
  });

  test("a provider's own word for the pause is kept", async () => {
    const on = stage({ one: [failing(429, { "retry-after": "1" }), { pieces: saying("again") }] });
    expect(textOf(await run(on, [ONE]))).toBe("again");
    expect(on.calls.map((call) => call.at)).toEqual([0, 1_000]);
  });

  test("one that wants longer than a caller should wait is passed over", async () => {
    const on = stage({ one: [failing(429, { "retry-after": "30" })], two: [{ pieces: saying("two") }] });
    expect(textOf(await run(on, [ONE, TWO]))).toBe("two");
    expect(on.calls.map((call) => [call.url, call.at])).toEqual([
      [ONE.url, 0],
      [TWO.url, 0],
    ]);
  });

  test.each([
    ["a broken connection", "refused" as const],
    ["a stream that breaks off", { pieces: [chunk({ role: "assistant" })], ends: "broken" as const }],
    ["a stream that ends without a word", { pieces: [chunk({ role: "assistant" })] }],
    ["an error in the stream", { pieces: [`data: ${errorBody("no")}\n\n`] }],
    ["an error after the first frame", { pieces: [chunk({ role: "assistant", content: "" }), `data: ${errorBody("no")}\n\n`] }],
    ["a page", { type: "text/html", pieces: ["<html>"] }],
  ])("%s leads to the next candidate, and nothing of it is seen", async (_, reply) => {
    const on = stage({ one: [reply, reply, reply], two: [{ pieces: saying("two") }] });
    const events = await run(on, [ONE, TWO]);
    expect(textOf(events)).toBe("two");
    expect(events.filter((event) => event.type === "start")).toHaveLength(1);
    expect(on.endings.filter(([provider, ended]) => provider === "one" && ended === "unhealthy").length).toBeGreaterThan(0);
  });

  test("the caller's own fault leads nowhere", async () => {
    const on = stage({ one: [failing(400)], two: [{ pieces: saying("two") }] });
    const events = await run(on, [ONE, TWO]);
    expect(events).toMatchObject([{ type: "error", error: { status: 400 } }]);
    expect(on.calls).toHaveLength(1);
  });

  test("an address whose breaker rests is not asked", async () => {
    const on = stage({ two: [{ pieces: saying("two") }] });
    rest(on, ONE, 5_000);
    expect(textOf(await run(on, [ONE, TWO]))).toBe("two");
    expect(on.calls.map((call) => call.url)).toEqual([TWO.url]);
  });
});

describe("times", () => {
  test("a provider that never answers is left after its time for headers, and the next one is asked", async () => {
    const on = stage({ one: ["silence"], two: [{ pieces: saying("two") }] });
    expect(textOf(await run(on, [attempt("one", "openai-chat", { timeouts: { headers_ms: 900 } }), TWO]))).toBe("two");
    expect(on.calls.map((call) => [call.at, call.endedByUsAt])).toEqual([
      [0, 900],
      [900, 900],
    ]);
    expect(on.attempts.map((record) => record.error_code)).toEqual(["provider_timeout", null]);
    expect(on.endings).toEqual([
      ["one", "unhealthy"],
      ["two", "well"],
    ]);
  });

  test("signs of life are no first token: its time is another than that of headers and of silence", async () => {
    const beating = Array.from({ length: 10 }, () => ({ after: 400, bytes: ": alive\n\n" }));
    const on = stage({ one: [{ pieces: beating, ends: "silence" }], two: [{ pieces: saying("two") }] });
    const late = attempt("one", "openai-chat", { timeouts: { headers_ms: 200, first_token_ms: 1_500, idle_ms: 1_000 } });
    expect(textOf(await run(on, [late, TWO]))).toBe("two");
    expect(on.calls[0]?.endedByUsAt).toBe(1_500);
    expect(on.endings[0]).toEqual(["one", "unhealthy"]);
  });

  test("an answer that stalls in its middle ends in one error, and no other candidate is asked", async () => {
    const on = stage({ one: [{ pieces: saying("hello").slice(0, 2), ends: "silence" }], two: [{ pieces: saying("two") }] });
    const events = await run(on, [ONE, TWO]);
    expect(textOf(events)).toBe("hello");
    expect(events.at(-1)).toMatchObject({ type: "error", error: { code: "provider_timeout" } });
    expect(events.filter((event) => event.type === "error" || event.type === "end")).toHaveLength(1);
    expect([on.clock.now(), on.calls.length]).toEqual([LIMITS.upstreamIdleMilliseconds, 1]);
  });

  test("an answer that never ends is ended", async () => {
    const words = Array.from({ length: 100 }, () => ({ after: 100, bytes: chunk({ content: "x" }) }));
    const on = stage({ one: [{ pieces: words, ends: "silence" }] });
    const events = await run(on, [attempt("one", "openai-chat", { timeouts: { total_ms: 1_050 } })]);
    expect(textOf(events)).toBe("x".repeat(10));
    expect(events.at(-1)).toMatchObject({ type: "error", error: { code: "provider_timeout" } });
  });
});

describe("a caller who wants no more", () => {
  test("lets go of the upstream at once, and hears nothing more", async () => {
    const words = Array.from({ length: 5 }, () => ({ after: 100, bytes: chunk({ content: "x" }) }));
    const on = stage({ one: [{ pieces: words, ends: "silence" }], two: [{ pieces: saying("two") }] });
    const off = new AbortController();
    on.clock.after(250, () => off.abort());
    const events = await run(on, [ONE, TWO], { signal: off.signal });
    expect(textOf(events)).toBe("xx");
    expect(events.some((event) => event.type === "error" || event.type === "end")).toBe(false);
    expect(on.calls.map((call) => call.endedByUsAt)).toEqual([250]);
  });

  test("while nothing has come ends the call that is under way, which says nothing of its address", async () => {
    const on = stage({ one: ["silence"], two: [{ pieces: saying("two") }] });
    const off = new AbortController();
    on.clock.after(50, () => off.abort());
    expect(await run(on, [ONE, TWO], { signal: off.signal })).toEqual([]);
    expect(on.calls.map((call) => call.endedByUsAt)).toEqual([50]);
    expect(on.endings).toEqual([["one", "neither"]]);
  });

  test("by leaving the loop does the same", async () => {
    const on = stage({ one: [{ pieces: saying("hello"), ends: "silence" }] });
    for await (const event of infer({ attempts: [ONE] }, { requestId: "r", stream: true, bodies: [] }, on.ports)) {
      if (event.type === "text-delta") break;
    }
    expect(on.calls[0]?.endedByUsAt).not.toBeNull();
  });
});
