/** Each command of scripts/offline/commands.ts does what its table says, on a real socket and in both of the oldest formats. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseCommands } from "../../scripts/offline/commands.ts";
import type { InvoiceLine } from "../../scripts/offline/invoice.ts";
import { startOfflineProvider, type OfflineProvider } from "../../scripts/offline/server.ts";
import { call, type CallInit, dataOf, type Heard } from "./call.ts";

const RECORDED = 'data: {"recorded":1}\n\ndata: {"recorded":2}\n\ndata: [DONE]\n\n';

let provider: OfflineProvider;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "plyrum-recordings-"));
  writeFileSync(join(folder, "own.sse"), RECORDED);
  writeFileSync(join(folder, "index.jsonl"), `${JSON.stringify({ file: "own.sse", status: 200, format: "sse" })}\n`);
  provider = await startOfflineProvider({ recordingsFolder: folder });
});
afterAll(async () => {
  await provider.close();
  rmSync(folder, { recursive: true });
});

const FORMATS = [
  { name: "chat completions", path: "/v1/chat/completions", last: "data: [DONE]", done: "[DONE]" },
  { name: "messages", path: "/v1/messages", last: "event: message_stop", done: "message_stop" },
] as const;
type Format = (typeof FORMATS)[number];
const [CHAT] = FORMATS;

interface Said extends Heard {
  line: InvoiceLine;
}

/** One call with these commands; `stream` by default. Gives what was heard and the invoice's line of it. */
async function say(commands: string, facts: { format?: Format; stream?: boolean; extra?: object } & CallInit = {}): Promise<Said> {
  const { format = CHAT, stream = true, extra = {}, ...init } = facts;
  const body = {
    model: commands === "" ? "m" : `m@${commands}`,
    stream,
    max_tokens: 100_000,
    messages: [{ role: "user", content: "Twelve words are said here, so that there are some pieces." }],
    ...(format === CHAT && stream ? { stream_options: { include_usage: true } } : {}),
    ...extra,
  };
  const heard = await call(`${provider.url}${format.path}`, { body, ...init });
  const line = provider.invoice().at(-1);
  if (line === undefined) throw new Error("no line in the invoice");
  return { ...heard, line };
}

/** The text of an answer, whole or streamed, in either format. */
function textOf(heard: Heard): string {
  if (!heard.text.startsWith("data:") && !heard.text.startsWith("event:")) {
    const whole = JSON.parse(heard.text);
    return whole.choices?.[0]?.message.content ?? whole.content?.map((block: { text?: string }) => block.text ?? "").join("") ?? "";
  }
  return dataOf(heard.text)
    .filter((data) => data.startsWith("{"))
    .map((data) => JSON.parse(data))
    .map((event) => event.choices?.[0]?.delta?.content ?? event.delta?.text ?? "")
    .join("");
}

/** Every word of the table's first column. */
function documented(): string[] {
  const source = readFileSync(new URL("../../scripts/offline/commands.ts", import.meta.url), "utf8");
  const cells = [...source.matchAll(/^ \* \| (`.*?`) \|/gm)].map((match) => match[1] ?? "");
  return cells.flatMap((cell) => [...cell.matchAll(/`([a-z_0-9]+)(?:=\w+)?`/g)].map((match) => match[1] ?? ""));
}

test("every command of the table has a test here", () => {
  const source = readFileSync(new URL(import.meta.url), "utf8");
  expect(documented().length).toBeGreaterThan(25);
  const untested = documented().filter((word) => !new RegExp(`say\\(\`?"?[^)]*\\b${word}\\b`).test(source));
  expect(untested).toEqual([]);
});

test("the header x-offline commands as the model name does, and unknown words do nothing", async () => {
  expect((await say("", { headers: { "x-offline": "status=418" } })).status).toBe(418);
  expect(await say("unknown,stat=5")).toMatchObject({ status: 200, ended: "end" });
  expect(parseCommands("m@cut=3, utf8", "delay=7")).toMatchObject({ cut: 3, delay: 7, ttft: 0 });
});

describe.each(FORMATS)("$name", (format) => {
  test("without a command is a whole answer that the invoice knows", async () => {
    const streamed = await say("", { format });
    expect(streamed).toMatchObject({ status: 200, ended: "end", line: { completed: true, reported: true, client_closed_at_event: null } });
    expect(streamed.text.lastIndexOf(format.last)).toBeGreaterThan(0);
    const whole = await say("", { format, stream: false });
    expect(textOf(whole)).toBe(textOf(streamed));
    expect(whole.line).toMatchObject({ output: streamed.line.output, completed: true, reported: true });
  });

  test("with ttft waits before the first byte, with delay between events", async () => {
    const late = await say("ttft=120", { format });
    expect(late.firstAt).toBeGreaterThanOrEqual(115);
    const slow = await say("delay=15,chunks=8", { format });
    expect(slow.firstAt).toBeLessThan(100);
    expect(slow.endAt).toBeGreaterThanOrEqual(8 * 14);
    expect(slow.pieces.length).toBeGreaterThan(6);
  });

  test("with chunks has its text in so many deltas, with tokens in so many tokens", async () => {
    const few = await say("chunks=3,tokens=30", { format });
    const deltas = dataOf(few.text).filter((data) => /"content":"[^"]+"|"text":"[^"]+"/.test(data));
    expect(deltas).toHaveLength(3);
    expect(textOf(few)).toHaveLength(120);
    expect((await say("tokens=30", { format, stream: false })).line.output).toBe(30);
  });

  test("with echo says its whole prompt, with says that text, with refusal a sentence and its own word for it", async () => {
    const asked = textOf(await say("", { format })).replace("You said: ", "");
    expect(textOf(await say("echo", { format }))).toContain(asked);
    expect(textOf(await say("says=forty two", { format }))).toBe("forty two");
    const refused = await say("refusal", { format });
    expect(textOf(refused)).toBe("I would rather not.");
    expect(refused.text).toMatch(/"(finish|stop)_reason":"(content_filter|refusal)"/);
  });

  test("with uncapped says all there is to say, whatever cap was asked for", async () => {
    const capped = await say("tokens=300", { format, stream: false, extra: { max_tokens: 5 } });
    const uncapped = await say("tokens=300,uncapped", { format, stream: false, extra: { max_tokens: 5 } });
    expect([capped.line.output, uncapped.line.output]).toEqual([5, 300]);
  });

  test("with flaky fails the first calls of one gateway request, and counts each request by itself", async () => {
    const statuses: number[] = [];
    for (const id of ["req_a", "req_a", "req_a", "req_b"])
      statuses.push((await say("flaky=2", { format, headers: { "x-plyrum-request-id": `${id}_${format.path}` } })).status);
    expect(statuses).toEqual([503, 503, 200, 503]);
  });

  test("with cut destroys the socket after so many events, with end closes the body without a terminator", async () => {
    for (const events of [0, 1, 4]) {
      const cut = await say(`cut=${events},delay=5,chunks=20`, { format });
      expect([cut.ended, dataOf(cut.text).length]).toEqual(["cut", events]);
      const ended = await say(`end=${events},delay=5,chunks=20`, { format });
      expect([ended.ended, dataOf(ended.text).length, ended.text.includes(format.done)]).toEqual(["end", events, false]);
      expect([cut.line.completed, ended.line.completed]).toEqual([false, false]);
    }
  });

  test("with stall sends so many events and then nothing, with hang nothing at all", async () => {
    const stalled = await say("stall=3", { format, leaveAfterMilliseconds: 150 });
    expect([stalled.status, stalled.ended, dataOf(stalled.text).length]).toEqual([200, "left", 3]);
    const hung = await say("hang", { format, leaveAfterMilliseconds: 150 });
    expect([hung.status, hung.ended, hung.text]).toEqual([0, "left", ""]);
  });

  test("with refuse breaks the connection before any answer", async () => {
    expect(await say("refuse", { format })).toMatchObject({ status: 0, ended: "cut", text: "" });
  });

  test("with endless goes on until the caller leaves, and notes when that was", async () => {
    const heard = await say("endless,delay=2", { format, leaveAfterMilliseconds: 200 });
    expect(heard.ended).toBe("left");
    expect(dataOf(heard.text).length).toBeGreaterThan(15);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(provider.invoice().at(-1)?.client_closed_at_event).toBeGreaterThan(15);
    const { text } = await call(`${provider.url}/_open`);
    expect(JSON.parse(text)).toEqual({ open: 0 });
  });

  test.each([400, 401, 403, 404, 413, 429, 500, 503, 529])("with status=%i answers so, in the provider's own shape", async (status) => {
    for (const stream of [true, false]) {
      const heard = await say(`status=${status}`, { format, stream });
      expect([heard.status, heard.headers["content-type"]]).toEqual([status, "application/json"]);
      expect(JSON.parse(heard.text)).toMatchObject({ error: { message: expect.any(String), type: expect.any(String) } });
      expect(heard.line).toMatchObject({ status, output: 0, completed: false });
    }
  });

  test("with retry_after says when to come back", async () => {
    expect((await say("status=429,retry_after=7", { format })).headers["retry-after"]).toBe("7");
    expect((await say("status=429", { format })).headers["retry-after"]).toBeUndefined();
  });

  test("with html answers a page, of the status given", async () => {
    const page = await say("html", { format });
    expect([page.status, page.headers["content-type"], page.text.startsWith("<html>")]).toEqual([502, "text/html", true]);
    expect((await say("html,status=200", { format })).status).toBe(200);
  });

  test("with garbage answers no JSON, with error200 an error body that says 200", async () => {
    const garbage = await say("garbage", { format, stream: false });
    expect(garbage.status).toBe(200);
    expect(() => JSON.parse(garbage.text)).toThrow(SyntaxError);
    const error = await say("error200", { format, stream: false });
    expect([error.status, Object.keys(JSON.parse(error.text)).includes("error")]).toEqual([200, true]);
  });

  test("with error_at has the provider's own error in its stream after so many events, and no terminator", async () => {
    const heard = await say("error_at=3,chunks=20", { format });
    const data = dataOf(heard.text);
    expect([heard.ended, data.length]).toEqual(["end", 4]);
    expect(JSON.parse(data[3] ?? "")).toHaveProperty("error");
    expect(heard.text).not.toContain(format.done);
  });

  test("with nousage tells no usage, with usage_zero zeros, with usage_absurd what cannot be", async () => {
    for (const stream of [true, false]) {
      const none = await say("nousage", { format, stream });
      // Messages always has a usage object at its start; no count of output in it is final.
      if (format === CHAT) expect(none.text).not.toContain("_tokens");
      expect(none.line.reported).toBe(false);
      const zero = await say("usage_zero", { format, stream });
      expect(zero.text).toMatch(/"(completion|output)_tokens":0/);
      const absurd = await say("usage_absurd", { format, stream });
      expect(absurd.text).toMatch(/_tokens":(-\d|\d+\.\d)/);
    }
  });

  test("with split has pieces of so many bytes that give the same text", async () => {
    const whole = await say("utf8", { format });
    for (const size of [1, 3, 7]) {
      const pieces = await say(`utf8,split=${size}`, { format });
      expect(textOf(pieces)).toBe(textOf(whole));
      expect(pieces.pieces.length).toBeGreaterThan(whole.pieces.length);
    }
  });

  test("with crlf ends every line so", async () => {
    const { text } = await say("crlf", { format });
    expect(text).toContain("\r\n\r\n");
    expect(text.replaceAll("\r\n", "")).not.toContain("\n");
  });

  test("with bigline has so many bytes of text, in one event", async () => {
    const heard = await say("bigline=100000,chunks=1", { format });
    expect(Math.max(...dataOf(heard.text).map((data) => data.length))).toBeGreaterThan(100_000);
    expect(textOf(heard)).toHaveLength(100_000);
  });

  test("with utf8 speaks CJK, emoji and Cyrillic, with empty says nothing", async () => {
    expect(textOf(await say("utf8", { format }))).toMatch(/Здравствуй.*你好.*🌍/s);
    for (const stream of [true, false]) expect(textOf(await say("empty", { format, stream }))).toBe("");
  });

  test("with nodone leaves the terminator out", async () => {
    const heard = await say("nodone", { format });
    expect([heard.ended, heard.text.includes(format.done)]).toEqual(["end", false]);
  });

  test("with finish_twice finishes twice", async () => {
    const once = await say("", { format });
    const twice = await say("finish_twice", { format });
    const count = (text: string): number => [...text.matchAll(/"(finish|stop)_reason":"/g)].length;
    expect([count(once.text), count(twice.text)]).toEqual([1, 2]);
  });

  test("with abort_bills bills the whole answer though the caller left, and else only what was sent", async () => {
    const whole = (await say("chunks=40,tokens=400", { format, stream: false })).line.output;
    const bills: number[] = [];
    const answer = "chunks=40,tokens=400,delay=10";
    for (const leave of [
      () => say(`abort_bills,${answer}`, { format, leaveAfterPieces: 6 }),
      () => say(answer, { format, leaveAfterPieces: 6 }),
    ]) {
      await leave();
      await new Promise((resolve) => setTimeout(resolve, 60));
      bills.push(provider.invoice().at(-1)?.output ?? -1);
    }
    expect(bills[0]).toBe(whole);
    expect(bills[1]).toBeLessThan(whole / 2);
    expect(bills[1]).toBeGreaterThan(0);
  });

  test("with replay gives a recorded body byte for byte, and only from its folder", async () => {
    const heard = await say("replay=own.sse", { format });
    expect([heard.status, heard.headers["content-type"], heard.text]).toEqual([200, "text/event-stream; charset=utf-8", RECORDED]);
    expect((await say("replay=own.sse,cut=1", { format })).ended).toBe("cut");
    for (const file of ["missing.sse", "../../etc/passwd", "/etc/passwd", ".."])
      expect((await say(`replay=${file}`, { format })).status).toBe(404);
  });
});

describe("the server", () => {
  test("refuses a call without a credential, a body that is no JSON, and a path nobody speaks", async () => {
    const body = { model: "m", messages: [{ role: "user", content: "x" }] };
    const bare = { authorization: "", "x-api-key": "" };
    expect((await call(`${provider.url}/v1/chat/completions`, { body, headers: bare })).status).toBe(401);
    expect((await call(`${provider.url}/v1/chat/completions`, { body: "{" })).status).toBe(400);
    expect((await call(`${provider.url}/v1/telegraph`, { body })).status).toBe(404);
    expect((await call(`${provider.url}/v1/chat/completions`)).status).toBe(404);
  });

  test("keeps its invoice until it is told to forget it", async () => {
    await say("");
    expect(provider.invoice().length).toBeGreaterThan(0);
    await call(`${provider.url}/_invoice`, { method: "DELETE" });
    expect(JSON.parse((await call(`${provider.url}/_invoice`)).text)).toEqual({ lines: [] });
  });

  test("ends with every connection it has", async () => {
    const own = await startOfflineProvider();
    const body = { model: "m@stall=1", stream: true, messages: [{ role: "user", content: "x" }] };
    const hanging = call(`${own.url}/v1/chat/completions`, { body });
    await new Promise((resolve) => setTimeout(resolve, 50));
    await own.close();
    expect((await hanging).ended).toBe("cut");
  });
});
