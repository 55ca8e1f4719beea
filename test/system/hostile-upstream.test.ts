/** Callers of every protocol behind a provider whose every word is hostile: no frame, header or line of theirs is its to write. */
import { createServer, type Server } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { PROTOCOLS } from "../../workers/protocol/index.ts";
import catalogue from "../../workers/cost/catalogue.json" with { type: "json" };
import { VALID_REQUESTS } from "../hostile/bodies.ts";
import { type Account, type Stage, startStage } from "./shared-system.ts";

const INJECTED = "INJECTED";
const HOSTILE = `x\n\nevent: ${INJECTED}\ndata: {"${INJECTED}":1}\n\n\r\n\r\n{"${INJECTED}":true,"done":true}\n\u2028\u0000\ud800`;

let stage: Stage;
let account: Account;
let upstream: Server;

/** What the provider does is the model's name. Its bytes are Chat Completions, as hostile as they can be and still be that. */
function answerOf(model: string, stream: boolean): { status: number; headers: Record<string, string>; body: string } {
  const json = { "content-type": "application/json", "retry-after": "9".repeat(300), "x-request-id": `a${"b".repeat(5_000)}` };
  const error = JSON.stringify({ error: { message: HOSTILE, type: HOSTILE, code: HOSTILE, param: HOSTILE } });
  if (model === "refuses") return { status: 400, headers: json, body: error };
  if (model === "limits") return { status: 429, headers: json, body: error };
  if (model === "page") return { status: 200, headers: { "content-type": "text/html" }, body: `<script>${HOSTILE}</script>` };
  const call = {
    index: 0,
    id: HOSTILE,
    type: "function",
    function: { name: HOSTILE, arguments: `{\n"a":\r\n${JSON.stringify(HOSTILE)}\n}` },
  };
  const said = { role: "assistant", content: HOSTILE, reasoning_content: HOSTILE, tool_calls: [call] };
  const usage = { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 };
  const head = { id: HOSTILE, object: "chat.completion", created: 1, model: HOSTILE, usage };
  if (!stream)
    return {
      status: 200,
      headers: json,
      body: JSON.stringify({ ...head, choices: [{ index: 0, message: said, finish_reason: HOSTILE }] }, null, 1),
    };
  const chunks = [
    { ...head, object: "chat.completion.chunk", usage: null, choices: [{ index: 0, delta: said, finish_reason: null }] },
    model === "breaks"
      ? { error: { message: HOSTILE, type: HOSTILE, code: 500 } }
      : { ...head, object: "chat.completion.chunk", choices: [{ index: 0, delta: {}, finish_reason: HOSTILE }] },
  ];
  const body = `${chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join("")}data: [DONE]\n\n`;
  return { status: 200, headers: { "content-type": "text/event-stream" }, body };
}

beforeAll(async () => {
  upstream = createServer(async (request, response) => {
    let text = "";
    for await (const chunk of request) text += String(chunk);
    const body = JSON.parse(text) as { model: string; stream?: boolean };
    const answer = answerOf(body.model, body.stream === true);
    response.writeHead(answer.status, answer.headers);
    response.end(answer.body);
  });
  await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve));
  const address = upstream.address();
  stage = await startStage();
  const base_url = `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}/v1`;
  await stage.admin("/config", { method: "PUT", body: { model_providers: [{ model: "evil/*", provider_interface: "openai", base_url }] } });
  const price = { input: "1", output: "2", max_output_tokens: 1000 };
  await stage.admin("/prices", { method: "PUT", body: { ...catalogue, models: { ...catalogue.models, "evil/*": price } } });
  account = await stage.account(1_000_000_000);
});
afterAll(async () => {
  await stage.close();
  upstream.close();
});

const CALLERS = VALID_REQUESTS.filter(({ protocol }) => protocol !== "openai-embeddings");
/** Its own bytes pass to a caller of its own protocol, so those are the provider's to write. */
const TRANSLATED = CALLERS.filter(({ protocol }) => protocol !== "openai-chat");
const SMALL: Partial<Record<string, object>> = {
  "openai-responses": { input: "hi" },
  "anthropic-messages": { max_tokens: 5, messages: [{ role: "user", content: "hi" }] },
  gemini: { contents: [{ parts: [{ text: "hi" }] }] },
  "bedrock-converse": { messages: [{ role: "user", content: [{ text: "hi" }] }] },
  "ollama-chat": { messages: [{ role: "user", content: "hi" }] },
  "ollama-generate": { prompt: "hi" },
};

async function ask({ protocol, path }: (typeof CALLERS)[number], behaviour: string, stream: boolean) {
  const model = `evil/${behaviour}`;
  const streamed = path.replace(/:generateContent$/, ":streamGenerateContent?alt=sse").replace(/converse$/, "converse-stream");
  const response = await fetch(stage.system.url + (stream ? streamed : path).replace("{model}", encodeURIComponent(model)), {
    method: "POST",
    headers: { authorization: `Bearer ${account.key}`, "content-type": "application/json" },
    body: JSON.stringify({ model, stream, ...(SMALL[protocol] ?? { messages: [{ role: "user", content: "hi" }] }) }),
    signal: AbortSignal.timeout(20_000),
  });
  return { response, bytes: new Uint8Array(await response.arrayBuffer()) };
}

function expectNoInjectedHeader(headers: Headers): void {
  for (const [name, value] of headers) expect(`${name}: ${value}`).not.toContain(INJECTED);
}

describe.each(TRANSLATED)("$protocol", (caller) => {
  // Of its own: the breaker of one account's lane opens after a few bad pages in a row.
  beforeAll(async () => {
    account = await stage.account(1_000_000_000);
  });

  test.each(["answers", "breaks"])("streamed, where the provider %s: every frame is the gateway's", async (behaviour) => {
    const { response, bytes } = await ask(caller, behaviour, true);
    expect(response.status).toBe(200);
    expectNoInjectedHeader(response.headers);
    const framer = PROTOCOLS[caller.protocol].createFramer();
    const frames = [...framer.push(bytes), ...framer.end()];
    expect(frames.length).toBeGreaterThan(1);
    for (const { event, data } of frames) {
      expect(event ?? "").not.toContain(INJECTED);
      if (data !== null && data !== "[DONE]") expect(JSON.parse(data)).not.toHaveProperty(INJECTED);
    }
  });

  test.each(["answers", "refuses", "limits", "page"])(
    "whole, where the provider %s: one JSON body that says it is JSON",
    async (behaviour) => {
      const { response, bytes } = await ask(caller, behaviour, false);
      expectNoInjectedHeader(response.headers);
      expect(response.headers.get("content-type")).toMatch(/^application\/json\b/);
      expect(JSON.parse(new TextDecoder().decode(bytes))).not.toHaveProperty(INJECTED);
      expect({ answers: 200, refuses: 400, limits: 429, page: 502 }[behaviour]).toBe(response.status);
      expect(response.headers.get("retry-after")).toBeNull();
    },
  );
});

test("a caller of the provider's own protocol gets no page, no header of its making, and errors of the table", async () => {
  const chat = CALLERS.find(({ protocol }) => protocol === "openai-chat");
  if (chat === undefined) throw new Error("nobody speaks openai-chat");
  for (const behaviour of ["answers", "refuses", "limits", "page"]) {
    const { response, bytes } = await ask(chat, behaviour, false);
    expectNoInjectedHeader(response.headers);
    expect(response.headers.get("content-type")).toMatch(/^application\/json\b/);
    JSON.parse(new TextDecoder().decode(bytes));
  }
});

test("the ledger keeps all of it, and comes to rest", async () => {
  await account.atRest();
  expect((await account.balance()).held_micro_rub).toBe(0);
});
