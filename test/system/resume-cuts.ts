/** Streams that are dropped and gone on with: which bodies are played, where they are cut, and what comes of it. */
import { join } from "node:path";
import { recordings, recordingsFolder } from "../protocol/recordings.ts";

/** How callers of a protocol ask for a stream of a recorded body. */
interface Asking {
  path: string;
  model: string;
  body: (model: string) => object;
}

const ASKING: Readonly<Record<string, Asking>> = {
  "openai-chat": {
    path: "/v1/chat/completions",
    model: "openai/gpt-5-mini",
    body: (model) => ({
      model,
      stream: true,
      stream_options: { include_usage: true },
      messages: [{ role: "user", content: "Hello" }],
    }),
  },
  "anthropic-messages": {
    path: "/v1/messages",
    model: "anthropic/claude-haiku-4-5",
    body: (model) => ({ model, stream: true, max_tokens: 1000, messages: [{ role: "user", content: "Hello" }] }),
  },
  "openai-responses": {
    path: "/v1/responses",
    model: "openai/gpt-5-mini",
    body: (model) => ({ model, stream: true, store: false, input: "Hello" }),
  },
};

const COUNTS: Readonly<Record<string, number>> = { "openai-chat": 4, "anthropic-messages": 3, "openai-responses": 3 };

export interface Played {
  /** The caller's. */
  protocol: string;
  /** The provider's. */
  upstream: string;
  name: string;
}

/** The folder of bodies that the offline provider plays. */
export const bodiesFolder = recordingsFolder ?? join(import.meta.dirname, "../bodies");

/**
 * Ten bodies in three protocols: recorded ones where there are any, of a length that has something to cut and can all be cut; and two of them for
 * callers of other protocols.
 */
export function playedStreams(): Played[] {
  const native = Object.entries(COUNTS).flatMap(([protocol, count]) => {
    const fitting = recordings
      .filter((body) => body.protocol === protocol && body.status === 200 && body.name.endsWith(".sse"))
      .filter((body) => (body.provider === "own") === (recordingsFolder === null) && isFitting(body.bytes.toString("utf8")))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1));
    const step = Math.max(1, Math.floor(fitting.length / count));
    return Array.from({ length: count }, (_, index) => fitting[index * step])
      .filter((body) => body !== undefined)
      .map(({ name }) => ({ protocol, upstream: protocol, name }));
  });
  const messages = native.find(({ protocol }) => protocol === "anthropic-messages");
  const translated = ["openai-chat", "openai-responses"].flatMap((protocol) => (messages === undefined ? [] : [{ ...messages, protocol }]));
  return [...native, ...translated];
}

function isFitting(text: string): boolean {
  const events = eventsOf(text).length;
  return events >= (recordingsFolder === null ? 6 : 20) && events <= 60 && !text.includes('"error":{') && !text.includes("event: error");
}

/** A stream's events, each with its blank line. */
export function eventsOf(text: string): string[] {
  return text.match(/[\s\S]*?(?:\r\n\r\n|\n\n|\r\r)|[\s\S]+$/g) ?? [];
}

/** The number by which a reader of the stream knows its last event; null before the first. */
export function lastNumber(text: string, protocol: string): number | null {
  const pattern = protocol === "openai-responses" ? /"sequence_number":\s*(\d+)/g : /^id: ?(\d+)$/gm;
  const numbers = [...text.matchAll(pattern)].map((match) => Number(match[1]));
  return numbers.at(-1) ?? null;
}

export interface Call {
  url: string;
  key: string;
}

function headersOf({ key }: Call, more: Record<string, string> = {}): Record<string, string> {
  return { authorization: `Bearer ${key}`, "content-type": "application/json", "x-plyrum-resumable": "1", ...more };
}

/** Opens the stream of a body that is played an event at a time. */
export function ask(call: Call, { protocol, upstream, name }: Played, init: { delay: number; signal?: AbortSignal }): Promise<Response> {
  const asking = ASKING[protocol];
  const model = ASKING[upstream]?.model;
  if (asking === undefined || model === undefined) throw new Error(`nobody asks in ${protocol}`);
  const body = JSON.stringify(asking.body(`${model}@replay=${name},delay=${init.delay}`));
  return fetch(call.url + asking.path, { method: "POST", headers: headersOf(call), body, signal: init.signal ?? null });
}

/** Reads until so many events and so many bytes of the next one came, then leaves. Gives what a reader has of it: whole events. */
export async function dropAfter(call: Call, played: Played, cut: { events: number; bytes: number }): Promise<{ id: string; had: string }> {
  const controller = new AbortController();
  const response = await ask(call, played, { delay: 3, signal: controller.signal });
  const id = response.headers.get("x-plyrum-request-id") ?? "";
  const reader = response.body?.getReader();
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  let text = "";
  const isEnough = (): boolean => {
    const events = eventsOf(text);
    const whole = events.filter((event) => /(?:\r\n\r\n|\n\n|\r\r)$/.test(event)).length;
    return whole > cut.events || (whole === cut.events && (events[cut.events]?.length ?? 0) >= cut.bytes);
  };
  while (!isEnough()) {
    const { value, done } = (await reader?.read()) ?? { value: undefined, done: true };
    if (done) break;
    text += decoder.decode(value, { stream: true });
  }
  controller.abort();
  const had = eventsOf(text).slice(0, cut.events);
  // A comment is no event: it comes again with the one that it stands before.
  while (had.at(-1)?.startsWith(":") === true) had.pop();
  return { id, had: had.join("") };
}

/** The rest of a dropped stream, while it runs or after. */
export async function resume(call: Call, id: string, after: number | null): Promise<string> {
  const headers = { authorization: `Bearer ${call.key}`, ...(after === null ? {} : { "last-event-id": String(after) }) };
  const response = await fetch(`${call.url}/v1/requests/${id}/stream`, { headers });
  if (response.status !== 200) throw new Error(`${id}: ${response.status} ${await response.text()}`);
  return response.text();
}
